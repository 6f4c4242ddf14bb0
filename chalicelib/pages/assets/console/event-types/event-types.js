// The event types view: a list of cards, each with its actions.
import { h } from "../../shared/dom.js";
import { openGenerate } from "../links/generate.js";
import { onceButton } from "../links/once.js";
import { openShare } from "../links/share/share.js";
import { duration } from "../time.js";
import { keepFocus } from "../ui/focus.js";
import { icon } from "../ui/icons.js";
import { menuButton } from "../ui/menus.js";
import { empty, failed, loading } from "../ui/states.js";
import { askArchive } from "./archive.js";
import { loadEventTypes } from "./cache.js";
import { openEditor } from "./editor.js";
import { kindWords } from "./location-kinds.js";

/** @import { EventType } from "../resources.d.ts" */

/**
 * Show the event types.
 * @param {HTMLElement} view
 * @returns {() => void} ends the view
 */
export function showEventTypes(view) {
  const place = h("div", {});
  const add = () => openEditor(null, load);
  const button = h("button", { type: "button", onclick: add }, icon("plus"), "New event type");
  view.replaceChildren(h("div.head", {}, h("h1", {}, "Event types"), button), place);

  async function load() {
    try {
      const found = await loadEventTypes();
      const cards = found.map((one) => card(one, load));
      keepFocus(place, () => place.replaceChildren(cards.length ? h("ul.cards", {}, cards) : noEventTypes(add)));
    } catch (error) {
      place.replaceChildren(h("div.panel", {}, failed(error, load)));
    }
  }

  place.append(loading());
  load();
  return () => {};
}

/** @param {() => void} add */
function noEventTypes(add) {
  const text =
    "An event type defines what people can book: how long it takes, where, and at what hours. " +
    "Nobody can book it without a link from you.";
  const button = h("button", { type: "button", onclick: add }, "Create an event type");
  return h("div.panel", {}, empty("No event types yet", text, button));
}

/** @param {EventType} one @param {() => Promise<unknown>} reload */
function card(one, reload) {
  const where = one.locations.map(kindWords).join(" or ");
  const hours = `hours in ${one.schedule.timeZone.replaceAll("_", " ")}`;
  const facts = [duration(one.durationMinutes), where, hours].filter(Boolean).join(" · ");
  /** @param {string} text @param {() => void} onclick */
  const button = (text, onclick) =>
    h("button.quiet.small", { type: "button", "aria-label": `${text}: ${one.title}`, onclick }, text);
  const generate = button("Generate", () => openGenerate(one.eventTypeId));
  generate.setAttribute("aria-label", `Generate links: ${one.title}`);
  return h(
    "li.panel.card",
    { "data-id": one.eventTypeId },
    h("div", {}, h("h2", {}, one.title), h("p.hush", {}, facts)),
    h(
      "div.actions",
      {},
      onceButton(one),
      generate,
      button("Share", () => openShare({ eventType: one })),
      menuButton(`Actions for ${one.title}`, () => [
        { text: "Edit", run: () => openEditor(one, reload) },
        { text: "Archive", run: () => askArchive(one, reload), bad: true },
      ]),
    ),
  );
}
