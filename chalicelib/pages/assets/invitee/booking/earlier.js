// A booking that this tab made before with the same link.
import { embedded, forget, recall } from "../memory.js";
import { send } from "../redeem.js";

/**
 * Show the booking that this tab made with this link, unless the visitor came to book again.
 * @param {boolean} dead whether the link is closed to further bookings
 * @returns {boolean} whether it is shown
 */
export function showEarlierBooking(dead) {
  const { booked, unheard, key } = recall();
  const [entry] = performance.getEntriesByType("navigation");
  const travelled = /** @type {PerformanceNavigationTiming | undefined} */ (entry)?.type === "back_forward";
  if (booked && (dead || travelled)) {
    location.replace(booked);
    return true;
  }
  if (booked) forget(); // a link for several bookings, opened for another one
  if (dead && unheard && key) sendAgain(unheard);
  return false;
}

/** Send a form that got no response, and show the booking if it made one. @param {string} body */
async function sendAgain(body) {
  try {
    const { booked } = await send(`${location.pathname}/redeem${embedded ? "?embed=1" : ""}`, body);
    if (booked) location.replace(booked);
  } catch {
    // the page already shows that the link is dead
  }
}
