// What one tab remembers of one link: the request's key, what was typed, and the booking once it is made.

/**
 * @typedef {object} Memory
 * @property {string} [key] the Idempotency-Key of everything this tab sends by this link
 * @property {string} [body] the form as it stood
 * @property {string} [step]
 * @property {string} [zone] the zone chosen by the visitor
 * @property {string} [unheard] a form that was sent and never answered
 * @property {string} [booked] the URL of the booking
 * @property {string} [start] and its time
 */

/** Is this page in a frame of another site's? */
export const embedded = new URLSearchParams(location.search).get("embed") === "1";

export const memoryName = `admit-one:${location.pathname}`;
let memory = read(memoryName);

/** @param {string} name @returns {Memory} */
function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "{}");
  } catch {
    return {}; // a frame of another site may have no storage: this page's own life has to do
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
    // as above
  }
}

export function forget() {
  memory = {};
  remember({});
}

/**
 * What this tab remembers of the links by which it made a booking, by the booking's own path.
 * @param {string} path
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

/** A cancelled booking answers for no link any more. @param {string} path its own */
export function forgetLinksOf(path) {
  for (const [name] of linksOf(path)) sessionStorage.removeItem(name);
}
