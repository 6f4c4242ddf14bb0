// What can be done to a link from its row or its details: copy, replace, revoke, delete.
import { api, newKey } from "../api.js";
import { busy, copy, h, icon, notify, warn } from "../dom.js";
import { confirmThen } from "../dialogs.js";
import { forWhom, onLinksChanged, titleOf } from "../state.js";

/** @param {any} link e.g. `for Grace Hopper`, or the event type it is of */
export const named = (link) => (forWhom(link) ? `for ${forWhom(link)}` : `for ${titleOf(link.eventTypeId)}`);

/** @param {any} link */
export function copyButton(link) {
  if (!link.url) return null;
  const button = h("button.quiet.small.copy", { type: "button", "aria-label": `Copy the link ${named(link)}` }, icon("copy"), "Copy");
  button.addEventListener("click", () => busy(button, () => copy(link.url, "Link copied.")));
  return button;
}

/**
 * @param {any} link
 * @param {(fresh: any) => void} [done]
 */
export function askReplace(link, done) {
  const key = newKey();
  confirmThen({
    title: "Generate a new link?",
    text: link.status === "active"
      ? [h("p", {}, "A fresh link with the same settings is made and copied."), h("p", {}, h("strong", {}, "The old link stops working at once"), ", also for someone who has it open.")]
      : h("p", {}, "A fresh link with the same settings is made and copied. The old one stays as it is."),
    action: "Generate new link",
    bad: false,
    run: async () => {
      /** @type {any} */
      let fresh;
      const making = api("POST", `v1/links/${link.linkId}/replace`, { key }).then((answer) => { fresh = answer; warn(answer); return answer.url; });
      await copy(making, "New link copied.");
      onLinksChanged.call();
      done?.(fresh);
    },
  });
}

/**
 * @param {any} link
 * @param {() => void} [done]
 */
export function askRevoke(link, done) {
  confirmThen({
    title: "Revoke this link?",
    text: [h("p", {}, `The link ${named(link)} stops working at once. Bookings made with it stay.`), h("p", {}, "This can’t be undone; a new link can be made in its place.")],
    action: "Revoke link",
    run: async () => {
      await api("POST", `v1/links/${link.linkId}/revoke`);
      notify("Link revoked.");
      onLinksChanged.call();
      done?.();
    },
  });
}

/**
 * @param {any} link
 * @param {() => void} [done]
 */
export function askDelete(link, done) {
  confirmThen({
    title: "Delete this link?",
    text: h("p", {}, `The link ${named(link)} stops working and leaves the list. Its bookings and its history stay. This can’t be undone.`),
    action: "Delete link",
    run: async () => {
      await api("DELETE", `v1/links/${link.linkId}`);
      notify("Link deleted.");
      onLinksChanged.call();
      done?.();
    },
  });
}
