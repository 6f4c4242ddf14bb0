// What this tab remembers of this link: the request's key, the visitor's input, and the booking once there is one.

/**
 * @typedef {object} Memory
 * @property {string} [key] the Idempotency-Key of everything that this tab sends for this link
 * @property {string} [body] the form as the visitor left it
 * @property {string} [step] of the form
 * @property {string} [zone] the zone that the visitor chose
 * @property {string} [unheard] a form that was sent and got no response
 * @property {string} [booked] the URL of the booking
 * @property {string} [start] the booking's time
 */

/** Whether this page is in a frame of another site. */
export const embedded = new URLSearchParams(location.search).get("embed") === "1";

export const memoryName = `admit-one:${location.pathname}`;
let memory = read(memoryName);

/** @param {string} name @returns {Memory} */
function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "{}");
  } catch {
    return {}; // a frame of another site may have no storage; then the page itself remembers
  }
}

/** @returns {Memory} */
export const recall = () => memory;

/** @param {Memory} changes */
export function remember(changes) {
  memory = { ...memory, ...changes };
  try {
    sessionStorage.setItem(memoryName, JSON.stringify(memory));
  } catch {
    // as in `read`
  }
}

export function forget() {
  memory = {};
  remember({});
}

/**
 * Return what this tab remembers of the links that gave a booking.
 * @param {string} path the booking's
 * @returns {[string, Memory][]}
 */
export function linksOf(path) {
  try {
    return Object.keys(sessionStorage)
      .map((name) => /** @type {[string, Memory]} */ ([name, read(name)]))
      .filter(([, { booked }]) => booked && new URL(booked).pathname === path);
  } catch {
    return [];
  }
}

/** Forget the links that gave a booking, because it is cancelled. @param {string} path the booking's */
export function forgetLinksOf(path) {
  for (const [name] of linksOf(path)) sessionStorage.removeItem(name);
}
