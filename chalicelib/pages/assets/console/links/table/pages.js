// Read the pages of the list into the table, and read them again to keep it up to date.
import { api, hasStatus } from "../../api.js";
import { ensureEventTypes } from "../../event-types/cache.js";

/** @import { LinkPage } from "../../resources.d.ts" */
/** @import { Entry, LinkTable } from "./table.js" */
/** @typedef {Record<string, string | undefined>} Query */

const PAGE = 50;
const MAX_READ_ONE_BY_ONE = 20;

export class LinkPages {
  /** @param {LinkTable} table */
  constructor(table) {
    this.table = table;
    /** @type {Query} */
    this.query = {};
    /** @type {string | null} */
    this.nextCursor = null;
    this.reading = new AbortController();
  }

  abort() {
    this.reading.abort();
  }

  /**
   * Read a page.
   * @param {AbortSignal} signal
   * @param {string} [cursor]
   * @returns {Promise<LinkPage>}
   */
  async read(signal, cursor) {
    /** @type {LinkPage} */
    const page = await api("GET", "v1/links", { query: { ...this.query, limit: PAGE, cursor }, signal });
    await ensureEventTypes(page.links);
    signal.throwIfAborted();
    return page;
  }

  /**
   * Read the list from its beginning. Another call aborts it.
   * @param {Query} query
   */
  async readFirst(query) {
    this.abort();
    this.reading = new AbortController();
    const { signal } = this.reading;
    this.query = query;
    const page = await this.read(signal);
    this.table.clear();
    for (const link of page.links) this.table.append(link);
    this.nextCursor = page.nextCursor;
    // A page may be short, even empty, although more follow.
    while (this.table.size === 0 && this.nextCursor) await this.readMore(signal);
  }

  /** Read the next page. */
  async readMore(signal = this.reading.signal) {
    const cursor = this.nextCursor ?? undefined;
    const page = await this.read(signal, cursor);
    for (const link of page.links) this.table.append(link, cursor);
    this.nextCursor = page.nextCursor;
  }

  /**
   * Read the first page and those of some rows again: the given links', or those on screen.
   * @param {string[]} [linkIds]
   */
  async refresh(linkIds) {
    const { signal } = this.reading;
    const ids = linkIds && new Set(linkIds);
    const shown = [...this.table.entries.values()].filter((entry) =>
      ids ? ids.has(entry.link.linkId) : onScreen(entry),
    );
    for (const cursor of new Set([undefined, ...shown.map((entry) => entry.cursor)])) {
      const page = await this.read(signal, cursor);
      for (const link of page.links) {
        if (!cursor || this.table.entries.has(link.linkId)) this.table.insert(link, cursor);
      }
      const gone = goneFrom(
        page,
        [...this.table.entries.values()].filter((entry) => entry.cursor === cursor),
      );
      for (const { link } of gone.slice(0, MAX_READ_ONE_BY_ONE)) await this.readOne(link.linkId, signal);
    }
  }

  /** @param {string} linkId @param {AbortSignal} signal */
  async readOne(linkId, signal) {
    try {
      this.table.update(await api("GET", `v1/links/${linkId}`, { signal }));
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
      this.table.remove(linkId);
    }
  }
}

/** @param {Entry} entry */
function onScreen({ row }) {
  const { top, bottom } = row.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

/**
 * Return the entries that are no longer on their page because their status left the filter, or they are deleted. Those
 * older than the page's last link were only pushed down.
 * @param {LinkPage} page
 * @param {Entry[]} entries that were on it
 */
function goneFrom(page, entries) {
  const found = new Set(page.links.map(({ linkId }) => linkId));
  const oldest = page.links.at(-1)?.createdAt ?? "";
  return entries.filter(({ link }) => !found.has(link.linkId) && !(page.nextCursor && link.createdAt <= oldest));
}
