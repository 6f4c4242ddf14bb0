// Bookings: upcoming and past, each to be cancelled or moved.
import { api, forHost } from "./api.js";
import { busy, empty, failed, h, keepFocus, loading, notify } from "./dom.js";
import { confirmThen, field, menuButton, onSubmit, openDialog } from "./dialogs.js";
import { ZONE, clock, clockZone, dayWords, exact, fromLocal, toLocal } from "./time.js";
import { LOCATION_KINDS } from "./links/form.js";
import { eventTypeOf, ensureEventTypes } from "./state.js";
import { tabs } from "./tabs.js";
import { openDetail } from "./links/detail.js";

const DAY = 86400000;

/**
 * Show the bookings.
 * @param {HTMLElement} view
 * @returns {() => void} ends it
 */
export function showBookings(view) {
  let shown = "";
  const place = h("div", {});
  const choice = tabs("Which bookings", [["upcoming", "Upcoming"], ["past", "Past"]], place, load);
  view.replaceChildren(h("div.head", {}, h("h1", {}, "Bookings"), choice.element), place);

  /** @param {string} which */
  async function load(which) {
    shown = which;
    const past = which === "past";
    const now = new Date().toISOString();
    const range = past ? { to: now, order: "desc" } : { from: now };
    const list = h("div", {});
    const more = h("button.quiet.small", { type: "button" }, "Show more");
    /** @type {string | undefined} */
    let cursor;
    const read = async () => {
      const page = await api("GET", "v1/bookings", { query: { ...forHost(), ...range, limit: 50, cursor } });
      await ensureEventTypes(page.bookings);
      cursor = page.nextCursor ?? undefined;
      more.hidden = !cursor;
      addDays(list, page.bookings);
      if (cursor && !page.bookings.length) await read();
    };
    if (!place.children.length || place.dataset.shows !== which) place.replaceChildren(loading());
    place.dataset.shows = which;
    try {
      await read();
    } catch (error) {
      if (shown === which) place.replaceChildren(h("div.panel", {}, failed(/** @type {Error} */ (error), () => load(which))));
      return;
    }
    if (shown !== which) return;
    more.addEventListener("click", () => busy(more, read));
    keepFocus(place, () => place.replaceChildren(...list.children.length ? [list, h("p.sect", {}, more)] : [h("div.panel", {}, past
      ? empty("Nothing is past yet", "Bookings move here when their time has come, and are kept for a year.")
      : empty("Nothing is booked", "As soon as someone books with one of your links, it shows here. You can cancel or move it."))]));
  }

  const reload = () => load(shown);

  /** @param {HTMLElement} list @param {any[]} found */
  function addDays(list, found) {
    for (const booking of found) {
      const day = dayWords(booking.start);
      let group = [...list.querySelectorAll("ul")].find((one) => one.getAttribute("aria-label") === day);
      if (!group) {
        group = h("ul.cards", { "aria-label": day });
        list.append(h("h2.group", {}, day), /** @type {HTMLElement} */ (group));
      }
      group?.append(card(booking));
    }
  }

  /** @param {any} booking */
  function card(booking) {
    const live = booking.status === "confirmed" && Date.parse(booking.start) > Date.now();
    const kind = booking.location ? Object.fromEntries(LOCATION_KINDS)[booking.location.kind] : "";
    const who = booking.invitee?.name ?? "someone";
    const asked = (/** @type {string} */ id) => eventTypeOf(booking.eventTypeId)?.questions.find((/** @type {any} */ one) => one.id === id)?.label ?? id;
    const answers = Object.entries(booking.answers ?? {}).filter(([, answer]) => answer);
    return h("li.panel.card", { "data-id": booking.bookingId },
      h("div", {}, h("h3", {}, `${clock(booking.start)} – ${clockZone(booking.end)}`, booking.status === "cancelled" ? [" ", h("span.pill.cancelled", {}, "Cancelled")] : null),
        h("p", {}, booking.title, booking.invitee ? [" with ", h("b", {}, booking.invitee.name)] : null),
        booking.invitee ? h("p.sub", {}, h("a", { href: `mailto:${encodeURIComponent(booking.invitee.email)}` }, booking.invitee.email), booking.timeZone !== ZONE ? `, in ${booking.timeZone.replaceAll("_", " ")}` : "") : h("p.sub", {}, "Personal data erased"),
        kind ? h("p.sub", {}, [kind, booking.location.detail].filter(Boolean).join(": ")) : null,
        answers.map(([id, answer]) => h("p.sub", {}, `${asked(id)}: ${answer}`))),
      h("div.actions", {}, live ? [h("button.quiet.small", { type: "button", "aria-label": `Move the booking with ${who}`, onclick: () => openMove(booking, reload) }, "Move"),
        h("button.quiet.small.danger", { type: "button", "aria-label": `Cancel the booking with ${who}`, onclick: () => askCancel(booking) }, "Cancel")] : null,
      menuButton(`Actions for the booking with ${who}`, () => [
        { text: "The link it came by", run: () => showLink(booking) },
        ...(booking.invitee ? [{ text: "Erase personal data", run: () => askErase(booking), bad: true }] : []),
      ])));
  }

  /** @param {any} booking */
  async function showLink(booking) {
    try {
      openDetail(await api("GET", `v1/links/${booking.linkId}`));
    } catch (error) {
      notify(/** @type {any} */ (error).status === 404 ? "The link was deleted." : /** @type {Error} */ (error).message, { bad: true });
    }
  }

  /** @param {any} booking */
  function askCancel(booking) {
    confirmThen({
      title: "Cancel this booking?",
      text: [h("p", {}, `${booking.title}${booking.invitee ? ` with ${booking.invitee.name}` : ""}, ${exact(booking.start)}.`), h("p", {}, "The time is free again at once. Whether the link can be used again is the link’s own setting.")],
      action: "Cancel booking",
      keep: "Keep it",
      run: async () => {
        await api("POST", `v1/bookings/${booking.bookingId}/cancel`);
        notify("Booking cancelled.");
        await reload();
      },
    });
  }

  /** @param {any} booking */
  function askErase(booking) {
    confirmThen({
      title: "Erase the personal data?",
      text: h("p", {}, "Name, email and answers are gone for good. The record that a booking was made stays."),
      action: "Erase",
      run: async () => {
        await api("DELETE", `v1/bookings/${booking.bookingId}/personal-data`);
        notify("Personal data erased.");
        await reload();
      },
    });
  }

  choice.open("upcoming");
  return () => { shown = ""; };
}

/**
 * Choose another time for a booking: one on offer, or one typed in.
 * @param {any} booking
 * @param {() => any} done
 */
function openMove(booking, done) {
  const token = /\/b\/([^/?#]+)/.exec(booking.url ?? "")?.[1];
  const list = h("div", {});
  const typed = h("input", { type: "datetime-local", step: 300, value: toLocal(booking.start) });
  const own = h("details.more", {}, h("summary", {}, "Another time"), field("Start", typed, { pointer: "/start", hint: `Your time zone: ${ZONE}. It has to be within the hours of the event type, and free.` }));
  own.open = !token;
  const go = h("button", { type: "submit" }, "Move");
  const form = h("form", { id: "move" }, h("p.hush", {}, `Now: ${exact(booking.start)}`), list, own);
  go.setAttribute("form", form.id);
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({ title: `Move the booking${booking.invitee ? ` with ${booking.invitee.name}` : ""}`, body: form, actions: [cancel, go] });
  form.addEventListener("input", (/** @type {Event} */ event) => {
    if (event.target === typed) for (const radio of list.querySelectorAll("input")) radio.checked = false;
  });

  let from = Date.now();
  const more = h("button.quiet.small", { type: "button" }, "Later times");
  const read = async () => {
    const to = from + 7 * DAY;
    const { slots } = await api("GET", `b/${token}/slots`, { query: { from: new Date(from).toISOString(), to: new Date(to).toISOString() } });
    from = to;
    for (const { start } of slots) {
      const day = dayWords(start);
      let group = [...list.querySelectorAll("fieldset")].at(-1);
      if (group?.dataset.day !== day) {
        group = h("fieldset.sect", { "data-day": day }, h("legend", {}, day), h("div.times", {}));
        list.append(/** @type {HTMLElement} */ (group));
      }
      group?.lastElementChild?.append(h("label", {}, h("input", { type: "radio", name: "start", value: start }), h("span", {}, clock(start))));
    }
    return slots.length;
  };
  if (token) {
    const told = h("p.hush", {}, "Looking for free times …");
    list.before(told);
    list.after(h("p.sect", {}, more));
    more.addEventListener("click", () => busy(more, read));
    const first = async () => {
      let found = 0;
      for (let week = 0; week < 4 && !found; week += 1) found = await read();
      told.textContent = found ? `Free times, in ${ZONE}:` : "No free time in the next 4 weeks.";
    };
    first().catch((error) => { told.textContent = error.message; own.open = true; });
  }
  onSubmit(form, go, async () => {
    const start = /** @type {HTMLInputElement | null} */ (list.querySelector("input:checked"))?.value ?? fromLocal(typed.value);
    if (!start || Date.parse(start) === Date.parse(booking.start)) throw new Error("Choose another time first.");
    const moved = await api("POST", `v1/bookings/${booking.bookingId}/reschedule`, { body: { start } });
    dialog.close();
    notify(`Moved to ${exact(moved.start)}.`);
    await done();
  });
}
