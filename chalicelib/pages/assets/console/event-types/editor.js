// The event type editor: what is booked, where, when, and the invitee's questions.
import { h } from "../../shared/dom.js";
import { api, forHost } from "../api.js";
import { openDialog } from "../ui/dialogs.js";
import { field, onSubmit, watchDirty } from "../ui/forms.js";
import { notify, showWarnings } from "../ui/notices.js";
import { locationFields } from "./locations.js";
import { questionFields } from "./questions.js";
import { scheduleFields } from "./schedule.js";

/** @import { EventType, EventTypeInput, SavedEventType } from "../resources.d.ts" */

const DEFAULTS = {
  title: "",
  description: "",
  slug: "",
  durationMinutes: 30,
  locations: [],
  schedule: null,
  slotIntervalMinutes: null,
  bufferBeforeMinutes: 0,
  bufferAfterMinutes: 0,
  minimumNoticeMinutes: 60,
  bookingWindowDays: 60,
  questions: [],
};

/**
 * Open the editor.
 * @param {EventType | null} given null for a new event type
 * @param {() => Promise<unknown>} done
 */
export function openEditor(given, done) {
  const { parts, read } = eventTypeFields(given, () => form.dispatchEvent(new Event("input")));
  const save = h("button", { type: "submit", form: "event-type" }, given ? "Save" : "Create event type");
  const form = h("form", { id: "event-type", autocomplete: "off" }, parts);
  const watched = watchDirty(form);
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({
    title: given ? "Edit event type" : "New event type",
    kind: "wide",
    body: form,
    actions: [cancel, save],
    dirty: watched.isDirty,
  });

  onSubmit(form, save, async () => {
    /** @type {SavedEventType} */
    const saved = given
      ? await api("PATCH", `v1/event-types/${given.eventTypeId}`, { body: read() })
      : await api("POST", "v1/event-types", { body: { ...read(), ...forHost() } });
    watched.clean();
    dialog.close();
    const ready = `${saved.title} is ready. Press 1× to create a link.`;
    notify(given ? "Saved. Links that you already sent use the new settings." : ready);
    showWarnings(saved);
    await done();
  });
}

/**
 * @param {number | null} value
 * @param {number} min
 * @param {number} max
 */
const numberInput = (value, min, max, step = 5) =>
  h("input", { type: "number", min, max, step, value: value ?? "", inputmode: "numeric" });

/**
 * Return fields for an event type.
 * @param {EventType | null} given
 * @param {() => void} changed
 */
function eventTypeFields(given, changed) {
  const shown = given ?? DEFAULTS;
  const title = h("input", { required: true, maxlength: 200, value: shown.title, autocomplete: "off" });
  const description = h("textarea", { maxlength: 4000, value: shown.description });
  const minutes = numberInput(shown.durationMinutes, 5, 480);
  minutes.required = true;
  const slug = h("input", { maxlength: 60, value: shown.slug, autocomplete: "off" });
  const locations = locationFields(shown.locations, changed);
  const hours = scheduleFields(shown.schedule, "/schedule");
  const questions = questionFields(shown.questions, changed);
  const limits = limitFields(shown);
  const parts = [
    field("Title", title, { pointer: "/title", hint: "What the invitee reads, e.g. Intro call" }),
    h(
      "div.row",
      {},
      field("Minutes", minutes, { pointer: "/durationMinutes", hint: "In steps of 5" }),
      field("Short name", slug, { pointer: "/slug", hint: "Derived from the title if empty" }),
    ),
    field("Description", description, { pointer: "/description" }),
    locations.element,
    h("div.sect", {}, hours.element),
    questions.element,
    limits.element,
  ];
  /** @returns {Omit<EventTypeInput, "hostId">} */
  const read = () => ({
    title: title.value.trim(),
    slug: slug.value.trim(),
    description: description.value,
    durationMinutes: Number(minutes.value),
    locations: locations.read(),
    schedule: hours.read(),
    ...limits.read(),
    questions: questions.read(),
  });
  return { parts, read };
}

/** @param {EventType | typeof DEFAULTS} shown */
function limitFields(shown) {
  const notice = numberInput(shown.minimumNoticeMinutes, 0, 525600);
  const ahead = numberInput(shown.bookingWindowDays, 1, 730, 1);
  const interval = numberInput(shown.slotIntervalMinutes, 5, 1440);
  const before = numberInput(shown.bufferBeforeMinutes, 0, 480);
  const after = numberInput(shown.bufferAfterMinutes, 0, 480);
  const intervalHint = "The duration if empty";
  const afterHint = "Added to the free minutes before the next booking.";
  const element = h(
    "details.more",
    {},
    h("summary", {}, "Notice, buffers and how far ahead"),
    h(
      "div.row",
      {},
      field("Minutes of notice", notice, { pointer: "/minimumNoticeMinutes" }),
      field("Days ahead", ahead, { pointer: "/bookingWindowDays" }),
      field("A start every … minutes", interval, { pointer: "/slotIntervalMinutes", hint: intervalHint }),
      field("Free minutes before", before, { pointer: "/bufferBeforeMinutes" }),
      field("Free minutes after", after, { pointer: "/bufferAfterMinutes", hint: afterHint }),
    ),
  );
  const read = () => ({
    slotIntervalMinutes: interval.value ? Number(interval.value) : null,
    bufferBeforeMinutes: Number(before.value),
    bufferAfterMinutes: Number(after.value),
    minimumNoticeMinutes: Number(notice.value),
    bookingWindowDays: Number(ahead.value || DEFAULTS.bookingWindowDays),
  });
  return { element, read };
}
