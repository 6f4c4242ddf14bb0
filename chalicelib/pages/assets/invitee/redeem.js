// Redeem a link, or move a booking: post the form so that it takes effect once, whatever the connection does (P4).
import { recall, remember } from "./memory.js";
import { announceBooking } from "./tabs.js";

const WAITS = [1000, 2000, 4000, 8000]; // ms before each retry
const KEY_REUSED = "idempotency-key-reused";

/** @typedef {{booked?: string, page?: Document}} Outcome the booking's URL, or the page that says why there is none */

/** No try got a response, so the booking may or may not exist. */
export class NoResponse extends Error {}

/** Return the key of everything that this tab sends for this link, so that it books once. */
function key() {
  const known = recall().key ?? crypto.randomUUID?.() ?? String(crypto.getRandomValues(new Uint32Array(4)));
  remember({ key: known });
  return known;
}

/**
 * Post a form until there is a response.
 *
 * Every try has the same key: after a lost response, the next try finds the booking that the first one made.
 * @param {string} url
 * @param {string} body
 * @param {(tries: number) => void} [trying] called before each try
 * @returns {Promise<Outcome>}
 */
export async function send(url, body, trying = () => {}) {
  const earlier = recall().unheard;
  remember({ unheard: earlier ?? body });
  const response = await post(url, body, trying);
  if (response.page && earlier && earlier !== body && problemOf(response.page) === KEY_REUSED) {
    return send(url, earlier, trying); // the earlier form did arrive
  }
  const start = new URLSearchParams(body).get("start") ?? "";
  remember(
    response.booked ? { booked: response.booked, start, unheard: undefined, body: undefined } : { unheard: undefined },
  );
  if (response.booked) announceBooking();
  return response;
}

/** Return the code of a page's problem; empty if it has none. @param {Document} page */
export const problemOf = (page) => page.querySelector("main")?.dataset.problem ?? "";

/**
 * @param {string} url
 * @param {string} body
 * @param {(tries: number) => void} trying
 * @returns {Promise<Outcome>}
 */
async function post(url, body, trying) {
  const headers = {
    Accept: "text/html",
    "Content-Type": "application/x-www-form-urlencoded",
    "Idempotency-Key": key(),
  };
  for (let tries = 0; ; tries++) {
    trying(tries);
    try {
      const response = await fetch(url, { method: "POST", body, headers });
      if (response.redirected) return { booked: response.url };
      const text = await response.text();
      if (response.status < 500 && response.status !== 429)
        return { page: new DOMParser().parseFromString(text, "text/html") };
    } catch {
      // no response: retry
    }
    if (tries === WAITS.length) throw new NoResponse();
    await new Promise((done) => setTimeout(done, WAITS[tries]));
  }
}
