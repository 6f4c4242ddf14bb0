// The tab of the self-renewing link: whenever it is used, the next one takes its place.
import { h } from "../../../shared/dom.js";
import { api, hasStatus } from "../../api.js";
import { ACTIVE } from "../../statuses.js";
import { confirmThen } from "../../ui/dialogs.js";
import { showWarnings } from "../../ui/notices.js";
import { busy, loading } from "../../ui/states.js";
import { copyCreated } from "../actions.js";
import { linksChanged } from "../changes.js";
import { ROLLING, urlRow } from "./sharing.js";

/** @import { Link, SavedLink } from "../../resources.d.ts" */
/** @import { Sharing } from "./sharing.js" */

/** @param {Sharing} sharing */
export async function showRolling(sharing) {
  const path = `v1/event-types/${sharing.eventTypeId}/rolling-link`;
  sharing.put(ROLLING, loading());
  const found = await read(path);

  const renew = async () => {
    /** @type {Promise<SavedLink>} */
    const creating = api("POST", path);
    creating.then(showWarnings, () => {}); // an error is shown where the button is
    sharing.current = await copyCreated(creating, "Self-renewing link copied.");
    linksChanged();
    await sharing.open(ROLLING);
  };
  if (!found?.url || found.status !== ACTIVE) {
    sharing.put(ROLLING, nothing(Boolean(found), renew));
    return;
  }
  sharing.current = found;
  const text = "Valid for one booking. As soon as it is used, the next link appears here, ready for the next person.";
  const onclick = () => askRenew(renew);
  const replace = h("button.quiet.small", { type: "button", onclick }, "Generate new link");
  sharing.put(ROLLING, h("p.hush", {}, text), urlRow(found), h("p.actions", {}, replace));
}

/**
 * @param {string} path
 * @returns {Promise<Link | null>} null if there never was one
 */
async function read(path) {
  try {
    return await api("GET", path);
  } catch (error) {
    if (hasStatus(error, 404)) return null;
    throw error;
  }
}

/**
 * @param {boolean} ended whether the previous one ended
 * @param {() => Promise<void>} renew
 */
function nothing(ended, renew) {
  const make = h("button", { type: "button" }, ended ? "Create a new one and copy it" : "Create it and copy it");
  make.addEventListener("click", () => busy(make, renew));
  const text = ended
    ? "The last one expired or was revoked."
    : "One private link that renews itself: as soon as someone books with it, it is used up, " +
      "and a new one appears here for the next person.";
  return h("div.prose", {}, h("p", {}, text), h("p.actions", {}, make));
}

/** @param {() => Promise<void>} renew */
function askRenew(renew) {
  const stops = h("strong", {}, "The old link stops working at once");
  confirmThen({
    title: "Generate a new link?",
    text: [
      h("p", {}, "A new self-renewing link is created and copied."),
      h("p", {}, stops, ", also for someone who has it open."),
    ],
    action: "Generate new link",
    bad: false,
    run: renew,
  });
}
