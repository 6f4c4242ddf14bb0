// The host's event types as last read, for every view that shows their titles.
import { all, forHost } from "../api.js";

/** @import { EventType, KnownEventType } from "../resources.d.ts" */

/** @type {Map<string, KnownEventType>} */
const known = new Map();
let knowsArchived = false;
/** @type {EventType[]} */
let listed = [];

/** Return the event types as last read, newest first, without archived ones. */
export const eventTypes = () => listed;

/** Return an event type as last read, archived ones too. @param {string} id */
export const eventTypeOf = (id) => known.get(id);

/** @param {string} id */
export const titleOf = (id) => known.get(id)?.title ?? "Event type";

/** Read the host's event types again. */
export async function loadEventTypes() {
  listed = await all("v1/event-types", "eventTypes", forHost());
  for (const one of listed) known.set(one.eventTypeId, one);
  return listed;
}

/** Forget the event types, because the host or the key changes. */
export function forgetEventTypes() {
  listed = [];
  known.clear();
  knowsArchived = false;
}

/**
 * Read the event types of these resources, unless they are known. They may have been created or archived elsewhere.
 * @param {{eventTypeId: string}[]} resources
 */
export async function ensureEventTypes(resources) {
  const missing = () => resources.filter(({ eventTypeId }) => !known.has(eventTypeId));
  if (missing().length && !knowsArchived) {
    /** @type {EventType[]} */
    const archived = await all("v1/event-types", "eventTypes", { ...forHost(), archived: "true" });
    for (const one of archived) known.set(one.eventTypeId, one);
    knowsArchived = true;
  }
  if (!missing().length) return;
  await loadEventTypes();
  // Created and archived since then: cached without its title, so that it is read only once.
  const unknown = { title: "Archived event type", archivedAt: "", questions: [] };
  for (const { eventTypeId } of missing()) known.set(eventTypeId, unknown);
}
