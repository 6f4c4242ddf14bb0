// Archive an event type, and revoke its links if it still has some.
import { h } from "../../shared/dom.js";
import { api, hasStatus } from "../api.js";
import { showLinksOf } from "../links/links-of.js";
import { ACTIVE } from "../statuses.js";
import { confirmThen } from "../ui/dialogs.js";
import { notify } from "../ui/notices.js";
import { many } from "../ui/states.js";
import { forgetEventTypes } from "./cache.js";

/** @import { EventType, LinkPage } from "../resources.d.ts" */

const MAX_COUNTED = 200;

/**
 * @param {EventType} one
 * @param {() => Promise<unknown>} done
 */
export function askArchive(one, done) {
  /** @param {boolean} revokeLinks */
  const archive = async (revokeLinks) => {
    const query = { revokeLinks: revokeLinks ? "true" : undefined };
    await api("DELETE", `v1/event-types/${one.eventTypeId}`, { query });
    notify(`${one.title} archived.`);
    forgetEventTypes();
    await done();
  };
  confirmThen({
    title: `Archive ${one.title}?`,
    text: h("p", {}, "It leaves the list and can’t be booked any more. Its bookings stay."),
    action: "Archive",
    run: async () => {
      try {
        await archive(false);
      } catch (error) {
        if (!hasStatus(error, 409)) throw error;
        const count = await countActiveLinks(one);
        setTimeout(() => askArchiveAll(one, count, () => archive(true)));
      }
    },
  });
}

/**
 * Return how many active links an event type has, in words.
 * @param {EventType} one
 */
async function countActiveLinks(one) {
  const query = { eventTypeId: one.eventTypeId, status: ACTIVE, limit: MAX_COUNTED };
  /** @type {LinkPage} */
  const page = await api("GET", "v1/links", { query });
  return page.nextCursor ? `more than ${MAX_COUNTED} active links` : many(page.links.length, "active link");
}

/**
 * Ask whether to archive an event type whose links people still hold, or offer to look at those links first.
 * @param {EventType} one
 * @param {string} count
 * @param {() => Promise<unknown>} run
 */
function askArchiveAll(one, count, run) {
  const showThem = () => {
    dialog.close();
    showLinksOf(one.eventTypeId);
  };
  const dialog = confirmThen({
    title: `${one.title} has ${count}`,
    text: [
      h(
        "p",
        {},
        "People may still hold them. If you archive it, these links are revoked: " +
          "whoever opens one sees that it is no longer active and can’t book.",
      ),
      h("p", {}, "Existing bookings stay, and can still be moved or cancelled."),
      h("p", {}, h("button.text.link", { type: "button", onclick: showThem }, "Show me these links")),
    ],
    action: "Archive and revoke its links",
    keep: "Keep it",
    run,
  });
}
