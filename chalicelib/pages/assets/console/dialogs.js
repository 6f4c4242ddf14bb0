// Dialogs, forms and menus: focus, keys and errors by field handled once, for all of them.
import { ApiError } from "./api.js";
import { h, icon, noticePlace, successor, uid } from "./dom.js";

/** @typedef {import("./dom.js").Child} Child */

/**
 * Open a dialog. It is gone from the page when it closes, and focus returns to where it was.
 * @param {{title: string, body: Child | Child[], actions?: Child[], kind?: "drawer" | "wide" | "steady" | "",
 *   dirty?: () => boolean, onclose?: () => void, note?: Child}} options `dirty` tells whether closing would lose something
 * @returns {HTMLDialogElement}
 */
export function openDialog({ title, body, actions = [], kind = "", dirty, onclose, note }) {
  const id = uid();
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const row = /** @type {HTMLElement | null | undefined} */ (before?.closest("[data-id]"))?.dataset.id;
  const [label, control] = [before?.getAttribute("aria-label"), before?.className];
  const asked = h("div.discard", { hidden: true, role: "alert" });
  const content = h("div.content", {}, body);
  const keep = () => {
    asked.hidden = true;
    /** @type {HTMLElement | null} */ (content.querySelector("input:not([type=hidden]), select, textarea"))?.focus();
  };
  const close = () => {
    if (!dirty?.()) dialog.close();
    else {
      asked.replaceChildren(h("p", {}, "Close without saving what you entered?"),
        h("button.small.quiet", { type: "button", onclick: keep }, "Keep editing"),
        h("button.small.bad", { type: "button", onclick: () => dialog.close() }, "Discard"));
      asked.hidden = false;
      asked.querySelector("button").focus();
    }
  };
  const dialog = h(`dialog${kind ? `.${kind}` : ""}`, { "aria-labelledby": id },
    h("header", {}, h("h2", { id }, title),
      h("button.plain", { type: "button", "aria-label": "Close", onclick: close }, icon("close"))),
    note ?? null, content, asked, actions.length ? h("footer", {}, actions) : null, h("div.notices", { role: "status" }));
  dialog.addEventListener("cancel", (/** @type {Event} */ event) => {
    if (event.target !== dialog) return;
    if (dirty?.() && asked.hidden) {
      event.preventDefault();
      close();
    }
  });
  // A browser closes at the second Escape whatever a page says; at the key itself it can still be asked.
  dialog.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !dirty?.() || menu.matches(":popover-open")) return;
    event.preventDefault();
    if (asked.hidden) close();
    else keep();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    // What was said last is often that it is done, and is still to be read.
    const notices = [...dialog.querySelectorAll(":scope > .notices > *")];
    noticePlace()?.append(...notices);
    (before?.isConnected ? before : successor(row, label, control) ?? document.getElementById("view"))?.focus();
    for (const toCopy of notices.flatMap((notice) => [...notice.querySelectorAll("input")])) {
      toCopy.focus();
      toCopy.select();
    }
    onclose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  const first = /** @type {HTMLElement | null} */ (content.querySelector("[autofocus], input:not([type=hidden]), select, textarea"));
  if (kind !== "drawer" && first && first.checkVisibility?.() !== false) first.focus();
  return dialog;
}

/**
 * Ask before something that can't be taken back.
 * @param {{title: string, text: Child | Child[], action: string, keep?: string, run: () => Promise<any>, bad?: boolean}} options
 *   `run` may throw: what went wrong is shown, and the dialog stays
 */
export function confirmThen({ title, text, action, keep = "Cancel", run, bad = true }) {
  const error = h("div", {});
  const go = h(`button${bad ? ".bad" : ""}`, { type: "button" }, action);
  go.addEventListener("click", async () => {
    if (go.getAttribute("aria-busy") === "true") return;
    go.setAttribute("aria-busy", "true");
    try {
      await run();
      dialog.close();
    } catch (problem) {
      error.replaceChildren(alert(/** @type {Error} */ (problem).message));
    } finally {
      go.removeAttribute("aria-busy");
    }
  });
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, keep);
  const dialog = openDialog({ title, body: [h("div.prose", {}, text), error], actions: [cancel, go] });
  cancel.focus();
  return dialog;
}

/** @param {Child | Child[]} text */
export const alert = (text) => h("div.alert", { role: "alert" }, text);

/**
 * A labelled control.
 * @param {string} label
 * @param {HTMLElement} control
 * @param {{hint?: Child, pointer?: string, class?: string}} [options] `pointer` is where the API's errors point
 */
export function field(label, control, { hint, pointer, class: extra } = {}) {
  control.id ||= uid();
  if (pointer !== undefined) control.dataset.pointer = pointer;
  const parts = [h("label", { for: control.id }, label), control];
  if (hint) {
    const id = uid();
    control.setAttribute("aria-describedby", id);
    parts.push(h("p.hint", { id }, hint));
  }
  return h(`div.field${extra ? `.${extra}` : ""}`, {}, parts);
}

/**
 * A tick box with its words beside it.
 * @param {string} label
 * @param {HTMLInputElement} box
 * @param {Child} [hint]
 */
export function tick(label, box, hint) {
  return h("label.tick", {}, box, h("span", {}, label, hint ? h("span.hint", {}, hint) : null));
}

/**
 * Show what the API says against a form: in words above it, and at each field it points to.
 * @param {HTMLElement} form
 * @param {Error} error
 */
export function showErrors(form, error) {
  clearErrors(form);
  const faults = error instanceof ApiError ? error.faults : [];
  const fields = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-pointer]")]);
  const elsewhere = [];
  /** @type {HTMLElement | undefined} */
  let first;
  for (const { pointer, detail } of faults) {
    const match = fields
      .filter(({ dataset }) => pointer === dataset.pointer || pointer.startsWith(`${dataset.pointer}/`))
      .sort((a, b) => (b.dataset.pointer ?? "").length - (a.dataset.pointer ?? "").length)[0];
    const text = sentence(detail);
    if (!match) {
      elsewhere.push(`${pointer.slice(1)} ${detail}`.trim());
      continue;
    }
    unfold(match);
    const id = uid();
    match.setAttribute("aria-invalid", "true");
    match.setAttribute("aria-describedby", `${match.getAttribute("aria-describedby") ?? ""} ${id}`.trim());
    match.after(h("p.error", { id }, text));
    if (!first && match.matches("input, select, textarea")) first = match;
  }
  // The API's own sentence repeats every fault with its pointer, which says nothing to a person.
  const marked = faults.length > elsewhere.length;
  const words = !faults.length ? error.message : marked ? "Nothing was saved yet. Please correct what is marked below." : "Nothing was saved yet.";
  const summary = alert([h("p", {}, words), elsewhere.length ? h("ul", {}, elsewhere.map((text) => h("li", {}, text))) : null]);
  form.prepend(summary);
  if (first) first.focus();
  else summary.scrollIntoView({ block: "nearest" });
}

/** What the API says of a field, as a sentence beside it: `must be …` is said of this one. @param {string} detail */
export function sentence(detail) {
  const words = /^(is|are|must|may|has|needs|can|was)\b/.test(detail) ? `This ${detail}` : detail;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`.replace("..", ".");
}

/** @param {Element} control */
function unfold(control) {
  for (let around = control.closest("details"); around; around = around.parentElement?.closest("details") ?? null) around.open = true;
}

/** @param {HTMLElement} form */
export function clearErrors(form) {
  for (const old of form.querySelectorAll(":scope > .alert, .error")) old.remove();
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    const kept = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => document.getElementById(id));
    kept.length ? control.setAttribute("aria-describedby", kept.join(" ")) : control.removeAttribute("aria-describedby");
  }
}

/**
 * Let a form's submit run an action, once at a time; its errors are shown in it and nothing typed is lost.
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 * @param {() => Promise<any>} action
 */
export function onSubmit(form, button, action) {
  // The browser can't show its message at a field that is folded away.
  form.addEventListener("invalid", (event) => unfold(/** @type {Element} */ (event.target)), true);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    clearErrors(form);
    try {
      await action();
    } catch (error) {
      showErrors(form, /** @type {Error} */ (error));
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

/**
 * Tell whether a form was changed since this was called.
 * @param {HTMLFormElement} form
 */
export function watchDirty(form) {
  let dirty = false;
  form.addEventListener("input", () => { dirty = true; });
  form.addEventListener("reset", () => { dirty = false; });
  return { get dirty() { return dirty; }, clean() { dirty = false; } };
}

const menu = h("div.menu", { popover: "auto" });
/** @type {HTMLElement | null} */
let opener = null;
menu.addEventListener("toggle", (/** @type {any} */ event) => {
  opener?.setAttribute("aria-expanded", String(event.newState === "open"));
});
menu.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const items = /** @type {HTMLElement[]} */ ([...menu.children]);
  if (step) {
    items[(items.indexOf(/** @type {any} */ (document.activeElement)) + step + items.length) % items.length]?.focus();
    event.preventDefault();
  } else if (event.key === "Tab") menu.hidePopover();
});

/**
 * A button that opens a menu.
 * @param {string} label
 * @param {() => {text: string, run: () => void, bad?: boolean}[]} items
 */
export function menuButton(label, items) {
  const button = h("button.plain.more", { type: "button", "aria-label": label, title: "More", "aria-haspopup": "true", "aria-expanded": "false" }, icon("more"));
  button.addEventListener("click", () => {
    opener?.setAttribute("aria-expanded", "false");
    opener = button;
    menu.replaceChildren(...items().map(({ text, run, bad }) =>
      h(`button.item${bad ? ".danger" : ""}`, { type: "button", onclick: () => { menu.hidePopover(); button.focus(); run(); } }, text)));
    // Within the dialog, if it stands in one: all else is inert.
    (button.closest("dialog") ?? document.body).append(menu);
    menu.showPopover();
    placeMenu();
    /** @type {HTMLElement} */ (menu.firstElementChild)?.focus();
  });
  return button;
}

/** Put the menu at its button: below it, or above where there is no room. */
function placeMenu() {
  if (!opener || !menu.matches(":popover-open")) return;
  const at = opener.getBoundingClientRect();
  if (!opener.isConnected || at.bottom < 0 || at.top > innerHeight) {
    menu.hidePopover();
    return;
  }
  const below = at.bottom + 4 + menu.offsetHeight <= innerHeight;
  menu.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - 4 - menu.offsetHeight)}px`;
  menu.style.left = `${Math.max(8, at.right - menu.offsetWidth)}px`;
}
// Captured: what scrolls is often a dialog's content, and scrolling doesn't bubble.
addEventListener("scroll", placeMenu, { passive: true, capture: true });
addEventListener("resize", placeMenu, { passive: true });
