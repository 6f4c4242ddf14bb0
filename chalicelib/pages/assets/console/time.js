// Format instants in the browser's zone, and read them from a form's local time.
import { h } from "../shared/dom.js";

const locale = navigator.language.startsWith("en") ? navigator.language : "en-GB";

/** The zone that the console shows times in: the browser's. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const exactly = new Intl.DateTimeFormat(locale, {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});
const hour = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const hourZone = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
const date = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const relatively = new Intl.RelativeTimeFormat("en");
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ["year", 31557600],
  ["month", 2629800],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

/** @param {string} iso e.g. `Fri, 4 Dec 2026, 17:00 CET` */
export const exact = (iso) => exactly.format(new Date(iso));
/** @param {string | Date} iso e.g. `17:00` */
export const clock = (iso) => hour.format(new Date(iso));
/** @param {string | Date} iso e.g. `17:00 CET` */
export const clockZone = (iso) => hourZone.format(new Date(iso));
/** @param {string | Date} iso e.g. `Friday 4 December 2026` */
export const dayWords = (iso) => date.format(new Date(iso));

/** @param {string} iso e.g. `in 3 days`, `2 hours ago` */
export function relative(iso) {
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  for (const [unit, size] of UNITS) {
    // Months and years from 1.5 on: "in 40 days" is more exact than "in 1 month".
    if (Math.abs(seconds) >= size * (size > 86400 ? 1.5 : 1))
      return relatively.format(Math.round(seconds / size), unit);
  }
  return seconds < 0 ? "just now" : "in under a minute";
}

/**
 * Return a relative time, with the exact one on hover.
 * @param {string} iso
 */
export function whenElement(iso) {
  return h("time", { datetime: iso, title: `${exact(iso)} (${ZONE})` }, relative(iso));
}

/** @param {number} minutes e.g. `1 h 30 min` */
export function duration(minutes) {
  const hours = Math.floor(minutes / 60);
  return [hours && `${hours} h`, minutes % 60 && `${minutes % 60} min`].filter(Boolean).join(" ");
}

/**
 * Return an instant as the value of a `datetime-local` field, in `ZONE`.
 * @param {string | Date | null} iso
 */
export function toLocal(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

/**
 * Return the instant of a `datetime-local` field's value, in `ZONE`; null if it is empty.
 * @param {string} local
 */
export const fromLocal = (local) => (local ? new Date(local).toISOString() : null);

/**
 * Return every time zone that the browser knows, with the given ones.
 * @param {...string} more
 */
export function zones(...more) {
  const known = Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [];
  return [...new Set([...known, "UTC", ZONE, ...more.filter(Boolean)])].sort();
}

/**
 * Update the relative times in an element.
 * @param {HTMLElement} element
 */
export function refreshTimes(element) {
  for (const time of element.querySelectorAll("time[title]"))
    time.textContent = relative(/** @type {HTMLTimeElement} */ (time).dateTime);
}
