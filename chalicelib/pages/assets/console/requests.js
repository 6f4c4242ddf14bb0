// Requests for new links, from people who hold dead ones: answered with one press, once.
import { api, forHost } from "./api.js";
import { busy, copy, empty, failed, h, loading, notify } from "./dom.js";
import { exact, when } from "./time.js";
import { ensureEventTypes, titleOf } from "./state.js";
import { tabs } from "./tabs.js";

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
      await ensureEventTypes(page.requests);
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
  const acts = h("div.actions", {});
  if (request.answeredAt) acts.append(...answered(request));
  else acts.append(...choices(request, acts));
  return h("li.panel.card", { "data-id": request.requestId },
    h("div", {}, h("h2", {}, nameOf(request)), about(request), madeFor(request), request.message ? h("blockquote", {}, request.message) : null), acts);
}

/** @param {any} request */
function nameOf(request) {
  return request.name || request.email;
}

/** @param {any} request */
function about(request) {
  const address = request.name ? [h("a", { href: mailto(request.email) }, request.email), " · "] : null;
  return h("p.hush", {}, address, titleOf(request.eventTypeId), " · ", when(request.requestedAt), " · ", REASONS[request.reason] ?? request.reason);
}

/**
 * Show whom the link was made for, because anybody with the link can type any name and address.
 * @param {any} request
 */
function madeFor(request) {
  const meant = request.recipient;
  if (!meant) return h("p.hush", {}, "The link has no recipient.");
  const person = meant.name && meant.email ? `${meant.name} (${meant.email})` : meant.name || meant.email;
  if (request.fromRecipient) return h("p.hush", {}, `The link was made for ${person}, who gives the same address.`);
  return h("p.error", {}, meant.email
    ? `The link was made for ${person}. This request gives another address.`
    : `The link was made for ${person}. Nothing shows that this request comes from them.`);
}

/** @param {any} request */
function answered(request) {
  const again = h("button.quiet.small", { type: "button", "aria-label": `Copy the link made for ${nameOf(request)}` }, "Copy link");
  again.addEventListener("click", () => busy(again, () => copy(api("GET", `v1/links/${request.replacementLinkId}`).then((link) => link.url, gone), "Link copied.")));
  return [h("span.pill.active", { title: exact(request.answeredAt) }, "Answered"), again];
}

/**
 * Show the ways to answer: email the recipient, email the person who asks, or create a link to pass on.
 * @param {any} request
 * @param {HTMLElement} acts
 */
function choices(request, acts) {
  const who = nameOf(request);
  const meant = request.recipient?.email ? request.recipient : null;
  const copying = choice(request, acts, "nobody", "Create a new link", `Create a new link for ${who} and copy it`, meant ? ".quiet" : "");
  const asker = request.fromRecipient ? [] : [choice(request, acts, "requester", `Email it to ${request.email}`, `Email a new link to ${request.email}, who asks`, ".quiet")];
  if (!meant) return [copying, ...asker];
  const first = choice(request, acts, "recipient", `Email a new link to ${meant.name || meant.email}`, `Email a new link to ${meant.email}, who the link was made for`, "");
  return [first, ...asker, copying];
}

/**
 * @param {any} request
 * @param {HTMLElement} acts
 * @param {string} mailTo
 * @param {string} text
 * @param {string} label
 * @param {string} look
 */
function choice(request, acts, mailTo, text, label, look) {
  const button = h(`button.small${look}`, { type: "button", "aria-label": label }, text);
  button.addEventListener("click", () => busy(button, async () => {
    // A second press, here or in another tab, returns the same link and sends no second email.
    const answering = api("POST", `v1/link-requests/${request.requestId}/answer`, { body: { mailTo } });
    if (mailTo === "nobody") await copy(answering.then((link) => link.url), `New link for ${nameOf(request)} copied.`);
    const fresh = await answering.catch(plainly);
    if (fresh.mailedTo) notify(`New link on its way to ${fresh.mailedTo}.`);
    const mail = h("a.button.small", { href: mailto(request.recipient?.email || request.email, `New link: ${titleOf(request.eventTypeId)}`, `${fresh.url}\r\n`) }, "Mail it");
    const again = h("button.quiet.small", { type: "button", onclick: () => copy(fresh.url, "Link copied.") }, fresh.mailedTo ? "Copy link" : "Copy again");
    acts.replaceChildren(h("span.pill.active", {}, fresh.mailedTo ? "Emailed" : "Answered"), again, ...(fresh.mailedTo ? [] : [mail]));
    (fresh.mailedTo ? again : mail).focus();
  }));
  return button;
}

/** @param {string} to @param {string} [subject] @param {string} [body] */
function mailto(to, subject, body) {
  const words = subject ? `?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(body ?? "")}` : "";
  return `mailto:${encodeURIComponent(to)}${words}`;
}

/** @param {any} error @returns {never} */
function plainly(error) {
  if (error.code === "mail-not-configured") error.message = "This installation sends no email. Create the link and pass it on yourself.";
  throw error;
}

/** @param {any} error @returns {never} */
function gone(error) {
  throw error.status === 404 ? new Error("That link was deleted since.") : error;
}
