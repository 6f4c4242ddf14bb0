// The preview of an import: how many rows can be used, and each row with what is wrong in it.
import { h } from "../../../shared/dom.js";
import { titleOf } from "../../event-types/cache.js";
import { alertBox } from "../../ui/alerts.js";
import { sentence } from "../../ui/forms.js";
import { many } from "../../ui/states.js";
import { readCsv } from "../csv.js";

/** @import { ImportPreview, ImportRow, SettingsWarning } from "../../resources.d.ts" */
/** @typedef {{line: number, cells: string[]}} Row */
/** @typedef {ImportRow["errors"]} Errors */

const MAX_SHOWN = 100;

/**
 * Return the text above the table.
 * @param {ImportPreview} checked
 * @param {string} eventTypeId
 */
export function explanation({ good, bad, rows, warnings }, eventTypeId) {
  const links = `${many(good, "link")} for ${titleOf(eventTypeId)}`;
  const title = bad ? `${bad.toLocaleString("en")} of ${many(rows.length, "row")} can’t be used` : links;
  const lines = warnings.map((warning) => h("p", {}, lineOf(warning, rows), warning.detail));
  return [h("h3", {}, title), h("p.hint", {}, advice(good, bad)), ...(lines.length ? [alertBox(lines)] : [])];
}

/** @param {number} good @param {number} bad */
function advice(good, bad) {
  if (!bad) return "No links were created yet. Press Import to create them.";
  const correct = "Correct them in your file and choose it again";
  return `${good ? `${correct}, or import the good rows only.` : `${correct}.`} No links were created yet.`;
}

/**
 * Return the prefix that names the line a warning is about; empty if the warning is about all rows.
 * @param {SettingsWarning} warning
 * @param {ImportRow[]} rows
 */
function lineOf({ pointer }, rows) {
  const row = pointer.match(/^\/rows\/(\d+)\//);
  return row ? `Line ${rows[Number(row[1])].line}: ` : "";
}

/**
 * Return the table of the file's rows, those that can't be used first.
 * @param {ImportPreview} checked
 * @param {string} text the file
 */
export function previewTable({ bad, rows }, text) {
  const [head, ...rest] = readCsv(text);
  const errors = new Map(rows.filter((row) => row.errors.length).map((row) => [row.line, row.errors]));
  const ordered = [...rest.filter(({ line }) => errors.has(line)), ...rest.filter(({ line }) => !errors.has(line))];
  const body = ordered.slice(0, MAX_SHOWN).map((row) => tableRow(head.cells, row, errors.get(row.line) ?? []));
  const names = ["Line", ...head.cells].map((name) => h("th", { scope: "col" }, name));
  const table = h("table", {}, h("thead", {}, h("tr", {}, names)), h("tbody", {}, body));
  const parts = [h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Rows of the file" }, table)];
  if (rest.length <= MAX_SHOWN) return parts;
  const first = bad ? "The rows that can’t be used come first; " : "";
  return [...parts, h("p.hint", {}, `${first}${MAX_SHOWN} of ${rest.length.toLocaleString("en")} are shown.`)];
}

/** @param {string | null} name of a column, as the server compares it */
const normalized = (name) => (name ?? "").trim().toLowerCase();

/**
 * Return a row with its errors, each in the cell it is about or beside the line's number.
 * @param {string[]} names of the columns
 * @param {Row} row
 * @param {Errors} errors
 */
function tableRow(names, { line, cells }, errors) {
  const known = new Set(names.map(normalized));
  /** @param {(column: string) => boolean} isHere */
  const faults = (isHere) =>
    errors.filter(({ column }) => isHere(normalized(column))).map(({ detail }) => h("p.fault", {}, sentence(detail)));
  return h(
    errors.length ? "tr.wrong" : "tr",
    {},
    h(
      "td",
      {},
      line,
      faults((column) => !known.has(column)),
    ),
    names.map((name, at) =>
      h(
        "td",
        {},
        cells[at] ?? "",
        faults((column) => column === normalized(name)),
      ),
    ),
  );
}
