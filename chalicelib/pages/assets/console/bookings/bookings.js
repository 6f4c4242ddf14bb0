// The bookings view: upcoming and past bookings by day.
import { h } from "../../shared/dom.js";
import { api, forHost } from "../api.js";
import { ensureEventTypes } from "../event-types/cache.js";
import { dayWords } from "../time.js";
import { pagedLists } from "../ui/paged-list.js";
import { empty } from "../ui/states.js";
import { bookingCard } from "./card.js";

/** @import { Booking, BookingPage } from "../resources.d.ts" */

const UPCOMING = "upcoming";
const PAST = "past";
const PAGE = 50;

/**
 * Show the bookings.
 * @param {HTMLElement} view
 * @returns {() => void} ends the view
 */
export function showBookings(view) {
  const lists = pagedLists({
    label: "Which bookings",
    names: [
      [UPCOMING, "Upcoming"],
      [PAST, "Past"],
    ],
    read(key) {
      const list = h("div", {});
      const now = new Date().toISOString(); // the same for all pages
      const range = key === PAST ? { to: now, order: "desc" } : { from: now };
      return {
        list,
        async readPage(cursor) {
          /** @type {BookingPage} */
          const page = await api("GET", "v1/bookings", { query: { ...forHost(), ...range, limit: PAGE, cursor } });
          await ensureEventTypes(page.bookings);
          for (const booking of page.bookings) dayOf(list, booking).append(bookingCard(booking, lists.reload));
          return { count: page.bookings.length, cursor: page.nextCursor };
        },
      };
    },
    nothing: noBookings,
  });
  view.replaceChildren(h("div.head", {}, h("h1", {}, "Bookings"), lists.tabs), lists.place);
  lists.open(UPCOMING);
  return lists.end;
}

/** @param {string} key */
function noBookings(key) {
  if (key === PAST) {
    return empty("Nothing is past yet", "Bookings move here when their time has come, and are kept for a year.");
  }
  const text = "When someone books with one of your links, the booking appears here. You can cancel or move it.";
  return empty("Nothing is booked", text);
}

/**
 * Return the list of a booking's day, which is added if it is not there.
 * @param {HTMLElement} list
 * @param {Booking} booking
 */
function dayOf(list, booking) {
  const day = dayWords(booking.start);
  const found = [...list.querySelectorAll("ul")].find((one) => one.getAttribute("aria-label") === day);
  if (found) return found;
  const added = h("ul.cards", { "aria-label": day });
  list.append(h("h2.group", {}, day), added);
  return added;
}
