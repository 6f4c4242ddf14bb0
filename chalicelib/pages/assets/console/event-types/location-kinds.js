// The kinds of location an event type can have, and their labels.

/** @import { Location } from "../resources.d.ts" */

/** @type {[Location["kind"], string][]} */
export const LOCATION_KINDS = [
  ["video", "Video call"],
  ["phone", "Phone"],
  ["in_person", "In person"],
  ["custom", "Other"],
];

/** @param {Location} location */
export const kindWords = (location) => new Map(LOCATION_KINDS).get(location.kind) ?? "";
