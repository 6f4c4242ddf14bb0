// A month of days and the times of one of them. Arrow keys, Home, End, Page Up and Page Down move among the days.
import { h, say } from "./dom.js";
import { clock, dateOf, dateWords, firstDay, offset } from "./time.js";

const DAY = 86400000;
const iso = (/** @type {number} */ at) => new Date(at).toISOString();
const ms = (/** @type {string} */ date) => Date.parse(date);
const monthOf = (/** @type {string} */ date) => date.slice(0, 7);
const plus = (/** @type {string} */ date, /** @type {number} */ days) => iso(ms(date) + days * DAY).slice(0, 10);

/**
 * The same day of another month, or that month's last one.
 * @param {string} date
 * @param {number} months
 */
function shifted(date, months) {
  const [year, month, day] = date.split("-").map(Number);
  const last = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
  return iso(Date.UTC(year, month - 1 + months, Math.min(day, last))).slice(0, 10);
}

/**
 * @typedef {object} Offered
 * @property {string} bits in base64: is there a start after so many steps?
 * @property {number} first one, in minutes
 * @property {number} step in minutes
 * @property {string} from the first instant that the bits tell of
 * @property {string} to the first one that they don't
 * @property {string} now
 * @property {string} last the last date on which there may be times
 * @property {string} slots where to ask for more
 */

/**
 * @param {Offered} offered
 * @param {string} zone
 * @param {{pick: (start: number) => void, dayShown: (at: number) => void}} heard
 */
export function calendar(offered, zone, { pick, dayShown }) {
  /** @type {Set<number>} */
  const starts = new Set();
  const bytes = atob(offered.bits);
  for (let n = 0; n < bytes.length * 8; n++) if ((bytes.charCodeAt(n >> 3) >> (n & 7)) & 1) starts.add((offered.first + n * offered.step) * 60000);
  /** @type {[number, number][]} */
  const known = [[ms(offered.from), ms(offered.to)]];
  /** @type {Map<string, number[]>} */
  let days = new Map();
  let today = "", last = "", chosen = "", focused = "", state = "", drawn = "", listed = "";
  /** @type {number | null} */
  let picked = null;

  const month = h("h3", { id: "month", "aria-live": "polite" });
  const turn = (/** @type {number} */ months, /** @type {string} */ words, /** @type {string} */ sign) =>
    h("button.turn", { type: "button", "aria-label": words, onclick: () => to(shifted(focused, months), false) }, h("span", { "aria-hidden": "true" }, sign));
  const [back, on] = [turn(-1, say("previous-month"), "‹"), turn(1, say("next-month"), "›")];
  const weeks = h("tbody");
  const grid = h("table", { role: "grid", "aria-labelledby": "month", onkeydown: key }, h("thead", {}, weekdays()), weeks);
  const heading = h("h3", { id: "day-shown", tabindex: "-1" });
  const told = h("p.told");
  const list = h("ul.slots");
  const element = h("div.calendar", {}, h("div.month-shown", {}, h("div.turns", {}, back, month, on), grid),
    h("section.day-shown", { "aria-labelledby": "day-shown" }, h("div", { role: "status" }, heading, told), list));

  function weekdays() {
    const first = firstDay();
    return h("tr", {}, ...Array.from({ length: 7 }, (_, n) => {
      const date = plus("2024-01-01", first - 1 + n); // a Monday
      return h("th", { scope: "col", abbr: dateWords(date, { weekday: "long" }) }, dateWords(date, { weekday: "short" }));
    }));
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
    last = plus(offered.last, 1); // the zone may be a day ahead
  }

  /** What has to be known for a month, a day more on either side for the zones. @param {string} date */
  function need(date) {
    const first = `${monthOf(date)}-01`;
    return /** @type {[number, number]} */ ([Math.max(ms(first) - DAY, ms(offered.now)), Math.min(ms(shifted(first, 1)) + DAY, ms(last) + 2 * DAY)]);
  }

  /** @param {string} date */
  function isKnown(date) {
    let [from, to] = need(date);
    for (const [a, b] of known.sort((one, other) => one[0] - other[0])) if (a <= from) from = Math.max(from, b);
    return from >= to;
  }

  /** Ask for a month's times, unless they are known. @param {string} date */
  async function load(date) {
    const [from, to] = need(date);
    const become = (/** @type {string} */ now) => { if (monthOf(date) === monthOf(focused)) state = now; }; // else it is another month's
    const there = isKnown(date);
    become(there ? "" : "loading");
    if (there) return true;
    draw();
    try {
      // With very many times, a response covers only part of the range and says how far it reaches.
      for (let since = from; since < to;) {
        const ask = () => fetch(`${offered.slots}?from=${iso(since)}&to=${iso(to)}`, { headers: { Accept: "application/json" } });
        let answer = await ask().catch(() => null);
        if (!answer || answer.status >= 500) {
          await new Promise((done) => setTimeout(done, 1000));
          answer = await ask();
        }
        if ([403, 404, 409, 410].includes(answer.status)) location.reload(); // the page itself says why
        if (!answer.ok) throw new Error();
        const some = await answer.json();
        for (const slot of some.slots) starts.add(ms(slot.start));
        since = ms(some.to);
      }
      known.push([from, to]);
      become("");
      sort();
      return true;
    } catch {
      become("failed");
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
  async function to(date, focus) {
    const wanted = date < today ? today : date > last ? last : date;
    const other = monthOf(wanted) !== monthOf(focused);
    focused = wanted;
    if (other) state = "";
    draw();
    if (focus) dayButton(focused)?.focus();
    if (!(other || state === "failed") || !(await load(wanted)) || monthOf(focused) !== monthOf(wanted)) return;
    if (chooseIn(wanted) && !focus) focused = chosen;
    draw();
    if (focus) dayButton(focused)?.focus();
  }

  /** Choose a month's first day with times, unless a day of it is chosen, maybe while its times came. @param {string} date */
  function chooseIn(date) {
    const ofMonth = (/** @type {string} */ one) => monthOf(one) === monthOf(date);
    if (ofMonth(chosen) && days.has(chosen)) return false;
    const first = [...days.keys()].find(ofMonth);
    chosen = first ?? chosen;
    return first !== undefined;
  }

  /** Go to the next day with times, however far. */
  async function next() {
    for (let date = `${shifted(focused, 1).slice(0, 7)}-01`; date <= last; date = shifted(date, 1)) {
      focused = date;
      if (!(await load(date))) return;
      const found = [...days.keys()].find((one) => monthOf(one) === monthOf(date));
      if (!found) continue;
      focused = chosen = found;
      draw();
      dayButton(found)?.focus();
      return;
    }
    focused = [...days.keys()][0] ?? today;
    chosen = focused;
    draw();
    dayButton(focused)?.focus();
  }

  const dayButton = (/** @type {string} */ date) => /** @type {HTMLButtonElement | null} */ (weeks.querySelector(`[data-date="${date}"]`));

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const place = (new Date(focused).getUTCDay() + 7 - firstDay() % 7) % 7;
    const date = {
      ArrowLeft: () => plus(focused, -1), ArrowRight: () => plus(focused, 1), ArrowUp: () => plus(focused, -7), ArrowDown: () => plus(focused, 7),
      Home: () => plus(focused, -place), End: () => plus(focused, 6 - place), PageUp: () => shifted(focused, -1), PageDown: () => shifted(focused, 1),
    }[event.key]?.();
    if (!date) return;
    event.preventDefault();
    to(date, true);
  }

  /** @param {string} date */
  function choose(date) {
    focused = date;
    if (days.has(date)) chosen = date;
    draw();
    dayButton(date)?.focus();
    if (state === "failed") retry(date);
    if (days.has(date)) heading.scrollIntoView({ block: "nearest" });
  }

  function draw() {
    drawMonth();
    drawDay();
  }

  function drawMonth() {
    const first = `${monthOf(focused)}-01`;
    const words = dateWords(first, { month: "long", year: "numeric" });
    if (month.textContent !== words) month.textContent = words;
    back.setAttribute("aria-disabled", String(first <= today));
    on.setAttribute("aria-disabled", String(shifted(first, 1) > last));
    grid.setAttribute("aria-busy", String(state === "loading"));
    const lost = drawn !== first && weeks.contains(document.activeElement);
    if (drawn !== first) weeks.replaceChildren(...rows(first));
    drawn = first;
    // Told anew in place: a press that has begun is not lost when more times arrive.
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (weeks.querySelectorAll("button"))) {
      const { date = "" } = button.dataset;
      const free = days.get(date)?.length ?? 0;
      const times = free ? say("times", { n: free }) : say("no-times-day");
      const attributes = {
        "aria-label": say("day-times", { day: dateWords(date, { weekday: "long", day: "numeric", month: "long" }), times }),
        tabindex: date === focused ? "0" : "-1", "aria-disabled": !free && "true", "aria-current": date === today && "date",
      };
      for (const [name, value] of Object.entries(attributes)) value ? button.setAttribute(name, value) : button.removeAttribute(name);
      button.parentElement?.setAttribute("aria-selected", String(date === chosen));
    }
    if (lost) dayButton(focused)?.focus();
  }

  /** The weeks of a month. @param {string} first */
  function rows(first) {
    const blank = (new Date(first).getUTCDay() + 7 - firstDay() % 7) % 7;
    const length = new Date(ms(shifted(first, 1)) - DAY).getUTCDate();
    const cells = Array.from({ length: Math.ceil((blank + length) / 7) * 7 }, (_, n) => {
      if (n < blank || n >= blank + length) return h("td");
      const date = plus(first, n - blank);
      return h("td", { role: "gridcell" }, h("button.date", { type: "button", "data-date": date, onclick: () => choose(date) }, String(n - blank + 1)));
    });
    return Array.from({ length: cells.length / 7 }, (_, n) => h("tr", {}, ...cells.slice(n * 7, n * 7 + 7)));
  }

  function drawDay() {
    const here = monthOf(chosen) === monthOf(focused) ? (days.get(chosen) ?? []) : [];
    if (here.length) dayShown(here[0]);
    const offsets = new Set(here.map((start) => offset(start, zone)));
    list.classList.toggle("wide", offsets.size > 1);
    const key = here.length ? [zone, chosen, offsets.size].join() : "";
    if (key !== listed || !key) list.replaceChildren();
    listed = key;
    let at = list.firstElementChild;
    for (const start of here) { // those that are there stay, with a press that has begun
      if (at?.firstElementChild?.dataset.start === iso(start)) at = at.nextElementSibling;
      else list.insertBefore(slot(start, offsets.size > 1), at);
    }
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll("[data-start]"))) {
      button.setAttribute("aria-pressed", String(ms(button.dataset.start ?? "") === picked));
    }
    if (here.length) return tell(dateWords(chosen, { weekday: "long", day: "numeric", month: "long" }), say("times", { n: here.length }));
    const offer = (/** @type {string} */ words, /** @type {() => void} */ run) => list.replaceChildren(h("li", {}, h("button.quiet", { type: "button", onclick: run }, words)));
    if (state === "loading") tell(dateWords(focused, { month: "long", year: "numeric" }), say("loading"));
    else if (state === "failed") {
      tell(say("loading-failed"));
      offer(say("try-again"), again);
    } else {
      tell(say("no-times-month", { month: dateWords(focused, { month: "long" }) }));
      offer(say("next-free"), next);
    }
  }

  /** @param {number} start @param {boolean} exact with its offset */
  function slot(start, exact) {
    return h("li", {}, h("button.slot", { type: "button", "data-start": iso(start), onclick: () => pick(start) },
      clock(start, zone), ...(exact ? [h("small", {}, ` ${offset(start, zone)}`)] : [])));
  }

  function again() {
    heading.focus();
    retry(focused);
  }

  /** Ask once more for a month that could not be loaded, for a day of it. @param {string} date */
  async function retry(date) {
    if (!(await load(date)) || monthOf(date) !== monthOf(focused)) return;
    if (days.has(date)) chosen = date;
    else chooseIn(date);
    draw();
  }

  /** Say what is shown; what was said already is not said again. @param {string} title @param {string} [words] */
  function tell(title, words = "") {
    if (heading.textContent !== title) heading.textContent = title;
    if (told.textContent !== words) told.textContent = words;
  }

  /** Show the day of an instant, or of the first start. @param {number | null} at */
  function show(at) {
    sort();
    picked = at;
    const wanted = at === null ? undefined : dateOf(at, zone);
    chosen = wanted && days.has(wanted) ? wanted : ([...days.keys()][0] ?? today);
    focused = chosen;
    draw();
    load(focused);
  }

  return {
    element,
    show,
    knows: (/** @type {number} */ at) => known.some(([from, to]) => from <= at && at < to),
    has: (/** @type {number} */ at) => starts.has(at),
    /** @param {string} to @param {number | null} at */
    setZone(to, at) {
      zone = to;
      show(at ?? days.get(chosen)?.[0] ?? null);
      picked = at;
      drawDay();
    },
    focus: () => dayButton(focused)?.focus(),
  };
}
