// Tabs: show one of several panels, by click or by arrow key.
import { h } from "../../shared/dom.js";
import { uid } from "./ids.js";

/**
 * Return tabs for a panel.
 * @param {string} label what they choose between
 * @param {[string, string][]} names key and label
 * @param {HTMLElement} panel
 * @param {(key: string) => any} show fills the panel
 * @returns {{element: HTMLElement, open: (key: string) => any}}
 */
export function tabs(label, names, panel, show) {
  panel.id ||= uid();
  panel.setAttribute("role", "tabpanel");
  panel.tabIndex = 0;
  const all = names.map(([key, words]) =>
    h(
      "button",
      { type: "button", role: "tab", id: uid(), "data-tab": key, "aria-controls": panel.id, onclick: () => open(key) },
      words,
    ),
  );
  const element = h("div.tabs", { role: "tablist", "aria-label": label }, all);
  element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const last = all.length - 1;
    const at = all.findIndex((tab) => tab.tabIndex === 0);
    const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[
      event.key
    ];
    if (to === undefined) return;
    open(all[to].dataset.tab ?? "");
    all[to].focus();
    event.preventDefault();
  });
  /** @param {string} key */
  const open = (key) => {
    for (const tab of all) {
      const on = tab.dataset.tab === key;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      if (on) panel.setAttribute("aria-labelledby", tab.id);
    }
    return show(key);
  };
  return { element, open };
}
