// Links by CSV: the rows shown before anything is made, what the API says against each, and the result.
import { ApiError, api, newKey } from "./console-api.js";
import { download, fill, h, many } from "./console-dom.js";
import { alert, field, onSubmit, openDialog } from "./console-dialogs.js";
import { csvBlob, readCsv } from "./console-csv.js";
import { choose } from "./console-link-form.js";
import { eventTypes, onLinksChanged } from "./console-state.js";

const SHOWN = 100;
const SAMPLE = [["recipientName", "recipientEmail", "label", "maxUsageCount", "expiresAt"], ["Grace Hopper", "grace@example.com", "Interview", "1", ""]];

/** Open the dialog. */
export function openImport() {
  let text = "";
  let key = newKey();
  let partial = false;
  /** @type {{line: number, cells: string[]}[]} */
  let rows = [];
  const type = choose(eventTypes().map((one) => [one.eventTypeId, one.title]), eventTypes()[0]?.eventTypeId);
  const file = h("input", { type: "file", accept: ".csv,text/csv,text/plain", required: true });
  const preview = h("div.sect", { hidden: true });
  const go = h("button", { type: "submit", disabled: true }, "Import");
  const onlyGood = h("button.quiet", { type: "submit", hidden: true }, "Import the good rows only");
  const form = h("form", { id: "import" },
    h("p.hush", {}, "One link for each row. The first row names the columns: recipientName, recipientEmail, label, maxUsageCount, expiresAt and more. Nothing is made unless every row is good."),
    h("p", {}, h("button.text.link", { type: "button", onclick: () => download("links-sample.csv", csvBlob(SAMPLE)) }, "Download a sample file")),
    h("div.row", {}, field("Event type", type), field("CSV file", file, { hint: "Up to 1,000 rows, UTF-8" })), preview);
  for (const button of [go, onlyGood]) button.setAttribute("form", form.id);
  go.addEventListener("click", () => { partial = false; });
  onlyGood.addEventListener("click", () => { partial = true; });
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({ title: "Import links", kind: "wide", body: form, actions: [cancel, onlyGood, go] });

  const anew = () => { key = newKey(); onlyGood.hidden = true; };
  type.addEventListener("change", () => { anew(); show([]); });
  file.addEventListener("change", async () => {
    anew();
    form.querySelector(":scope > .alert")?.remove();
    text = await file.files[0]?.text() ?? "";
    rows = readCsv(text);
    go.disabled = rows.length < 2;
    go.textContent = rows.length < 2 ? "Import" : `Import ${many(rows.length - 1, "row")}`;
    show([]);
  });

  /** @param {import("./console-api.js").Fault[]} faults */
  function show(faults) {
    const [head, ...rest] = rows;
    preview.hidden = !head;
    if (!head) return;
    const of = (/** @type {number} */ line) => faults.filter((fault) => fault.line === line);
    const bad = rest.filter((row) => of(row.line).length);
    const listed = [...bad, ...rest.filter((row) => !bad.includes(row))].slice(0, SHOWN);
    fill(preview,
      h("h3", {}, bad.length ? `${many(bad.length, "row")} of ${rest.length} can’t be used` : `${many(rest.length, "row")}`),
      h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Rows of the file" }, h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Line"), faults.length ? h("th", { scope: "col" }, "What is wrong") : null, head.cells.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, listed.map(({ line, cells }) => h("tr", {}, h("td", {}, line),
          faults.length ? h("td", {}, of(line).map(({ column, detail }) => h("p.fault", {}, `${column ? `${column}: ` : ""}${detail}`))) : null,
          head.cells.map((_, index) => h("td", {}, cells[index] ?? ""))))))),
      rest.length > SHOWN ? h("p.hint", {}, `The first ${SHOWN} are shown.`) : null);
  }

  onSubmit(form, go, async () => {
    let answer;
    try {
      answer = await api("POST", "v1/links/import", { query: { eventTypeId: type.value, partial: partial ? "true" : undefined }, csv: text, key: `${key}${partial ? "-partial" : ""}` });
    } catch (error) {
      if (error instanceof ApiError && error.faults.some((fault) => fault.line)) {
        show(error.faults);
        const wrong = new Set(error.faults.map((fault) => fault.line));
        onlyGood.hidden = rows.length - 1 <= wrong.size || error.faults.some((fault) => (fault.line ?? 0) <= (rows[0]?.line ?? 1));
        throw new ApiError(error.status, { detail: "Nothing was made. Correct the rows below in your file and choose it again." });
      }
      throw error;
    }
    onLinksChanged.call();
    showDone(dialog, answer);
  });
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
