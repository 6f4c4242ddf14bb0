// The state of a share window: which links it knows, and which tab it shows.
import { fill, h } from "../../../shared/dom.js";
import { api, newKey } from "../../api.js";
import { copy } from "../../ui/clipboard.js";
import { icon } from "../../ui/icons.js";

/** @import { Child } from "../../../shared/dom.js" */
/** @import { Link, Share } from "../../resources.d.ts" */

export const ONCE = "once";
export const MANY = "many";
export const ROLLING = "rolling";
export const EMBED = "embed";
export const QR = "qr";
export const MAIL = "mail";

/** @typedef {typeof ONCE | typeof MANY} Kind of a link: for one booking, or without a limit */
/** @typedef {Kind | typeof ROLLING | typeof EMBED | typeof QR | typeof MAIL} Tab */

export class Sharing {
  /**
   * @param {string} eventTypeId
   * @param {Link | null} link null if one is to be created
   * @param {HTMLElement} panel
   * @param {(tab: Tab) => Promise<void>} open shows a tab
   */
  constructor(eventTypeId, link, panel, open) {
    this.eventTypeId = eventTypeId;
    this.panel = panel;
    this.open = open;
    /** @type {Tab} */
    this.tab = ONCE;
    /** The link that the other tabs are about. */
    this.current = link;
    const reusable = link?.maxUsageCount === null;
    /** @type {Record<Kind, Link | null>} */
    this.links = { once: reusable ? null : link, many: reusable ? link : null };
    this.soughtReusable = reusable;
    /** The Idempotency-Keys of the next link of each kind. */
    this.keys = { once: newKey(), many: newKey() };
    /** @type {Map<string, Promise<Share>>} by link id */
    this.ways = new Map();
  }

  /**
   * Show something in a tab, unless another tab has been opened meanwhile.
   * @param {Tab} tab
   * @param {...(Child | Child[])} children
   */
  put(tab, ...children) {
    if (this.tab === tab) fill(this.panel, ...children);
  }

  /** @param {Kind} kind @param {Link} link */
  use(kind, link) {
    this.links[kind] = this.current = link;
  }

  /**
   * Read the ways to share a link, once.
   * @param {Link} link
   */
  waysOf({ linkId }) {
    const reading = this.ways.get(linkId) ?? api("GET", `v1/links/${linkId}/share`);
    this.ways.set(linkId, reading);
    reading.catch(() => this.ways.delete(linkId));
    return reading;
  }
}

/**
 * Return a link's URL with a button that copies it.
 * @param {Link} link
 */
export function urlRow({ url }) {
  const input = h("input", { readonly: true, value: url, "aria-label": "The link’s URL" });
  input.addEventListener("focus", () => input.select());
  const onclick = () => copy(url ?? "", "Link copied.");
  return h("div.url", {}, input, h("button", { type: "button", onclick }, icon("copy"), "Copy"));
}
