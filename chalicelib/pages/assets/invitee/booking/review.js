// The review: show everything that the form will send.
import { h } from "../../shared/dom.js";
import { say } from "../phrases.js";
import { comma, day, span, zoneWords } from "../time.js";
import { answersIn } from "./fields.js";

/** @import { Child } from "../../shared/dom.js" */
/** @import { Offered } from "../calendar/offered.js" */

/**
 * What the page includes about the booking.
 * @typedef {object} Included
 * @property {string} title
 * @property {number} minutes
 * @property {string[]} [places] in the page's language
 * @property {[string, string]} [moving] the start and end of the booking that is moved
 */
/** @typedef {Included & Offered} Picker */

/**
 * Return the date and the times of a booking.
 * @param {number} from
 * @param {number} to
 * @param {string} zone
 */
export const timeWords = (from, to, zone) => `${day(from, zone)}${comma}${span(from, to, zone)}`;

/**
 * Return the review.
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} details
 * @param {Included} included
 * @param {{at: number, zone: string}} chosen
 */
export function reviewOf(form, details, { title, minutes, places, moving }, { at, zone }) {
  /** @type {[string, Child][]} */
  const rows = [[say("what"), title]];
  if (moving) rows.push([say("until-now"), timeWords(Date.parse(moving[0]), Date.parse(moving[1]), zone)]);
  const time = timeWords(at, at + minutes * 60000, zone);
  rows.push([say(moving ? "new-time" : "when"), h("span", {}, time, h("span.sub", {}, zoneWords(zone, at)))]);
  const place = places?.[Number(new FormData(form).get("location") ?? 0)];
  if (place) rows.push([say("where"), place]);
  for (const [label, value] of details ? answersIn(form, details) : []) {
    rows.push([label, value || h("span.hush", {}, say("no-answer-given"))]);
  }
  const list = rows.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value)));
  const heading = h("h2", { id: "review", tabindex: "-1" }, say(moving ? "review-move" : "review-heading"));
  return [heading, h("dl", {}, list)];
}
