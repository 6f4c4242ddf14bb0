// Menus: a button that opens a list of actions.
import { h } from "../../shared/dom.js";
import { icon } from "./icons.js";

/** @typedef {{text: string, run: () => void, bad?: boolean}} Item */

const GAP = 4; // px between the button and the menu
const EDGE = 8; // px between the menu and the edge of the window

const menu = h("div.menu", { popover: "auto" });
/** @type {HTMLElement | null} */
let openedBy = null;

export const menuIsOpen = () => menu.matches(":popover-open");

/**
 * Return a button that opens a menu.
 * @param {string} label
 * @param {() => Item[]} items
 */
export function menuButton(label, items) {
  const attributes = { "aria-label": label, title: "More", "aria-haspopup": "true", "aria-expanded": "false" };
  const button = h("button.plain.more", { type: "button", ...attributes }, icon("more"));
  button.addEventListener("click", () => openMenu(button, items()));
  return button;
}

/** @param {HTMLElement} button @param {Item[]} items */
function openMenu(button, items) {
  openedBy?.setAttribute("aria-expanded", "false");
  openedBy = button;
  menu.replaceChildren(...items.map((item) => itemButton(button, item)));
  // If the button is in a dialog, everything outside the dialog is inert.
  (button.closest("dialog") ?? document.body).append(menu);
  menu.showPopover();
  placeMenu();
  /** @type {HTMLElement | null} */ (menu.firstElementChild)?.focus();
}

/** @param {HTMLElement} button @param {Item} item */
function itemButton(button, { text, run, bad }) {
  const choose = () => {
    menu.hidePopover();
    button.focus();
    run();
  };
  return h(bad ? "button.item.danger" : "button.item", { type: "button", onclick: choose }, text);
}

/** Place the menu below its button, or above it where there is no room below. */
function placeMenu() {
  if (!openedBy || !menuIsOpen()) return;
  const at = openedBy.getBoundingClientRect();
  if (!openedBy.isConnected || at.bottom < 0 || at.top > innerHeight) {
    menu.hidePopover();
    return;
  }
  const below = at.bottom + GAP + menu.offsetHeight <= innerHeight;
  menu.style.top = `${below ? at.bottom + GAP : Math.max(EDGE, at.top - GAP - menu.offsetHeight)}px`;
  menu.style.left = `${Math.max(EDGE, at.right - menu.offsetWidth)}px`;
}

menu.addEventListener("toggle", (event) => {
  openedBy?.setAttribute("aria-expanded", String(event.newState === "open"));
});
menu.addEventListener("keydown", (event) => {
  const step = new Map([
    ["ArrowDown", 1],
    ["ArrowUp", -1],
  ]).get(event.key);
  const items = /** @type {HTMLElement[]} */ ([...menu.children]);
  if (step) {
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    items[(at + step + items.length) % items.length]?.focus();
    event.preventDefault();
  } else if (event.key === "Tab") menu.hidePopover();
});
// Captured: it is often a dialog's content that scrolls, and scroll events don't bubble.
addEventListener("scroll", placeMenu, { passive: true, capture: true });
addEventListener("resize", placeMenu, { passive: true });
