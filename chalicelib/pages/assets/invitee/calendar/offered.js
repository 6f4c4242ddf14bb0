// The times on offer: those that the page includes, and those that the server is asked for.
import { iso, ms } from "./dates.js";

const MINUTE = 60000;
const RETRY_AFTER_MS = 1000;
const LINK_IS_DEAD = [403, 404, 409, 410];

/**
 * @typedef {object} Offered
 * @property {string} bits in base64: whether there is a start after so many steps
 * @property {number} first start, in minutes since 1970
 * @property {number} step in minutes
 * @property {string} from the first instant that the bits cover
 * @property {string} to the first instant that they don't cover
 * @property {string} now
 * @property {string} last date that may have times
 * @property {string} slots URL of further times
 */

/** Return the starts that the page includes. @param {Offered} offered */
export function startsIn({ bits, first, step }) {
  const bytes = atob(bits);
  const steps = Array.from({ length: bytes.length * 8 }, (_, n) => n);
  return steps.filter((n) => (bytes.charCodeAt(n >> 3) >> (n & 7)) & 1).map((n) => (first + n * step) * MINUTE);
}

/**
 * Read the starts of a range from the server.
 * @param {Offered} offered
 * @param {number} from
 * @param {number} to
 */
export async function readStarts({ slots }, from, to) {
  /** @type {number[]} */
  const starts = [];
  // With very many times, a response covers only part of the range and says how far it reaches.
  for (let since = from; since < to;) {
    const page = await read(`${slots}?from=${iso(since)}&to=${iso(to)}`);
    starts.push(...page.slots.map(({ start }) => ms(start)));
    since = ms(page.to);
  }
  return starts;
}

/**
 * @param {string} url
 * @returns {Promise<{slots: {start: string}[], to: string}>}
 */
async function read(url) {
  const ask = () => fetch(url, { headers: { Accept: "application/json" } });
  let response = await ask().catch(() => null);
  if (!response || response.status >= 500) {
    await new Promise((done) => setTimeout(done, RETRY_AFTER_MS));
    response = await ask();
  }
  if (LINK_IS_DEAD.includes(response.status)) location.reload(); // the page itself says why
  if (!response.ok) throw new Error();
  return response.json();
}
