// The cells of a link's row, and the menu of its actions.
import { h } from "../../../shared/dom.js";
import { eventTypeOf, titleOf } from "../../event-types/cache.js";
import { ACTIVE } from "../../statuses.js";
import { whenElement } from "../../time.js";
import { menuButton } from "../../ui/menus.js";
import { askDelete, askReplace, askRevoke, copyButton } from "../actions.js";
import { openDetail } from "../detail/detail.js";
import { openShare } from "../share/share.js";
import { describe, forWhom, revocable, statusWords, usedWords } from "../words.js";

/** @import { Child } from "../../../shared/dom.js" */
/** @import { Link } from "../../resources.d.ts" */

/** @param {Record<string, string>} props @param {...(Child | Child[])} content */
const cell = (props, ...content) => h("td", { role: "cell", ...props }, ...content);

/** @param {Link} link */
export function cellsOf(link) {
  const { expiresAt, createdAt } = link;
  return [
    titleCell(link),
    whomCell(link),
    cell({ class: "state" }, statusPill(link)),
    cell({ class: "nowrap", "data-label": "Used" }, usedWords(link)),
    cell({ class: "nowrap", "data-label": "Created" }, whenElement(createdAt)),
    cell(
      { class: "nowrap", "data-label": "Expires" },
      expiresAt ? whenElement(expiresAt) : h("span.hush", {}, "Never"),
    ),
    cell({ class: "acts" }, link.status === ACTIVE ? copyButton(link) : null, " ", actionsMenu(link)),
  ];
}

/** @param {Link} link */
function titleCell(link) {
  const title = link.overrides.title ?? titleOf(link.eventTypeId);
  const label = `${title}: details of the link ${describe(link)}`;
  const open = h("button.text", { type: "button", "aria-label": label, onclick: () => openDetail(link) }, title);
  return cell({}, open, eventTypeOf(link.eventTypeId)?.archivedAt ? h("span.sub", {}, "Archived") : null);
}

/** @param {Link} link */
function whomCell(link) {
  const whom = forWhom(link);
  const other = whom === link.label ? link.recipient?.email : link.label;
  const second = whom && other !== whom ? other : "";
  return cell({ class: "whom" }, whom || h("span.hush", {}, "Anyone"), second ? h("span.sub", {}, second) : null);
}

/** @param {Link} link */
function statusPill(link) {
  const { status, notBefore } = link;
  const waits = status === ACTIVE && notBefore && Date.parse(notBefore) > Date.now();
  if (waits) return h("span.pill.waiting", {}, "Opens ", whenElement(notBefore));
  return h(`span.pill.${status}`, {}, statusWords(link));
}

/** @param {Link} link */
function actionsMenu(link) {
  const active = link.status === ACTIVE;
  return menuButton(`Actions for the link ${describe(link)}`, () => [
    { text: "Details", run: () => openDetail(link) },
    ...(active && link.url ? [{ text: "Share", run: () => openShare({ link }) }] : []),
    { text: active ? "Replace" : "New link like this", run: () => askReplace(link) },
    ...(revocable(link) ? [{ text: "Revoke", run: () => askRevoke(link), bad: true }] : []),
    { text: "Delete", run: () => askDelete(link), bad: true },
  ]);
}
