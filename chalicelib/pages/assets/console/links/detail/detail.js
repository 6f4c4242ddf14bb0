// The details of a link in a drawer: its settings, its bookings and its history.
import { h } from "../../../shared/dom.js";
import { api } from "../../api.js";
import { titleOf } from "../../event-types/cache.js";
import { ACTIVE } from "../../statuses.js";
import { openDialog } from "../../ui/dialogs.js";
import { loading } from "../../ui/states.js";
import { askDelete, askReplace, askRevoke } from "../actions.js";
import { openShare } from "../share/share.js";
import { forWhom, revocable } from "../words.js";
import { loadBookings } from "./bookings.js";
import { editForm } from "./edit.js";
import { settingsOf } from "./facts.js";
import { loadHistory } from "./history.js";

/** @import { Link } from "../../resources.d.ts" */

/**
 * Open the drawer.
 * @param {Link} given the link as the list has it
 */
export function openDetail(given) {
  let link = given;
  /** @type {{isDirty: () => boolean} | null} */
  let editing = null;
  const settings = h("div", {});
  const bookings = h("section.sect", {}, h("h3", {}, "Bookings"), loading());
  const history = h("section.sect", {}, h("h3", {}, "History"), loading());
  const foot = h("footer", {});
  const dialog = openDialog({
    title: forWhom(link) || titleOf(link.eventTypeId),
    kind: "drawer",
    body: [settings, bookings, history],
    dirty: () => Boolean(editing?.isDirty()),
  });
  dialog.querySelector(".discard")?.after(foot);

  /** @param {Link} fresh */
  function show(fresh) {
    link = fresh;
    editing = null;
    settings.replaceChildren(...settingsOf(link));
    foot.replaceChildren(...actionButtons(link, { edit, replaced: showAll, revoked, deleted: () => dialog.close() }));
    foot.hidden = false;
  }

  /** @param {Link} fresh */
  function showAll(fresh) {
    show(fresh);
    loadBookings(bookings, fresh);
    loadHistory(history, fresh);
  }

  function edit() {
    const { form, watched } = editForm(link, {
      saved(fresh) {
        if (fresh) showAll(fresh);
        else show(link);
        foot.querySelector("button")?.focus();
      },
      cancelled() {
        show(link);
        foot.querySelector("button")?.focus();
      },
    });
    editing = watched;
    settings.replaceChildren(form);
    foot.hidden = true;
    /** @type {HTMLElement | null} */ (form.querySelector("input, select"))?.focus();
  }

  async function revoked() {
    showAll(await api("GET", `v1/links/${link.linkId}`));
  }

  showAll(link);
  /** @type {Promise<Link>} */
  const reread = api("GET", `v1/links/${link.linkId}`);
  reread.then(
    (fresh) => {
      if (!editing) show(fresh);
    },
    () => {}, // the version of the list stays on show
  );
  /** @type {HTMLElement | null} */ (dialog.querySelector("header button"))?.focus();
}

/**
 * @typedef {object} Outcomes
 * @property {() => void} edit
 * @property {(fresh: Link) => void} replaced
 * @property {() => void} revoked
 * @property {() => void} deleted
 */

/** @param {Link} link @param {Outcomes} outcomes */
function actionButtons(link, { edit, replaced, revoked, deleted }) {
  const active = link.status === ACTIVE;
  /** @param {string} text @param {() => void} onclick */
  const button = (text, onclick) => h("button.quiet.small", { type: "button", onclick }, text);
  /** @param {string} text @param {() => void} onclick */
  const dangerButton = (text, onclick) => h("button.quiet.small.danger", { type: "button", onclick }, text);
  return [
    button("Edit", edit),
    ...(active && link.url ? [button("Share", () => openShare({ link }))] : []),
    button(active ? "Replace" : "New link like this", () => askReplace(link, replaced)),
    ...(revocable(link) ? [dangerButton("Revoke", () => askRevoke(link, revoked))] : []),
    dangerButton("Delete", () => askDelete(link, deleted)),
  ];
}
