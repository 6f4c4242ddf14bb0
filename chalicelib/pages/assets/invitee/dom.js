// Elements and phrases: what the invitee's modules draw with.

/**
 * Make an element; text becomes text nodes only, so nothing anyone typed is ever read as HTML.
 * @param {string} tag `name.class.class`
 * @param {Record<string, any>} [props] `onclick` and the like are listeners, other names attributes; false leaves out
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === false || value === undefined || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** @type {Record<string, string | Record<string, string>>} */
let phrases = {};

/** Take the phrases that the page brought along. */
export function readPhrases() {
  phrases = JSON.parse(document.querySelector("main")?.dataset.words ?? "{}");
}

/**
 * Say a phrase of the page's language; `n` chooses among its forms.
 * @param {string} key
 * @param {Record<string, any>} [values]
 */
export function say(key, values = {}) {
  const found = phrases[key];
  const form = typeof found === "string" ? found : (found[new Intl.PluralRules(document.documentElement.lang).select(values.n)] ?? found.other);
  return form.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
