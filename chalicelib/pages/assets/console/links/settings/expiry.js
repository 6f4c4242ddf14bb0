// The form fields for a link's expiry: a number of days from now, or an exact time.
import { h } from "../../../shared/dom.js";
import { ZONE, toLocal } from "../../time.js";
import { field, select } from "../../ui/forms.js";
import { readInstant } from "./instants.js";

const HOUR = 3600000;
const DAY = 24 * HOUR;
const NEVER = "";
const EXACT = "exact";

/** @type {[string, string][]} the value (a number of days, `NEVER` or `EXACT`) and label of each option */
const PRESETS = [
  [NEVER, "Never"],
  ["1", "In 24 hours"],
  ["3", "In 3 days"],
  ["7", "In 7 days"],
  ["14", "In 14 days"],
  ["30", "In 30 days"],
  [EXACT, "At an exact time…"],
];

/** @param {string | null} expiresAt */
export function expiryFields(expiresAt) {
  const preset = select(PRESETS, expiresAt ? EXACT : NEVER);
  const until = h("input", { type: "datetime-local", value: toLocal(expiresAt) });
  const exact = field("Expires at", until, { hint: `Your time zone: ${ZONE}` });
  let pickedAt = Date.now();

  function update() {
    pickedAt = Date.now();
    const isExact = preset.value === EXACT;
    exact.hidden = !isExact;
    until.required = isExact;
    const [asked, other] = isExact ? [until, preset] : [preset, until];
    asked.dataset.pointer = "/expiresAt";
    delete other.dataset.pointer;
    if (isExact && !until.value) until.value = toLocal(new Date(Math.ceil((Date.now() + 7 * DAY) / HOUR) * HOUR));
  }

  function read() {
    if (preset.value === EXACT) return readInstant(until.value, expiresAt);
    return preset.value === NEVER ? null : new Date(pickedAt + Number(preset.value) * DAY).toISOString();
  }

  preset.addEventListener("change", update);
  update();
  return { preset: field("Expires", preset), exact, read };
}
