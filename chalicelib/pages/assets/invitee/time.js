// Format instants in the visitor's zone and locale.
import { isZone, wall } from "./rules.js";

const language = document.documentElement.lang;
/** What separates the parts of a date and time. */
export const comma = language === "ja" ? "、" : ", ";

/** The browser's variant of the page's language, e.g. `en-US` of `en`; the page's own if it has none. */
export const locale =
  navigator.languages.find((one) => one.split("-")[0] === language) ?? (language === "en" ? "en-GB" : language);

/** Return the browser's zone; empty if it gives none. */
export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";

/** @type {Map<string, Intl.DateTimeFormat>} */
const made = new Map();

/**
 * Return a formatter of wall times, which are computed with the server's rules and passed as if they were UTC.
 * @param {Intl.DateTimeFormatOptions} options
 * @param {string} [zone] only for its name
 */
function formatter(options, zone = "UTC") {
  const key = zone + JSON.stringify(options);
  const found = made.get(key) ?? new Intl.DateTimeFormat(locale, { ...options, timeZone: zone });
  made.set(key, found);
  return found;
}

/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { timeStyle: "short" };

/**
 * Return the date of an instant in a zone, e.g. `2026-11-24`.
 * @param {number} at
 * @param {string} zone
 */
export const dateOf = (at, zone) => new Date(wall(at, zone)).toISOString().slice(0, 10);

/**
 * Return a zone's offset at an instant, e.g. `UTC+1`, `UTC−3:30`.
 * @param {number} at
 * @param {string} zone
 */
export function offset(at, zone) {
  const minutes = (wall(at, zone) - at) / 60000;
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `UTC${minutes < 0 ? "−" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

/** @param {number} at @param {string} zone `9:30 AM`, `09:30` */
export const clock = (at, zone) => formatter(CLOCK).format(wall(at, zone));

/** @param {number} at @param {string} zone */
export const day = (at, zone) =>
  formatter({ weekday: "long", day: "numeric", month: "long", year: "numeric" }).format(wall(at, zone));

/**
 * Return a span of time, e.g. `9:30 – 10:00 AM`; with both offsets where they differ.
 * @param {number} start
 * @param {number} end
 * @param {string} zone
 */
export function span(start, end, zone) {
  if (offset(start, zone) !== offset(end, zone)) {
    return [start, end].map((at) => `${clock(at, zone)} (${offset(at, zone)})`).join(" – ");
  }
  const words = formatter(CLOCK).formatRange(wall(start, zone), wall(end, zone));
  return words.replace("–", "\u2060–\u2060"); // no line break within it
}

/** Return a calendar date in words. @param {string} date @param {Intl.DateTimeFormatOptions} options */
export const dateWords = (date, options) => formatter(options).format(Date.parse(date));

/**
 * Return a zone's name, e.g. `Central European Time`; the IANA name if the browser has no words for it.
 * @param {string} zone
 * @param {number} at
 */
function zoneName(zone, at) {
  if (/^(Etc\/)?(UTC|UCT|Zulu|Universal)$/.test(zone)) return "UTC";
  try {
    const parts = formatter({ timeZoneName: "longGeneric" }, zone).formatToParts(at);
    const name = parts.find((part) => part.type === "timeZoneName")?.value ?? "GMT";
    if (!/^(GMT|UTC)\b/.test(name)) return name;
  } catch {
    // the zone is newer than the browser
  }
  return zone.replaceAll("_", " ");
}

/**
 * Return a zone's name with its offset at an instant, e.g. `Central European Time, UTC+1`.
 * @param {string} zone
 * @param {number} at
 */
export function zoneWords(zone, at) {
  const midyear = Date.UTC(new Date(at).getUTCFullYear(), 6, 1); // in the hour before a change, Intl adds the country
  const name = zoneName(zone, midyear);
  return name === "UTC" ? name : name + comma + offset(at, zone);
}

/** Return the first day of the week, 1 for Monday to 7. */
export function firstDay() {
  /** @typedef {{firstDay: number}} WeekInfo a browser has it as a method or as a property */
  const found = /** @type {{getWeekInfo?: () => WeekInfo, weekInfo?: WeekInfo}} */ (new Intl.Locale(locale));
  return (found.getWeekInfo?.() ?? found.weekInfo)?.firstDay ?? 1;
}

/**
 * Format the times and zones that the server wrote; times marked `data-local` in the visitor's zone.
 * @param {Document} page
 */
export function formatTimes(page) {
  for (const words of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-at]"))) {
    const { zone = "UTC", at = "" } = words.dataset;
    if (isZone(zone)) words.textContent = at ? zoneWords(zone, Date.parse(at)) : zoneName(zone, Date.now());
  }
  for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (page.querySelectorAll("time[data-local]"))) {
    const [at, zone] = [Date.parse(time.dateTime), ownZone()];
    if (!isZone(zone)) continue;
    const words = `${day(at, zone)}${comma}${clock(at, zone)}`;
    time.textContent = language === "ja" ? `${words}（${zoneWords(zone, at)}）` : `${words} (${zoneWords(zone, at)})`;
  }
  for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (page.querySelectorAll("time[data-zone]"))) {
    const { zone = "UTC", end = "", part } = time.dataset;
    if (!isZone(zone)) continue;
    const [from, to] = [Date.parse(time.dateTime), Date.parse(end)];
    const words = { day: day(from, zone), span: span(from, to, zone) };
    time.textContent = part === "day" || part === "span" ? words[part] : words.day + comma + words.span;
  }
}
