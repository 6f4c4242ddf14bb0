// Edit a link's settings.
import { h } from "../../../shared/dom.js";
import { api } from "../../api.js";
import { ACTIVE } from "../../statuses.js";
import { onSubmit, watchDirty } from "../../ui/forms.js";
import { notify, showWarnings } from "../../ui/notices.js";
import { linksChanged } from "../changes.js";
import { linkFields } from "../settings/settings.js";

/** @import { Link, LinkSettings, SavedLink } from "../../resources.d.ts" */

/**
 * @typedef {object} Outcomes
 * @property {(fresh: Link | null) => void} saved null if nothing was changed
 * @property {() => void} cancelled
 */

/**
 * Return a form for a link's settings; only its label, if the link is no longer active.
 * @param {Link} link
 * @param {Outcomes} outcomes
 */
export function editForm(link, { saved, cancelled }) {
  const { parts, label, read } = linkFields(link);
  const before = read();
  const save = h("button", { type: "submit" }, "Save");
  const cancel = h("button.quiet", { type: "button", onclick: cancelled }, "Cancel");
  const kept = `A link that is ${link.status} keeps its settings; only its label can be changed.`;
  const fields = link.status === ACTIVE ? parts : [h("div.alert.info", {}, kept), label];
  const buttons = h("div.actions.sect", {}, save, cancel);
  const form = h("form", { autocomplete: "off", class: "editing" }, fields, buttons);
  onSubmit(form, save, async () => {
    const changes = changesBetween(before, read());
    saved(Object.keys(changes).length ? await update(link, changes) : null);
  });
  return { form, watched: watchDirty(form) };
}

/**
 * @param {Link} link
 * @param {Partial<LinkSettings>} changes
 */
async function update(link, changes) {
  /** @type {SavedLink} */
  const fresh = await api("PATCH", `v1/links/${link.linkId}`, { body: changes });
  notify("Saved.");
  showWarnings(fresh);
  linksChanged();
  return fresh;
}

/**
 * Return the settings that differ. An override that was removed is null: without a mention it would stay.
 * @param {LinkSettings} before
 * @param {LinkSettings} after
 * @returns {Partial<LinkSettings>}
 */
function changesBetween(before, after) {
  const removed = Object.fromEntries(Object.keys(before.overrides).map((name) => [name, null]));
  const old = new Map(Object.entries(before).map(([name, value]) => [name, JSON.stringify(value)]));
  const changed = Object.entries(after).filter(([name, value]) => JSON.stringify(value) !== old.get(name));
  return Object.fromEntries(
    changed.map(([name, value]) => [name, name === "overrides" ? { ...removed, ...after.overrides } : value]),
  );
}
