// "Generate links": one or many, with settings of their own; sent again, it completes the same set.
import { ApiError, newKey } from "../api.js";
import { copy, download, h, many } from "../dom.js";
import { clearErrors, field, onSubmit, openDialog, watchDirty } from "../dialogs.js";
import { csvBlob } from "./csv.js";
import { choose, linkFields } from "./form.js";
import { eventTypes, makeLinks, onLinksChanged, titleOf } from "../state.js";

const PORTION = 100;

/**
 * Open the dialog.
 * @param {string} [eventTypeId] which event type to start from
 */
export function openGenerate(eventTypeId) {
  let key = newKey();
  /** @type {string} */
  let asked = "";
  /** @type {any[]} */
  let made = [];
  /** @type {any} */
  let body = null;

  const type = choose(eventTypes().map((one) => [one.eventTypeId, one.title]), eventTypeId ?? eventTypes()[0]?.eventTypeId);
  const count = h("input", { type: "number", min: 1, max: 1000, required: true, value: 1, inputmode: "numeric" });
  const settings = linkFields(null);
  const bar = h("progress", { hidden: true, "aria-label": "Links made" });
  const go = h("button", { type: "submit" }, "Generate");
  const form = h("form", { id: "generate", autocomplete: "off" },
    h("div.row", {}, field("Event type", type, { pointer: "/eventTypeId" }), field("How many links", count, { pointer: "/count" })),
    settings.parts, bar);
  go.setAttribute("form", form.id);
  const watched = watchDirty(form);
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({ title: "Generate links", kind: "wide", body: form, actions: [cancel, go], dirty: () => watched.dirty });

  onSubmit(form, go, async () => {
    // A preset like "in 7 days" is worked out once: what is sent again has to be the same to the letter.
    const wanted = JSON.stringify({ eventTypeId: type.value, count: Number(count.value), ...settings.read() });
    if (wanted !== asked) {
      if (made.length) key = newKey();
      asked = wanted;
      made = [];
      body = JSON.parse(wanted);
    }
    bar.max = body.count;
    bar.value = made.length;
    bar.hidden = body.count <= PORTION;
    try {
      while (made.length < body.count) {
        const portion = Math.min(PORTION, body.count - made.length);
        made.push(...await makeLinks({ ...body, count: portion }, `${key}-${made.length}`));
        bar.value = made.length;
      }
    } catch (error) {
      if (error instanceof ApiError && error.code === "idempotency-key-reused") {
        key = newKey();
        asked = "";
        throw new ApiError(422, { detail: "The first try did make links, with the settings it had then: they are in the list. Press Generate again to make another set with these settings." });
      }
      if (made.length) throw new ApiError(0, { detail: `${many(made.length, "link")} of ${body.count} are made. ${/** @type {Error} */ (error).message} Press Generate again for the rest; none is made twice.` });
      throw error;
    } finally {
      if (made.length) onLinksChanged.call();
    }
    watched.clean();
    clearErrors(form);
    showMade(dialog, made);
  });
}

/**
 * Put the links that were made where the form was.
 * @param {HTMLDialogElement} dialog
 * @param {any[]} made
 */
function showMade(dialog, made) {
  const urls = made.map((link) => link.url).join("\n");
  const list = h("textarea.code", { readonly: true, rows: Math.min(made.length + 1, 12), value: urls, "aria-label": "The new links" });
  const copyAll = h("button", { type: "button", onclick: () => copy(urls, made.length === 1 ? "Link copied." : `All ${made.length} links copied.`) }, made.length === 1 ? "Copy link" : "Copy all");
  dialog.querySelector(".content")?.replaceChildren(
    h("div.alert.info", { role: "status" }, h("p", {}, `${many(made.length, "link")} for ${titleOf(made[0].eventTypeId)} ${made.length === 1 ? "is" : "are"} ready to send.`)), list);
  dialog.querySelector("footer")?.replaceChildren(
    h("button.quiet", { type: "button", onclick: () => download("links.csv", linksCsv(made)) }, "Download CSV"),
    copyAll, h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Done"));
  copyAll.focus();
}

/** @param {any[]} links */
export const linksCsv = (links) => csvBlob([
  ["linkId", "url", "eventType", "recipientName", "recipientEmail", "label", "maxUsageCount", "expiresAt"],
  ...links.map((link) => [link.linkId, link.url, titleOf(link.eventTypeId), link.recipient?.name, link.recipient?.email, link.label, link.maxUsageCount ?? "unlimited", link.expiresAt]),
]);
