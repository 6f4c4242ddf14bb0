// Elements, notices, copying and downloading: what every part of the console draws with.

/** @typedef {Node | string | number | null | undefined | false} Child */

let serial = 0;

/** @returns {string} an id that no other element has */
export const uid = () => `c${++serial}`;

/**
 * Make an element. Text becomes text nodes only: nothing anyone typed is ever read as HTML.
 * @param {string} tag `name.class.class`
 * @param {Record<string, any>} [props] `onclick` and the like are listeners, other names attributes; false leaves out
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === false || value === undefined || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") /** @type {any} */ (element).value = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false).map(toNode));
  if ("value" in props && name === "select") /** @type {any} */ (element).value = props.value;
  return element;
}

/**
 * Put children in place of what an element has.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((c) => c !== null && c !== undefined && c !== false).map(toNode));
}

/** @param {any} child */
const toNode = (child) => (child instanceof Node ? child : String(child));

const PATHS = {
  copy: "M9 9h10v10H9zM5 15V5h10",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4",
  share: "M12 15V4M8 7l4-4 4 4M5 12v8h14v-8",
  check: "M5 12.5l4.5 4.5L19 7.5",
};

/**
 * A drawn sign, silent to screen readers.
 * @param {keyof typeof PATHS} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: `icon ${name}`, "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  svg.append(path);
  return svg;
}

/**
 * Say something in passing, where it is seen and heard: within the dialog on top, since all else is inert.
 * @param {Child | Child[]} text
 * @param {{bad?: boolean, stays?: boolean}} [options]
 */
export function notify(text, { bad = false, stays = false } = {}) {
  const place = noticePlace();
  const notice = h(`div.notice${bad ? ".bad" : ""}`, {}, h("div", {}, text),
    h("button.plain", { type: "button", "aria-label": "Dismiss", onclick: () => notice.remove() }, icon("close")));
  if (!stays) setTimeout(() => notice.remove(), bad ? 12000 : 6000);
  while (place && place.children.length > 2) place.firstElementChild?.remove();
  place?.append(notice);
  return notice;
}

/** Show why nobody can book with the saved settings, each reason once. @param {{warnings: {detail: string}[]}} saved */
export function warn({ warnings }) {
  const shown = new Set([...noticePlace()?.children ?? []].map((notice) => notice.textContent));
  for (const detail of new Set(warnings.map((one) => one.detail))) {
    if (!shown.has(detail)) notify(detail, { bad: true, stays: true });
  }
}

/** Where notices are seen and heard now. */
export function noticePlace() {
  const dialogs = document.querySelectorAll("dialog[open] > .notices");
  return dialogs[dialogs.length - 1] ?? document.getElementById("notices");
}

/**
 * Copy a text that may still be on its way, and tell. Where the clipboard is refused, show it ready to be copied.
 * @param {string | Promise<string>} text
 * @param {string} done what to say when it is copied
 */
export async function copy(text, done = "Copied.") {
  const coming = Promise.resolve(text);
  const written = write(coming);
  const value = await coming;
  if (await written) {
    notify(done);
    return true;
  }
  const field = h("input", { readonly: true, value, "aria-label": "To copy" });
  notify([h("p", {}, `${done.replace(/\b[Cc]opied\b.*/, "").trim() || ""} Your browser didn’t allow copying. Press Ctrl+C or ⌘C:`.trim()), field], { stays: true });
  field.focus();
  field.select();
  return false;
}

/** @param {Promise<string>} coming */
async function write(coming) {
  try {
    // Safari lets a page copy only if it asks while the press is handled; the text may follow.
    if (window.ClipboardItem) {
      const blob = coming.then((text) => new Blob([text], { type: "text/plain" }));
      blob.catch(() => {}); // whoever asked hears of it by itself
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
    } else {
      await navigator.clipboard.writeText(await coming);
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * Hand a file to the browser.
 * @param {string} name
 * @param {Blob} blob
 */
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  const anchor = h("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/**
 * Run a button's action once at a time, showing that it runs and what went wrong.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<any>} action
 */
export async function busy(button, action) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await action();
  } catch (error) {
    notify(/** @type {Error} */ (error).message, { bad: true });
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** What a place says while it is being filled; shown only once that takes a moment. */
export const loading = () => h("p.hush.loading", {}, "Loading …");

/**
 * What a place without anything in it says.
 * @param {string} title
 * @param {string} text
 * @param {...Child} actions
 */
export function empty(title, text, ...actions) {
  return h("div.empty", {}, h("h2", {}, title), h("p", {}, text), actions.length ? h("p.actions", {}, actions) : null);
}

/**
 * What a place says that could not be filled.
 * @param {Error} error
 * @param {() => void} again
 */
export function failed(error, again) {
  return h("div.empty", { role: "alert" }, h("h2", {}, "This could not be loaded"), h("p", {}, error.message),
    h("p.actions", {}, h("button.quiet", { type: "button", onclick: again }, "Try again")));
}

/** @param {string} text e.g. `links` @param {number} n */
export const many = (n, text) => `${n.toLocaleString("en")} ${n === 1 ? text : `${text}s`}`;

/**
 * The control that took another's place when its row was drawn anew meanwhile.
 * @param {string | undefined} row
 * @param {string | null | undefined} label
 * @param {string | undefined} control its classes, should its label have changed with the row
 * @returns {HTMLElement | null}
 */
export function successor(row, label, control) {
  const place = row && document.querySelector(`[data-id="${CSS.escape(row)}"]`);
  if (!place) return null;
  const buttons = [...place.querySelectorAll("button")];
  return buttons.find((one) => label && one.getAttribute("aria-label") === label) ?? buttons.find((one) => one.className === control) ?? buttons[0] ?? null;
}

/**
 * Draw a place anew without losing the focus that is within it.
 * @param {Element} place
 * @param {() => void} redraw
 */
export function keepFocus(place, redraw) {
  const had = /** @type {HTMLElement | null} */ (document.activeElement);
  const within = place.contains(had);
  const row = /** @type {HTMLElement | null | undefined} */ (had?.closest("[data-id]"))?.dataset.id;
  redraw();
  if (within && !had?.isConnected) (successor(row, had?.getAttribute("aria-label"), had?.className) ?? document.getElementById("view"))?.focus({ preventScroll: true });
}
