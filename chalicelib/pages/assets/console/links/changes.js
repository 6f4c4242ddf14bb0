// Create links, and report every change of links to the current view.
import { api } from "../api.js";
import { showWarnings } from "../ui/notices.js";

/** @import { CreatedLinks, LinkSettings } from "../resources.d.ts" */

let listener = () => {};

/**
 * Set what to do when links were created, changed or deleted.
 * @param {() => void} run
 */
export function onLinksChanged(run) {
  listener = run;
}

export const linksChanged = () => listener();

/**
 * Create links of one event type.
 * @param {{eventTypeId: string, count?: number} & Partial<LinkSettings>} body
 * @param {string} key the Idempotency-Key
 */
export async function createLinks(body, key) {
  /** @type {CreatedLinks} */
  const created = await api("POST", "v1/links", { body, key });
  showWarnings(created);
  return created.links;
}
