// The "Import links" dialog: check a CSV file, show what is wrong with which cell, then create the links.
import { h } from "../../../shared/dom.js";
import { ApiError, api, newKey } from "../../api.js";
import { download } from "../../ui/clipboard.js";
import { openDialog } from "../../ui/dialogs.js";
import { field, onSubmit } from "../../ui/forms.js";
import { many } from "../../ui/states.js";
import { linksChanged } from "../changes.js";
import { csvBlob } from "../csv.js";
import { eventTypeSelect } from "../generate.js";
import { explanation, previewTable } from "./preview.js";
import { showResult } from "./result.js";

/** @import { ImportPreview } from "../../resources.d.ts" */

const CHECK = "Check the file";
const SAMPLE = [
  ["recipientName", "recipientEmail", "label", "maxUsageCount", "expiresAt"],
  ["Grace Hopper", "grace@example.com", "Interview", "1", ""],
];

/** Open the dialog. */
export function openImport() {
  const type = eventTypeSelect();
  const accept = ".csv,.tsv,text/csv,text/tab-separated-values,text/plain";
  const file = h("input", { type: "file", accept, required: true });
  const status = h("div.sect", { role: "status" });
  const preview = h("div", {});
  const go = h("button", { type: "submit", form: "import" }, CHECK);
  const form = h("form", { id: "import" }, introduction(type, file), status, preview);
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({ title: "Import links", kind: "wide", body: form, actions: [cancel, go] });

  let bytes = new ArrayBuffer(0);
  let key = newKey();
  /** @type {ImportPreview | null} */
  let checked = null;

  /** Start again with another file or event type: the key belongs to what was checked. */
  function restart() {
    key = newKey();
    checked = null;
    status.replaceChildren();
    preview.replaceChildren();
    go.textContent = CHECK;
    go.hidden = false;
    if (file.files?.[0]) form.requestSubmit(go);
  }

  async function check() {
    // Keep the bytes, so that the import sends what was checked even if the file changes meanwhile.
    bytes = (await file.files?.[0].arrayBuffer()) ?? bytes;
    const found = await previewOf(bytes, type.value).catch(explainFile);
    checked = found;
    go.textContent = actionWords(found);
    go.hidden = found.good === 0;
    status.replaceChildren(...explanation(found, type.value));
    preview.replaceChildren(...previewTable(found, new TextDecoder().decode(bytes)));
    (found.good ? go : file).focus();
  }

  async function create() {
    const query = { eventTypeId: type.value, partial: checked?.bad ? "true" : undefined };
    try {
      // The same key until a response comes: after a lost response, another press returns the same links.
      /** @type {string} */
      const result = await api("POST", "v1/links/import", { query, csv: bytes, key });
      linksChanged();
      showResult(dialog, result);
    } catch (error) {
      if (!(error instanceof ApiError) || ![400, 422].includes(error.status)) throw error;
      // Good when it was checked, but no longer: an expiry passed, or the event type changed.
      key = newKey();
      await check();
      const detail = "No links were created: some rows that were valid when checked are no longer valid. See below.";
      throw new ApiError(error.status, { detail });
    }
  }

  type.addEventListener("change", restart);
  file.addEventListener("change", restart);
  onSubmit(form, go, async () => {
    // Disable the choice during the check, so that the preview matches it.
    type.disabled = file.disabled = true;
    try {
      await (checked ? create() : check());
    } finally {
      type.disabled = file.disabled = false;
    }
  });
}

/** @param {HTMLElement} type @param {HTMLElement} file */
function introduction(type, file) {
  const text =
    "One link for each row. The first row names the columns: recipientName, recipientEmail, label, maxUsageCount, " +
    "expiresAt and more. You see a preview before any link is created.";
  const onclick = () => download("links-sample.csv", csvBlob(SAMPLE));
  return [
    h("p.hush", {}, text),
    h("p", {}, h("button.text.link", { type: "button", onclick }, "Download a sample file")),
    h("div.row", {}, field("Event type", type), field("CSV file", file, { hint: "Up to 1,000 rows, UTF-8" })),
  ];
}

/** @param {ImportPreview} checked */
function actionWords({ good, bad }) {
  if (!bad) return `Import ${many(good, "link")}`;
  return `Import the ${good === 1 ? "good row" : `${good} good rows`} only`;
}

/** @param {ArrayBuffer} csv @param {string} eventTypeId @returns {Promise<ImportPreview>} */
function previewOf(csv, eventTypeId) {
  return api("POST", "v1/links/import/preview", { query: { eventTypeId }, csv });
}

/**
 * Explain what is wrong with the file as a whole, with its line.
 * @param {unknown} error
 * @returns {never}
 */
function explainFile(error) {
  const fault = error instanceof ApiError ? error.faults.find(({ line }) => line) : undefined;
  if (!(error instanceof ApiError) || !fault) throw error;
  const { line, column, detail } = fault;
  const place = `Line ${line}${column ? `, ${column}` : ""}`;
  const advice = "No links were created. Correct the file and choose it again.";
  throw new ApiError(error.status, { detail: `${place}: ${detail}. ${advice}` });
}
