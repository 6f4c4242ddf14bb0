// Event types: a list, each with its one-press link, and the editor behind it.
import { ApiError, api } from "../api.js";
import { empty, failed, h, icon, keepFocus, loading, many, notify } from "../dom.js";
import { confirmThen, menuButton } from "../dialogs.js";
import { duration } from "../time.js";
import { LOCATION_KINDS } from "../links/form.js";
import { forgetEventTypes, loadEventTypes, showLinksOf } from "../state.js";
import { openEditor } from "./editor.js";
import { openGenerate } from "../links/generate.js";
import { openShare } from "../links/share.js";
import { onceButton } from "../links/once.js";

const COUNTED = 200;

/**
 * Show the event types.
 * @param {HTMLElement} view
 * @returns {() => void} ends it
 */
export function showEventTypes(view) {
  const place = h("div", {});
  const add = () => openEditor(null, load);
  view.replaceChildren(h("div.head", {}, h("h1", {}, "Event types"), h("button", { type: "button", onclick: add }, icon("plus"), "New event type")), place);

  async function load() {
    try {
      const found = await loadEventTypes();
      keepFocus(place, () => place.replaceChildren(found.length ? h("ul.cards", {}, found.map(card)) : h("div.panel", {}, empty("No event types yet",
        "An event type says what can be booked: how long it takes, where, and in which hours. Nobody can book it without a link that you make.", h("button", { type: "button", onclick: add }, "Make the first one")))));
    } catch (error) {
      place.replaceChildren(h("div.panel", {}, failed(/** @type {Error} */ (error), load)));
    }
  }

  /** @param {any} one */
  function card(one) {
    const where = one.locations.map((/** @type {any} */ place) => Object.fromEntries(LOCATION_KINDS)[place.kind]).join(" or ");
    return h("li.panel.card", { "data-id": one.eventTypeId },
      h("div", {}, h("h2", {}, one.title), h("p.hush", {}, [duration(one.durationMinutes), where, `hours in ${one.schedule.timeZone.replaceAll("_", " ")}`].filter(Boolean).join(" · "))),
      h("div.actions", {}, onceButton(one),
        h("button.quiet.small", { type: "button", "aria-label": `Generate links: ${one.title}`, onclick: () => openGenerate(one.eventTypeId) }, "Generate"),
        h("button.quiet.small", { type: "button", "aria-label": `Share: ${one.title}`, onclick: () => openShare({ eventType: one }) }, "Share"),
        menuButton(`Actions for ${one.title}`, () => [
          { text: "Edit", run: () => openEditor(one, load) },
          { text: "Archive", run: () => askArchive(one), bad: true },
        ])));
  }

  /** @param {any} one */
  function askArchive(one) {
    const archive = async (/** @type {boolean} */ revokeLinks) => {
      await api("DELETE", `v1/event-types/${one.eventTypeId}`, { query: { revokeLinks: revokeLinks ? "true" : undefined } });
      notify(`${one.title} archived.`);
      forgetEventTypes();
      await load();
    };
    confirmThen({
      title: `Archive ${one.title}?`,
      text: h("p", {}, "It leaves the list and can’t be booked any more. Bookings that were made stay."),
      action: "Archive",
      run: async () => {
        try {
          await archive(false);
        } catch (error) {
          if (!(error instanceof ApiError && error.status === 409)) throw error;
          const count = await liveLinks(one);
          setTimeout(() => askArchiveAll(one, count, () => archive(true)));
        }
      },
    });
  }

  place.append(loading());
  load();
  return () => {};
}

/**
 * How many live links an event type has, in words.
 * @param {any} one
 */
async function liveLinks(one) {
  const page = await api("GET", "v1/links", { query: { eventTypeId: one.eventTypeId, status: "active", limit: COUNTED } });
  return page.nextCursor ? `more than ${COUNTED} active links` : many(page.links.length, "active link");
}

/**
 * Offer what is left where people still hold links: to go through with it, or to look at the links first.
 * @param {any} one
 * @param {string} count
 * @param {() => Promise<any>} run
 */
function askArchiveAll(one, count, run) {
  const look = h("button.text.link", { type: "button", onclick: () => { dialog.close(); showLinksOf(one.eventTypeId); } }, "Show me these links");
  const dialog = confirmThen({
    title: `${one.title} has ${count}`,
    text: [h("p", {}, "People may still hold them. If you archive it, these links are revoked: whoever opens one is told that it is no longer active and can’t book."), h("p", {}, "Bookings that were made stay, and can still be moved or cancelled."), h("p", {}, look)],
    action: "Archive and revoke its links",
    keep: "Keep it",
    run,
  });
}
