// The result of an import: how many links were created, which rows failed, and the file with the links.
import { h } from "../../../shared/dom.js";
import { alertBox } from "../../ui/alerts.js";
import { download } from "../../ui/clipboard.js";
import { many } from "../../ui/states.js";
import { readCsv } from "../csv.js";

const MAX_SHOWN = 20;

/**
 * Show the result in place of the form.
 * @param {HTMLDialogElement} dialog
 * @param {string} result a CSV text
 */
export function showResult(dialog, result) {
  const [head, ...rows] = readCsv(result);
  /** @param {string[]} cells @param {string} name */
  const cell = (cells, name) => cells[head.cells.indexOf(name)];
  const bad = rows.filter(({ cells }) => cell(cells, "error"));
  const done = `${many(rows.length - bad.length, "link")} created. Download the result: each row has its link.`;
  const parts = [h("div.alert.info", { role: "status" }, h("p", {}, done))];
  if (bad.length) {
    const shown = bad.slice(0, MAX_SHOWN);
    const lines = shown.map(({ cells }) => h("li", {}, `Line ${cell(cells, "line")}: ${cell(cells, "error")}`));
    parts.push(alertBox([h("p", {}, `${many(bad.length, "row")} could not be used:`), h("ul", {}, lines)]));
  }
  dialog.querySelector(".content")?.replaceChildren(...parts);

  const csv = new Blob(["\ufeff", result.replace(/^\ufeff/, "")], { type: "text/csv;charset=utf-8" });
  const save = h("button", { type: "button", onclick: () => download("links.csv", csv) }, "Download CSV");
  const close = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Done");
  dialog.querySelector("footer")?.replaceChildren(close, save);
  save.focus();
}
