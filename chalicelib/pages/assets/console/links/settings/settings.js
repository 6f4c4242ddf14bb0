// The settings of a link as a form, for generating links and for editing one.
import { h } from "../../../shared/dom.js";
import { ZONE, toLocal } from "../../time.js";
import { checkbox, field, tick } from "../../ui/forms.js";
import { expiryFields } from "./expiry.js";
import { readInstant } from "./instants.js";
import { overrideFields } from "./overrides.js";
import { recipientFields } from "./recipient.js";
import { usesFields } from "./uses.js";

/** @import { Link, LinkSettings } from "../../resources.d.ts" */

/**
 * Return fields for a link's settings.
 * @param {Link | null} link whose settings they show; null for a new link
 * @returns {{parts: HTMLElement[], label: HTMLElement, read: () => LinkSettings}} `label` is one of the `parts`
 */
export function linkFields(link) {
  const uses = usesFields(link ? link.maxUsageCount : 1);
  const expiry = expiryFields(link?.expiresAt ?? null);
  const recipient = recipientFields(link?.recipient ?? null);
  const overrides = overrideFields(link?.overrides ?? {});
  const labelInput = h("input", { maxlength: 200, autocomplete: "off", value: link?.label ?? "" });
  const notBefore = h("input", { type: "datetime-local", value: toLocal(link?.notBefore ?? null) });
  const restore = checkbox(link?.restoreUseOnCancel ?? false);

  const label = field("Label", labelInput, { pointer: "/label", hint: "Only you see it, and you can search for it." });
  const parts = [
    h("div.row", {}, uses.element, expiry.preset, expiry.exact),
    recipient.element,
    label,
    moreOptions(notBefore, restore),
    overrides.element,
  ];
  const read = () => ({
    maxUsageCount: uses.read(),
    expiresAt: expiry.read(),
    notBefore: readInstant(notBefore.value, link?.notBefore),
    recipient: recipient.read(),
    label: labelInput.value.trim() || null,
    restoreUseOnCancel: restore.checked,
    overrides: overrides.read(),
  });
  return { parts, label, read };
}

/** @param {HTMLElement} notBefore @param {HTMLInputElement} restore */
function moreOptions(notBefore, restore) {
  const hint = `Nobody can book earlier. Your time zone: ${ZONE}`;
  return h(
    "details.more",
    {},
    h("summary", {}, "More options"),
    field("Not before", notBefore, { pointer: "/notBefore", hint }),
    h(
      "div.field",
      {},
      tick("Give the use back when a booking is cancelled", restore, "Otherwise a new booking needs a new link."),
    ),
  );
}
