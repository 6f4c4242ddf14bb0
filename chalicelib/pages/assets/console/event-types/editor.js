// The event type editor: what is booked, where, when, and what the invitee is asked.
import { api, forHost } from "../api.js";
import { h, icon, notify, warn } from "../dom.js";
import { field, onSubmit, openDialog, tick, watchDirty } from "../dialogs.js";
import { LOCATION_KINDS, choose } from "../links/form.js";
import { scheduleFields } from "./schedule.js";

/**
 * Open the editor.
 * @param {any} given an event type, or null for a new one
 * @param {() => any} done
 */
export function openEditor(given, done) {
  const one = given ?? { title: "", description: "", slug: "", durationMinutes: 30, locations: [], schedule: null, slotIntervalMinutes: null, bufferBeforeMinutes: 0, bufferAfterMinutes: 0, minimumNoticeMinutes: 60, bookingWindowDays: 60, questions: [] };
  const number = (/** @type {number | null} */ value, /** @type {number} */ min, /** @type {number} */ max, step = 5) =>
    h("input", { type: "number", min, max, step, value: value ?? "", inputmode: "numeric" });
  const title = h("input", { required: true, maxlength: 200, value: one.title, autocomplete: "off" });
  const description = h("textarea", { maxlength: 4000, value: one.description });
  const minutes = number(one.durationMinutes, 5, 480);
  minutes.required = true;
  const slug = h("input", { maxlength: 60, value: one.slug, autocomplete: "off" });
  const interval = number(one.slotIntervalMinutes, 5, 1440);
  const before = number(one.bufferBeforeMinutes, 0, 480);
  const after = number(one.bufferAfterMinutes, 0, 480);
  const notice = number(one.minimumNoticeMinutes, 0, 525600);
  const window = number(one.bookingWindowDays, 1, 730, 1);
  const hours = scheduleFields(one.schedule, "/schedule");
  const changed = () => form.dispatchEvent(new Event("input"));

  const places = h("ul.cards", { "data-pointer": "/locations" });
  const addPlace = (/** @type {any} */ place) => {
    const kind = choose(LOCATION_KINDS, place.kind);
    kind.setAttribute("aria-label", "Kind of location");
    const detail = h("input", { value: place.detail, maxlength: 500, "aria-label": "Address, number or URL", placeholder: "Address, number or URL", autocomplete: "off" });
    const shows = h("input", { type: "checkbox" });
    shows.checked = place.showBeforeBooking ?? false;
    let chosen = "showBeforeBooking" in place;
    shows.addEventListener("change", () => { chosen = true; });
    // Invitees need an address in town before they book, but how to join a call only afterwards.
    kind.addEventListener("change", () => { if (!chosen) shows.checked = kind.value === "in_person"; });
    const row = h("li.span.place", {}, kind, detail, h("button.plain.small", { type: "button", "aria-label": "Remove this location", onclick: () => { row.remove(); changed(); } }, icon("close")), tick("Show before booking", shows));
    row.read = () => ({ kind: kind.value, detail: detail.value.trim(), ...(shows.checked ? { showBeforeBooking: true } : {}) });
    places.append(row);
    return kind;
  };
  one.locations.forEach(addPlace);

  const questions = h("ul.cards", { "data-pointer": "/questions" });
  const addQuestion = (/** @type {any} */ asked) => {
    const label = h("input", { value: asked.label, required: true, maxlength: 300, autocomplete: "off", "aria-label": "Question" });
    const kind = choose([["text", "Text"], ["choice", "A choice"]], asked.kind);
    kind.setAttribute("aria-label", "Kind of answer");
    const options = h("textarea", { value: asked.options.join("\n"), rows: 3, "aria-label": "Options, one on each line", placeholder: "One option on each line" });
    const required = h("input", { type: "checkbox" });
    required.checked = asked.required;
    const set = () => { options.hidden = kind.value !== "choice"; };
    kind.addEventListener("change", set);
    set();
    const row = h("li.question", { "data-id": asked.id }, h("div.span", {}, label, kind, h("button.plain.small", { type: "button", "aria-label": "Remove this question", onclick: () => { row.remove(); changed(); } }, icon("close"))), options, tick("Has to be answered", required));
    row.read = () => ({ id: asked.id, label: label.value.trim(), kind: kind.value, required: required.checked, options: kind.value === "choice" ? options.value.split("\n").map((/** @type {string} */ o) => o.trim()).filter(Boolean) : [] });
    questions.append(row);
    return label;
  };
  one.questions.forEach(addQuestion);
  const freshId = () => {
    const taken = new Set([...questions.children].map((row) => /** @type {HTMLElement} */ (row).dataset.id));
    let n = 1;
    while (taken.has(`q${n}`)) n += 1;
    return `q${n}`;
  };

  const save = h("button", { type: "submit" }, given ? "Save" : "Make event type");
  const form = h("form", { id: "event-type", autocomplete: "off" },
    field("Title", title, { pointer: "/title", hint: "What the invitee reads, e.g. Intro call" }),
    h("div.row", {}, field("Minutes", minutes, { pointer: "/durationMinutes", hint: "In steps of 5" }), field("Short name", slug, { pointer: "/slug", hint: "Made from the title if empty" })),
    field("Description", description, { pointer: "/description" }),
    h("div.sect", {}, h("h3", {}, "Where"), h("p.hint", {}, "With several, the invitee chooses. Before they book they see only the kind of location; the address, number or URL comes with the booking."), places,
      h("p", {}, h("button.quiet.small", { type: "button", onclick: () => { addPlace({ kind: "video", detail: "" }).focus(); changed(); } }, icon("plus"), "Add a location"))),
    h("div.sect", {}, hours.element),
    h("div.sect", {}, h("h3", {}, "What the invitee is asked"), h("p.hint", {}, "Besides name and email."), questions,
      h("p", {}, h("button.quiet.small", { type: "button", onclick: () => { addQuestion({ id: freshId(), label: "", kind: "text", required: false, options: [] }).focus(); changed(); } }, icon("plus"), "Add a question"))),
    h("details.more", {}, h("summary", {}, "Notice, buffers and how far ahead"), h("div.row", {},
      field("Minutes of notice", notice, { pointer: "/minimumNoticeMinutes" }), field("Days ahead", window, { pointer: "/bookingWindowDays" }),
      field("A start every … minutes", interval, { pointer: "/slotIntervalMinutes", hint: "As the duration if empty" }),
      field("Free minutes before", before, { pointer: "/bufferBeforeMinutes" }), field("Free minutes after", after, { pointer: "/bufferAfterMinutes", hint: "Added to the free minutes before the next booking." }))));
  save.setAttribute("form", form.id);
  const watched = watchDirty(form);
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({ title: given ? "Edit event type" : "New event type", kind: "wide", body: form, actions: [cancel, save], dirty: () => watched.dirty });

  onSubmit(form, save, async () => {
    const body = {
      title: title.value.trim(),
      slug: slug.value.trim(),
      description: description.value,
      durationMinutes: Number(minutes.value),
      locations: [...places.children].map((row) => /** @type {any} */ (row).read()),
      schedule: hours.read(),
      slotIntervalMinutes: interval.value ? Number(interval.value) : null,
      bufferBeforeMinutes: Number(before.value),
      bufferAfterMinutes: Number(after.value),
      minimumNoticeMinutes: Number(notice.value),
      bookingWindowDays: Number(window.value || 60),
      questions: [...questions.children].map((row) => /** @type {any} */ (row).read()),
    };
    const saved = given
      ? await api("PATCH", `v1/event-types/${given.eventTypeId}`, { body })
      : await api("POST", "v1/event-types", { body: { ...body, ...forHost() } });
    watched.clean();
    dialog.close();
    notify(given ? "Saved. Links that are out already offer it as it is now." : `${saved.title} is ready. Press 1× to make a link.`);
    warn(saved);
    await done();
  });
}
