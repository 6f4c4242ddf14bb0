// Requests for new links, from people who hold dead ones: answered with one press, once.
import { api, forHost } from "./console-api.js";
import { busy, copy, empty, failed, h, loading } from "./console-dom.js";
import { exact, when } from "./console-time.js";
import { meet, titleOf } from "./console-state.js";
import { tabs } from "./console-tabs.js";

/** @type {Record<string, string>} */
const REASONS = { used: "Their link was used", expired: "Their link had expired", revoked: "Their link was revoked" };

/**
 * Show the requests.
 * @param {HTMLElement} view
 * @returns {() => void} ends it
 */
export function showRequests(view) {
  const place = h("div", {});
  let shown = "";
  const choice = tabs("Which requests", [["waiting", "Waiting"], ["answered", "Answered"]], place, load);
  view.replaceChildren(h("div.head", {}, h("h1", {}, "Requests for new links"), choice.element), place);

  /** @param {string} which */
  async function load(which) {
    shown = which;
    const answered = which === "answered";
    const list = h("ul.cards", {});
    const more = h("button.quiet.small", { type: "button" }, "Show more");
    /** @type {string | undefined} */
    let cursor;
    const read = async () => {
      const page = await api("GET", "v1/link-requests", { query: { ...forHost(), answered: answered ? "true" : undefined, limit: 50, cursor } });
      await meet(page.requests);
      cursor = page.nextCursor ?? undefined;
      more.hidden = !cursor;
      list.append(...page.requests.map(card));
      if (cursor && !page.requests.length) await read();
    };
    place.replaceChildren(loading());
    try {
      await read();
    } catch (error) {
      if (shown === which) place.replaceChildren(h("div.panel", {}, failed(/** @type {Error} */ (error), () => load(which))));
      return;
    }
    if (shown !== which) return;
    more.addEventListener("click", () => busy(more, read));
    place.replaceChildren(...list.children.length ? [list, h("p.sect", {}, more)] : [h("div.panel", {}, answered
      ? empty("None was answered yet", "A request that you answer moves here, with the link that was made for it.")
      : empty("Nobody is waiting", "Someone who opens a used or expired link can ask you for a new one. What they write shows here, and one press answers it."))]);
  }

  choice.open("waiting");
  return () => { shown = ""; };
}

/** @param {any} request */
function card(request) {
  const who = request.name || request.email;
  const acts = h("div.actions", {});
  const about = [request.name ? [h("a", { href: `mailto:${encodeURIComponent(request.email)}` }, request.email), " · "] : null, titleOf(request.eventTypeId), " · ", when(request.requestedAt), " · ", REASONS[request.reason] ?? request.reason];
  if (request.answeredAt) {
    const again = h("button.quiet.small", { type: "button", "aria-label": `Copy the link made for ${who}` }, "Copy link");
    again.addEventListener("click", () => busy(again, () => copy(api("GET", `v1/links/${request.replacementLinkId}`).then((link) => link.url, gone), "Link copied.")));
    acts.append(h("span.pill.active", { title: exact(request.answeredAt) }, "Answered"), again);
  } else {
    const answer = h("button.small", { type: "button", "aria-label": `Make a new link for ${who} and copy it` }, "Make a new link");
    answer.addEventListener("click", () => busy(answer, async () => {
      /** @type {any} */
      let fresh;
      // The request is its own receipt: pressed again, here or in another tab, it is the same link.
      const making = api("POST", `v1/link-requests/${request.requestId}/answer`).then((link) => { fresh = link; return link.url; });
      await copy(making, `New link for ${who} copied.`);
      const mail = h("a.button.small", { href: `mailto:${encodeURIComponent(request.email)}?subject=${encodeURIComponent(`New link: ${titleOf(request.eventTypeId)}`)}&body=${encodeURIComponent(`${fresh.url}\r\n`)}` }, "Mail it");
      acts.replaceChildren(h("span.pill.active", {}, "Answered"), h("button.quiet.small", { type: "button", onclick: () => copy(fresh.url, "Link copied.") }, "Copy again"), mail);
      mail.focus();
    }));
    acts.append(answer);
  }
  return h("li.panel.card", { "data-id": request.requestId }, h("div", {}, h("h2", {}, who), h("p.hush", {}, ...about), request.message ? h("blockquote", {}, request.message) : null), acts);
}

/** @param {any} error @returns {never} */
function gone(error) {
  throw error.status === 404 ? new Error("That link was deleted since.") : error;
}
