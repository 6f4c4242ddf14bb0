// Keep the keyboard focus where it was when a part of the page is redrawn.

/**
 * The position of the focus: its row and its control, so that the same control can be found after the row is redrawn.
 * @typedef {{element: HTMLElement | null, row?: string, label?: string | null, classes?: string}} Focus
 */

/** @returns {Focus} */
export function currentFocus() {
  const element = /** @type {HTMLElement | null} */ (document.activeElement);
  const row = /** @type {HTMLElement | null | undefined} */ (element?.closest("[data-id]"));
  return { element, row: row?.dataset.id, label: element?.getAttribute("aria-label"), classes: element?.className };
}

/**
 * Return the focus to where it was, to the control that replaced it, or to the view.
 * @param {Focus} focus
 * @param {FocusOptions} [options]
 */
export function restoreFocus(focus, options) {
  const place = focus.element?.isConnected ? focus.element : (successor(focus) ?? document.getElementById("view"));
  place?.focus(options);
}

/**
 * Return the button with the same label in the redrawn row; if there is none, the one with the same classes; otherwise
 * the row's first button.
 * @param {Focus} focus
 */
function successor({ row, label, classes }) {
  const place = row && document.querySelector(`[data-id="${CSS.escape(row)}"]`);
  if (!place) return null;
  const buttons = [...place.querySelectorAll("button")];
  return (
    buttons.find((one) => label && one.getAttribute("aria-label") === label) ??
    buttons.find((one) => one.className === classes) ??
    buttons[0] ??
    null
  );
}

/**
 * Redraw an element and keep the focus inside it.
 * @param {Element} place
 * @param {() => void} redraw
 */
export function keepFocus(place, redraw) {
  const focus = currentFocus();
  const within = place.contains(focus.element);
  redraw();
  if (within && !focus.element?.isConnected) restoreFocus(focus, { preventScroll: true });
}
