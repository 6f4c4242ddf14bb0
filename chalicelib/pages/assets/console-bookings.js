// Bookings: upcoming and past, each to be cancelled or moved.
import { api, all, forHost } from "./console-api.js";
import { busy, empty, failed, h, notify, uid } from "./console-dom.js";
import { confirmThen, field, menuButton, onSubmit, openDialog } from "./console-dialogs.js";
import { ZONE, clock, clockZone, dayWords, exact, fromLocal, toLocal } from "./console-time.js";
import { LOCATION_KINDS } from "./console-link-form.js";
import { openDetail } from "./console-detail.js";

const DAY = 86400000;
const WINDOW = 30 * DAY;

/**
 * Show the bookings.
 * @param {HTMLElement} view
 * @returns {() => void} ends it
 */
export function showBookings(view) {
  let past = false;
  let ended = false;
  const place = h("div", { role: "tabpanel", id: uid() });
  const tabs = h("div.tabs", { role: "tablist", "aria-label": "Which bookings" }, ["Upcoming", "Past"].map((words) =>
    h("button", { type: "button", role: "tab", "aria-controls": place.id, onclick: () => { past = words === "Past"; load(); } }, words)));
  tabs.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
    past = !past;
    load();
    tabs.children[Number(past)].focus();
  });
  view.replaceChildren(h("div.head", {}, h("h1", {}, "Bookings"), tabs), place);

  async function load() {
    [...tabs.children].forEach((tab, at) => {
      const on = Boolean(at) === past;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    });
    const wanted = past;
    place.replaceChildren(h("p.hush", {}, "Loading …"));
    try {
      await (past ? showPast : showUpcoming)(() => !ended && wanted === past);
    } catch (error) {
      if (wanted === past) place.replaceChildren(h("div.panel", {}, failed(/** @type {Error} */ (error), load)));
    }
  }

  async function showUpcoming(/** @type {() => boolean} */ current) {
    const list = h("div", {});
    const more = h("button.quiet.small", { type: "button" }, "Show more");
    /** @type {string | undefined} */
    let cursor;
    const from = new Date().toISOString();
    const read = async () => {
      const page = await api("GET", "v1/bookings", { query: { ...forHost(), from, limit: 50, cursor } });
      if (!current()) return;
      cursor = page.nextCursor ?? undefined;
      more.hidden = !cursor;
      addDays(list, page.bookings);
      if (cursor && !list.children.length) await read();
    };
    await read();
    if (!current()) return;
    more.addEventListener("click", () => busy(more, read));
    place.replaceChildren(...list.children.length ? [list, h("p.sect", {}, more)] : [h("div.panel", {}, empty("Nothing is booked", "As soon as someone books with one of your links, it shows here. You can cancel or move it."))]);
  }

  async function showPast(/** @type {() => boolean} */ current) {
    const list = h("div", {});
    let to = Date.now();
    const more = h("button.quiet.small", { type: "button" });
    const read = async () => {
      const from = to - WINDOW;
      // The list is earliest first: a month is read whole and turned round.
      const found = await all("v1/bookings", "bookings", { ...forHost(), from: new Date(from).toISOString(), to: new Date(to).toISOString() });
      to = from;
      if (current()) addDays(list, found.reverse());
      more.textContent = `Before ${dayWords(new Date(to))}`;
    };
    await read();
    if (!current()) return;
    more.addEventListener("click", () => busy(more, read));
    place.replaceChildren(list.children.length ? list : h("div.panel", {}, empty("Nothing in the last 30 days", "Earlier bookings are kept for a year.")), h("p.sect", {}, more));
    more.addEventListener("click", () => { if (!list.isConnected) place.prepend(list); });
  }

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
    const answers = Object.entries(booking.answers ?? {}).filter(([, answer]) => answer);
    return h("li.panel.card", { "data-id": booking.bookingId },
      h("div", {}, h("h3", {}, `${clock(booking.start)} – ${clockZone(booking.end)}`, booking.status === "cancelled" ? [" ", h("span.pill.cancelled", {}, "Cancelled")] : null),
        h("p", {}, booking.title, booking.invitee ? [" with ", h("b", {}, booking.invitee.name)] : null),
        booking.invitee ? h("p.sub", {}, h("a", { href: `mailto:${encodeURIComponent(booking.invitee.email)}` }, booking.invitee.email), booking.timeZone !== ZONE ? `, in ${booking.timeZone.replaceAll("_", " ")}` : "") : h("p.sub", {}, "Personal data erased"),
        kind ? h("p.sub", {}, [kind, booking.location.detail].filter(Boolean).join(": ")) : null,
        answers.map(([id, answer]) => h("p.sub", {}, `${id}: ${answer}`))),
      h("div.actions", {}, live ? [h("button.quiet.small", { type: "button", "aria-label": `Move the booking with ${who}`, onclick: () => openMove(booking, load) }, "Move"),
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
        await load();
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
        await load();
      },
    });
  }

  load();
  return () => { ended = true; };
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
