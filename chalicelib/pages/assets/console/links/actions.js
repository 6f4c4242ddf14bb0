// Actions on one link, from its row or its details: copy, replace, revoke, delete.
import { h } from "../../shared/dom.js";
import { api, newKey } from "../api.js";
import { ACTIVE } from "../statuses.js";
import { copy } from "../ui/clipboard.js";
import { confirmThen } from "../ui/dialogs.js";
import { icon } from "../ui/icons.js";
import { notify, showWarnings } from "../ui/notices.js";
import { busy } from "../ui/states.js";
import { linksChanged } from "./changes.js";
import { describe } from "./words.js";

/** @import { Link, SavedLink } from "../resources.d.ts" */

/** Return a button that copies a link; null if its URL is not known any more. @param {Link} link */
export function copyButton(link) {
  const { url } = link;
  if (!url) return null;
  const label = `Copy the link ${describe(link)}`;
  const button = h("button.quiet.small.copy", { type: "button", "aria-label": label }, icon("copy"), "Copy");
  button.addEventListener("click", () => busy(button, () => copy(url, "Link copied.")));
  return button;
}

/**
 * Create a link, copy it, and return it.
 * @template {{url: string | null}} Created
 * @param {Promise<Created>} creating
 * @param {string} done
 */
export async function copyCreated(creating, done) {
  await copy(
    creating.then(({ url }) => url ?? ""),
    done,
  );
  return creating;
}

/**
 * @param {Link} link
 * @param {(fresh: Link) => void} [done]
 */
export function askReplace(link, done) {
  const key = newKey();
  const created = "A new link with the same settings is created and copied.";
  const stops = h("strong", {}, "The old link stops working at once");
  confirmThen({
    title: "Generate a new link?",
    text:
      link.status === ACTIVE
        ? [h("p", {}, created), h("p", {}, stops, ", also for someone who has it open.")]
        : h("p", {}, `${created} The old one stays as it is.`),
    action: "Generate new link",
    bad: false,
    run: async () => {
      /** @type {Promise<SavedLink>} */
      const creating = api("POST", `v1/links/${link.linkId}/replace`, { key });
      creating.then(showWarnings, () => {}); // an error is shown in the dialog
      const fresh = await copyCreated(creating, "New link copied.");
      linksChanged();
      done?.(fresh);
    },
  });
}

/**
 * @param {Link} link
 * @param {() => void} [done]
 */
export function askRevoke(link, done) {
  const then =
    link.status === ACTIVE ? "stops working at once" : "will not become active again when a booking is cancelled";
  confirmThen({
    title: "Revoke this link?",
    text: [
      h("p", {}, `The link ${describe(link)} ${then}. Bookings made with it stay.`),
      h("p", {}, "This can’t be undone, but you can create a new link."),
    ],
    action: "Revoke link",
    run: async () => {
      await api("POST", `v1/links/${link.linkId}/revoke`);
      notify("Link revoked.");
      linksChanged();
      done?.();
    },
  });
}

/**
 * @param {Link} link
 * @param {() => void} [done]
 */
export function askDelete(link, done) {
  const text = [
    `The link ${describe(link)} stops working and leaves the list.`,
    "Its bookings and its history stay. This can’t be undone.",
  ];
  confirmThen({
    title: "Delete this link?",
    text: h("p", {}, text.join(" ")),
    action: "Delete link",
    run: async () => {
      await api("DELETE", `v1/links/${link.linkId}`);
      notify("Link deleted.");
      linksChanged();
      done?.();
    },
  });
}
