// The zone that times are shown in, by name and offset, and the choice of another.
import { h, say } from "./dom.js";
import { zoneWords } from "./time.js";

/**
 * @param {ParentNode} main
 * @param {string} zone
 * @param {string} unknown the browser's zone, if the server does not know it
 * @param {(zone: string) => void} changed
 */
export function zoneChoice(main, zone, unknown, changed) {
  const old = /** @type {HTMLElement} */ (main.querySelector(".zone"));
  const all = old.querySelector("a")?.href ?? location.href;
  const words = h("span");
  const button = h("button.link", { type: "button", "aria-expanded": "false", "aria-controls": "zones", "aria-label": say("zone.change-what"), onclick: () => open(chooser.hidden) }, say("zone.change"));
  const chooser = h("div.field", { id: "zones", hidden: true });
  const note = unknown && h("p.alert.note", { role: "status" }, say("zone.unknown", { zone: unknown, shown: zoneWords(zone, Date.now()) }));
  const element = h("div.zone", {}, note, h("p", {}, old.querySelector("svg") ?? "", words, button), chooser);
  old.replaceWith(element);

  /** @param {boolean} shown */
  async function open(shown) {
    button.setAttribute("aria-expanded", String(shown));
    chooser.hidden = !shown;
    if (!shown) return;
    if (!chooser.firstChild) chooser.replaceChildren(...(await list()));
    chooser.querySelector("select")?.focus();
  }

  /** The zones in the reader's language, from the page that has them for visitors without JavaScript. */
  async function list() {
    const url = new URL(all);
    url.searchParams.set("timeZone", zone);
    url.searchParams.set("zones", "1");
    try {
      const page = new DOMParser().parseFromString(await (await fetch(url, { headers: { Accept: "text/html" } })).text(), "text/html");
      const select = /** @type {HTMLSelectElement} */ (document.adoptNode(/** @type {Element} */ (page.querySelector("#timeZone"))));
      select.removeAttribute("name");
      select.value = zone;
      select.addEventListener("change", () => { note && note.remove(); changed(zone = select.value); });
      return [document.adoptNode(/** @type {Element} */ (page.querySelector("label[for=timeZone]"))), select];
    } catch {
      location.assign(url);
      return [];
    }
  }

  return {
    element,
    /** @param {string} to @param {number} at */
    tell(to, at) {
      zone = to;
      words.replaceChildren(h("span.hidden", {}, say("zone.in", { zone: "" })), zoneWords(to, at));
    },
  };
}
