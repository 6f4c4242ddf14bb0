// The card of one request for a new link: who asks, and whom the link was created for.
import { h } from "../../shared/dom.js";
import { titleOf } from "../event-types/cache.js";
import { EXPIRED, REVOKED, USED } from "../statuses.js";
import { whenElement } from "../time.js";
import { answerButtons, answered } from "./answer.js";
import { mailto, nameOf } from "./words.js";

/** @import { LinkRequest } from "../resources.d.ts" */

/** @type {Map<string, string>} */
const REASONS = new Map([
  [USED, "Their link was used"],
  [EXPIRED, "Their link had expired"],
  [REVOKED, "Their link was revoked"],
]);

/** @param {LinkRequest} request */
export function requestCard(request) {
  const acts = h("div.actions", {});
  acts.append(...(request.answeredAt ? answered(request) : answerButtons(request, acts)));
  const message = request.message ? h("blockquote", {}, request.message) : null;
  const words = h("div", {}, h("h2", {}, nameOf(request)), about(request), madeFor(request), message);
  return h("li.panel.card", { "data-id": request.requestId }, words, acts);
}

/** @param {LinkRequest} request */
function about({ name, email, eventTypeId, requestedAt, reason }) {
  const address = name ? [h("a", { href: mailto(email) }, email), " · "] : null;
  return h(
    "p.hush",
    {},
    address,
    titleOf(eventTypeId),
    " · ",
    whenElement(requestedAt),
    " · ",
    REASONS.get(reason) ?? reason,
  );
}

/**
 * Show whom the link was created for, because anybody with the link can type any name and address.
 * @param {LinkRequest} request
 */
function madeFor({ recipient, fromRecipient }) {
  if (!recipient) return h("p.hush", {}, "The link has no recipient.");
  const { name, email } = recipient;
  const person = name && email ? `${name} (${email})` : name || email;
  if (fromRecipient) return h("p.hush", {}, `The link was created for ${person}, who gives the same address.`);
  const doubt = email ? "This request gives another address." : "Nothing shows that this request comes from them.";
  return h("p.error", {}, `The link was created for ${person}. ${doubt}`);
}
