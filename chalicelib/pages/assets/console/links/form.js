// The settings of a link as a form: used when links are generated and when one is edited.
import { h, uid } from "../dom.js";
import { field, tick } from "../dialogs.js";
import { ZONE, fromLocal, toLocal } from "../time.js";
import { scheduleFields } from "../event-types/schedule.js";

const DAY = 86400000;
/** @type {[string, string, number][]} */
const PRESETS = [["", "Never", 0], ["1", "In 24 hours", 1], ["3", "In 3 days", 3], ["7", "In 7 days", 7], ["14", "In 14 days", 14], ["30", "In 30 days", 30]];
/** @type {[string, string][]} */
export const LOCATION_KINDS = [["video", "Video call"], ["phone", "Phone"], ["in_person", "In person"], ["custom", "Other"]];

/**
 * A select of options.
 * @param {[string, string][]} options value and words
 * @param {string} [value]
 */
export const choose = (options, value = "") =>
  h("select", { value }, options.map(([key, words]) => h("option", { value: key }, words)));

/** @param {number | null} most how many bookings, in words */
export const usesWords = (most) => (most === null ? "no limit" : most === 1 ? "one booking" : `${most} bookings`);

/**
 * The instant a form names; the one it was filled from where nobody changed it, seconds and all.
 * @param {string} local
 * @param {string | null} [before]
 */
const kept = (local, before) => (before && local === toLocal(before) ? before : fromLocal(local));

/**
 * Fields for a link's settings, with what `link` has in them.
 * @param {any} link a link as the API gives it, or null for new ones
 * @returns {{parts: Node[], read: () => Record<string, any>}} `read` gives the settings as the API takes them
 */
export function linkFields(link) {
  const given = link ?? { maxUsageCount: 1, overrides: {} };
  const uses = h("input", { type: "number", min: 1, max: 1000000, required: true, value: given.maxUsageCount ?? 1, inputmode: "numeric" });
  const unlimited = h("input", { type: "checkbox" });
  unlimited.checked = given.maxUsageCount === null;
  const setUses = () => { uses.disabled = unlimited.checked; };
  unlimited.addEventListener("change", setUses);
  setUses();

  const preset = choose([...PRESETS.map(([value, words]) => /** @type {[string, string]} */ ([value, words])), ["exact", "At an exact time …"]], given.expiresAt ? "exact" : "");
  const until = h("input", { type: "datetime-local", value: toLocal(given.expiresAt) });
  const exactly = field("Expires at", until, { hint: `Your time zone: ${ZONE}` });
  let pickedAt = Date.now();
  const setPreset = () => {
    pickedAt = Date.now();
    exactly.hidden = preset.value !== "exact";
    until.required = preset.value === "exact";
    (until.required ? until : preset).dataset.pointer = "/expiresAt";
    delete (until.required ? preset : until).dataset.pointer;
    if (preset.value === "exact" && !until.value) until.value = toLocal(new Date(Math.ceil((Date.now() + 7 * DAY) / 3600000) * 3600000));
  };
  preset.addEventListener("change", setPreset);
  setPreset();
  const opens = h("input", { type: "datetime-local", value: toLocal(given.notBefore) });

  const name = h("input", { maxlength: 200, autocomplete: "off", value: given.recipient?.name ?? "" });
  const email = h("input", { type: "email", autocomplete: "off", value: given.recipient?.email ?? "" });
  const lock = choose([["none", "Anyone who has the link"], ["email", "Only this email address"], ["domain", "Anyone at this email’s domain"]], given.recipient?.enforce ?? "none");
  const label = h("input", { maxlength: 200, autocomplete: "off", value: given.label ?? "" });
  const restore = h("input", { type: "checkbox" });
  restore.checked = given.restoreUseOnCancel ?? false;

  const own = given.overrides;
  const title = h("input", { maxlength: 200, value: own.title ?? "", autocomplete: "off" });
  const minutes = h("input", { type: "number", min: 5, max: 480, step: 5, value: own.durationMinutes ?? "", inputmode: "numeric" });
  const place = own.locations?.[0];
  const kind = choose([["", "As the event type"], ...LOCATION_KINDS], place?.kind ?? "");
  const detail = h("input", { maxlength: 500, value: place?.detail ?? "", autocomplete: "off" });
  const shows = h("input", { type: "checkbox" });
  shows.checked = place?.showBeforeBooking ?? false;
  const hasHours = h("input", { type: "checkbox" });
  hasHours.checked = Boolean(own.schedule);
  const hours = scheduleFields(own.schedule ?? null, "/overrides/schedule");
  const setHours = () => {
    hours.element.hidden = !hasHours.checked;
    hours.element.disabled = !hasHours.checked; // what is not shown needn't be valid
  };
  hasHours.addEventListener("change", setHours);
  setHours();
  const setKind = () => { detail.disabled = shows.disabled = !kind.value; };
  kind.addEventListener("change", setKind);
  setKind();
  const customised = h("details.more", {}, h("summary", {}, "Customise just this link"),
    h("p.hint", {}, "The event type itself stays as it is. Leave empty what should stay the same."),
    field("Title", title, { pointer: "/overrides/title" }),
    h("div.row", {},
      field("Minutes", minutes, { pointer: "/overrides/durationMinutes", hint: "In steps of 5" }),
      field("Location", kind),
      field("Address, number or URL", detail, { pointer: "/overrides/locations" })),
    h("div.field", {}, tick("Show the address, number or URL before booking", shows)),
    h("div.field", {}, tick("Its own available hours", hasHours)), hours.element);
  customised.open = Object.keys(own).length > 0;

  const whom = h("fieldset", {}, h("legend.hidden", {}, "Recipient"),
    h("div.row", {},
      field("Recipient’s name", name, { pointer: "/recipient/name" }),
      field("Recipient’s email", email, { pointer: "/recipient/email" })),
    field("Who may book", lock, { pointer: "/recipient/enforce" }));
  const parts = [
    h("div.row", {},
      h("div.field", {}, h("label", { for: (uses.id = uid()) }, "Bookings per link"), uses, tick("No limit", unlimited)),
      field("Expires", preset), exactly),
    whom,
    field("Label", label, { pointer: "/label", hint: "Only you see it, and you can search for it." }),
    h("details.more", {}, h("summary", {}, "More options"),
      field("Not before", opens, { pointer: "/notBefore", hint: `Nobody can book earlier. Your time zone: ${ZONE}` }),
      h("div.field", {}, tick("Give the use back when a booking is cancelled", restore, "Otherwise a new booking needs a new link."))),
    customised,
  ];
  uses.dataset.pointer = "/maxUsageCount";

  const read = () => {
    const overrides = { ...own };
    const put = (/** @type {string} */ key, /** @type {any} */ value) => {
      if (value === null || value === "") delete overrides[key];
      else overrides[key] = value;
    };
    put("title", title.value.trim());
    put("durationMinutes", minutes.value ? Number(minutes.value) : null);
    put("locations", kind.value ? [{ kind: kind.value, detail: detail.value.trim(), ...(shows.checked ? { showBeforeBooking: true } : {}) }, ...(own.locations ?? []).slice(1)] : null);
    put("schedule", hasHours.checked ? hours.read() : null);
    const days = Number(preset.value);
    const hasRecipient = name.value.trim() || email.value.trim() || lock.value !== "none";
    return {
      maxUsageCount: unlimited.checked ? null : Number(uses.value),
      expiresAt: preset.value === "exact" ? kept(until.value, given.expiresAt) : days ? new Date(pickedAt + days * DAY).toISOString() : null,
      notBefore: kept(opens.value, given.notBefore),
      recipient: hasRecipient ? { name: name.value.trim(), email: email.value.trim(), enforce: lock.value } : null,
      label: label.value.trim() || null,
      restoreUseOnCancel: restore.checked,
      overrides,
    };
  };
  return { parts, read };
}
