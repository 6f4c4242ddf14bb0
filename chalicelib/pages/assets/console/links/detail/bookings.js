// The bookings made with a link.
import { h } from "../../../shared/dom.js";
import { all } from "../../api.js";
import { ACTIVE, CONFIRMED } from "../../statuses.js";
import { clockZone, exact } from "../../time.js";
import { alertBox } from "../../ui/alerts.js";
import { messageOf } from "../../ui/states.js";
import { usesWords } from "../words.js";

/** @import { Booking, Link } from "../../resources.d.ts" */

/**
 * Read the bookings and show them.
 * @param {HTMLElement} place
 * @param {Link} link
 */
export async function loadBookings(place, link) {
  const heading = h("h3", {}, "Bookings");
  try {
    /** @type {Booking[]} */
    const found = await all("v1/bookings", "bookings", { linkId: link.linkId });
    const none = link.status === ACTIVE ? `None yet. Valid for ${usesWords(link.remainingUses)}.` : "None.";
    const list = found.length ? h("ul.cards", {}, found.map(row)) : h("p.hush", {}, none);
    place.replaceChildren(heading, list);
  } catch (error) {
    place.replaceChildren(heading, alertBox(messageOf(error)));
  }
}

/** @param {Booking} booking */
function row({ status, start, end, invitee }) {
  const pill = h(`span.pill.${status}`, {}, status === CONFIRMED ? "Confirmed" : "Cancelled");
  const who = invitee ? `${invitee.name}, ${invitee.email}` : "Personal data erased";
  return h("li", {}, pill, " ", `${exact(start)} – ${clockZone(end)}`, h("span.sub", {}, who));
}
