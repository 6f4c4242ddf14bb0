// Answer a request: email a new link to the recipient or to the person who asks, or create one to pass on.
import { h } from "../../shared/dom.js";
import { ApiError, api, hasStatus } from "../api.js";
import { titleOf } from "../event-types/cache.js";
import { exact } from "../time.js";
import { copy } from "../ui/clipboard.js";
import { notify } from "../ui/notices.js";
import { busy } from "../ui/states.js";
import { mailto, nameOf } from "./words.js";

/** @import { AnsweredLinkRequest, Link, LinkRequest, MailTo } from "../resources.d.ts" */
/** @typedef {{mailTo: MailTo, text: string, label: string, quiet: boolean}} Choice */

/**
 * Return what the card of an answered request shows.
 * @param {LinkRequest} request
 */
export function answered(request) {
  const label = `Copy the link created for ${nameOf(request)}`;
  const again = h("button.quiet.small", { type: "button", "aria-label": label }, "Copy link");
  const read = async () => {
    /** @type {Promise<Link>} */
    const response = api("GET", `v1/links/${request.replacementLinkId}`);
    const link = await response.catch(explainDeleted);
    return link.url ?? "";
  };
  again.addEventListener("click", () => busy(again, () => copy(read(), "Link copied.")));
  return [h("span.pill.active", { title: exact(request.answeredAt ?? "") }, "Answered"), again];
}

/**
 * Return the buttons that answer a request, the best one first.
 * @param {LinkRequest} request
 * @param {HTMLElement} acts where the outcome is shown in their place
 */
export function answerButtons(request, acts) {
  return choicesOf(request).map((choice) => answerButton(request, acts, choice));
}

/** @param {LinkRequest} request */
function choicesOf(request) {
  const { email, fromRecipient } = request;
  const who = nameOf(request);
  const recipient = request.recipient?.email ? request.recipient : null;
  /** @type {Choice} */
  const copying = {
    mailTo: "nobody",
    text: "Create a new link",
    label: `Create a new link for ${who} and copy it`,
    quiet: Boolean(recipient),
  };
  /** @type {Choice} */
  const asker = {
    mailTo: "requester",
    text: `Email it to ${email}`,
    label: `Email a new link to ${email}, who asks`,
    quiet: true,
  };
  const askers = fromRecipient ? [] : [asker];
  if (!recipient) return [copying, ...askers];
  /** @type {Choice} */
  const first = {
    mailTo: "recipient",
    text: `Email a new link to ${recipient.name || recipient.email}`,
    label: `Email a new link to ${recipient.email}, who the link was created for`,
    quiet: false,
  };
  return [first, ...askers, copying];
}

/**
 * @param {LinkRequest} request
 * @param {HTMLElement} acts
 * @param {Choice} choice
 */
function answerButton(request, acts, { mailTo, text, label, quiet }) {
  const button = h(quiet ? "button.small.quiet" : "button.small", { type: "button", "aria-label": label }, text);
  button.addEventListener("click", () =>
    busy(button, async () => {
      // Another press, here or in another tab, returns the same link and sends no second email.
      /** @type {Promise<AnsweredLinkRequest>} */
      const answering = api("POST", `v1/link-requests/${request.requestId}/answer`, { body: { mailTo } });
      if (mailTo === "nobody") {
        const url = answering.then((link) => link.url ?? "");
        await copy(url, `New link for ${nameOf(request)} copied.`);
      }
      showAnswer(request, acts, await answering.catch(explainNoMail));
    }),
  );
  return button;
}

/**
 * @param {LinkRequest} request
 * @param {HTMLElement} acts
 * @param {AnsweredLinkRequest} fresh
 */
function showAnswer(request, acts, { url, mailedTo }) {
  const onclick = () => copy(url ?? "", "Link copied.");
  const again = h("button.quiet.small", { type: "button", onclick }, mailedTo ? "Copy link" : "Copy again");
  if (mailedTo) {
    notify(`New link on its way to ${mailedTo}.`);
    acts.replaceChildren(h("span.pill.active", {}, "Emailed"), again);
    again.focus();
    return;
  }
  const to = request.recipient?.email || request.email;
  const href = mailto(to, { subject: `New link: ${titleOf(request.eventTypeId)}`, body: `${url}\r\n` });
  const mail = h("a.button.small", { href }, "Email it");
  acts.replaceChildren(h("span.pill.active", {}, "Answered"), again, mail);
  mail.focus();
}

/** @param {unknown} error @returns {never} */
function explainNoMail(error) {
  if (error instanceof ApiError && error.code === "mail-not-configured") {
    error.message = "This installation sends no email. Create the link and send it yourself.";
  }
  throw error;
}

/** @param {unknown} error @returns {never} */
function explainDeleted(error) {
  throw hasStatus(error, 404) ? new Error("That link has been deleted.") : error;
}
