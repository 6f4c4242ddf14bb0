// The table of links: its rows, which of them are selected, and what changes in them.
import { h } from "../../../shared/dom.js";
import { eventTypeOf, titleOf } from "../../event-types/cache.js";
import { checkbox } from "../../ui/forms.js";
import { describe } from "../words.js";
import { cellsOf } from "./cells.js";

/** @import { Link } from "../../resources.d.ts" */

/**
 * @typedef {object} Entry
 * @property {HTMLTableRowElement} row
 * @property {HTMLInputElement} box selects the row
 * @property {Link} link
 * @property {string} shown what the row shows; if it differs, the row is redrawn
 * @property {string | undefined} cursor of the page that the link came on
 */

const COLUMNS = ["Event type", "For", "Status", "Uses", "Created", "Expires"];

export class LinkTable {
  /** @param {() => void} selectionChanged */
  constructor(selectionChanged) {
    this.selectionChanged = selectionChanged;
    /** @type {Map<string, Entry>} by link id */
    this.entries = new Map();
    this.body = h("tbody", { role: "rowgroup" });
    this.all = checkbox(false);
    this.all.setAttribute("aria-label", "Select all rows shown");
    this.all.addEventListener("change", () => this.select([...this.entries.values()], this.all.checked));
    this.element = h(
      "table.links",
      { role: "table" },
      h("caption.hidden", {}, "Links, newest first"),
      headOf(this.all),
      this.body,
    );
  }

  get size() {
    return this.entries.size;
  }

  clear() {
    this.entries.clear();
    this.body.replaceChildren();
  }

  /**
   * Show a link in its row, or in a new one at the end.
   * @param {Link} link
   * @param {string} [cursor]
   */
  append(link, cursor) {
    if (!this.update(link)) this.body.append(this.add(link, cursor));
  }

  /**
   * Show a link in its row, or in a new one at its place by age.
   * @param {Link} link
   * @param {string} [cursor]
   */
  insert(link, cursor) {
    if (this.update(link)) return;
    const older = [...this.body.rows].find((one) => this.createdAt(one) < link.createdAt);
    const row = this.add(link, cursor);
    this.body.insertBefore(row, older ?? null);
    highlight(row);
  }

  /** @param {HTMLTableRowElement} row */
  createdAt(row) {
    return this.entries.get(row.dataset.id ?? "")?.link.createdAt ?? "";
  }

  /**
   * @param {Link} link
   * @param {string} [cursor]
   */
  add(link, cursor) {
    const box = h("input", { type: "checkbox", "aria-label": `Select the link ${describe(link)}` });
    box.addEventListener("change", () => this.countSelected());
    const first = h("td", { role: "cell" }, h("label", {}, box));
    const row = h("tr", { role: "row", "data-id": link.linkId }, first, cellsOf(link));
    this.entries.set(link.linkId, { row, link, shown: shownBy(link), box, cursor });
    return row;
  }

  /**
   * Redraw a link's row if the link changed. Return false if the link has no row.
   * @param {Link} link
   */
  update(link) {
    const entry = this.entries.get(link.linkId);
    if (!entry) return false;
    const shown = shownBy(link);
    if (entry.shown === shown) return true;
    const { activeElement } = document;
    const classes = entry.row.contains(activeElement) ? activeElement?.className : undefined;
    const statusChanged = entry.link.status !== link.status;
    entry.row.replaceChildren(/** @type {Node} */ (entry.row.firstElementChild), ...cellsOf(link));
    Object.assign(entry, { link, shown });
    if (classes !== undefined && !activeElement?.isConnected) focusAgain(entry.row, classes);
    if (statusChanged) highlight(entry.row);
    return true;
  }

  /** @param {string} linkId */
  remove(linkId) {
    const entry = this.entries.get(linkId);
    if (!entry) return;
    if (entry.row.contains(document.activeElement)) this.all.focus();
    entry.row.remove();
    this.entries.delete(linkId);
  }

  /** @param {Entry[]} entries @param {boolean} on */
  select(entries, on) {
    for (const { box } of entries) box.checked = on;
    this.countSelected();
  }

  selected() {
    return [...this.entries.values()].filter(({ box }) => box.checked);
  }

  countSelected() {
    const count = this.selected().length;
    this.all.checked = count > 0 && count === this.size;
    this.all.indeterminate = count > 0 && count < this.size;
    this.selectionChanged();
  }
}

/** @param {HTMLInputElement} all */
function headOf(all) {
  /** @param {string | HTMLElement} content */
  const head = (content) => h("th", { scope: "col", role: "columnheader" }, content);
  const cells = [h("label", {}, all), ...COLUMNS, h("span.hidden", {}, "Actions")].map(head);
  return h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, cells));
}

/** Return what a link's row depends on, as a text. @param {Link} link */
const shownBy = (link) => JSON.stringify([link, titleOf(link.eventTypeId), eventTypeOf(link.eventTypeId)?.archivedAt]);

/**
 * Focus the control of a row that replaced the one with the focus. Its label may have changed with the row.
 * @param {HTMLElement} row
 * @param {string} classes
 */
function focusAgain(row, classes) {
  const buttons = [...row.querySelectorAll("button")];
  (buttons.find((one) => one.className === classes) ?? buttons[0])?.focus({ preventScroll: true });
}

/** @param {HTMLElement} row */
function highlight(row) {
  row.classList.remove("fresh");
  row.getBoundingClientRect(); // layout in between starts the animation again
  row.classList.add("fresh");
}
