// The form fields for the number of bookings that can be made with a link.
import { h } from "../../../shared/dom.js";
import { checkbox, tick } from "../../ui/forms.js";
import { uid } from "../../ui/ids.js";

/** @param {number | null} count null for no limit */
export function usesFields(count) {
  const id = uid();
  const limits = { min: 1, max: 1000000, required: true, inputmode: "numeric" };
  const input = h("input", { type: "number", id, ...limits, value: count ?? 1, "data-pointer": "/maxUsageCount" });
  const unlimited = checkbox(count === null);
  const update = () => {
    input.disabled = unlimited.checked;
  };
  unlimited.addEventListener("change", update);
  update();
  const label = h("label", { for: id }, "Bookings per link");
  const element = h("div.field", {}, label, input, tick("No limit", unlimited));
  return { element, read: () => (unlimited.checked ? null : Number(input.value)) };
}
