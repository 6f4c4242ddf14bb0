// The requests view: people with a used, expired or revoked link ask for a new one.
import { h } from "../../shared/dom.js";
import { api, forHost } from "../api.js";
import { ensureEventTypes } from "../event-types/cache.js";
import { pagedLists } from "../ui/paged-list.js";
import { empty } from "../ui/states.js";
import { requestCard } from "./card.js";

/** @import { LinkRequestPage } from "../resources.d.ts" */

const WAITING = "waiting";
const ANSWERED = "answered";
const PAGE = 50;

/**
 * Show the requests.
 * @param {HTMLElement} view
 * @returns {() => void} ends the view
 */
export function showRequests(view) {
  const lists = pagedLists({
    label: "Which requests",
    names: [
      [WAITING, "Waiting"],
      [ANSWERED, "Answered"],
    ],
    read(key) {
      const list = h("ul.cards", {});
      const answered = key === ANSWERED ? "true" : undefined;
      return {
        list,
        async readPage(cursor) {
          const query = { ...forHost(), answered, limit: PAGE, cursor };
          /** @type {LinkRequestPage} */
          const page = await api("GET", "v1/link-requests", { query });
          await ensureEventTypes(page.requests);
          list.append(...page.requests.map(requestCard));
          return { count: page.requests.length, cursor: page.nextCursor };
        },
      };
    },
    nothing: noRequests,
  });
  view.replaceChildren(h("div.head", {}, h("h1", {}, "Requests for new links"), lists.tabs), lists.place);
  lists.open(WAITING);
  return lists.end;
}

/** @param {string} key */
function noRequests(key) {
  if (key === ANSWERED) {
    const text = "A request that you answer moves here, with the link that you created for it.";
    return empty("No answered requests yet", text);
  }
  const text =
    "Someone who opens a used, expired or revoked link can ask you for a new one. " +
    "You see what they write here, and answer with one click.";
  return empty("No requests", text);
}
