// The links table: filters, search, pages, bulk actions, and statuses that keep themselves fresh.
import { api, forHost } from "../api.js";
import { copy, empty, failed, h, icon, loading, many, notify } from "../dom.js";
import { confirmThen, menuButton } from "../dialogs.js";
import { tell, when } from "../time.js";
import { linkIdIn, looksSecret } from "./token.js";
import { choose } from "./form.js";
import { askDelete, askReplace, askRevoke, copyButton, named } from "./actions.js";
import { eventTypeOf, eventTypes, forWhom, ensureEventTypes, onLinksChanged, titleOf, wanted } from "../state.js";
import { openDetail } from "./detail.js";
import { openGenerate } from "./generate.js";
import { openImport } from "./import.js";
import { openShare } from "./share.js";
import { onceButton } from "./once.js";

const PAGE = 50;
const EVERY = 10000;
const QUICK = 6;
/** @type {[string, string][]} */
const STATUSES = [["", "Every status"], ["active", "Active"], ["used", "Used"], ["expired", "Expired"], ["revoked", "Revoked"]];

/**
 * Show the links.
 * @param {HTMLElement} view
 * @returns {() => void} ends it
 */
export function showLinks(view) {
  /** @type {Map<string, {row: HTMLTableRowElement, link: any, text: string, box: HTMLInputElement, cursor?: string}>} */
  const rows = new Map();
  /** @type {string | null} */
  let nextCursor = null;
  let filters = {};
  let asked = new AbortController();
  /** @type {ReturnType<typeof setTimeout>} */
  let timer;
  /** @type {ReturnType<typeof setTimeout>} */
  let typing;

  const type = choose([["", "Every event type"], ...eventTypes().map((one) => /** @type {[string, string]} */ ([one.eventTypeId, one.title]))]);
  const status = choose(STATUSES);
  [type.value, status.value] = [wanted.eventTypeId, wanted.status];
  Object.assign(wanted, { eventTypeId: "", status: "" });
  const find = h("input", { type: "search", placeholder: "Email, label, URL or id", "aria-label": "Search links", autocomplete: "off", spellcheck: "false" });
  type.setAttribute("aria-label", "Filter by event type");
  status.setAttribute("aria-label", "Filter by status");
  const said = h("p.said", { role: "status", hidden: true });
  const body = h("tbody");
  const every = h("input", { type: "checkbox", "aria-label": "Select all rows shown" });
  const table = h("table.links", { role: "table" }, h("caption.hidden", {}, "Links, newest first"),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, h("th", { scope: "col", role: "columnheader" }, h("label", {}, every)),
      ["Event type", "For", "Status", "Uses", "Created", "Expires"].map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
      h("th", { scope: "col", role: "columnheader" }, h("span.hidden", {}, "Actions")))), body);
  body.setAttribute("role", "rowgroup");
  const chosen = h("p", {});
  const bulk = h("div.bulk", { hidden: true, role: "region", "aria-label": "Selected links" }, chosen,
    h("button.quiet.small", { type: "button", onclick: () => copyChosen() }, "Copy links"),
    h("button.quiet.small", { type: "button", onclick: () => askBulk("revoke") }, "Revoke"),
    h("button.quiet.small", { type: "button", onclick: () => askBulk("delete") }, "Delete"),
    h("button.plain.small", { type: "button", "aria-label": "Clear the selection", onclick: () => { select([...rows.values()], false); every.focus(); } }, icon("close")));
  const more = h("button.quiet.small", { type: "button", onclick: () => loadMore() }, "Show more");
  const tail = h("div.tail", { hidden: true }, more);
  const place = h("div", {});
  const panel = h("div.panel", {}, h("div.tools", { role: "search" }, h("div.find", {}, icon("search"), find), type, status), said, place, tail, bulk);
  const quick = h("ul.quick", { "aria-label": "One-time links" }, eventTypes().slice(0, QUICK).map((one) =>
    h("li", {}, h("span", {}, h("b", {}, one.title), h("span.sub", {}, "One-time link")), onceButton(one))),
    eventTypes().length > QUICK ? h("li.rest", {}, h("a", { href: "#event-types" }, `All ${eventTypes().length} event types`)) : null);
  quick.hidden = !eventTypes().length;
  view.replaceChildren(
    h("div.head", {}, h("h1", {}, "Links"), h("div.actions", {},
      h("button.quiet", { type: "button", disabled: !eventTypes().length, onclick: () => openImport() }, "Import CSV"),
      h("button", { type: "button", disabled: !eventTypes().length, onclick: () => openGenerate(type.value || undefined) }, icon("plus"), "Generate links"))),
    quick, panel);

  /** @param {any} link */
  function cells(link) {
    const waits = link.status === "active" && link.notBefore && Date.parse(link.notBefore) > Date.now();
    const whom = forWhom(link);
    const title = link.overrides.title ?? titleOf(link.eventTypeId);
    const second = whom && whom !== link.label ? link.label : whom && link.recipient?.email !== whom ? link.recipient?.email : "";
    const cell = (/** @type {Record<string, any>} */ props, /** @type {any[]} */ ...inside) => h("td", { role: "cell", ...props }, ...inside);
    const status = waits ? h("span.pill.waiting", {}, "Opens ", when(link.notBefore)) : h(`span.pill.${link.status}`, {}, link.status[0].toUpperCase() + link.status.slice(1));
    const acts = cell({ class: "acts" }, link.status === "active" ? copyButton(link) : null, " ", menuButton(`Actions for the link ${named(link)}`, () => [
      { text: "Details", run: () => openDetail(link) },
      ...(link.status === "active" && link.url ? [{ text: "Share", run: () => openShare({ link }) }] : []),
      { text: link.status === "active" ? "Replace" : "New link like this", run: () => askReplace(link) },
      ...(link.status === "active" ? [{ text: "Revoke", run: () => askRevoke(link), bad: true }] : []),
      { text: "Delete", run: () => askDelete(link), bad: true },
    ]));
    return [
      cell({}, h("button.text", { type: "button", "aria-label": `${title}: details of the link ${named(link)}`, onclick: () => openDetail(link) }, title), eventTypeOf(link.eventTypeId)?.archivedAt ? h("span.sub", {}, "Archived") : null),
      cell({ class: "whom" }, whom || h("span.hush", {}, "Anyone"), second ? h("span.sub", {}, second) : null),
      cell({ class: "state" }, status),
      cell({ class: "nowrap", "data-label": "Used" }, link.maxUsageCount === null ? `${link.usageCount}, no limit` : `${link.usageCount} of ${link.maxUsageCount}`),
      cell({ class: "nowrap", "data-label": "Created" }, when(link.createdAt)),
      cell({ class: "nowrap", "data-label": "Expires" }, link.expiresAt ? when(link.expiresAt) : h("span.hush", {}, "Never")),
      acts,
    ];
  }

  /**
   * Show a link: in its row if it has one, else in a new one.
   * @param {any} link
   * @param {string | undefined} cursor of the page it came on
   * @param {"end" | "place"} end at the end, or in its place by age
   */
  function put(link, cursor, end) {
    const text = JSON.stringify([link, titleOf(link.eventTypeId), eventTypeOf(link.eventTypeId)?.archivedAt]);
    const entry = rows.get(link.linkId);
    if (entry) {
      if (entry.text === text) return;
      const { activeElement } = document;
      const had = entry.row.contains(activeElement) ? activeElement?.className : null;
      const flips = entry.link.status !== link.status;
      entry.row.replaceChildren(/** @type {Node} */ (entry.row.firstElementChild), ...cells(link));
      Object.assign(entry, { link, text });
      // The same control of the row as it now is; its label may have changed with it.
      if (had && !activeElement?.isConnected) {
        const buttons = [...entry.row.querySelectorAll("button")];
        (buttons.find((one) => one.className === had) ?? buttons[0])?.focus({ preventScroll: true });
      }
      if (flips) light(entry.row);
      return;
    }
    const box = h("input", { type: "checkbox", "aria-label": `Select the link ${named(link)}` });
    box.addEventListener("change", counted);
    const row = h("tr", { role: "row", "data-id": link.linkId }, h("td", { role: "cell" }, h("label", {}, box)), cells(link));
    rows.set(link.linkId, { row, link, text, box, cursor });
    if (end === "end") body.append(row);
    else {
      const next = [...rows.values()].find((other) => other.row.parentElement && other.link.createdAt < link.createdAt);
      body.insertBefore(row, next?.row ?? null);
      light(row);
    }
  }

  /** @param {HTMLElement} row */
  function light(row) {
    row.classList.remove("fresh");
    void row.offsetWidth;
    row.classList.add("fresh");
  }

  /** @param {{row: HTMLElement, box: HTMLInputElement}[]} entries @param {boolean} on */
  function select(entries, on) {
    for (const { box } of entries) box.checked = on;
    counted();
  }

  const selected = () => [...rows.values()].filter(({ box }) => box.checked);

  function counted() {
    const n = selected().length;
    bulk.hidden = n === 0;
    chosen.textContent = `${many(n, "link")} selected`;
    every.checked = n > 0 && n === rows.size;
    every.indeterminate = n > 0 && n < rows.size;
  }

  every.addEventListener("change", () => select([...rows.values()], every.checked));

  /** Read the filters off the form. Returns false for what must not be sent. */
  function readFilters() {
    const text = find.value.trim();
    const linkId = linkIdIn(text);
    if (!linkId && looksSecret(text)) {
      say("That is not a whole link. Paste the link’s full URL, or its last part of 36 characters.");
      return false;
    }
    say(linkId ? `Searching for ${linkId}; the pasted link itself is not sent.` : "");
    filters = { ...forHost(), eventTypeId: type.value, status: status.value, q: linkId ?? text };
    return true;
  }

  /** @param {string} text */
  function say(text) {
    said.textContent = text;
    said.hidden = !text;
  }

  async function load() {
    if (!readFilters()) return;
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    panel.setAttribute("aria-busy", "true");
    try {
      const page = await api("GET", "v1/links", { query: { ...filters, limit: PAGE }, signal });
      await ensureEventTypes(page.links);
      if (signal.aborted) return;
      rows.clear();
      body.replaceChildren();
      for (const link of page.links) put(link, undefined, "end");
      nextCursor = page.nextCursor;
      // A page may be short, even empty, although more follows.
      while (rows.size === 0 && nextCursor && !signal.aborted) await loadMore(signal);
      settle();
    } catch (error) {
      if (signal.aborted) return;
      rows.clear();
      tail.hidden = true;
      place.replaceChildren(failed(/** @type {Error} */ (error), load));
    } finally {
      if (!signal.aborted) panel.removeAttribute("aria-busy");
      counted();
    }
  }

  /** @param {AbortSignal} [given] */
  async function loadMore(given) {
    const signal = given ?? asked.signal;
    const cursor = nextCursor ?? undefined;
    more.setAttribute("aria-busy", "true");
    try {
      const page = await api("GET", "v1/links", { query: { ...filters, limit: PAGE, cursor }, signal });
      await ensureEventTypes(page.links);
      if (signal.aborted) return;
      const known = rows.size;
      for (const link of page.links) put(link, cursor, "end");
      nextCursor = page.nextCursor;
      settle();
      if (!given) [...rows.values()][known]?.box.focus({ preventScroll: true });
    } catch (error) {
      if (!signal.aborted) notify(/** @type {Error} */ (error).message, { bad: true });
      if (given) throw error;
    } finally {
      more.removeAttribute("aria-busy");
    }
  }

  /** Show the table, or what stands in place of an empty one. */
  function settle() {
    tail.hidden = !nextCursor;
    counted();
    if (rows.size) {
      if (table.parentElement !== place) place.replaceChildren(table);
    } else if (find.value || type.value || status.value) {
      place.replaceChildren(empty("No link matches", "The search finds a recipient’s email, an external id, a link or its id exactly, and labels by their beginning.",
        h("button.quiet", { type: "button", onclick: () => { find.value = type.value = status.value = ""; load(); find.focus(); } }, "Clear the filters")));
    } else if (eventTypes().length) {
      place.replaceChildren(empty("No links yet", "A link lets one person book one time. Press 1× above: it makes a link and copies it, ready to be pasted into a message. Once it is used, nobody else can book with it.",
        h("button", { type: "button", onclick: () => openGenerate() }, "Generate links")));
    } else {
      place.replaceChildren(empty("First, an event type", "An event type says what can be booked: how long, where, and in which hours. Links are made from it.",
        h("a.button", { href: "#event-types" }, "Make an event type")));
    }
  }

  function copyChosen() {
    const urls = selected().map(({ link }) => link.url).filter(Boolean);
    copy(urls.join("\n"), `${many(urls.length, "link")} copied.`);
  }

  /** @param {"revoke" | "delete"} verb */
  function askBulk(verb) {
    const entries = selected();
    const fit = verb === "revoke" ? entries.filter(({ link }) => link.status === "active") : entries;
    if (!fit.length) {
      notify("None of the selected links is active: there is nothing to revoke.");
      return;
    }
    const rest = entries.length - fit.length;
    confirmThen({
      title: `${verb === "revoke" ? "Revoke" : "Delete"} ${many(fit.length, "link")}?`,
      text: [h("p", {}, verb === "revoke" ? "They stop working at once. Bookings made with them stay." : "They stop working and leave the list. Their bookings and history stay."),
        rest ? h("p", {}, `${many(rest, "selected link")} not active any more ${rest === 1 ? "stays" : "stay"} as ${rest === 1 ? "it is" : "they are"}.`) : null,
        h("p", {}, "This can’t be undone.")],
      action: `${verb === "revoke" ? "Revoke" : "Delete"} ${many(fit.length, "link")}`,
      run: async () => {
        const ids = fit.map(({ link }) => link.linkId);
        /** @type {any[]} */
        const results = [];
        for (let at = 0; at < ids.length; at += 1000) {
          results.push(...(await api("POST", `v1/links/bulk-${verb}`, { body: { linkIds: ids.slice(at, at + 1000) } })).results);
        }
        const refused = results.filter((one) => one.problem);
        select(fit, false);
        if (verb === "delete") for (const one of results) if (!one.problem) drop(one.linkId);
        const done = `${many(results.length - refused.length, "link")} ${verb}d.`;
        notify(refused.length ? `${done} ${many(refused.length, "link")} could not be: ${refused[0].problem.detail}` : done, { bad: refused.length > 0 });
        await refresh(new Set(ids));
      },
    });
  }

  /** @param {string} linkId */
  function drop(linkId) {
    const entry = rows.get(linkId);
    if (!entry) return;
    if (entry.row.contains(document.activeElement)) every.focus();
    entry.row.remove();
    rows.delete(linkId);
    settle();
  }

  /**
   * Read the pages anew that the rows on screen (or those with these ids) came on; keep selection and scroll.
   * @param {Set<string>} [ids]
   */
  async function refresh(ids) {
    const { signal } = asked;
    const shown = [...rows.values()].filter(({ row, link }) => {
      const { top, bottom } = row.getBoundingClientRect();
      return ids ? ids.has(link.linkId) : bottom > 0 && top < innerHeight;
    });
    const cursors = new Set([undefined, ...shown.map(({ cursor }) => cursor)]);
    for (const cursor of cursors) {
      const page = await api("GET", "v1/links", { query: { ...filters, limit: PAGE, cursor }, signal });
      await ensureEventTypes(page.links);
      if (signal.aborted) return;
      const found = new Set(page.links.map((/** @type {any} */ link) => link.linkId));
      const oldest = page.links.at(-1)?.createdAt ?? "";
      for (const link of page.links) if (!cursor || rows.has(link.linkId)) put(link, cursor, "place");
      // No longer on its page: its status left the filter, or it is deleted. Beyond the page's end it was but pushed down.
      const gone = [...rows.values()].filter((entry) => entry.cursor === cursor && !found.has(entry.link.linkId) && !(page.nextCursor && entry.link.createdAt <= oldest));
      for (const { link } of gone.slice(0, 20)) {
        try {
          put(await api("GET", `v1/links/${link.linkId}`, { signal }), cursor, "end");
        } catch (error) {
          if (/** @type {any} */ (error).status === 404) drop(link.linkId);
          else throw error;
        }
      }
    }
    settle();
  }

  /** @param {number} after milliseconds */
  function again(after) {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      let wait = EVERY;
      if (!document.hidden && !panel.hasAttribute("aria-busy") && !find.matches("[aria-invalid]")) {
        try {
          await refresh();
          tell(body);
        } catch (error) {
          if (!asked.signal.aborted) wait = 3 * EVERY;
        }
      }
      if (view.contains(panel)) again(wait);
    }, after);
  }

  const seen = () => { if (!document.hidden) again(0); };
  document.addEventListener("visibilitychange", seen);
  onLinksChanged.call = () => again(0);
  find.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(load, 350); });
  type.addEventListener("change", load);
  status.addEventListener("change", load);
  place.append(loading());
  load().then(() => again(EVERY));

  return () => {
    asked.abort();
    clearTimeout(timer);
    clearTimeout(typing);
    document.removeEventListener("visibilitychange", seen);
    onLinksChanged.call = () => {};
  };
}
