// Requests for new links, from people who hold dead ones: answered with one press.
import { api, forHost } from "./console-api.js";
import { busy, copy, empty, failed, h } from "./console-dom.js";
import { when } from "./console-time.js";
import { titleOf } from "./console-state.js";

/** @type {Record<string, string>} */
const REASONS = { used: "Their link was used", expired: "Their link had expired", revoked: "Their link was revoked" };

/**
 * Show the requests.
 * @param {HTMLElement} view
 * @returns {() => void} ends it
 */
export function showRequests(view) {
  const place = h("div", {}, h("p.hush", {}, "Loading …"));
  const list = h("ul.cards", {});
  const more = h("button.quiet.small", { type: "button" }, "Show more");
  /** @type {string | undefined} */
  let cursor;
  view.replaceChildren(h("div.head", {}, h("h1", {}, "Requests for new links")), place);

  const read = async () => {
    const page = await api("GET", "v1/link-requests", { query: { ...forHost(), limit: 50, cursor } });
    cursor = page.nextCursor ?? undefined;
    more.hidden = !cursor;
    list.append(...page.requests.map(card));
  };
  const load = async () => {
    try {
      await read();
      place.replaceChildren(...list.children.length ? [list, h("p.sect", {}, more)] : [h("div.panel", {}, empty("Nobody is waiting", "Someone who opens a used or expired link can ask you for a new one. What they write shows here, and one press answers it."))]);
    } catch (error) {
      place.replaceChildren(h("div.panel", {}, failed(/** @type {Error} */ (error), load)));
    }
  };
  more.addEventListener("click", () => busy(more, read));
  load();
  return () => {};
}

/** @param {any} request */
function card(request) {
  const who = request.name || request.email;
  const answer = h("button.small", { type: "button", "aria-label": `Make a new link for ${who} and copy it` }, "Make a new link");
  const acts = h("div.actions", {}, answer);
  answer.addEventListener("click", () => busy(answer, async () => {
    /** @type {any} */
    let fresh;
    // Named by the request: pressed again, here or in another tab, it is the same link.
    const making = api("POST", `v1/links/${request.linkId}/replace`, { key: `request-${Date.parse(request.requestedAt)}` }).then((link) => { fresh = link; return link.url; });
    await copy(making, `New link for ${who} copied.`);
    const mail = h("a.button.small", { href: "#" }, "Mail it");
    mail.href = `mailto:${encodeURIComponent(request.email)}?subject=${encodeURIComponent(`New link: ${titleOf(request.eventTypeId)}`)}&body=${encodeURIComponent(`${fresh.url}\r\n`)}`;
    acts.replaceChildren(h("span.pill.active", {}, "New link made"), h("button.quiet.small", { type: "button", onclick: () => copy(fresh.url, "Link copied.") }, "Copy again"), mail);
    mail.focus();
  }));
  return h("li.panel.card", {},
    h("div", {}, h("h2", {}, who), h("p.hush", {}, request.name ? [h("a", { href: `mailto:${encodeURIComponent(request.email)}` }, request.email), " · "] : null, titleOf(request.eventTypeId), " · ", when(request.requestedAt), " · ", REASONS[request.reason] ?? request.reason),
      request.message ? h("blockquote", {}, request.message) : null), acts);
}
