// The zone that times are shown in, and the choice of another.
import { h } from "../shared/dom.js";
import { say } from "./phrases.js";
import { zoneWords } from "./time.js";

/**
 * Put a choice of zones in the place of the server's.
 * @param {ParentNode} main
 * @param {string} zone
 * @param {string} unknown the browser's zone, if the server does not know it
 * @param {(zone: string) => void} changed
 */
export function zoneChoice(main, zone, unknown, changed) {
  const old = /** @type {HTMLElement} */ (main.querySelector(".zone"));
  const zonesPage = new URL(old.querySelector("a")?.href ?? location.href);
  const words = h("span");
  const chooser = h("div.field", { id: "zones", hidden: true });
  const attributes = { "aria-expanded": "false", "aria-controls": "zones", "aria-label": say("zone.change-what") };
  const onclick = () => toggle(chooser.hidden);
  const button = h("button.link", { type: "button", ...attributes, onclick }, say("zone.change"));
  const unknownWords = unknown && say("zone.unknown", { zone: unknown, shown: zoneWords(zone, Date.now()) });
  const note = h("p.alert.note", { role: "status" }, unknownWords);
  const line = h("p", {}, old.querySelector("svg"), words, button);
  const element = h("div.zone", {}, unknown && note, line, chooser);
  old.replaceWith(element);

  /** @param {boolean} shown */
  async function toggle(shown) {
    button.setAttribute("aria-expanded", String(shown));
    chooser.hidden = !shown;
    if (!shown) return;
    if (!chooser.firstChild) chooser.replaceChildren(...(await readZones(zonesPage, zone, choose)));
    chooser.querySelector("select")?.focus();
  }

  /** @param {string} chosen */
  function choose(chosen) {
    note.remove();
    zone = chosen;
    changed(zone);
  }

  return {
    element,
    /** Show a zone, with its offset at an instant. @param {string} shown @param {number} at */
    show(shown, at) {
      zone = shown;
      words.replaceChildren(h("span.hidden", {}, say("zone.in", { zone: "" })), zoneWords(zone, at));
    },
  };
}

/**
 * Read the zones in the page's language, from the page that has them for visitors without JavaScript.
 * @param {URL} url
 * @param {string} zone the selected one
 * @param {(zone: string) => void} choose
 */
async function readZones(url, zone, choose) {
  url.searchParams.set("timeZone", zone);
  url.searchParams.set("zones", "1");
  try {
    const response = await fetch(url, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const [label, select] = ["label[for=timeZone]", "#timeZone"].map((selector) =>
      document.adoptNode(/** @type {HTMLSelectElement} */ (page.querySelector(selector))),
    );
    select.removeAttribute("name");
    select.value = zone;
    select.addEventListener("change", () => choose(select.value));
    return [label, select];
  } catch {
    location.assign(url);
    return [];
  }
}
