// Calendar dates as texts, `2026-11-24`, and instants in milliseconds.
import { firstDay } from "../time.js";

export const DAY = 86400000;

/** @param {number} at */
export const iso = (at) => new Date(at).toISOString();

/** @param {string} date or instant */
export const ms = (date) => Date.parse(date);

/** @param {string} date */
export const monthOf = (date) => date.slice(0, 7);

/** @param {string} date */
export const firstOfMonth = (date) => `${monthOf(date)}-01`;

/** @param {string} date @param {number} days */
export const addDays = (date, days) => iso(ms(date) + days * DAY).slice(0, 10);

/**
 * Return the same day of another month, or that month's last day.
 * @param {string} date
 * @param {number} months
 */
export function addMonths(date, months) {
  const [year, month, day] = date.split("-").map(Number);
  const last = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
  return iso(Date.UTC(year, month - 1 + months, Math.min(day, last))).slice(0, 10);
}

/** Return a date's column in the calendar, 0 to 6. @param {string} date */
export const columnOf = (date) => (new Date(date).getUTCDay() + 7 - (firstDay() % 7)) % 7;
