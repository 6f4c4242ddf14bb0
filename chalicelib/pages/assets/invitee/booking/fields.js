// The fields of the form: validate them, read them, and fill them again.
import { h } from "../../shared/dom.js";

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field */

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@.]+$/;

/** @param {HTMLFormElement} form */
export const bodyOf = (form) =>
  new URLSearchParams(/** @type {[string, string][]} */ ([...new FormData(form)])).toString();

/** Return what the visitor entered under a name. @param {HTMLFormElement} form @param {string} name */
const valueOf = (form, name) => String(new FormData(form).get(name) ?? "").trim();

/**
 * Show beside each invalid field what is wrong, and focus the first of them.
 * @param {HTMLFormElement} form
 * @param {HTMLElement} details
 * @returns {boolean} whether every field is valid
 */
export function checkFields(form, details) {
  const wrong = [...details.querySelectorAll(".field, .where")].filter((field) => !checkField(form, field));
  /** @type {HTMLElement | null | undefined} */ (wrong[0]?.querySelector("[name]"))?.focus();
  return !wrong.length;
}

/** @param {HTMLFormElement} form @param {Element} field an input, or several of one name, with its label */
function checkField(form, field) {
  const inputs = /** @type {NodeListOf<HTMLInputElement>} */ (field.querySelectorAll("[name]"));
  const [input] = inputs;
  const described = field.matches("fieldset") ? field : input;
  const id = `${input.id}-error`;
  field.querySelector(".error")?.remove();
  for (const one of inputs) one.toggleAttribute("aria-invalid", false);
  described.removeAttribute("aria-describedby");
  const fault = faultOf(input, valueOf(form, input.name));
  if (!fault) return true;
  field.querySelector("label[for], legend")?.after(h("p.error", { id }, fault));
  described.setAttribute("aria-describedby", id);
  if (described === input) input.setAttribute("aria-invalid", "true");
  return false;
}

/** @param {HTMLInputElement} input @param {string} value */
function faultOf({ required, type, dataset }, value) {
  if (!value) return required && dataset.missing;
  return type === "email" && !EMAIL.test(value) && dataset.wrong;
}

/**
 * Return what the form asks besides the location, with the visitor's answers.
 * @param {HTMLFormElement} form
 * @param {HTMLElement} details
 */
export const answersIn = (form, details) =>
  [...details.querySelectorAll(".field")].map((field) => {
    const label = field.querySelector("label[for], legend")?.firstChild?.textContent?.trim() ?? "";
    const { name } = /** @type {Field} */ (field.querySelector("[name]"));
    return [label, valueOf(form, name)];
  });

/** Return the first empty field, or the first one. @param {HTMLElement} details */
export function firstEmpty(details) {
  const fields = [.../** @type {NodeListOf<Field>} */ (details.querySelectorAll("input, select, textarea"))];
  return fields.find((field) => !field.value && field.type !== "radio") ?? fields[0];
}

/**
 * Fill the form with what was entered before.
 * @param {HTMLFormElement} form
 * @param {URLSearchParams} entered
 */
export function fillFields(form, entered) {
  for (const field of /** @type {Iterable<HTMLInputElement>} */ (form.elements)) {
    const value = field.name ? entered.get(field.name) : null;
    if (value === null || field.name === "timeZone") continue;
    if (field.type === "radio") field.checked = field.value === value;
    else field.value = value;
  }
}

/**
 * Warn while the visitor types an address that no confirmation can be emailed to: SES accepts
 * only ASCII in its local part.
 * @param {HTMLFormElement} form
 */
export function warnOfUnreachable(form) {
  const email = /** @type {HTMLInputElement | null} */ (form.querySelector("#invitee-email"));
  const warning = form.querySelector("#unreachable");
  const warn = () => warning?.toggleAttribute("hidden", !/^[^@]*[\u0080-\uffff]/.test(email?.value.trim() ?? ""));
  email?.addEventListener("input", warn);
  warn();
}
