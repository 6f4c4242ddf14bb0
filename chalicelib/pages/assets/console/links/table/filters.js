// The filters of the links view: event type, status and search.
import { h } from "../../../shared/dom.js";
import { forHost } from "../../api.js";
import { eventTypes } from "../../event-types/cache.js";
import { ACTIVE, EXPIRED, REVOKED, USED } from "../../statuses.js";
import { select } from "../../ui/forms.js";
import { icon } from "../../ui/icons.js";
import { takeFilters } from "../links-of.js";
import { linkIdIn, looksSecret } from "../token.js";

const SEARCH_AFTER_MS = 350; // since the last key

/** @type {[string, string][]} */
const STATUSES = [
  ["", "All statuses"],
  [ACTIVE, "Active"],
  [USED, "Used"],
  [EXPIRED, "Expired"],
  [REVOKED, "Revoked"],
];

/** @param {() => void} changed */
export function linkFilters(changed) {
  const first = takeFilters();
  const types = eventTypes().map((one) => /** @type {[string, string]} */ ([one.eventTypeId, one.title]));
  const type = select([["", "All event types"], ...types], first.eventTypeId);
  type.setAttribute("aria-label", "Filter by event type");
  const status = select(STATUSES, first.status);
  status.setAttribute("aria-label", "Filter by status");
  const plain = { autocomplete: "off", spellcheck: "false" };
  const words = { placeholder: "Email, label, URL or id", "aria-label": "Search links" };
  const find = h("input", { type: "search", ...words, ...plain });
  const note = h("p.said", { role: "status", hidden: true });
  /** @type {ReturnType<typeof setTimeout>} */
  let typing;

  find.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(changed, SEARCH_AFTER_MS);
  });
  type.addEventListener("change", changed);
  status.addEventListener("change", changed);

  /** @param {string} text */
  function say(text) {
    note.textContent = text;
    note.hidden = !text;
  }

  return {
    element: h("div.tools", { role: "search" }, h("div.find", {}, icon("search"), find), type, status),
    note,
    eventTypeId: () => type.value,
    isSet: () => Boolean(find.value || type.value || status.value),
    /** Return the query of the list; null if the search has a secret in it that must not be sent. */
    read() {
      const text = find.value.trim();
      const linkId = linkIdIn(text);
      if (!linkId && looksSecret(text)) {
        say("That is not a whole link. Paste the link’s full URL, or its last part of 36 characters.");
        return null;
      }
      say(linkId ? `Searching for ${linkId}; the pasted link itself is not sent.` : "");
      return { ...forHost(), eventTypeId: type.value, status: status.value, q: linkId ?? text };
    },
    clear() {
      find.value = type.value = status.value = "";
      changed();
      find.focus();
    },
    end: () => clearTimeout(typing),
  };
}
