// What the views share: the host's event types, and ways from one view to another.
import { all, api, forHost } from "./api.js";
import { warn } from "./dom.js";

/** @type {Map<string, any>} */
const known = new Map();
let knowsArchived = false;
/** @type {any[]} */
let listed = [];

/** Event types as last read, newest first. */
export const eventTypes = () => listed;

/** Read the host's event types anew. */
export async function loadEventTypes() {
  listed = await all("v1/event-types", "eventTypes", forHost());
  for (const one of listed) known.set(one.eventTypeId, one);
  return listed;
}

/** Forget another host's, or another key's. */
export function forgetEventTypes() {
  listed = [];
  known.clear();
  knowsArchived = false;
}

/**
 * Get to know the event types that links, requests or bookings are of: one may have been made or archived elsewhere.
 * @param {{eventTypeId: string}[]} things
 */
export async function ensureEventTypes(things) {
  const strange = () => things.some(({ eventTypeId }) => !known.has(eventTypeId));
  if (strange() && !knowsArchived) {
    for (const one of await all("v1/event-types", "eventTypes", { ...forHost(), archived: "true" })) known.set(one.eventTypeId, one);
    knowsArchived = true;
  }
  if (!strange()) return;
  await loadEventTypes();
  // Made and archived since: known by no title, and not asked for again and again.
  for (const { eventTypeId } of things) if (!known.has(eventTypeId)) known.set(eventTypeId, { title: "Archived event type", archivedAt: "", questions: [] });
}

/**
 * An event type as last read, archived ones among them.
 * @param {string} id
 */
export const eventTypeOf = (id) => known.get(id);

/**
 * An event type's title.
 * @param {string} id
 */
export const titleOf = (id) => known.get(id)?.title ?? "Event type";

/**
 * Make links of one event type.
 * @param {Record<string, any>} body
 * @param {string} key
 * @returns {Promise<any[]>}
 */
export async function makeLinks(body, key) {
  const made = await api("POST", "v1/links", { body, key });
  warn(made);
  return made.links;
}

/** What the links view is to be filtered by when it opens next. */
export const wanted = { eventTypeId: "", status: "" };

/**
 * Go to the links view, showing an event type's active links.
 * @param {string} eventTypeId
 */
export function showLinksOf(eventTypeId) {
  Object.assign(wanted, { eventTypeId, status: "active" });
  location.hash = "links";
}

/** Who is told that links were made, changed or are gone; the view on show sets it. */
export const onLinksChanged = { call: /** @type {() => void} */ (() => {}) };

/**
 * Whom or what a link is for, in a few words.
 * @param {any} link
 */
export function forWhom(link) {
  return link.recipient?.name || link.recipient?.email || link.label || "";
}
