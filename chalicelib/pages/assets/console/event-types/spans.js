// The hours of one day as a form: any number of spans behind a checkbox.
import { h } from "../../shared/dom.js";
import { icon } from "../ui/icons.js";

/** @import { Interval } from "../resources.d.ts" */

const MIDNIGHT_AS_END = "24:00";
const MIDNIGHT = "00:00"; // a time field has no 24:00

/**
 * @typedef {object} Spans
 * @property {HTMLElement} element
 * @property {HTMLElement} box the checkbox with its label
 * @property {() => Interval[]} read
 * @property {(spans: Interval[]) => void} set
 */

/**
 * @typedef {object} SpanWords
 * @property {string} day for screen readers
 * @property {string} box the checkbox's label
 * @property {string} closed what no span at all means
 */

/**
 * Return fields for the spans of a day.
 * @param {SpanWords} words
 * @param {Interval[]} given
 * @returns {Spans}
 */
export function spanFields(words, given) {
  const element = h("div.spans");
  const check = h("input", { type: "checkbox" });
  const box = h("label.tick", {}, check, h("span", {}, words.box));
  const read = () => [...element.querySelectorAll(".span")].map(readRow);
  const report = () => element.dispatchEvent(new Event("input", { bubbles: true }));

  /** @param {Interval[]} spans */
  function set(spans) {
    check.checked = spans.length > 0;
    if (spans.length) element.replaceChildren(...spans.map(spanRow));
    else element.replaceChildren(h("p.hush", {}, words.closed));
  }

  /** @param {Interval} span */
  function spanRow(span) {
    const remove = () => {
      row.remove();
      set(read());
      check.focus();
      report();
    };
    const add = () => {
      const added = spanRow({ from: "13:00", to: "17:00" });
      element.append(added);
      added.querySelector("input")?.focus();
      report();
    };
    const label = `Remove these hours of ${words.day}`;
    const plus = { "aria-label": `Add hours to ${words.day}`, title: "Add hours" };
    const row = h(
      "div.span",
      {},
      timeInput(span.from, `${words.day} from`),
      h("span", { "aria-hidden": "true" }, "–"),
      timeInput(span.to, `${words.day} to`),
      h(
        "span.nowrap",
        {},
        h("button.plain.small", { type: "button", "aria-label": label, onclick: remove }, icon("close")),
        h("button.plain.small", { type: "button", ...plus, onclick: add }, icon("plus")),
      ),
    );
    return row;
  }

  check.addEventListener("change", () => set(check.checked ? [{ from: "09:00", to: "17:00" }] : []));
  set(given);
  return { element, box, read, set };
}

/** @param {string} value @param {string} label */
function timeInput(value, label) {
  const shown = value === MIDNIGHT_AS_END ? MIDNIGHT : value;
  return h("input", { type: "time", step: 300, required: true, value: shown, "aria-label": label });
}

/** @param {Element} row */
function readRow(row) {
  const [from, to] = [...row.querySelectorAll("input")].map((input) => input.value);
  return { from, to: to === MIDNIGHT ? MIDNIGHT_AS_END : to };
}
