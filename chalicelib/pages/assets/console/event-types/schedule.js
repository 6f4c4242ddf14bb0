// A schedule as a form: a row for each weekday, dates on which other hours hold, and the zone of it all.
import { h, icon } from "../dom.js";
import { field } from "../dialogs.js";
import { ZONE, zones } from "../time.js";

/** @type {[string, string][]} */
const DAYS = [["mon", "Monday"], ["tue", "Tuesday"], ["wed", "Wednesday"], ["thu", "Thursday"], ["fri", "Friday"], ["sat", "Saturday"], ["sun", "Sunday"]];
/** @typedef {{from: string, to: string}} Span */

const OFFICE = { timeZone: ZONE, weekly: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "09:00", to: "17:00" }], overrides: [] };

/**
 * Fields for a schedule, nine to five on weekdays where none is given.
 * @param {any} schedule as the API gives it, or null
 * @param {string} pointer where the API's errors point
 * @returns {{element: HTMLFieldSetElement, read: () => any}}
 */
export function scheduleFields(schedule, pointer) {
  const given = schedule ?? OFFICE;
  const zone = h("select", { value: given.timeZone }, zones(given.timeZone).map((name) => h("option", { value: name }, name.replaceAll("_", " "))));
  zone.value = given.timeZone;
  /** @type {{day: string, spans: ReturnType<typeof spanList>}[]} */
  const rows = [];
  const week = h("ul.hours", {}, DAYS.map(([day, words], index) => {
    const spans = spanList(words, given.weekly.filter((/** @type {any} */ w) => w.days.includes(day)), "Closed");
    rows.push({ day, spans });
    const copyDown = h("button.plain.small", { type: "button", title: `Copy to every open day below ${words}`, "aria-label": `Copy ${words}’s hours to the days below that are open`, onclick: () => {
      for (const { spans: below } of rows.slice(index + 1)) if (below.read().length) below.set(spans.read());
      element.dispatchEvent(new Event("input", { bubbles: true }));
    } }, icon("copy"));
    return h("li", {}, spans.box, spans.element, index < 6 ? copyDown : null);
  }));
  week.dataset.pointer = `${pointer}/weekly`;

  const dates = h("ul.hours", { "data-pointer": `${pointer}/overrides` });
  /** @type {Set<{date: HTMLInputElement, spans: ReturnType<typeof spanList>}>} */
  const overrides = new Set();
  const addDate = (/** @type {any} */ override) => {
    const date = h("input", { type: "date", required: true, value: override.date, "aria-label": "Date" });
    const spans = spanList("that date", override.intervals, "Closed all day");
    const entry = { date, spans };
    overrides.add(entry);
    const row = h("li.date", {}, h("div", {}, date, spans.box), spans.element,
      h("button.plain.small", { type: "button", "aria-label": "Remove this date", onclick: () => { overrides.delete(entry); row.remove(); element.dispatchEvent(new Event("input", { bubbles: true })); } }, icon("close")));
    dates.append(row);
    return date;
  };
  for (const override of given.overrides ?? []) addDate(override);
  const add = h("button.quiet.small", { type: "button", onclick: () => addDate({ date: "", intervals: [] }).focus() }, icon("plus"), "Add a date");

  const element = h("fieldset", {}, h("legend.hidden", {}, "Available hours"),
    field("Time zone of these hours", zone, { pointer: `${pointer}/timeZone` }),
    h("div.sect", {}, h("h3", {}, "Weekly hours"), week, h("p.hint", {}, "In steps of 5 minutes. As an end, 00:00 is midnight.")),
    h("div.sect", {}, h("h3", {}, "Dates with other hours"), h("p.hint", {}, "A holiday, or a day on which you work late."), dates, h("p", {}, add)));

  const read = () => {
    /** @type {Map<string, {days: string[], from: string, to: string}>} */
    const weekly = new Map();
    for (const { day, spans } of rows) {
      for (const { from, to } of spans.read()) {
        const entry = weekly.get(`${from} ${to}`) ?? { days: /** @type {string[]} */ ([]), from, to };
        entry.days.push(day);
        weekly.set(`${from} ${to}`, entry);
      }
    }
    return {
      timeZone: zone.value,
      weekly: [...weekly.values()],
      overrides: [...overrides].map(({ date, spans }) => ({ date: date.value, intervals: spans.read() })),
    };
  };
  return { element, read };
}

/**
 * Spans of a day, any number of them, behind a tick box.
 * @param {string} whose for screen readers
 * @param {Span[]} given
 * @param {string} closed what none at all means
 */
function spanList(whose, given, closed) {
  const element = h("div.spans");
  const check = h("input", { type: "checkbox" });
  const box = h("label.tick", {}, check, h("span", {}, whose === "that date" ? "Open" : whose));
  const time = (/** @type {string} */ value, /** @type {string} */ words) =>
    h("input", { type: "time", step: 300, required: true, value: value === "24:00" ? "00:00" : value, "aria-label": `${whose} ${words}` });
  const read = () => [...element.querySelectorAll(".span")].map((row) => {
    const [from, to] = [...row.querySelectorAll("input")].map((input) => input.value);
    return { from, to: to === "00:00" ? "24:00" : to };
  });
  const changed = () => element.dispatchEvent(new Event("input", { bubbles: true }));
  const addRow = (/** @type {Span} */ span) => {
    const row = h("div.span", {}, time(span.from, "from"), h("span", { "aria-hidden": "true" }, "–"), time(span.to, "to"),
      h("span.nowrap", {}, h("button.plain.small", { type: "button", "aria-label": `Remove these hours of ${whose}`, onclick: () => { const spans = read(); spans.splice([...element.querySelectorAll(".span")].indexOf(row), 1); set(spans); check.focus(); changed(); } }, icon("close")),
      h("button.plain.small", { type: "button", "aria-label": `Add hours to ${whose}`, title: "Add hours", onclick: () => { addRow({ from: "13:00", to: "17:00" }).querySelector("input").focus(); changed(); } }, icon("plus"))));
    element.append(row);
    return row;
  };
  const set = (/** @type {Span[]} */ spans) => {
    check.checked = spans.length > 0;
    element.replaceChildren();
    if (spans.length) spans.forEach(addRow);
    else element.append(h("p.hush", {}, closed));
  };
  check.addEventListener("change", () => set(check.checked ? [{ from: "09:00", to: "17:00" }] : []));
  set(given);
  return { element, box, read, set };
}
