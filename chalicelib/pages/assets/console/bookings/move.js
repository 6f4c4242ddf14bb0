// Move a booking to another time: a free one, or one that the host enters.
import { h } from "../../shared/dom.js";
import { api } from "../api.js";
import { ZONE, clock, dayWords, exact, fromLocal, toLocal } from "../time.js";
import { openDialog } from "../ui/dialogs.js";
import { field, onSubmit } from "../ui/forms.js";
import { notify } from "../ui/notices.js";
import { busy, messageOf } from "../ui/states.js";

/** @import { Booking, Slot } from "../resources.d.ts" */

const WEEK = 7 * 86400000;
const WEEKS_SEARCHED = 4; // at first, until a free time is found

/**
 * @param {Booking} booking
 * @param {() => Promise<unknown>} done
 */
export function openMove(booking, done) {
  const token = /\/b\/([^/?#]+)/.exec(booking.url ?? "")?.[1];
  const times = h("div", {});
  const typed = h("input", { type: "datetime-local", step: 300, value: toLocal(booking.start) });
  const own = otherTime(typed);
  own.open = !token;
  const go = h("button", { type: "submit", form: "move" }, "Move");
  const form = h("form", { id: "move" }, h("p.hush", {}, `Now: ${exact(booking.start)}`), times, own);
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({
    title: `Move the booking${booking.invitee ? ` with ${booking.invitee.name}` : ""}`,
    body: form,
    actions: [cancel, go],
  });
  form.addEventListener("input", (event) => {
    if (event.target === typed) for (const radio of times.querySelectorAll("input")) radio.checked = false;
  });
  if (token) offerTimes(token, times, own);

  onSubmit(form, go, async () => {
    const chosen = /** @type {HTMLInputElement | null} */ (times.querySelector("input:checked"));
    const start = chosen?.value ?? fromLocal(typed.value);
    if (!start || Date.parse(start) === Date.parse(booking.start)) throw new Error("Choose another time first.");
    /** @type {Booking} */
    const moved = await api("POST", `v1/bookings/${booking.bookingId}/reschedule`, { body: { start } });
    dialog.close();
    notify(`Moved to ${exact(moved.start)}.`);
    await done();
  });
}

/** @param {HTMLInputElement} typed */
function otherTime(typed) {
  const hint = `Your time zone: ${ZONE}. The time must be free and within the event type’s hours.`;
  const start = field("Start", typed, { pointer: "/start", hint });
  return h("details.more", {}, h("summary", {}, "Another time"), start);
}

/**
 * Show the free times of the next week that has some, with a button for later ones.
 * @param {string} token of the booking
 * @param {HTMLElement} times
 * @param {HTMLDetailsElement} own the way to enter a time, opened if the free times can't be read
 */
function offerTimes(token, times, own) {
  let from = Date.now();
  const readWeek = async () => {
    const query = { from: new Date(from).toISOString(), to: new Date(from + WEEK).toISOString() };
    /** @type {{slots: Slot[]}} */
    const { slots } = await api("GET", `b/${token}/slots`, { query });
    from += WEEK;
    for (const { start } of slots) addTime(times, start);
    return slots.length;
  };
  const readFirst = async () => {
    let found = 0;
    for (let week = 0; week < WEEKS_SEARCHED && !found; week += 1) found = await readWeek();
    return found ? `Free times, in ${ZONE}:` : "No free time in the next 4 weeks.";
  };

  const status = h("p.hush", {}, "Looking for free times…");
  const more = h("button.quiet.small", { type: "button" }, "Later times");
  times.before(status);
  times.after(h("p.sect", {}, more));
  more.hidden = true; // until the first search ends, which reads on week by week
  more.addEventListener("click", () => busy(more, readWeek));
  readFirst().then(
    (words) => showOutcome(words),
    (error) => {
      showOutcome(messageOf(error));
      own.open = true;
    },
  );

  /** @param {string} words */
  function showOutcome(words) {
    status.textContent = words;
    more.hidden = false;
  }
}

/** @param {HTMLElement} times @param {string} start */
function addTime(times, start) {
  const day = dayWords(start);
  let group = [...times.querySelectorAll("fieldset")].at(-1);
  if (group?.dataset.day !== day) {
    group = h("fieldset.sect", { "data-day": day }, h("legend", {}, day), h("div.times", {}));
    times.append(group);
  }
  const radio = h("input", { type: "radio", name: "start", value: start });
  group?.lastElementChild?.append(h("label", {}, radio, h("span", {}, clock(start))));
}
