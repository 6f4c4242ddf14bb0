// How a link is named in sentences.
import { titleOf } from "../event-types/cache.js";
import { ACTIVE, USED } from "../statuses.js";

/** @import { Link } from "../resources.d.ts" */

/** Return the person or the purpose of a link; empty if it has neither. @param {Link} link */
export const forWhom = (link) => link.recipient?.name || link.recipient?.email || link.label || "";

/** Return e.g. `for Grace Hopper`, or `for` its event type. @param {Link} link */
export const describe = (link) => `for ${forWhom(link) || titleOf(link.eventTypeId)}`;

/** @param {number | null} count how many bookings; null for no limit */
export function usesWords(count) {
  if (count === null) return "no limit";
  return count === 1 ? "one booking" : `${count} bookings`;
}

/** Return e.g. `0 of 1`, `3, no limit`. @param {Link} link */
export const usedWords = ({ usageCount, maxUsageCount }) =>
  maxUsageCount === null ? `${usageCount}, no limit` : `${usageCount} of ${maxUsageCount}`;

/**
 * Return whether a link can be revoked: it is active, or it is used and a cancellation would make it active again.
 * @param {Link} link
 */
export function revocable({ status, restoreUseOnCancel, expiresAt }) {
  const unexpired = !expiresAt || Date.parse(expiresAt) > Date.now();
  return status === ACTIVE || (status === USED && restoreUseOnCancel && unexpired);
}

/** Return the status with a capital letter. @param {Link} link */
export const statusWords = ({ status }) => status[0].toUpperCase() + status.slice(1);
