// The grid of a month: its weekdays, its weeks, and the day that a key goes to.
import { h } from "../../shared/dom.js";
import { dateWords, firstDay } from "../time.js";
import { DAY, addDays, addMonths, columnOf, ms } from "./dates.js";

const A_MONDAY = "2024-01-01";

/** @type {Record<string, (date: string) => string>} */
export const DAY_AFTER_KEY = {
  ArrowLeft: (date) => addDays(date, -1),
  ArrowRight: (date) => addDays(date, 1),
  ArrowUp: (date) => addDays(date, -7),
  ArrowDown: (date) => addDays(date, 7),
  Home: (date) => addDays(date, -columnOf(date)),
  End: (date) => addDays(date, 6 - columnOf(date)),
  PageUp: (date) => addMonths(date, -1),
  PageDown: (date) => addMonths(date, 1),
};

export function weekdays() {
  const cells = Array.from({ length: 7 }, (_, n) => {
    const date = addDays(A_MONDAY, firstDay() - 1 + n);
    const abbr = dateWords(date, { weekday: "long" });
    return h("th", { scope: "col", abbr }, dateWords(date, { weekday: "short" }));
  });
  return h("tr", {}, cells);
}

/**
 * Return the weeks of a month.
 * @param {string} first its first day
 * @param {(date: string) => void} choose
 */
export function weeksOf(first, choose) {
  const blank = columnOf(first);
  const length = new Date(ms(addMonths(first, 1)) - DAY).getUTCDate();
  const cells = Array.from({ length: Math.ceil((blank + length) / 7) * 7 }, (_, n) => {
    if (n < blank || n >= blank + length) return h("td");
    const date = addDays(first, n - blank);
    const attributes = { type: "button", "data-date": date, onclick: () => choose(date) };
    return h("td", { role: "gridcell" }, h("button.date", attributes, n - blank + 1));
  });
  return Array.from({ length: cells.length / 7 }, (_, n) => h("tr", {}, cells.slice(n * 7, n * 7 + 7)));
}
