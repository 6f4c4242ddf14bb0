// Forms: labelled controls, submitting once at a time, and the API's errors at the fields they are about.
import { h } from "../../shared/dom.js";
import { ApiError } from "../api.js";
import { alertBox } from "./alerts.js";
import { uid } from "./ids.js";
import { markBusy, messageOf } from "./states.js";

/** @import { Child } from "../../shared/dom.js" */
/** @import { Fault } from "../resources.d.ts" */

/**
 * Return a control with its label.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {{hint?: Child, pointer?: string}} [options] `pointer` is the JSON pointer that the API's errors name
 */
export function field(label, control, { hint, pointer } = {}) {
  control.id ||= uid();
  if (pointer !== undefined) control.dataset.pointer = pointer;
  const parts = [h("label", { for: control.id }, label), control];
  if (hint) {
    const id = uid();
    control.setAttribute("aria-describedby", id);
    parts.push(h("p.hint", { id }, hint));
  }
  return h("div.field", {}, parts);
}

/**
 * Return a checkbox with its label.
 * @param {string} label
 * @param {HTMLInputElement} box
 * @param {Child} [hint]
 */
export function tick(label, box, hint) {
  return h("label.tick", {}, box, h("span", {}, label, hint ? h("span.hint", {}, hint) : null));
}

/** @param {boolean} checked */
export function checkbox(checked) {
  const box = h("input", { type: "checkbox" });
  box.checked = checked;
  return box;
}

/**
 * Return a select.
 * @param {[string, string][]} options value and label
 * @param {string} [value]
 */
export const select = (options, value = "") =>
  h(
    "select",
    { value },
    options.map(([key, words]) => h("option", { value: key }, words)),
  );

/**
 * Show the API's errors: in words above the form, and at each field that one is about.
 * @param {HTMLElement} form
 * @param {unknown} error
 */
function showErrors(form, error) {
  clearErrors(form);
  const faults = error instanceof ApiError ? error.faults : [];
  const fields = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-pointer]")]);
  const unplaced = [];
  /** @type {HTMLElement | undefined} */
  let first;
  for (const fault of faults) {
    const control = controlOf(fields, fault);
    if (!control) unplaced.push(`${fault.pointer.slice(1)} ${fault.detail}`.trim());
    else {
      markInvalid(control, fault.detail);
      if (!first && control.matches("input, select, textarea")) first = control;
    }
  }
  const marked = faults.length > unplaced.length;
  const list = unplaced.map((text) => h("li", {}, text));
  const summary = alertBox([h("p", {}, summarize(error, faults, marked)), list.length ? h("ul", {}, list) : null]);
  form.prepend(summary);
  if (first) first.focus();
  else summary.scrollIntoView({ block: "nearest" });
}

/**
 * @param {unknown} error
 * @param {Fault[]} faults
 * @param {boolean} marked whether a fault is shown at its field
 */
function summarize(error, faults, marked) {
  // The API's own sentence repeats every fault with its pointer, which means nothing to a person.
  if (!faults.length) return messageOf(error);
  return marked ? "Nothing was saved yet. Please correct what is marked below." : "Nothing was saved yet.";
}

/**
 * Return the control that a fault is about: the one with the longest pointer that the fault's pointer begins with.
 * @param {HTMLElement[]} fields
 * @param {Fault} fault
 */
function controlOf(fields, { pointer }) {
  return fields
    .filter(({ dataset }) => pointer === dataset.pointer || pointer.startsWith(`${dataset.pointer}/`))
    .sort((a, b) => (b.dataset.pointer ?? "").length - (a.dataset.pointer ?? "").length)
    .at(0);
}

/** @param {HTMLElement} control @param {string} detail */
function markInvalid(control, detail) {
  unfold(control);
  const id = uid();
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", `${control.getAttribute("aria-describedby") ?? ""} ${id}`.trim());
  control.after(h("p.error", { id }, sentence(detail)));
}

/**
 * Return the API's error about a field as a sentence: `must be …` becomes `This must be … .`
 * @param {string} detail
 */
export function sentence(detail) {
  const words = /^(is|are|must|may|has|needs|can|was)\b/.test(detail) ? `This ${detail}` : detail;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`.replace("..", ".");
}

/**
 * Open every `details` around a control.
 * @param {Element} control
 */
function unfold(control) {
  let around = control.closest("details");
  while (around) {
    around.open = true;
    around = around.parentElement?.closest("details") ?? null;
  }
}

/** @param {HTMLElement} form */
export function clearErrors(form) {
  for (const old of form.querySelectorAll(":scope > .alert, .error")) old.remove();
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    const ids = (control.getAttribute("aria-describedby") ?? "").split(" ");
    const kept = ids.filter((id) => document.getElementById(id));
    if (kept.length) control.setAttribute("aria-describedby", kept.join(" "));
    else control.removeAttribute("aria-describedby");
  }
}

/**
 * Run an action when a form is submitted, one at a time. Its errors are shown in the form, and no input is lost.
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 * @param {() => Promise<unknown>} action
 */
export function onSubmit(form, button, action) {
  // The browser can't show its message at a field inside a closed `details`.
  form.addEventListener("invalid", (event) => unfold(/** @type {Element} */ (event.target)), true);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!markBusy(button)) return;
    clearErrors(form);
    try {
      await action();
    } catch (error) {
      showErrors(form, error);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

/**
 * Watch whether a form's input changes.
 * @param {HTMLFormElement} form
 */
export function watchDirty(form) {
  let dirty = false;
  form.addEventListener("input", () => {
    dirty = true;
  });
  return {
    isDirty: () => dirty,
    clean() {
      dirty = false;
    },
  };
}
