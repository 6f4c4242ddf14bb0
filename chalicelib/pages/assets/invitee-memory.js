// What one tab remembers of one link: the request's key, what was typed, and the booking once it is made.

/**
 * @typedef {object} Memory
 * @property {string} [key] the Idempotency-Key of everything this tab sends by this link
 * @property {string} [body] the form as it stood
 * @property {string} [step]
 * @property {string} [zone] the zone chosen by the visitor
 * @property {string} [unheard] a form that was sent and never answered
 * @property {string} [booked] the URL of the booking
 */

const name = `admit-one:${location.pathname}`;
let memory = read();

/** @returns {Memory} */
function read() {
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
    sessionStorage.setItem(name, JSON.stringify(memory));
  } catch {
    // as above
  }
}

export function forget() {
  memory = {};
  remember({});
}
