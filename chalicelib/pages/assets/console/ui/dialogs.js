// Dialogs: open one, ask before closing one with unsaved input, and ask before an action that cannot be undone.
import { h } from "../../shared/dom.js";
import { alertBox } from "./alerts.js";
import { currentFocus, restoreFocus } from "./focus.js";
import { icon } from "./icons.js";
import { uid } from "./ids.js";
import { menuIsOpen } from "./menus.js";
import { noticePlace } from "./notices.js";
import { markBusy, messageOf } from "./states.js";

/** @import { Child } from "../../shared/dom.js" */
/** @import { Focus } from "./focus.js" */

/**
 * @typedef {object} DialogOptions
 * @property {string} title
 * @property {Child | Child[]} body
 * @property {Child[]} [actions] the buttons in its footer
 * @property {"drawer" | "wide" | "steady"} [kind]
 * @property {() => boolean} [dirty] whether closing it would lose input
 * @property {() => void} [onclose]
 */

/**
 * Open a dialog. Closing it removes it from the page and returns the focus.
 * @param {DialogOptions} options
 * @returns {HTMLDialogElement}
 */
export function openDialog({ title, body, actions = [], kind, dirty = () => false, onclose }) {
  const id = uid();
  const focus = currentFocus();
  const question = h("div.discard", { hidden: true, role: "alert" });
  const content = h("div.content", {}, body);
  const dialog = h("dialog", { "aria-labelledby": id, class: kind });
  const close = () => (dirty() ? askToDiscard(dialog, question, content) : dialog.close());
  const closer = h("button.plain", { type: "button", "aria-label": "Close", onclick: close }, icon("close"));
  dialog.append(
    h("header", {}, h("h2", { id }, title), closer),
    content,
    question,
    ...(actions.length ? [h("footer", {}, actions)] : []),
    h("div.notices", { role: "status" }),
  );
  keepInput(dialog, question, content, dirty);
  dialog.addEventListener("close", () => {
    leave(dialog, focus);
    onclose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  const first = firstField(content, "[autofocus], ");
  if (kind !== "drawer" && first && first.checkVisibility?.() !== false) first.focus();
  return dialog;
}

/**
 * @param {HTMLElement} content
 * @param {string} [preferred] a selector of fields that come before others
 */
function firstField(content, preferred = "") {
  const found = content.querySelector(`${preferred}input:not([type=hidden]), select, textarea`);
  return /** @type {HTMLElement | null} */ (found);
}

/**
 * Ask before closing a dialog that has unsaved input.
 * @param {HTMLDialogElement} dialog
 * @param {HTMLElement} question
 * @param {HTMLElement} content
 */
function askToDiscard(dialog, question, content) {
  const keep = h(
    "button.small.quiet",
    { type: "button", onclick: () => keepEditing(question, content) },
    "Keep editing",
  );
  const discard = h("button.small.bad", { type: "button", onclick: () => dialog.close() }, "Discard");
  question.replaceChildren(h("p", {}, "Close without saving what you entered?"), keep, discard);
  question.hidden = false;
  keep.focus();
}

/** @param {HTMLElement} question @param {HTMLElement} content */
function keepEditing(question, content) {
  question.hidden = true;
  firstField(content)?.focus();
}

/**
 * Do not let Escape close a dialog that has unsaved input.
 * @param {HTMLDialogElement} dialog
 * @param {HTMLElement} question
 * @param {HTMLElement} content
 * @param {() => boolean} dirty
 */
function keepInput(dialog, question, content, dirty) {
  dialog.addEventListener("cancel", (event) => {
    if (event.target !== dialog || !dirty() || !question.hidden) return;
    event.preventDefault();
    askToDiscard(dialog, question, content);
  });
  // A browser closes a dialog at the second Escape whatever the page does; at the key itself the page can still ask.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !dirty() || menuIsOpen()) return;
    event.preventDefault();
    if (question.hidden) askToDiscard(dialog, question, content);
    else keepEditing(question, content);
  });
}

/**
 * Remove a closed dialog, keep its notices visible, and return the focus.
 * @param {HTMLDialogElement} dialog
 * @param {Focus} focus where it was before the dialog opened
 */
function leave(dialog, focus) {
  dialog.remove();
  const notices = [...dialog.querySelectorAll(":scope > .notices > *")];
  noticePlace()?.append(...notices);
  restoreFocus(focus);
  for (const toCopy of notices.flatMap((notice) => [...notice.querySelectorAll("input")])) {
    toCopy.focus();
    toCopy.select();
  }
}

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {Child | Child[]} text
 * @property {string} action the label of the button that runs it
 * @property {string} [keep] the label of the other button
 * @property {() => Promise<unknown>} run may throw: the error is shown, and the dialog stays open
 * @property {boolean} [bad] whether the button warns
 */

/**
 * Ask before an action that cannot be undone.
 * @param {Question} question
 */
export function confirmThen({ title, text, action, keep = "Cancel", run, bad = true }) {
  const error = h("div", {});
  const go = h(bad ? "button.bad" : "button", { type: "button" }, action);
  go.addEventListener("click", async () => {
    if (!markBusy(go)) return;
    try {
      await run();
      dialog.close();
    } catch (problem) {
      error.replaceChildren(alertBox(messageOf(problem)));
    } finally {
      go.removeAttribute("aria-busy");
    }
  });
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, keep);
  const dialog = openDialog({ title, body: [h("div.prose", {}, text), error], actions: [cancel, go] });
  cancel.focus();
  return dialog;
}
