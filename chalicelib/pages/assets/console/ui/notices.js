// Notices: short messages at the edge of the page, or of the open dialog.
import { h } from "../../shared/dom.js";
import { icon } from "./icons.js";

/** @import { Child } from "../../shared/dom.js" */
/** @import { SettingsWarning } from "../resources.d.ts" */

const SHOWN_MS = 6000;
const SHOWN_MS_IF_BAD = 12000;
const MAX_NOTICES = 3;

/**
 * Show a notice. It appears in the dialog on top, if there is one, because everything outside is inert.
 * @param {Child | Child[]} text
 * @param {{bad?: boolean, stays?: boolean}} [options]
 */
export function notify(text, { bad = false, stays = false } = {}) {
  const place = noticePlace();
  const dismiss = () => notice.remove();
  const notice = h(
    bad ? "div.notice.bad" : "div.notice",
    {},
    h("div", {}, text),
    h("button.plain", { type: "button", "aria-label": "Dismiss", onclick: dismiss }, icon("close")),
  );
  if (!stays) setTimeout(dismiss, bad ? SHOWN_MS_IF_BAD : SHOWN_MS);
  while (place && place.children.length >= MAX_NOTICES) place.firstElementChild?.remove();
  place?.append(notice);
  return notice;
}

/**
 * Show why nobody can book with the saved settings, each reason once.
 * @param {{warnings: SettingsWarning[]}} saved
 */
export function showWarnings({ warnings }) {
  const shown = new Set([...(noticePlace()?.children ?? [])].map((notice) => notice.textContent));
  for (const detail of new Set(warnings.map((warning) => warning.detail))) {
    if (!shown.has(detail)) notify(detail, { bad: true, stays: true });
  }
}

/** Return the element that notices are added to now. */
export function noticePlace() {
  const dialogs = document.querySelectorAll("dialog[open] > .notices");
  return dialogs[dialogs.length - 1] ?? document.getElementById("notices");
}
