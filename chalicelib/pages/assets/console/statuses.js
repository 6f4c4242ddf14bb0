// The statuses of links and bookings, as the API names them.

/** @import { Booking, Link } from "./resources.d.ts" */

/** @type {Link["status"]} */
export const ACTIVE = "active";
/** @type {Link["status"]} */
export const USED = "used";
/** @type {Link["status"]} */
export const EXPIRED = "expired";
/** @type {Link["status"]} */
export const REVOKED = "revoked";

/** @type {Booking["status"]} */
export const CONFIRMED = "confirmed";
/** @type {Booking["status"]} */
export const CANCELLED = "cancelled";
