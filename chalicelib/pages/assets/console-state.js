// What the views share: the host's event types, and ways from one view to another.
import { all, api, forHost } from "./console-api.js";

/** @type {Map<string, any>} */
const known = new Map();
/** @type {Set<string>} */
const archived = new Set();
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
  archived.clear();
}

/**
 * Get to know the event types of links: one may have been made elsewhere since they were read.
 * @param {any[]} links
 */
export async function meet(links) {
  const strange = () => links.map((link) => link.eventTypeId).filter((id) => !known.has(id) && !archived.has(id));
  if (!strange().length) return;
  await loadEventTypes();
  for (const id of strange()) archived.add(id);
}

/**
 * An event type's title; that of an archived one as far as it is still known.
 * @param {string} id
 */
export const titleOf = (id) => known.get(id)?.title ?? "Archived event type";

/**
 * Make links of one event type.
 * @param {Record<string, any>} body
 * @param {string} key
 * @returns {Promise<any[]>}
 */
export async function makeLinks(body, key) {
  return (await api("POST", "v1/links", { body, key })).links;
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
