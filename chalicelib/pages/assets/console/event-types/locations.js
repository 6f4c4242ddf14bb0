// The locations of an event type as a form.
import { h } from "../../shared/dom.js";
import { checkbox, select, tick } from "../ui/forms.js";
import { icon } from "../ui/icons.js";
import { LOCATION_KINDS } from "./location-kinds.js";

/** @import { Location } from "../resources.d.ts" */
/** @typedef {Location["kind"]} Kind */

const DETAIL = "Address, number or URL";

/**
 * Return fields for locations.
 * @param {Location[]} given
 * @param {() => void} changed
 */
export function locationFields(given, changed) {
  const list = h("ul.cards", { "data-pointer": "/locations" });
  /** @type {Map<Element, () => Location>} */
  const readers = new Map();

  /** @param {Location} location */
  function addRow(location) {
    const fields = fieldsOf(location);
    const remove = () => {
      row.remove();
      changed();
    };
    const label = "Remove this location";
    const close = h("button.plain.small", { type: "button", "aria-label": label, onclick: remove }, icon("close"));
    const row = h("li.span.place", {}, fields.kind, fields.detail, close, tick("Show before booking", fields.shows));
    readers.set(row, fields.read);
    list.append(row);
    return fields.kind;
  }

  given.forEach(addRow);
  const onclick = () => {
    addRow({ kind: "video", detail: "" }).focus();
    changed();
  };
  const hint =
    "With several, the invitee chooses. Before they book they see only the kind of location; " +
    "the address, number or URL comes with the booking.";
  const element = h(
    "div.sect",
    {},
    h("h3", {}, "Where"),
    h("p.hint", {}, hint),
    list,
    h("p", {}, h("button.quiet.small", { type: "button", onclick }, icon("plus"), "Add a location")),
  );
  return { element, read: () => [...list.children].flatMap((row) => readers.get(row)?.() ?? []) };
}

/** @param {Location} location */
function fieldsOf(location) {
  const kind = select(LOCATION_KINDS, location.kind);
  kind.setAttribute("aria-label", "Kind of location");
  const words = { "aria-label": DETAIL, placeholder: DETAIL };
  const detail = h("input", { value: location.detail, maxlength: 500, ...words, autocomplete: "off" });
  const shows = checkbox(location.showBeforeBooking ?? false);
  let chosen = "showBeforeBooking" in location;
  shows.addEventListener("change", () => {
    chosen = true;
  });
  // Invitees need an address in town before they book, but the way to join a call only afterwards.
  kind.addEventListener("change", () => {
    if (!chosen) shows.checked = kind.value === "in_person";
  });
  /** @returns {Location} */
  const read = () => {
    const shown = shows.checked ? { showBeforeBooking: true } : {};
    return { kind: /** @type {Kind} */ (kind.value), detail: detail.value.trim(), ...shown };
  };
  return { kind, detail, shows, read };
}
