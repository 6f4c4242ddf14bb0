// Links by CSV: what a file would make and what is wrong with which cell, then one press, then the result.
import { ApiError, api, newKey } from "../api.js";
import { download, fill, h, many } from "../dom.js";
import { alert, field, onSubmit, openDialog, sentence } from "../dialogs.js";
import { csvBlob, readCsv } from "./csv.js";
import { choose } from "./form.js";
import { eventTypes, onLinksChanged, titleOf } from "../state.js";

const SHOWN = 100;
const SAMPLE = [["recipientName", "recipientEmail", "label", "maxUsageCount", "expiresAt"], ["Grace Hopper", "grace@example.com", "Interview", "1", ""]];
/** @typedef {{line: number, errors: {column: string | null, detail: string}[]}} Judged */

/** Open the dialog. */
export function openImport() {
  let bytes = new ArrayBuffer(0);
  let text = "";
  let key = newKey();
  /** @type {{good: number, bad: number, rows: Judged[], warnings: {pointer: string, detail: string}[]} | null} */
  let judged = null;
  const type = choose(eventTypes().map((one) => [one.eventTypeId, one.title]), eventTypes()[0]?.eventTypeId);
  const file = h("input", { type: "file", accept: ".csv,.tsv,text/csv,text/tab-separated-values,text/plain", required: true });
  const told = h("div.sect", { role: "status" });
  const preview = h("div", {});
  const go = h("button", { type: "submit" }, "Check the file");
  const form = h("form", { id: "import" },
    h("p.hush", {}, "One link for each row. The first row names the columns: recipientName, recipientEmail, label, maxUsageCount, expiresAt and more. You see what would be made before anything is."),
    h("p", {}, h("button.text.link", { type: "button", onclick: () => download("links-sample.csv", csvBlob(SAMPLE)) }, "Download a sample file")),
    h("div.row", {}, field("Event type", type), field("CSV file", file, { hint: "Up to 1,000 rows, UTF-8" })), told, preview);
  go.setAttribute("form", form.id);
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({ title: "Import links", kind: "wide", body: form, actions: [cancel, go] });

  /** Another file, or for another event type: what was found holds no more, and the key goes with it. */
  const anew = async () => {
    key = newKey();
    judged = null;
    told.replaceChildren();
    preview.replaceChildren();
    go.textContent = "Check the file";
    go.hidden = false;
    if (file.files[0]) form.requestSubmit(go);
  };
  type.addEventListener("change", anew);
  file.addEventListener("change", anew);

  onSubmit(form, go, async () => {
    // While it is checked the choice stands: what is shown is what was asked about.
    type.disabled = file.disabled = true;
    try {
      await (judged ? make() : check());
    } finally {
      type.disabled = file.disabled = false;
    }
  });

  async function check() {
    // Its bytes are kept: what is imported is what was checked, whatever becomes of the file meanwhile.
    bytes = await file.files[0].arrayBuffer();
    text = new TextDecoder().decode(bytes);
    judged = await api("POST", "v1/links/import/preview", { query: { eventTypeId: type.value }, csv: bytes }).catch(placed);
    const { good, bad } = /** @type {any} */ (judged);
    go.textContent = bad ? `Import the ${good === 1 ? "good row" : `${good} good rows`} only` : `Import ${many(good, "link")}`;
    go.hidden = good === 0;
    show();
    (good ? go : file).focus();
  }

  function show() {
    const [head, ...rest] = readCsv(text);
    const { good, bad, rows, warnings } = /** @type {NonNullable<typeof judged>} */ (judged);
    const wrong = new Map(rows.filter((row) => row.errors.length).map((row) => [row.line, row.errors]));
    const listed = [...rest.filter((row) => wrong.has(row.line)), ...rest.filter((row) => !wrong.has(row.line))].slice(0, SHOWN);
    const words = (/** @type {string | null} */ name) => (name ?? "").trim().toLowerCase();
    /** @param {number} line @param {(column: string | null) => boolean} at */
    const faults = (line, at) => (wrong.get(line) ?? []).filter(({ column }) => at(column)).map(({ detail }) => h("p.fault", {}, sentence(detail)));
    const named = new Set(head.cells.map(words));
    fill(told, h("h3", {}, bad ? `${many(bad, "row")} of ${rows.length} can’t be used` : `${many(good, "link")} for ${titleOf(type.value)}`),
      h("p.hint", {}, bad ? `${good ? "Correct them in your file and choose it again, or import the good rows only." : "Correct them in your file and choose it again."} Nothing was made yet.` : "Nothing was made yet. Press Import to make them."),
      warnings.length ? alert(warnings.map(({ pointer, detail }) => h("p", {}, placeOf(pointer, rows), detail))) : null);
    fill(preview,
      h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Rows of the file" }, h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Line"), head.cells.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, listed.map(({ line, cells }) => h(`tr${wrong.has(line) ? ".wrong" : ""}`, {},
          h("td", {}, line, faults(line, (column) => !named.has(words(column)))),
          head.cells.map((name, index) => h("td", {}, cells[index] ?? "", faults(line, (column) => words(column) === words(name))))))))),
      rest.length > SHOWN ? h("p.hint", {}, `${bad ? "The rows that can’t be used come first; " : ""}${SHOWN} of ${rest.length.toLocaleString("en")} are shown.`) : null);
  }

  async function make() {
    const partial = Boolean(judged?.bad);
    let answer;
    try {
      // The same key until an answer came: pressed again after a lost reply, it is the same links.
      answer = await api("POST", "v1/links/import", { query: { eventTypeId: type.value, partial: partial ? "true" : undefined }, csv: bytes, key });
    } catch (error) {
      if (!(error instanceof ApiError) || ![400, 422].includes(error.status)) throw error;
      // Good when it was checked, and not any more: an expiry passed, or the event type changed.
      key = newKey();
      await check();
      throw new ApiError(error.status, { detail: "Nothing was made: some rows were good when they were checked and are not any more. See below." });
    }
    onLinksChanged.call();
    showDone(dialog, answer);
  }
}

/** Which line a warning is about: none if all of them. @param {string} pointer @param {Judged[]} rows */
function placeOf(pointer, rows) {
  const row = pointer.match(/^\/rows\/(\d+)\//);
  return row ? `Line ${rows[Number(row[1])].line}: ` : "";
}

/**
 * What is wrong with the file as a whole, said with its line.
 * @param {any} error
 * @returns {never}
 */
function placed(error) {
  const fault = error instanceof ApiError ? error.faults.find(({ line }) => line) : null;
  if (!fault) throw error;
  throw new ApiError(error.status, { detail: `Line ${fault.line}${fault.column ? `, ${fault.column}` : ""}: ${fault.detail}. Nothing was made. Correct it in your file and choose it again.` });
}

/** @param {HTMLDialogElement} dialog @param {string} answer */
function showDone(dialog, answer) {
  const [head, ...rows] = readCsv(answer);
  const at = (/** @type {string} */ name) => head.cells.indexOf(name);
  const failed = rows.filter(({ cells }) => cells[at("error")]);
  dialog.querySelector(".content")?.replaceChildren(
    h("div.alert.info", { role: "status" }, h("p", {}, `${many(rows.length - failed.length, "link")} made. Download the result: each row has its link.`)),
    failed.length ? alert([h("p", {}, `${many(failed.length, "row")} could not be used:`), h("ul", {}, failed.slice(0, 20).map(({ cells }) => h("li", {}, `Line ${cells[at("line")]}: ${cells[at("error")]}`)))]) : h("span", {}));
  const save = h("button", { type: "button", onclick: () => download("links.csv", new Blob(["\ufeff", answer.replace(/^\ufeff/, "")], { type: "text/csv;charset=utf-8" })) }, "Download CSV");
  dialog.querySelector("footer")?.replaceChildren(h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Done"), save);
  save.focus();
}
