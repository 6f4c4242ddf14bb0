// The console's entry: sign in, choose the host to act for, and show the view that the URL names.
import { all, api, hasStatus, onKeyRefused, session } from "./api.js";
import { showBookings } from "./bookings/bookings.js";
import { forgetEventTypes, loadEventTypes } from "./event-types/cache.js";
import { showEventTypes } from "./event-types/event-types.js";
import { hostChoice, hostSelect } from "./hosts.js";
import { showLinks } from "./links/links.js";
import { showRequests } from "./requests/requests.js";
import { keyForm, signInPage } from "./sign-in.js";
import { ZONE } from "./time.js";
import { h } from "../shared/dom.js";
import { alertBox } from "./ui/alerts.js";
import { openDialog } from "./ui/dialogs.js";
import { failed, loading } from "./ui/states.js";

/** @import { Host, Me } from "./resources.d.ts" */

/** @type {Record<string, (view: HTMLElement) => () => void>} */
const VIEWS = {
  "#links": showLinks,
  "#event-types": showEventTypes,
  "#bookings": showBookings,
  "#requests": showRequests,
};
const FIRST_VIEW = "#links";

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const [top, view, who, foot] = [byId("top"), byId("view"), byId("who"), byId("foot")];

let endView = () => {};
let starts = 0; // so that a start whose responses come late knows that there was another

function leaveView() {
  endView();
  endView = () => {};
  starts += 1;
}

function showSignIn() {
  leaveView();
  top.hidden = true;
  foot.textContent = "";
  document.title = "Sign in · Admit One";
  view.replaceChildren(signInPage(() => start().then(() => view.focus())));
  view.querySelector("input")?.focus();
}

function signOut() {
  session.key = "";
  session.hostId = "";
  forgetEventTypes();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  showSignIn();
}

/** @param {Host[]} hosts */
function showHosts(hosts) {
  top.hidden = true;
  document.title = "Choose a host · Admit One";
  view.replaceChildren(hostChoice(hosts, { chosen: actFor, signOut }));
  /** @type {HTMLElement | null} */ (view.querySelector("button, input"))?.focus();
}

/** @param {string} hostId */
function actFor(hostId) {
  session.hostId = hostId;
  start();
}

async function start() {
  leaveView();
  const mine = starts;
  forgetEventTypes();
  view.replaceChildren(loading());
  try {
    /** @type {Me} */
    const me = await api("GET", "v1/me");
    const admin = me.role === "admin";
    /** @type {Host[]} */
    const hosts = admin ? await all("v1/hosts", "hosts") : [];
    if (mine !== starts) return;
    const hostId = hostIdFor(me, hosts);
    session.hostId = admin ? hostId : "";
    if (!hostId) {
      showHosts(hosts);
      return;
    }
    await loadEventTypes();
    if (mine !== starts) return;
    showTop(me, hosts, hostId);
    showView();
  } catch (error) {
    if (mine !== starts || !session.key) return;
    if (hasStatus(error, 401)) showSignIn();
    else view.replaceChildren(failed(error, start));
  }
}

/**
 * Return the host to act for: the one chosen before, or the one that the key belongs to; empty if neither is there.
 * @param {Me} me
 * @param {Host[]} hosts
 */
function hostIdFor(me, hosts) {
  const chosen = me.role === "admin" && hosts.some((host) => host.hostId === session.hostId);
  return chosen ? session.hostId : (me.host?.hostId ?? "");
}

/** @param {Me} me @param {Host[]} hosts @param {string} hostId */
function showTop(me, hosts, hostId) {
  const admin = me.role === "admin";
  who.replaceChildren(admin ? hostSelect(hosts, hostId, actFor) : (me.host?.name ?? ""));
  who.title = (admin ? hosts.find((host) => host.hostId === hostId)?.name : me.host?.email) ?? "";
  top.hidden = false;
  const links = `${me.baseUrl || location.origin}/s/`;
  foot.textContent = `Times are in ${ZONE.replaceAll("_", " ")}. Links start with ${links}.`;
}

/** Show the view that the URL names. */
function showView() {
  const name = location.hash in VIEWS ? location.hash : FIRST_VIEW;
  endView();
  for (const link of byId("nav").querySelectorAll("a")) {
    if (link.hash === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  endView = VIEWS[name](view);
  document.title = `${view.querySelector("h1")?.textContent} · Admit One`;
}

addEventListener("hashchange", () => {
  if (location.hash === "#view" || top.hidden || !session.key) return;
  showView();
  scrollTo(0, 0);
  view.focus({ preventScroll: true });
});
byId("sign-out").addEventListener("click", signOut);

let asking = false;
onKeyRefused(() => {
  if (asking || top.hidden) return;
  asking = true;
  // The dialog opens on top of the view, so no input is lost.
  const text = "Your API key is no longer accepted: it was revoked or replaced. What you entered is still here.";
  const signedIn = () => {
    dialog.close();
    if (!document.querySelector("dialog[open]")) start();
  };
  const dialog = openDialog({
    title: "Sign in again",
    body: [alertBox(text), keyForm(signedIn)],
    actions: [h("button.quiet", { type: "button", onclick: signOut }, "Sign out")],
    onclose: () => {
      asking = false;
    },
  });
});

if (session.key) start();
else showSignIn();
