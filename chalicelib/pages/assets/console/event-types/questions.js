// The questions that an event type asks the invitee, as a form.
import { h } from "../../shared/dom.js";
import { checkbox, select, tick } from "../ui/forms.js";
import { icon } from "../ui/icons.js";

/** @import { Question } from "../resources.d.ts" */
/** @typedef {Question["kind"]} Kind */

/** @type {[Kind, string][]} */
const KINDS = [
  ["text", "Text"],
  ["choice", "A choice"],
];

/**
 * Return fields for questions.
 * @param {Question[]} given
 * @param {() => void} changed
 */
export function questionFields(given, changed) {
  const list = h("ul.cards", { "data-pointer": "/questions" });
  /** @type {Map<Element, () => Question>} */
  const readers = new Map();
  const read = () => [...list.children].flatMap((row) => readers.get(row)?.() ?? []);

  /** @param {Question} question */
  function addRow(question) {
    const { label, kind, options, required, read: readRow } = fieldsOf(question);
    const remove = () => {
      row.remove();
      changed();
    };
    const words = { "aria-label": "Remove this question" };
    const close = h("button.plain.small", { type: "button", ...words, onclick: remove }, icon("close"));
    const answer = tick("Required", required);
    const row = h("li.question", { "data-id": question.id }, h("div.span", {}, label, kind, close), options, answer);
    readers.set(row, readRow);
    list.append(row);
    return label;
  }

  given.forEach(addRow);
  const onclick = () => {
    addRow({ id: freshId(read()), label: "", kind: "text", required: false, options: [] }).focus();
    changed();
  };
  const element = h(
    "div.sect",
    {},
    h("h3", {}, "Questions for the invitee"),
    h("p.hint", {}, "In addition to name and email."),
    list,
    h("p", {}, h("button.quiet.small", { type: "button", onclick }, icon("plus"), "Add a question")),
  );
  return { element, read };
}

/**
 * Return an id that no question has: `q1`, `q2` and so on.
 * @param {Question[]} questions
 */
function freshId(questions) {
  const taken = new Set(questions.map(({ id }) => id));
  let n = 1;
  while (taken.has(`q${n}`)) n += 1;
  return `q${n}`;
}

/** @param {Question} question */
function fieldsOf(question) {
  const text = { required: true, maxlength: 300, autocomplete: "off", "aria-label": "Question" };
  const label = h("input", { value: question.label, ...text });
  const kind = select(KINDS, question.kind);
  kind.setAttribute("aria-label", "Kind of answer");
  const words = { "aria-label": "Options, one on each line", placeholder: "One option on each line" };
  const options = h("textarea", { value: question.options.join("\n"), rows: 3, ...words });
  const required = checkbox(question.required);
  const isChoice = () => kind.value === "choice";
  const update = () => {
    options.hidden = !isChoice();
  };
  kind.addEventListener("change", update);
  update();
  const lines = () => options.value.split("\n").map((line) => line.trim());
  /** @returns {Question} */
  const read = () => ({
    id: question.id,
    label: label.value.trim(),
    kind: /** @type {Kind} */ (kind.value),
    required: required.checked,
    options: isChoice() ? lines().filter(Boolean) : [],
  });
  return { label, kind, options, required, read };
}
