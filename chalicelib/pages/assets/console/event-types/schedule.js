// A schedule as a form: the hours of each weekday, the dates with other hours, and the time zone.
import { h } from "../../shared/dom.js";
import { ZONE, zones } from "../time.js";
import { field, select } from "../ui/forms.js";
import { icon } from "../ui/icons.js";
import { spanFields } from "./spans.js";

/** @import { DateOverride, Schedule, WeeklyHours } from "../resources.d.ts" */
/** @import { Spans } from "./spans.js" */
/** @typedef {WeeklyHours["days"][number]} Day */

/** @type {[Day, string][]} */
const DAYS = [
  ["mon", "Monday"],
  ["tue", "Tuesday"],
  ["wed", "Wednesday"],
  ["thu", "Thursday"],
  ["fri", "Friday"],
  ["sat", "Saturday"],
  ["sun", "Sunday"],
];

/** @type {Schedule} */
const OFFICE_HOURS = {
  timeZone: ZONE,
  weekly: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "09:00", to: "17:00" }],
  overrides: [],
};

/** @param {Element} element */
const reportInput = (element) => element.dispatchEvent(new Event("input", { bubbles: true }));

/**
 * Return fields for a schedule.
 * @param {Schedule | null} schedule null for office hours
 * @param {string} pointer the JSON pointer of the schedule, which the API's errors name
 */
export function scheduleFields(schedule, pointer) {
  const given = schedule ?? OFFICE_HOURS;
  const names = zones(given.timeZone).map(
    (name) => /** @type {[string, string]} */ ([name, name.replaceAll("_", " ")]),
  );
  const zone = select(names, given.timeZone);
  const week = weekFields(given.weekly);
  week.element.dataset.pointer = `${pointer}/weekly`;
  const dates = dateFields(given.overrides);
  dates.element.dataset.pointer = `${pointer}/overrides`;

  const element = h(
    "fieldset",
    {},
    h("legend.hidden", {}, "Available hours"),
    field("Time zone of these hours", zone, { pointer: `${pointer}/timeZone` }),
    h(
      "div.sect",
      {},
      h("h3", {}, "Weekly hours"),
      week.element,
      h("p.hint", {}, "In steps of 5 minutes. As an end, 00:00 is midnight."),
    ),
    h(
      "div.sect",
      {},
      h("h3", {}, "Dates with other hours"),
      h("p.hint", {}, "A holiday, or a day on which you work late."),
      dates.element,
      h("p", {}, dates.add),
    ),
  );
  /** @returns {Schedule} */
  const read = () => ({ timeZone: zone.value, weekly: week.read(), overrides: dates.read() });
  return { element, read };
}

/** @param {WeeklyHours[]} weekly */
function weekFields(weekly) {
  const rows = DAYS.map(([day, name]) => {
    const given = weekly.filter(({ days }) => days.includes(day));
    return { day, name, spans: spanFields({ day: name, box: name, closed: "Closed" }, given) };
  });
  const element = h(
    "ul.hours",
    {},
    rows.map(({ name, spans }, at) => {
      const below = rows.slice(at + 1).map((row) => row.spans);
      return h("li", {}, spans.box, spans.element, below.length ? copyDownButton(name, spans, below) : null);
    }),
  );

  function read() {
    /** @type {Map<string, WeeklyHours>} */
    const hours = new Map();
    for (const { day, spans } of rows) {
      for (const { from, to } of spans.read()) {
        const entry = hours.get(`${from} ${to}`) ?? { days: /** @type {Day[]} */ ([]), from, to };
        entry.days.push(day);
        hours.set(`${from} ${to}`, entry);
      }
    }
    return [...hours.values()];
  }
  return { element, read };
}

/** @param {string} name @param {Spans} spans @param {Spans[]} below */
function copyDownButton(name, spans, below) {
  const words = {
    title: `Copy to every open day below ${name}`,
    "aria-label": `Copy ${name}’s hours to the days below that are open`,
  };
  const copyDown = () => {
    for (const other of below) if (other.read().length) other.set(spans.read());
    reportInput(spans.element);
  };
  return h("button.plain.small", { type: "button", ...words, onclick: copyDown }, icon("copy"));
}

/** @param {DateOverride[]} overrides */
function dateFields(overrides) {
  const element = h("ul.hours");
  /** @type {Set<{date: HTMLInputElement, spans: Spans}>} */
  const entries = new Set();

  /** @param {DateOverride} override */
  function addDate(override) {
    const date = h("input", { type: "date", required: true, value: override.date, "aria-label": "Date" });
    const spans = spanFields({ day: "that date", box: "Open", closed: "Closed all day" }, override.intervals);
    const entry = { date, spans };
    entries.add(entry);
    const remove = () => {
      entries.delete(entry);
      row.remove();
      reportInput(element);
    };
    const label = "Remove this date";
    const close = h("button.plain.small", { type: "button", "aria-label": label, onclick: remove }, icon("close"));
    const row = h("li.date", {}, h("div", {}, date, spans.box), spans.element, close);
    element.append(row);
    return date;
  }

  for (const override of overrides) addDate(override);
  const onclick = () => addDate({ date: "", intervals: [] }).focus();
  const add = h("button.quiet.small", { type: "button", onclick }, icon("plus"), "Add a date");
  const read = () => [...entries].map(({ date, spans }) => ({ date: date.value, intervals: spans.read() }));
  return { element, add, read };
}
