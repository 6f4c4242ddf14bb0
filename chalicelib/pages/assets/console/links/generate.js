// The "Generate links" dialog: create one or many links with settings of their own.
import { h } from "../../shared/dom.js";
import { ApiError, newKey } from "../api.js";
import { eventTypes, titleOf } from "../event-types/cache.js";
import { copy, download } from "../ui/clipboard.js";
import { openDialog } from "../ui/dialogs.js";
import { clearErrors, field, onSubmit, select, watchDirty } from "../ui/forms.js";
import { many, messageOf } from "../ui/states.js";
import { createLinks, linksChanged } from "./changes.js";
import { csvBlob } from "./csv.js";
import { linkFields } from "./settings/settings.js";

/** @import { Link, LinkSettings } from "../resources.d.ts" */
/** @typedef {{eventTypeId: string, count: number} & LinkSettings} Order */

const BATCH = 100; // links in one request

/**
 * Open the dialog.
 * @param {string} [eventTypeId] the event type to start with
 */
export function openGenerate(eventTypeId) {
  const type = eventTypeSelect(eventTypeId);
  const limits = { min: 1, max: 1000, required: true, inputmode: "numeric" };
  const count = h("input", { type: "number", ...limits, value: 1 });
  const settings = linkFields(null);
  const bar = h("progress", { hidden: true, "aria-label": "Links created" });
  const go = h("button", { type: "submit", form: "generate" }, "Generate");
  const row = h(
    "div.row",
    {},
    field("Event type", type, { pointer: "/eventTypeId" }),
    field("How many links", count, { pointer: "/count" }),
  );
  const form = h("form", { id: "generate", autocomplete: "off" }, row, settings.parts, bar);
  const watched = watchDirty(form);
  const cancel = h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = openDialog({
    title: "Generate links",
    kind: "wide",
    body: form,
    actions: [cancel, go],
    dirty: watched.isDirty,
  });

  const generate = generator(bar);
  onSubmit(form, go, async () => {
    const links = await generate({ eventTypeId: type.value, count: Number(count.value), ...settings.read() });
    watched.clean();
    clearErrors(form);
    showCreated(dialog, links);
  });
}

/**
 * Return a select of the host's event types.
 * @param {string} [eventTypeId] the one that is selected
 */
export function eventTypeSelect(eventTypeId) {
  const types = eventTypes();
  const options = types.map((one) => /** @type {[string, string]} */ ([one.eventTypeId, one.title]));
  return select(options, eventTypeId ?? types[0]?.eventTypeId);
}

/**
 * Return a function that creates the ordered links, batch by batch. The same order again creates only the missing ones.
 * @param {HTMLProgressElement} bar
 */
function generator(bar) {
  let key = newKey();
  let ordered = "";
  /** @type {Link[]} */
  let created = [];

  /** @param {Order} order */
  async function generate(order) {
    const text = JSON.stringify(order);
    if (text !== ordered) {
      if (created.length) key = newKey();
      ordered = text;
      created = [];
    }
    bar.max = order.count;
    bar.value = created.length;
    bar.hidden = order.count <= BATCH;
    try {
      while (created.length < order.count) {
        const batch = { ...order, count: Math.min(BATCH, order.count - created.length) };
        created.push(...(await createLinks(batch, `${key}-${created.length}`)));
        bar.value = created.length;
      }
    } catch (error) {
      throw explained(error, order.count);
    } finally {
      if (created.length) linksChanged();
    }
    return created;
  }

  /** @param {unknown} error @param {number} count */
  function explained(error, count) {
    if (error instanceof ApiError && error.code === "idempotency-key-reused") {
      key = newKey();
      ordered = "";
      const what = "The first try created links with the settings at that time: they are in the list.";
      const advice = "Press Generate again to create another set with these settings.";
      return new ApiError(422, { detail: `${what} ${advice}` });
    }
    if (!created.length) return error;
    const done = `${many(created.length, "link")} of ${count} were created.`;
    const advice = "Press Generate again for the rest. No link is created twice.";
    return new ApiError(0, { detail: `${done} ${messageOf(error)} ${advice}` });
  }
  return generate;
}

/**
 * Show the new links in place of the form.
 * @param {HTMLDialogElement} dialog
 * @param {Link[]} links
 */
function showCreated(dialog, links) {
  const one = links.length === 1;
  const urls = links.map((link) => link.url).join("\n");
  const rows = Math.min(links.length + 1, 12);
  const list = h("textarea.code", { readonly: true, rows, value: urls, "aria-label": "The new links" });
  const copyUrls = () => copy(urls, one ? "Link copied." : `All ${links.length} links copied.`);
  const copyAll = h("button", { type: "button", onclick: copyUrls }, one ? "Copy link" : "Copy all");
  const what = `${many(links.length, "link")} for ${titleOf(links[0].eventTypeId)}`;
  const ready = `${what} ${one ? "is" : "are"} ready to send.`;
  dialog.querySelector(".content")?.replaceChildren(h("div.alert.info", { role: "status" }, h("p", {}, ready)), list);
  const save = () => download("links.csv", linksCsv(links));
  dialog
    .querySelector("footer")
    ?.replaceChildren(
      h("button.quiet", { type: "button", onclick: save }, "Download CSV"),
      copyAll,
      h("button.quiet", { type: "button", onclick: () => dialog.close() }, "Done"),
    );
  copyAll.focus();
}

/** @param {Link[]} links */
const linksCsv = (links) =>
  csvBlob([
    ["linkId", "url", "eventType", "recipientName", "recipientEmail", "label", "maxUsageCount", "expiresAt"],
    ...links.map((link) => [
      link.linkId,
      link.url,
      titleOf(link.eventTypeId),
      link.recipient?.name,
      link.recipient?.email,
      link.label,
      link.maxUsageCount ?? "unlimited",
      link.expiresAt,
    ]),
  ]);
