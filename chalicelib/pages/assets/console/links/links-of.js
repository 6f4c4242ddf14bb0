// The way from another view to the links of one event type.

import { ACTIVE } from "../statuses.js";

let next = { eventTypeId: "", status: "" };

/**
 * Show the links view with the active links of an event type.
 * @param {string} eventTypeId
 */
export function showLinksOf(eventTypeId) {
  next = { eventTypeId, status: ACTIVE };
  location.hash = "links";
}

/** Return the filters that the links view starts with, once. */
export function takeFilters() {
  const filters = next;
  next = { eventTypeId: "", status: "" };
  return filters;
}
