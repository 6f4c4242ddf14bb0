// The tab that emails a link: by this installation, or from the host's own mail program.
import { fill, h } from "../../../shared/dom.js";
import { ApiError, api, newKey } from "../../api.js";
import { copy } from "../../ui/clipboard.js";
import { field, onSubmit, select } from "../../ui/forms.js";
import { icon } from "../../ui/icons.js";
import { MAIL } from "./sharing.js";
import { waysOf } from "./ways.js";

/** @import { Link, QueuedEmail, Share } from "../../resources.d.ts" */
/** @import { Sharing } from "./sharing.js" */

const MAX_MESSAGE = 1000; // characters

/** @type {[string, string][]} */
const LANGUAGES = [
  ["en", "English"],
  ["de", "German"],
  ["fr", "French"],
  ["es", "Spanish"],
  ["ja", "Japanese"],
];

/** @param {Sharing} sharing */
export async function showMail(sharing) {
  const found = await waysOf(sharing, MAIL);
  if (!found) return;
  const { link, ways, words } = found;
  sharing.put(MAIL, words, sendForm(link), ...ownMail(ways.mail, link.recipient?.email ?? ""));
}

/**
 * Return fields for an email from the host's own mail program.
 * @param {Share["mail"]} mail
 * @param {string} address
 */
function ownMail(mail, address) {
  const to = h("input", { type: "email", value: address, autocomplete: "off" });
  const subject = h("input", { value: mail.subject });
  const text = h("textarea", { rows: 9, value: mail.text });
  const send = h("a.button", { href: "#" }, "Open in your email program");
  const update = () => {
    const body = encodeURIComponent(text.value.replaceAll("\n", "\r\n"));
    send.href = `mailto:${encodeURIComponent(to.value)}?subject=${encodeURIComponent(subject.value)}&body=${body}`;
  };
  for (const one of [to, subject, text]) one.addEventListener("input", update);
  update();
  const heading = h("h3", {}, "From your own email program");
  const fields = [field("To", to), field("Subject", subject), field("Text", text)];
  const onclick = () => copy(text.value, "Text copied.");
  const copyText = h("button", { type: "button", onclick }, icon("copy"), "Copy text");
  return [h("section.sect", {}, heading, fields), h("p.actions.sect", {}, copyText, send)];
}

/**
 * Return the form that lets this installation email a link to its recipient.
 * @param {Link} link
 */
function sendForm(link) {
  const place = h("section.sect", {});
  const to = link.recipient?.email;
  const hint = "Give the link a recipient with an email address, and it can be sent from here.";
  if (to) showSendForm(place, link, to);
  else place.append(h("p.hint", {}, hint));
  return place;
}

/**
 * @param {HTMLElement} place
 * @param {Link} link
 * @param {string} to
 */
function showSendForm(place, link, to) {
  const message = h("textarea", { rows: 3, maxlength: MAX_MESSAGE });
  const language = select(LANGUAGES, "en");
  const send = h("button", { type: "submit" }, "Send by email");
  const hint = "The email names you, the event type and the date on which the link expires.";
  const form = h(
    "form",
    { autocomplete: "off" },
    field("A word of yours (optional)", message, { pointer: "/message", hint }),
    field("Language of the email", language, { pointer: "/language" }),
    h("p.actions.sect", {}, send),
  );
  // The same key until a response comes: after a lost response, another press sends no second email.
  let key = newKey();
  form.addEventListener("input", () => {
    key = newKey();
  });
  onSubmit(form, send, async () => {
    const body = { message: message.value, language: language.value };
    /** @type {Promise<QueuedEmail>} */
    const response = api("POST", `v1/links/${link.linkId}/send`, { body, key });
    const sent = await response.catch(explainNoMail);
    showSent(place, sent, () => {
      showSendForm(place, link, to);
      place.querySelector("textarea")?.focus();
    });
  });
  fill(place, h("h3", {}, `Send to ${to}`), form);
}

/**
 * @param {HTMLElement} place
 * @param {QueuedEmail} sent
 * @param {() => void} sendAnother
 */
function showSent(place, sent, sendAnother) {
  const words = `On its way to ${sent.to}. The link’s history shows when it is sent.`;
  const again = h("button.quiet.small", { type: "button", onclick: sendAnother }, "Send another");
  fill(place, h("div.alert.info", { role: "status" }, words), h("p.actions", {}, again));
  again.focus();
}

/** @param {unknown} error @returns {never} */
function explainNoMail(error) {
  if (error instanceof ApiError && error.code === "mail-not-configured") {
    const cause = "This installation sends no email until its operator sets a sender address.";
    error.message = `${cause} You can use your own email program, below.`;
  }
  throw error;
}
