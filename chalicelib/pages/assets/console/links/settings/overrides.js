// The form fields for a link's own values, which replace those of its event type.
import { h } from "../../../shared/dom.js";
import { LOCATION_KINDS } from "../../event-types/location-kinds.js";
import { scheduleFields } from "../../event-types/schedule.js";
import { checkbox, field, select, tick } from "../../ui/forms.js";

/** @import { Location, Overrides } from "../../resources.d.ts" */

/** @param {Overrides} given */
export function overrideFields(given) {
  const title = h("input", { maxlength: 200, value: given.title ?? "", autocomplete: "off" });
  const limits = { min: 5, max: 480, step: 5, inputmode: "numeric" };
  const minutes = h("input", { type: "number", ...limits, value: given.durationMinutes ?? "" });
  const location = locationFields(given.locations ?? []);
  const hours = hoursFields(given.schedule ?? null);
  const element = h(
    "details.more",
    {},
    h("summary", {}, "Customize only this link"),
    h("p.hint", {}, "The event type itself does not change. Leave a field empty to use the event type’s value."),
    field("Title", title, { pointer: "/overrides/title" }),
    h(
      "div.row",
      {},
      field("Minutes", minutes, { pointer: "/overrides/durationMinutes", hint: "In steps of 5" }),
      location.kind,
      location.detail,
    ),
    location.shows,
    hours.chosen,
    hours.element,
  );
  element.open = Object.keys(given).length > 0;

  /** @returns {Overrides} */
  function read() {
    const shown = {
      title: title.value.trim() || null,
      durationMinutes: minutes.value ? Number(minutes.value) : null,
      locations: location.read(),
      schedule: hours.read(),
    };
    // Keep what the form doesn't show; an empty field takes the event type's value.
    return Object.fromEntries(
      Object.entries({ ...given, ...shown }).filter(([name, value]) => !(name in shown && value === null)),
    );
  }
  return { element, read };
}

/** @param {Location[]} given */
function locationFields([first, ...others]) {
  const kind = select([["", "As the event type"], ...LOCATION_KINDS], first?.kind ?? "");
  const detail = h("input", { maxlength: 500, value: first?.detail ?? "", autocomplete: "off" });
  const shows = checkbox(first?.showBeforeBooking ?? false);
  const update = () => {
    detail.disabled = shows.disabled = !kind.value;
  };
  kind.addEventListener("change", update);
  update();

  /** @returns {Location[] | null} */
  function read() {
    if (!kind.value) return null;
    const shown = shows.checked ? { showBeforeBooking: true } : {};
    const changed = { kind: /** @type {Location["kind"]} */ (kind.value), detail: detail.value.trim(), ...shown };
    return [changed, ...others];
  }
  return {
    kind: field("Location", kind),
    detail: field("Address, number or URL", detail, { pointer: "/overrides/locations" }),
    shows: h("div.field", {}, tick("Show the address, number or URL before booking", shows)),
    read,
  };
}

/** @param {Overrides["schedule"] | null} schedule */
function hoursFields(schedule) {
  const own = checkbox(Boolean(schedule));
  const hours = scheduleFields(schedule ?? null, "/overrides/schedule");
  const update = () => {
    hours.element.hidden = !own.checked;
    hours.element.disabled = !own.checked; // a hidden field need not be valid
  };
  own.addEventListener("change", update);
  update();
  return {
    chosen: h("div.field", {}, tick("Its own available hours", own)),
    element: hours.element,
    read: () => (own.checked ? hours.read() : null),
  };
}
