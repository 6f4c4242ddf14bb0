// The bar that acts on all selected links: copy, revoke, delete.
import { h } from "../../../shared/dom.js";
import { api } from "../../api.js";
import { copy } from "../../ui/clipboard.js";
import { confirmThen } from "../../ui/dialogs.js";
import { icon } from "../../ui/icons.js";
import { notify } from "../../ui/notices.js";
import { many } from "../../ui/states.js";
import { revocable } from "../words.js";

/** @import { BulkResults } from "../../resources.d.ts" */
/** @import { Entry, LinkTable } from "./table.js" */

const REVOKE = "revoke";
const DELETE = "delete";
const BATCH = 1000; // links in one request

/** @typedef {typeof REVOKE | typeof DELETE} Verb */
/** @typedef {(linkIds: string[]) => Promise<unknown>} Done reads the links again */

/**
 * Return the bar, and a function that shows how many links are selected.
 * @param {() => LinkTable} tableOf
 * @param {Done} done
 */
export function bulkBar(tableOf, done) {
  const count = h("p", {});
  const clear = () => {
    const table = tableOf();
    table.select(table.selected(), false);
    table.all.focus();
  };
  const label = "Clear the selection";
  const element = h(
    "div.bulk",
    { hidden: true, role: "region", "aria-label": "Selected links" },
    count,
    h("button.quiet.small", { type: "button", onclick: () => copySelected(tableOf()) }, "Copy links"),
    h("button.quiet.small", { type: "button", onclick: () => askBulk(tableOf(), REVOKE, done) }, "Revoke"),
    h("button.quiet.small", { type: "button", onclick: () => askBulk(tableOf(), DELETE, done) }, "Delete"),
    h("button.plain.small", { type: "button", "aria-label": label, onclick: clear }, icon("close")),
  );
  const update = () => {
    const selected = tableOf().selected().length;
    element.hidden = selected === 0;
    count.textContent = `${many(selected, "link")} selected`;
  };
  return { element, update };
}

/** @param {LinkTable} table */
function copySelected(table) {
  const urls = table.selected().flatMap(({ link }) => link.url ?? []);
  copy(urls.join("\n"), `${many(urls.length, "link")} copied.`);
}

/**
 * @param {LinkTable} table
 * @param {Verb} verb
 * @param {Done} done
 */
function askBulk(table, verb, done) {
  const entries = table.selected();
  const fit = verb === REVOKE ? entries.filter(({ link }) => revocable(link)) : entries;
  if (!fit.length) {
    notify("None of the selected links can be revoked: nobody can book with them any more.");
    return;
  }
  const then =
    verb === REVOKE
      ? "Nobody can book with them any more. Bookings made with them stay."
      : "They stop working and leave the list. Their bookings and history stay.";
  const rest = restWords(entries.length - fit.length);
  const undo = h("p", {}, "This can’t be undone.");
  confirmThen({
    title: `${verb === REVOKE ? "Revoke" : "Delete"} ${many(fit.length, "link")}?`,
    text: [h("p", {}, then), rest ? h("p", {}, rest) : null, undo],
    action: `${verb === REVOKE ? "Revoke" : "Delete"} ${many(fit.length, "link")}`,
    run: () => runBulk(table, verb, fit, done),
  });
}

/** @param {number} count of the selected links that can’t be revoked */
function restWords(count) {
  if (!count) return "";
  const stay = count === 1 ? "stays as it is" : "stay as they are";
  return `${many(count, "selected link")} that can’t be used any more ${stay}.`;
}

/**
 * @param {LinkTable} table
 * @param {Verb} verb
 * @param {Entry[]} entries
 * @param {Done} done
 */
async function runBulk(table, verb, entries, done) {
  const linkIds = entries.map(({ link }) => link.linkId);
  /** @type {BulkResults["results"]} */
  const results = [];
  for (let at = 0; at < linkIds.length; at += BATCH) {
    const body = { linkIds: linkIds.slice(at, at + BATCH) };
    /** @type {BulkResults} */
    const response = await api("POST", `v1/links/bulk-${verb}`, { body });
    results.push(...response.results);
  }
  table.select(entries, false);
  const refused = results.filter((one) => one.problem);
  if (verb === DELETE) for (const one of results) if (!one.problem) table.remove(one.linkId);
  const words = `${many(results.length - refused.length, "link")} ${verb}d.`;
  const reason = refused[0]?.problem?.detail;
  const failure = `${words} ${many(refused.length, "link")} could not be: ${reason}`;
  notify(refused.length ? failure : words, { bad: refused.length > 0 });
  await done(linkIds);
}
