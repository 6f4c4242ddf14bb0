// A list that is read page by page, in a view with tabs: each tab shows another list.
import { h } from "../../shared/dom.js";
import { keepFocus } from "./focus.js";
import { busy, failed, loading } from "./states.js";
import { tabs } from "./tabs.js";

/** @typedef {{count: number, cursor: string | null}} Page how many rows were read, and the cursor of the next page */
/** @typedef {{list: HTMLElement, readPage: (cursor?: string) => Promise<Page>}} Reading each page is added to `list` */

/**
 * @typedef {object} Lists
 * @property {string} label what the tabs choose between
 * @property {[string, string][]} names of the lists: key and label
 * @property {(key: string) => Reading} read begins to read a list
 * @property {(key: string) => HTMLElement} nothing returns what an empty list shows
 */

/**
 * Return tabs, the place where they show their lists, and functions to open one of them and to read it again.
 * @param {Lists} lists
 */
export function pagedLists({ label, names, read, nothing }) {
  const place = h("div", {});
  let shown = "";
  const choice = tabs(label, names, place, load);

  /** @param {string} key */
  async function load(key) {
    const same = shown === key;
    shown = key;
    const { list, readPage } = read(key);
    const more = h("button.quiet.small", { type: "button" }, "Show more");
    /** @type {string | undefined} */
    let cursor;
    const readNext = async () => {
      const page = await readPage(cursor);
      cursor = page.cursor ?? undefined;
      more.hidden = !cursor;
      if (cursor && !page.count) await readNext(); // a page may be empty although more follow
    };
    const retry = () =>
      keepFocus(place, () => {
        place.replaceChildren();
        load(key);
      });
    if (!same || !place.children.length) place.replaceChildren(loading());
    try {
      await readNext();
    } catch (error) {
      if (shown === key) place.replaceChildren(h("div.panel", {}, failed(error, retry)));
      return;
    }
    if (shown !== key) return;
    more.addEventListener("click", () => busy(more, readNext));
    const content = list.children.length ? [list, h("p.sect", {}, more)] : [h("div.panel", {}, nothing(key))];
    keepFocus(place, () => place.replaceChildren(...content));
  }

  return {
    tabs: choice.element,
    place,
    open: choice.open,
    reload: () => load(shown),
    end() {
      shown = "";
    },
  };
}
