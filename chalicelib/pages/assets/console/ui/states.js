// What a view or section shows while it loads, if it is empty and if loading failed; and buttons whose action runs.
import { h } from "../../shared/dom.js";
import { notify } from "./notices.js";

/** @import { Child } from "../../shared/dom.js" */

/** Return the message for a view or section that is loading. CSS shows it only after a moment. */
export const loading = () => h("p.hush.loading", {}, "Loading…");

/**
 * Return the message for an empty list.
 * @param {string} title
 * @param {string} text
 * @param {...Child} actions
 */
export function empty(title, text, ...actions) {
  return h("div.empty", {}, h("h2", {}, title), h("p", {}, text), actions.length ? h("p.actions", {}, actions) : null);
}

/**
 * Return the message for a view or section that could not be loaded.
 * @param {unknown} error
 * @param {() => unknown} retry
 */
export function failed(error, retry) {
  const again = h("button.quiet", { type: "button", onclick: retry }, "Try again");
  const title = h("h2", {}, "This could not be loaded");
  return h("div.empty", { role: "alert" }, title, h("p", {}, messageOf(error)), h("p.actions", {}, again));
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Run a button's action, one at a time, and show an error as a notice.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<unknown>} action
 */
export async function busy(button, action) {
  if (!markBusy(button)) return;
  try {
    await action();
  } catch (error) {
    notify(messageOf(error), { bad: true });
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/**
 * Mark a button as busy; false if it already was.
 * @param {HTMLButtonElement} button
 */
export function markBusy(button) {
  if (button.getAttribute("aria-busy") === "true") return false;
  button.setAttribute("aria-busy", "true");
  return true;
}

/**
 * Return a number with its noun: `1 link`, `1,000 links`.
 * @param {number} n
 * @param {string} noun
 */
export const many = (n, noun) => `${n.toLocaleString("en")} ${n === 1 ? noun : `${noun}s`}`;
