// Redeem a link, or move a booking: post the form so that it takes effect once, whatever happens to the connection (P4).
import { recall, remember } from "./memory.js";
import { tellTabs } from "./tabs.js";

const WAITS = [1000, 2000, 4000, 8000]; // ms before each new try

/** Neither this nor any earlier try was answered: the booking may be made or not. */
export class Unheard extends Error {}

/** The same key for all that this tab sends by this link: what it books by it, it books once. */
function key() {
  const known = recall().key ?? crypto.randomUUID?.() ?? String(crypto.getRandomValues(new Uint32Array(4)));
  remember({ key: known });
  return known;
}

/**
 * Post a form until an answer comes, and give the page that it led to.
 *
 * The key goes along: sent again after a lost reply, the request finds the booking that it made.
 * @param {string} url
 * @param {string} body
 * @param {(tries: number) => void} trying
 * @returns {Promise<{booked?: string, page?: Document}>}
 */
export async function send(url, body, trying = () => {}) {
  const earlier = recall().unheard;
  remember({ unheard: earlier ?? body });
  const answer = await post(url, body, trying);
  if (answer.page && earlier && earlier !== body && problemOf(answer.page) === "idempotency-key-reused") {
    return send(url, earlier, trying); // the one that was never heard of did arrive
  }
  const start = new URLSearchParams(body).get("start") ?? "";
  remember(answer.booked ? { booked: answer.booked, start, unheard: undefined, body: undefined } : { unheard: undefined });
  if (answer.booked) tellTabs();
  return answer;
}

/** @param {Document} page */
export const problemOf = (page) => page.querySelector("main")?.dataset.problem ?? "";

/**
 * @param {string} url
 * @param {string} body
 * @param {(tries: number) => void} trying
 * @returns {Promise<{booked?: string, page?: Document}>}
 */
async function post(url, body, trying) {
  const headers = { Accept: "text/html", "Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key() };
  for (let tries = 0; ; tries++) {
    trying(tries);
    try {
      const answer = await fetch(url, { method: "POST", body, headers });
      if (answer.redirected) return { booked: answer.url };
      const text = await answer.text();
      if (answer.status < 500 && answer.status !== 429) return { page: new DOMParser().parseFromString(text, "text/html") };
    } catch {
      // no answer: the next try may have one
    }
    if (tries === WAITS.length) throw new Unheard();
    await new Promise((done) => setTimeout(done, WAITS[tries]));
  }
}
