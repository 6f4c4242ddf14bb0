// The server's zone offsets. A browser's own rules may be older or newer than those that the emails use.

/** @type {Map<number, [number, number][]>} from when (ms) a zone has which offset (ms), by the hash of its name */
const rules = new Map();
let factor = 0;
const QUARTER = 900000;

/** @param {string} zone */
const hash = (zone) => [...zone].reduce((found, letter) => (found * factor + letter.charCodeAt(0)) % 65536, 0);

/** Read the offsets that the page includes (`zone_rules.py`). */
export function readRules() {
  const [head, ...groups] = (document.querySelector("main")?.dataset.zones ?? "").split(";");
  rules.clear();
  const [by, first] = head.split(",").map(Number);
  factor = by;
  for (const group of groups) {
    const [words, hashes] = group.split(":");
    const [offset, ...later] = words.split(",").map(Number);
    /** @type {[number, number][]} */
    const steps = [[-Infinity, offset * QUARTER]];
    for (let n = 0; n < later.length; n += 2) steps.push([(first + later[n]) * QUARTER, later[n + 1] * QUARTER]);
    const bytes = atob(hashes);
    for (let n = 0; n < bytes.length; n += 2) rules.set(bytes.charCodeAt(n) * 256 + bytes.charCodeAt(n + 1), steps);
  }
}

/** Whether the server knows this zone. @param {string} zone */
export const isZone = (zone) => /^[A-Z]/.test(zone) && rules.has(hash(zone));

/** Return the wall time of an instant as if it were UTC, in ms. @param {number} at @param {string} zone */
export function wall(at, zone) {
  let offset = 0;
  for (const [from, then] of rules.get(hash(zone)) ?? []) if (from <= at) offset = then;
  return at + offset;
}
