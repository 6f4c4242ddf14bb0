// The settings of a link as a list of terms and values.
import { h } from "../../../shared/dom.js";
import { titleOf } from "../../event-types/cache.js";
import { duration, exact, whenElement } from "../../time.js";
import { copyButton } from "../actions.js";
import { statusWords, usedWords } from "../words.js";

/** @import { Child } from "../../../shared/dom.js" */
/** @import { Link } from "../../resources.d.ts" */
/** @typedef {[string, Child | Child[]]} Fact a term and its value; nothing is shown without a value */

/** @param {Link} link */
export function settingsOf(link) {
  const facts = [...linkFacts(link), ...overrideFacts(link), ...otherFacts(link)];
  const rows = facts.flatMap(([term, value]) => (value ? [h("dt", {}, term), h("dd", {}, value)] : []));
  return [
    h("p", {}, h(`span.pill.${link.status}`, {}, statusWords(link))),
    ...(link.url ? [urlRow(link, link.url)] : []),
    h("dl.facts", {}, rows),
  ];
}

/** @param {Link} link @param {string} url */
function urlRow(link, url) {
  const input = h("input", { readonly: true, value: url, "aria-label": "The link’s URL" });
  input.addEventListener("focus", () => input.select());
  return h("div.url", {}, input, copyButton(link));
}

/** @param {Link} link @returns {Fact[]} */
function linkFacts(link) {
  const { expiresAt } = link;
  return [
    ["Event type", titleOf(link.eventTypeId)],
    ["Used", usedWords(link)],
    ["Recipient", recipientWords(link)],
    ["Label", link.label],
    ["Created", exact(link.createdAt)],
    ["Opens", link.notBefore && exact(link.notBefore)],
    ["Expires", expiresAt ? [exact(expiresAt), h("span.sub", {}, whenElement(expiresAt))] : "Never"],
    ["Used up", link.usedAt && exact(link.usedAt)],
    ["Revoked", link.revokedAt && exact(link.revokedAt)],
  ];
}

/** @param {Link} link @returns {Child[] | null} */
function recipientWords({ recipient }) {
  if (!recipient) return null;
  const { name, email, enforce } = recipient;
  const words = [name, email].filter(Boolean).join(", ");
  if (enforce === "none") return [words];
  return [words, h("span.sub", {}, enforce === "email" ? "Only this address may book" : "Only this domain may book")];
}

/** @param {Link} link @returns {Fact[]} */
function overrideFacts({ overrides }) {
  const { title, durationMinutes, locations, schedule } = overrides;
  return [
    ["Own title", title],
    ["Own duration", durationMinutes && duration(durationMinutes)],
    ["Own location", locations?.map(({ kind, detail }) => detail || kind.replace("_", " ")).join(", ")],
    ["Own hours", schedule && `Yes, in ${schedule.timeZone}`],
  ];
}

/** @param {Link} link @returns {Fact[]} */
function otherFacts({ restoreUseOnCancel, externalId, metadata, linkId }) {
  return [
    ["On cancel", restoreUseOnCancel && "The use is given back"],
    ["External id", externalId],
    ["Metadata", Object.keys(metadata).length ? h("code", {}, JSON.stringify(metadata)) : null],
    ["Link id", h("code", {}, linkId)],
  ];
}
