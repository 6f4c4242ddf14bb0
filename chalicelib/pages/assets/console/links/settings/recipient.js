// The form fields for the person that a link is for, and for who else may book with it.
import { h } from "../../../shared/dom.js";
import { field, select } from "../../ui/forms.js";

/** @import { Link } from "../../resources.d.ts" */
/** @typedef {NonNullable<Link["recipient"]>} Recipient */

/** @type {[Recipient["enforce"], string][]} */
const MAY_BOOK = [
  ["none", "Anyone who has the link"],
  ["email", "Only this email address"],
  ["domain", "Anyone at this email’s domain"],
];

/** @param {Recipient | null} recipient */
export function recipientFields(recipient) {
  const name = h("input", { maxlength: 200, autocomplete: "off", value: recipient?.name ?? "" });
  const email = h("input", { type: "email", autocomplete: "off", value: recipient?.email ?? "" });
  const enforce = select(MAY_BOOK, recipient?.enforce ?? "none");
  const element = h(
    "fieldset",
    {},
    h("legend.hidden", {}, "Recipient"),
    h(
      "div.row",
      {},
      field("Recipient’s name", name, { pointer: "/recipient/name" }),
      field("Recipient’s email", email, { pointer: "/recipient/email" }),
    ),
    field("Who may book", enforce, { pointer: "/recipient/enforce" }),
  );

  /** @returns {Recipient | null} */
  function read() {
    const given = { name: name.value.trim(), email: email.value.trim() };
    if (!given.name && !given.email && enforce.value === "none") return null;
    return { ...given, enforce: /** @type {Recipient["enforce"]} */ (enforce.value) };
  }
  return { element, read };
}
