// Read an instant back from a form's field.
import { fromLocal, toLocal } from "../../time.js";

/**
 * Return the instant of a local time; the instant that the field was filled from, to the second, if nobody changed it.
 * @param {string} local
 * @param {string | null} [before]
 */
export const readInstant = (local, before) => (before && local === toLocal(before) ? before : fromLocal(local));
