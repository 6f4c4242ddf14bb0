// A link's details: its settings and their editing, who opened and booked, and what happened to it.
import { all, api } from "../api.js";
import { fill, h, loading, many, notify, warn } from "../dom.js";
import { alert, onSubmit, openDialog, watchDirty } from "../dialogs.js";
import { clockZone, duration, exact, when } from "../time.js";
import { linkFields, usesWords } from "./form.js";
import { askDelete, askReplace, askRevoke, copyButton } from "./actions.js";
import { forWhom, onLinksChanged, titleOf } from "../state.js";
import { openShare } from "./share.js";

/** @type {Record<string, string>} */
const EVENTS = {
  "link.created": "Made", "link.updated": "Changed", "link.opened": "Opened for the first time", "link.used": "Booked with", "link.revoked": "Revoked",
  "link.expired": "Expired", "link.deleted": "Deleted", "link.requested": "Someone asked for a new link", "link.denied": "Someone was turned away",
  "booking.confirmed": "Booking made", "booking.cancelled": "Booking cancelled", "booking.rescheduled": "Booking moved", "booking.erased": "Personal data erased",
  "mail.requested": "To be mailed", "mail.sent": "Mailed", "mail.failed": "A mail could not be sent", "mail.bounced": "A mail came back", "mail.complained": "A mail was reported as unwanted",
};
/** @type {Record<string, string>} */
const REASONS = {
  "address-not-ascii": "we can’t email this address", "address-budget-used": "this address has reached its daily email limit",
  "link-budget-used": "this link has reached its daily email limit", "in-digest": "it is in the day’s digest",
};
/** @type {Record<string, string>} */
const FIELDS = { maxUsageCount: "uses", expiresAt: "expiry", notBefore: "not before", recipient: "recipient", overrides: "customisation", label: "label", metadata: "metadata", externalId: "external id", restoreUseOnCancel: "what a cancelled booking gives back" };

/**
 * Open the drawer.
 * @param {any} given the link as the list has it
 */
export function openDetail(given) {
  let link = given;
  /** @type {{dirty: boolean} | null} */
  let editing = null;
  const settings = h("div", {});
  const bookings = h("section.sect", {}, h("h3", {}, "Bookings"), loading());
  const history = h("section.sect", {}, h("h3", {}, "History"), loading());
  const foot = h("footer", {});
  const dialog = openDialog({ title: forWhom(link) || titleOf(link.eventTypeId), kind: "drawer", body: [settings, bookings, history], dirty: () => Boolean(editing?.dirty) });
  dialog.querySelector(".discard")?.after(foot);

  function show() {
    editing = null;
    const live = link.status === "active";
    /** @type {[string, any][]} */
    const facts = [
      ["Event type", titleOf(link.eventTypeId)],
      ["Used", link.maxUsageCount === null ? `${link.usageCount}, no limit` : `${link.usageCount} of ${link.maxUsageCount}`],
      ["Recipient", link.recipient && [[link.recipient.name, link.recipient.email].filter(Boolean).join(", "), link.recipient.enforce === "none" ? null : h("span.sub", {}, link.recipient.enforce === "email" ? "Only this address may book" : "Only this domain may book")]],
      ["Label", link.label],
      ["Created", exact(link.createdAt)],
      ["Opens", link.notBefore && exact(link.notBefore)],
      ["Expires", link.expiresAt ? [exact(link.expiresAt), h("span.sub", {}, when(link.expiresAt))] : "Never"],
      ["Used up", link.usedAt && exact(link.usedAt)],
      ["Revoked", link.revokedAt && exact(link.revokedAt)],
      ["Own title", link.overrides.title],
      ["Own duration", link.overrides.durationMinutes && duration(link.overrides.durationMinutes)],
      ["Own location", link.overrides.locations?.map((/** @type {any} */ one) => one.detail || one.kind.replace("_", " ")).join(", ")],
      ["Own hours", link.overrides.schedule && `Yes, in ${link.overrides.schedule.timeZone}`],
      ["On cancel", link.restoreUseOnCancel && "The use is given back"],
      ["External id", link.externalId],
      ["Metadata", Object.keys(link.metadata).length ? h("code", {}, JSON.stringify(link.metadata)) : null],
      ["Link id", h("code", {}, link.linkId)],
    ];
    fill(settings,
      h("p", {}, h(`span.pill.${link.status}`, {}, link.status[0].toUpperCase() + link.status.slice(1))),
      link.url ? h("div.url", {}, h("input", { readonly: true, value: link.url, "aria-label": "The link’s URL", onfocus: (/** @type {any} */ e) => e.target.select() }), copyButton(link)) : null,
      h("dl.facts", {}, facts.flatMap(([term, about]) => (about ? [h("dt", {}, term), h("dd", {}, about)] : []))));
    foot.replaceChildren(
      h("button.quiet.small", { type: "button", onclick: edit }, "Edit"),
      ...(live && link.url ? [h("button.quiet.small", { type: "button", onclick: () => openShare({ link }) }, "Share")] : []),
      h("button.quiet.small", { type: "button", onclick: () => askReplace(link, (fresh) => { link = fresh; show(); load(); }) }, live ? "Replace" : "New link like this"),
      ...(live ? [h("button.quiet.small.danger", { type: "button", onclick: () => askRevoke(link, reread) }, "Revoke")] : []),
      h("button.quiet.small.danger", { type: "button", onclick: () => askDelete(link, () => dialog.close()) }, "Delete"));
    foot.hidden = false;
  }

  function edit() {
    const live = link.status === "active";
    const fields = linkFields(link);
    const before = fields.read();
    const save = h("button", { type: "submit" }, "Save");
    const form = h("form", { autocomplete: "off", class: "editing" },
      live ? null : h("div.alert.info", {}, `A link that is ${link.status} keeps its settings; only its label can be changed.`),
      live ? fields.parts : fields.parts.filter((part) => part instanceof Element && part.querySelector("[data-pointer='/label']")),
      h("div.actions.sect", {}, save, h("button.quiet", { type: "button", onclick: () => { show(); foot.querySelector("button")?.focus(); } }, "Cancel")));
    const watched = watchDirty(form);
    editing = watched;
    onSubmit(form, save, async () => {
      const after = fields.read();
      /** @type {Record<string, any>} */
      const changes = Object.fromEntries(Object.entries(after).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])));
      // What is absent stays as it is: what was taken out has to be named.
      if (changes.overrides) for (const name of Object.keys(before.overrides)) changes.overrides[name] ??= null;
      if (Object.keys(changes).length) {
        link = await api("PATCH", `v1/links/${link.linkId}`, { body: changes });
        notify("Saved.");
        warn(link);
        onLinksChanged.call();
        load();
      }
      show();
      foot.querySelector("button")?.focus();
    });
    settings.replaceChildren(form);
    foot.hidden = true;
    /** @type {any} */ (form.querySelector("input, select")).focus();
  }

  async function reread() {
    link = await api("GET", `v1/links/${link.linkId}`);
    show();
    load();
  }

  function load() {
    loadBookings(bookings, link);
    loadHistory(history, link);
  }

  show();
  load();
  api("GET", `v1/links/${link.linkId}`).then((fresh) => {
    if (!editing) {
      link = fresh;
      show();
    }
  }, () => {});
  /** @type {HTMLElement | null} */ (dialog.querySelector("header button"))?.focus();
}

/** @param {HTMLElement} place @param {any} link */
async function loadBookings(place, link) {
  try {
    const found = await all("v1/bookings", "bookings", { linkId: link.linkId });
    place.replaceChildren(h("h3", {}, "Bookings"), found.length
      ? h("ul.cards", {}, found.map((one) => h("li", {}, h(`span.pill.${one.status}`, {}, one.status === "confirmed" ? "Confirmed" : "Cancelled"), " ",
        `${exact(one.start)} – ${clockZone(one.end)}`, h("span.sub", {}, one.invitee ? `${one.invitee.name}, ${one.invitee.email}` : "Personal data erased"))))
      : h("p.hush", {}, link.status === "active" ? `None yet. It is good for ${usesWords(link.remainingUses)}.` : "None."));
  } catch (error) {
    place.replaceChildren(h("h3", {}, "Bookings"), alert(/** @type {Error} */ (error).message));
  }
}

/** @param {HTMLElement} place @param {any} link */
async function loadHistory(place, link) {
  const list = h("ol.line", {});
  const more = h("button.quiet.small", { type: "button" }, "Earlier");
  /** @type {string | undefined} */
  let cursor;
  const read = async () => {
    try {
      const page = await api("GET", `v1/links/${link.linkId}/history`, { query: { limit: 50, cursor } });
      if (!cursor) {
        const { persons, machines } = page.opens;
        place.replaceChildren(h("h3", {}, "History"),
          h("p.hint", {}, persons + machines ? `Opened ${many(persons, "time")} by people${machines ? `, ${many(machines, "time")} by scanners and previews` : ""}. Opening never uses a link up.` : "Not opened yet."), list, more);
      }
      cursor = page.nextCursor ?? undefined;
      more.hidden = !cursor;
      list.append(...page.history.map(entry));
      if (!list.children.length) list.replaceWith(h("p.hush", {}, "Nothing is on record yet; what happens shows here within moments."));
    } catch (error) {
      place.replaceChildren(h("h3", {}, "History"), alert(/** @type {Error} */ (error).message));
    }
  };
  more.addEventListener("click", read);
  await read();
}

/** @param {any} event */
function entry(event) {
  const who = event.actor.startsWith("key:") ? `by API key ${event.actor.slice(4)}` : event.actor === "invitee" ? "by the invitee" : "by the system";
  const { data } = event;
  const more = data.changed?.length ? data.changed.map((/** @type {string} */ name) => FIELDS[name] ?? name).join(", ")
    : data.reason ? REASONS[data.reason] ?? String(data.reason).replaceAll("-", " ")
    : data.start ? exact(data.start) : "";
  return h("li", {}, h("b", {}, EVENTS[event.type] ?? event.type), more ? `: ${more}` : "", h("span.sub", {}, `${exact(event.time)}, ${who}`));
}
