// Create DOM elements. Both pages use it.

/** @typedef {Node | string | number | null | undefined | false} Child `null`, `undefined` and `false` add nothing */

/**
 * @template {string} Name
 * @typedef {Name extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[Name] : HTMLElement} Named
 */

/**
 * The element type of a tag: `button.quiet` is an `HTMLButtonElement`.
 * @template {string} Tag
 * @typedef {Tag extends `${infer Name}.${string}` ? Named<Name> : Named<Tag>} ElementOf
 */

/**
 * Create an element. Text becomes text nodes only: nothing a person typed is ever parsed as HTML.
 * @template {string} Tag
 * @param {Tag} tag `name.class.class`
 * @param {Record<string, any>} [props] `onclick` adds a listener, another name sets an attribute; false sets nothing
 * @param {...(Child | Child[])} children
 * @returns {ElementOf<Tag>}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === false || value === undefined || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key !== "value") element.setAttribute(key, value === true ? "" : String(value));
  }
  fill(element, ...children);
  if ("value" in props) Object.assign(element, { value: props.value }); // a select needs its options first
  return /** @type {ElementOf<Tag>} */ (element);
}

/**
 * Replace the children of an element.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  const present = children.flat().filter((child) => child || child === 0);
  element.replaceChildren(.../** @type {(Node | string)[]} */ (present)); // a number becomes text too
}
