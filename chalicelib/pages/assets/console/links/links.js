// The links view: one-time links of the newest event types, filters, the table, and bulk actions.
import { h } from "../../shared/dom.js";
import { eventTypes } from "../event-types/cache.js";
import { refreshTimes } from "../time.js";
import { icon } from "../ui/icons.js";
import { notify } from "../ui/notices.js";
import { empty, failed, loading, messageOf } from "../ui/states.js";
import { onLinksChanged } from "./changes.js";
import { openGenerate } from "./generate.js";
import { openImport } from "./import/import.js";
import { onceButton } from "./once.js";
import { bulkBar } from "./table/bulk.js";
import { linkFilters } from "./table/filters.js";
import { LinkPages } from "./table/pages.js";
import { refreshRegularly } from "./table/refresh.js";
import { LinkTable } from "./table/table.js";

const MAX_QUICK = 6; // event types with a one-time link above the table

/**
 * Show the links.
 * @param {HTMLElement} view
 * @returns {() => void} ends the view
 */
export function showLinks(view) {
  const list = new LinkList();
  view.replaceChildren(
    h(
      "div.head",
      {},
      h("h1", {}, "Links"),
      headButtons(() => list.filters.eventTypeId()),
    ),
    quickLinks(),
    list.panel,
  );
  list.begin();
  return () => list.end();
}

/** @param {() => string} eventTypeId of the filter */
function headButtons(eventTypeId) {
  const disabled = !eventTypes().length;
  const generate = () => openGenerate(eventTypeId() || undefined);
  return h(
    "div.actions",
    {},
    h("button.quiet", { type: "button", disabled, onclick: () => openImport() }, "Import CSV"),
    h("button", { type: "button", disabled, onclick: generate }, icon("plus"), "Generate links"),
  );
}

/** Return the `1×` buttons of the newest event types. */
function quickLinks() {
  const types = eventTypes();
  const items = types.slice(0, MAX_QUICK).map((one) => {
    const words = h("span", {}, h("b", {}, one.title), h("span.sub", {}, "One-time link"));
    return h("li", {}, words, onceButton(one));
  });
  const all = h("li.rest", {}, h("a", { href: "#event-types" }, `All ${types.length} event types`));
  const rest = types.length > MAX_QUICK ? all : null;
  return h("ul.quick", { "aria-label": "One-time links", hidden: !types.length }, items, rest);
}

/** The list of links with its filters. */
class LinkList {
  constructor() {
    this.filters = linkFilters(() => this.load());
    this.bulk = bulkBar(
      () => this.table,
      (linkIds) => this.refresh(linkIds),
    );
    this.table = new LinkTable(this.bulk.update);
    this.pages = new LinkPages(this.table);
    this.refreshing = refreshRegularly(() => this.refreshQuietly());
    this.more = h("button.quiet.small", { type: "button", onclick: () => this.loadMore() }, "Show more");
    this.tail = h("div.tail", { hidden: true }, this.more);
    this.place = h("div", {}, loading());
    const { element, note } = this.filters;
    this.panel = h("div.panel", {}, element, note, this.place, this.tail, this.bulk.element);
  }

  begin() {
    onLinksChanged(this.refreshing.now);
    this.load().then(() => this.refreshing.later());
  }

  end() {
    this.pages.abort();
    this.filters.end();
    this.refreshing.end();
    onLinksChanged(() => {});
  }

  /** Read the list that the filters name. */
  async load() {
    const query = this.filters.read();
    if (!query) return;
    this.panel.setAttribute("aria-busy", "true");
    const reading = this.pages.readFirst(query);
    const { signal } = this.pages.reading;
    try {
      await reading;
      this.settle();
    } catch (error) {
      if (!signal.aborted) this.showFailure(error);
    } finally {
      if (!signal.aborted) this.panel.removeAttribute("aria-busy");
      this.table.countSelected();
    }
  }

  /** @param {unknown} error */
  showFailure(error) {
    this.table.clear();
    this.tail.hidden = true;
    this.place.replaceChildren(failed(error, () => this.load()));
  }

  async loadMore() {
    const { signal } = this.pages.reading;
    const known = this.table.size;
    this.more.setAttribute("aria-busy", "true");
    try {
      await this.pages.readMore();
      this.settle();
      [...this.table.entries.values()][known]?.box.focus({ preventScroll: true });
    } catch (error) {
      if (!signal.aborted) notify(messageOf(error), { bad: true });
    } finally {
      this.more.removeAttribute("aria-busy");
    }
  }

  /** @param {string[]} [linkIds] only the pages of these links */
  async refresh(linkIds) {
    const { signal } = this.pages.reading;
    try {
      await this.pages.refresh(linkIds);
    } catch (error) {
      if (signal.aborted) return;
      if (this.table.element.isConnected) this.settle(); // rows may have been removed before the error
      throw error;
    }
    this.settle();
  }

  /** Refresh without a message if it fails: the next time may succeed. */
  async refreshQuietly() {
    if (this.panel.hasAttribute("aria-busy")) return true;
    try {
      await this.refresh();
      refreshTimes(this.table.body);
      return true;
    } catch {
      return false;
    }
  }

  /** Show the table, or a message if it is empty. */
  settle() {
    this.tail.hidden = !this.pages.nextCursor;
    this.table.countSelected();
    if (!this.table.size) this.place.replaceChildren(this.nothing());
    else if (this.table.element.parentElement !== this.place) this.place.replaceChildren(this.table.element);
  }

  nothing() {
    if (this.filters.isSet()) return noMatch(() => this.filters.clear());
    return eventTypes().length ? noLinks() : noEventTypes();
  }
}

/** @param {() => void} clear */
function noMatch(clear) {
  const text =
    "The search finds a recipient’s email, an external id, a link or its id exactly, " +
    "and labels by their beginning.";
  return empty("No link matches", text, h("button.quiet", { type: "button", onclick: clear }, "Clear the filters"));
}

function noLinks() {
  const text =
    "A link lets one person book one time. Press 1× above: it creates a link and copies it, " +
    "ready to be pasted into a message. Once it is used, nobody else can book with it.";
  const generate = h("button", { type: "button", onclick: () => openGenerate() }, "Generate links");
  return empty("No links yet", text, generate);
}

function noEventTypes() {
  const text = "An event type defines what people can book: how long, where, and when. You create links from it.";
  return empty("First, an event type", text, h("a.button", { href: "#event-types" }, "Create an event type"));
}
