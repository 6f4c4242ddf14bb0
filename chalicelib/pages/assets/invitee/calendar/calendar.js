// A calendar: a month of days and the times of one. Arrow keys, Home, End, Page Up and Page Down move among the days.
import { h } from "../../shared/dom.js";
import { say } from "../phrases.js";
import { clock, dateOf, dateWords, offset } from "../time.js";
import { DAY, addDays, addMonths, firstOfMonth, iso, monthOf, ms } from "./dates.js";
import { DAY_AFTER_KEY, weekdays, weeksOf } from "./month.js";
import { readStarts, startsIn } from "./offered.js";

/** @import { Offered } from "./offered.js" */
/** @typedef {{pick: (start: number) => void, dayShown: (at: number) => void}} Listeners */

// The state of the month on the page.
const READY = "ready";
const LOADING = "loading";
const FAILED = "failed";

/** @type {Intl.DateTimeFormatOptions} */
const LONG_DATE = { weekday: "long", day: "numeric", month: "long" };
/** @type {Intl.DateTimeFormatOptions} */
const MONTH_AND_YEAR = { month: "long", year: "numeric" };

// The page has one calendar: this is its state.
/** @type {Offered} */
let offered;
let zone = "";
/** @type {Listeners} */
let listeners;
/** @type {Set<number>} */
let starts;
/** @type {[number, number][]} from when to when all starts are known */
let known;
/** @type {Map<string, number[]>} starts by date */
let days = new Map();
let today = "";
let last = ""; // date that may have times
let chosen = ""; // the date whose times are on show
let focused = ""; // the date that the keyboard is at; its month is on show
let state = READY;
let drawn = ""; // the first day of the month that the grid has
let listed = ""; // the day and zone of the list
/** @type {number | null} the start that the visitor picked */
let picked = null;

/** @type {ReturnType<typeof elements>} */
let parts;

/**
 * Create the calendar.
 * @param {Offered} given
 * @param {string} inZone
 * @param {Listeners} heard
 */
export function createCalendar(given, inZone, heard) {
  [offered, zone, listeners] = [given, inZone, heard];
  starts = new Set(startsIn(offered));
  known = [[ms(offered.from), ms(offered.to)]];
  drawn = listed = "";
  state = READY;
  parts = elements();
  const { title, back, on, grid, heading, words, list } = parts;
  const turns = h("div.turns", {}, back, title, on);
  const status = h("div", { role: "status" }, heading, words);
  return h(
    "div.calendar",
    {},
    h("div.month-shown", {}, turns, grid),
    h("section.day-shown", { "aria-labelledby": "day-shown" }, status, list),
  );
}

function elements() {
  const weeks = h("tbody");
  const attributes = { role: "grid", "aria-labelledby": "month", onkeydown: press };
  return {
    title: h("h3", { id: "month", "aria-live": "polite" }),
    back: turnButton(-1, say("previous-month"), "‹"),
    on: turnButton(1, say("next-month"), "›"),
    weeks,
    grid: h("table", attributes, h("thead", {}, weekdays()), weeks),
    heading: h("h3", { id: "day-shown", tabindex: "-1" }),
    words: h("p.told"),
    list: h("ul.slots"),
  };
}

/** @param {number} months @param {string} label @param {string} sign */
function turnButton(months, label, sign) {
  const onclick = () => goTo(addMonths(focused, months), false);
  return h("button.turn", { type: "button", "aria-label": label, onclick }, h("span", { "aria-hidden": "true" }, sign));
}

/** Sort the starts into the zone's days. */
function sort() {
  days = new Map();
  for (const start of [...starts].sort((a, b) => a - b)) {
    const date = dateOf(start, zone);
    if (!days.has(date)) days.set(date, []);
    days.get(date)?.push(start);
  }
  today = dateOf(Math.max(Date.now(), ms(offered.now)), zone);
  last = addDays(offered.last, 1); // the zone may be a day ahead
}

/** Return the instants of a month, and of a day more on either side for other zones. @param {string} date in it */
function rangeOf(date) {
  const first = firstOfMonth(date);
  const from = Math.max(ms(first) - DAY, ms(offered.now));
  return [from, Math.min(ms(addMonths(first, 1)) + DAY, ms(last) + 2 * DAY)];
}

/** Whether all times of a month are known. @param {string} date in it */
function isKnown(date) {
  const range = rangeOf(date);
  let [from] = range;
  for (const [a, b] of known.sort((one, other) => one[0] - other[0])) if (a <= from) from = Math.max(from, b);
  return from >= range[1];
}

/**
 * Ask for a month's times, unless they are known.
 * @param {string} date in it
 * @returns {Promise<boolean>} false if they could not be read, or another page's calendar has replaced this one
 */
async function load(date) {
  const [from, to] = rangeOf(date);
  const asked = known;
  const mine = starts;
  /** @param {string} now */
  const setState = (now) => {
    // Otherwise it is the state of another month, or of a calendar that is gone.
    if (asked === known && monthOf(date) === monthOf(focused)) state = now;
  };
  const there = isKnown(date);
  setState(there ? READY : LOADING);
  if (there) return true;
  draw();
  try {
    for (const start of await readStarts(offered, from, to)) mine.add(start);
    asked.push([from, to]);
    setState(READY);
    sort();
    return asked === known;
  } catch {
    setState(FAILED);
    return false;
  } finally {
    draw();
  }
}

/**
 * Go to a day, in whichever month it is.
 * @param {string} date
 * @param {boolean} focus
 */
async function goTo(date, focus) {
  const day = date < today ? today : date > last ? last : date;
  const other = monthOf(day) !== monthOf(focused);
  focused = day;
  if (other) state = READY;
  draw();
  if (focus) focusCalendar();
  if (!(other || state === FAILED) || !(await load(day)) || monthOf(focused) !== monthOf(day)) return;
  if (chooseIn(day) && !focus) focused = chosen;
  draw();
  if (focus) focusCalendar();
}

/**
 * Choose a month's first day with times, unless the visitor has chosen one of its days while they were loading.
 * @param {string} date in the month
 */
function chooseIn(date) {
  const ofMonth = (/** @type {string} */ one) => monthOf(one) === monthOf(date);
  if (ofMonth(chosen) && days.has(chosen)) return false;
  const first = [...days.keys()].find(ofMonth);
  chosen = first ?? chosen;
  return first !== undefined;
}

/** Go to the next day with times, however far. */
async function goToNextFree() {
  for (let date = firstOfMonth(addMonths(focused, 1)); date <= last; date = addMonths(date, 1)) {
    focused = date;
    if (!(await load(date))) return;
    const found = [...days.keys()].find((one) => monthOf(one) === monthOf(date));
    if (!found) continue;
    focused = chosen = found;
    draw();
    focusCalendar();
    return;
  }
  focused = [...days.keys()][0] ?? today;
  chosen = focused;
  draw();
  focusCalendar();
}

/** Focus the day that the keyboard is at. */
export function focusCalendar() {
  /** @type {HTMLElement | null} */ (parts.weeks.querySelector(`[data-date="${focused}"]`))?.focus();
}

/** @param {KeyboardEvent} event */
function press(event) {
  const dayAfter = DAY_AFTER_KEY[event.key];
  if (!dayAfter || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  goTo(dayAfter(focused), true);
}

/** @param {string} date */
function choose(date) {
  focused = date;
  if (days.has(date)) chosen = date;
  draw();
  focusCalendar();
  if (state === FAILED) retry(date);
  if (days.has(date)) parts.heading.scrollIntoView({ block: "nearest" });
}

function draw() {
  drawMonth();
  drawDay();
}

function drawMonth() {
  const { title: month, back, on, weeks, grid } = parts;
  const first = firstOfMonth(focused);
  const title = dateWords(first, MONTH_AND_YEAR);
  if (month.textContent !== title) month.textContent = title;
  back.setAttribute("aria-disabled", String(first <= today));
  on.setAttribute("aria-disabled", String(addMonths(first, 1) > last));
  grid.setAttribute("aria-busy", String(state === LOADING));
  const lost = drawn !== first && weeks.contains(document.activeElement);
  if (drawn !== first) weeks.replaceChildren(...weeksOf(first, choose));
  drawn = first;
  // The buttons stay and only their attributes change: a press that has begun is not lost when more times arrive.
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (weeks.querySelectorAll("button"))) {
    const { date = "" } = button.dataset;
    const free = days.get(date)?.length ?? 0;
    const times = free ? say("times", { n: free }) : say("no-times-day");
    const attributes = {
      "aria-label": say("day-times", { day: dateWords(date, LONG_DATE), times }),
      tabindex: date === focused ? "0" : "-1",
      "aria-disabled": !free && "true",
      "aria-current": date === today && "date",
    };
    for (const [name, value] of Object.entries(attributes)) {
      if (value) button.setAttribute(name, value);
      else button.removeAttribute(name);
    }
    button.parentElement?.setAttribute("aria-selected", String(date === chosen));
  }
  if (lost) focusCalendar();
}

function drawDay() {
  const { list } = parts;
  const here = monthOf(chosen) === monthOf(focused) ? (days.get(chosen) ?? []) : [];
  if (here.length) listeners.dayShown(here[0]);
  const offsets = new Set(here.map((start) => offset(start, zone)));
  list.classList.toggle("wide", offsets.size > 1);
  const shown = here.length ? [zone, chosen, offsets.size].join() : "";
  if (shown !== listed || !shown) list.replaceChildren();
  listed = shown;
  let at = list.firstElementChild;
  // Times that are in the list already stay, with a press that has begun.
  for (const start of here) {
    const button = /** @type {HTMLElement | null | undefined} */ (at?.firstElementChild);
    if (at && button?.dataset.start === iso(start)) at = at.nextElementSibling;
    else list.insertBefore(slot(start, offsets.size > 1), at);
  }
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll("[data-start]"))) {
    button.setAttribute("aria-pressed", String(ms(button.dataset.start ?? "") === picked));
  }
  if (here.length) {
    const title = dateWords(chosen, LONG_DATE);
    announce(title, say("times", { n: here.length }));
    return;
  }
  const offer = (/** @type {string} */ action, /** @type {() => void} */ run) =>
    list.replaceChildren(h("li", {}, h("button.quiet", { type: "button", onclick: run }, action)));
  if (state === LOADING) announce(dateWords(focused, MONTH_AND_YEAR), say("loading"));
  else if (state === FAILED) {
    announce(say("loading-failed"));
    offer(say("try-again"), again);
  } else {
    announce(say("no-times-month", { month: dateWords(focused, { month: "long" }) }));
    offer(say("next-free"), goToNextFree);
  }
}

/** @param {number} start @param {boolean} exact with its offset */
function slot(start, exact) {
  return h(
    "li",
    {},
    h(
      "button.slot",
      { type: "button", "data-start": iso(start), onclick: () => listeners.pick(start) },
      clock(start, zone),
      ...(exact ? [h("small", {}, ` ${offset(start, zone)}`)] : []),
    ),
  );
}

function again() {
  parts.heading.focus();
  retry(focused);
}

/** Ask again for a month whose times could not be loaded. @param {string} date in it */
async function retry(date) {
  if (!(await load(date)) || monthOf(date) !== monthOf(focused)) return;
  if (days.has(date)) chosen = date;
  else chooseIn(date);
  draw();
}

/**
 * Change the words only if they differ: screen readers read every change.
 * @param {string} title
 * @param {string} [text]
 */
function announce(title, text = "") {
  const { heading, words } = parts;
  if (heading.textContent !== title) heading.textContent = title;
  if (words.textContent !== text) words.textContent = text;
}

/** Show the day of an instant, or of the first start. @param {number | null} at */
export function showTime(at) {
  sort();
  picked = at;
  const day = at === null ? undefined : dateOf(at, zone);
  chosen = day && days.has(day) ? day : ([...days.keys()][0] ?? today);
  focused = chosen;
  draw();
  load(focused);
}

/** Show another zone's days. @param {string} to @param {number | null} at the start that the visitor picked */
export function setCalendarZone(to, at) {
  zone = to;
  showTime(at ?? days.get(chosen)?.[0] ?? null);
  picked = at;
  drawDay();
}

/** Whether a start is known to be no longer on offer. @param {number} at */
export const isTaken = (at) => !starts.has(at) && known.some(([from, to]) => from <= at && at < to);
