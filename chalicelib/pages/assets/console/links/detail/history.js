// The history of a link: how often it was opened, and what happened to it, newest first.
import { fill, h } from "../../../shared/dom.js";
import { api } from "../../api.js";
import { EXPIRED, REVOKED, USED } from "../../statuses.js";
import { exact } from "../../time.js";
import { alertBox } from "../../ui/alerts.js";
import { many, messageOf } from "../../ui/states.js";

/** @import { HistoryEntry, HistoryPage, Link } from "../../resources.d.ts" */

const PAGE = 50;

const EVENTS = new Map([
  ["link.created", "Created"],
  ["link.updated", "Changed"],
  ["link.opened", "Opened for the first time"],
  ["link.used", "Booked with"],
  ["link.revoked", "Revoked"],
  ["link.expired", "Expired"],
  ["link.deleted", "Deleted"],
  ["link.requested", "Someone asked for a new link"],
  ["link.denied", "Someone could not book"],
  ["booking.confirmed", "Booking created"],
  ["booking.cancelled", "Booking cancelled"],
  ["booking.rescheduled", "Booking moved"],
  ["booking.erased", "Personal data erased"],
  ["mail.requested", "Email requested"],
  ["mail.sent", "Email sent"],
  ["mail.failed", "An email could not be sent"],
  ["mail.bounced", "An email bounced"],
  ["mail.complained", "An email was reported as spam"],
]);

const REASONS = new Map([
  [USED, "their link was used"],
  [EXPIRED, "their link had expired"],
  [REVOKED, "their link was revoked"],
  ["address-not-ascii", "we can’t email this address"],
  ["address-budget-used", "this address has reached its daily email limit"],
  ["link-budget-used", "this link has reached its daily email limit"],
  ["in-digest", "it is in the day’s digest"],
]);

const FIELDS = new Map([
  ["maxUsageCount", "uses"],
  ["expiresAt", "expiry"],
  ["notBefore", "not before"],
  ["recipient", "recipient"],
  ["overrides", "customization"],
  ["label", "label"],
  ["metadata", "metadata"],
  ["externalId", "external id"],
  ["restoreUseOnCancel", "what a cancelled booking gives back"],
]);

// The kinds of actor that have a name, as in `key:<keyId>`.
const ACTORS = new Map([
  ["key", "by API key"],
  ["command", "by command"],
  ["function", "by function"],
  ["import", "by CSV import"],
]);

/**
 * Read the history and show it.
 * @param {HTMLElement} place
 * @param {Link} link
 */
export async function loadHistory(place, link) {
  const list = h("ol.line", {});
  const more = h("button.quiet.small", { type: "button" }, "Earlier");
  /** @type {string | undefined} */
  let cursor;
  const read = async () => {
    try {
      /** @type {HistoryPage} */
      const page = await api("GET", `v1/links/${link.linkId}/history`, { query: { limit: PAGE, cursor } });
      if (!cursor) fill(place, h("h3", {}, "History"), h("p.hint", {}, opensWords(page.opens)), list, more);
      cursor = page.nextCursor ?? undefined;
      more.hidden = !cursor;
      list.append(...page.history.map(row));
      const nothing = "Nothing is recorded yet. Events appear here within seconds.";
      if (!list.children.length) list.replaceWith(h("p.hush", {}, nothing));
    } catch (error) {
      place.replaceChildren(h("h3", {}, "History"), alertBox(messageOf(error)));
    }
  };
  more.addEventListener("click", read);
  await read();
}

/** @param {HistoryPage["opens"]} opens */
function opensWords({ persons, machines }) {
  if (!persons && !machines) return "Not opened yet.";
  const people = persons === 1 ? "once by a person" : `${many(persons, "time")} by people`;
  const scanned = machines ? `, ${many(machines, "time")} by scanners and previews` : "";
  return `Opened ${people}${scanned}. Opening never uses a link up.`;
}

/** @param {HistoryEntry} event */
function row({ type, time, actor, data }) {
  const about = aboutWords(data);
  const who = h("span.sub", {}, `${exact(time)}, ${actorWords(actor)}`);
  return h("li", {}, h("b", {}, EVENTS.get(type) ?? type), about ? `: ${about}` : "", who);
}

/** @param {string} actor */
function actorWords(actor) {
  if (actor === "invitee") return "by the invitee";
  if (actor === "person") return "by someone with the link";
  const [kind] = actor.split(":", 1);
  const words = ACTORS.get(kind);
  return words ? `${words} ${actor.slice(kind.length + 1)}` : "by the system";
}

/**
 * Return what an event's data says: what changed, why, or the booking's time.
 * @param {{changed?: string[], reason?: string, start?: string}} data
 */
function aboutWords({ changed, reason, start }) {
  if (changed?.length) return changed.map((name) => FIELDS.get(name) ?? name).join(", ");
  if (reason) return REASONS.get(reason) ?? reason.replaceAll("-", " ");
  return start ? exact(start) : "";
}
