// The console's way in: the API key, the host acted for, and which view is on show.
import { ApiError, all, api, onRefused, session } from "./api.js";
import { failed, h, loading } from "./dom.js";
import { alert, field, openDialog, onSubmit } from "./dialogs.js";
import { ZONE, zones } from "./time.js";
import { forgetEventTypes, loadEventTypes } from "./state.js";
import { showBookings } from "./bookings.js";
import { showEventTypes } from "./event-types/event-types.js";
import { showLinks } from "./links/links.js";
import { showRequests } from "./requests.js";

/** @type {Record<string, (view: HTMLElement) => () => void>} */
const VIEWS = { "#links": showLinks, "#event-types": showEventTypes, "#bookings": showBookings, "#requests": showRequests };

const at = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const [top, view, who, foot] = [at("top"), at("view"), at("who"), at("foot")];
let end = () => {};
let serial = 0;

/**
 * The form that asks for a key, and what to do with one that works.
 * @param {() => void} done
 */
function keyForm(done) {
  // Without a name: nothing that is typed here can end up in a URL.
  const input = h("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
  const go = h("button", { type: "submit" }, "Sign in");
  const form = h("form", { autocomplete: "off" }, field("API key", input, { hint: "It begins with ao_ and stays in this browser tab only." }), go);
  onSubmit(form, go, async () => {
    const apiKey = input.value.trim();
    try {
      await api("GET", "v1/me", { apiKey });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        input.select();
        throw new ApiError(401, { detail: "This key doesn’t work: it is mistyped, or it was revoked. Check it, or ask whoever runs Admit One for a new one." });
      }
      throw error;
    }
    if (session.key !== apiKey) session.hostId = "";
    session.key = apiKey;
    input.value = "";
    done();
  });
  return form;
}

function showSignIn() {
  end();
  end = () => {};
  serial += 1;
  top.hidden = true;
  foot.textContent = "";
  document.title = "Sign in · Admit One";
  view.replaceChildren(h("section.gate", {}, h("h1", {}, "Admit One"), h("p.hush", {}, "Private booking links, for hosts."), keyForm(() => start().then(() => view.focus()))));
  view.querySelector("input")?.focus();
}

function signOut() {
  session.key = "";
  session.hostId = "";
  forgetEventTypes();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  showSignIn();
}

/** @param {any[]} hosts */
function showHosts(hosts) {
  top.hidden = true;
  document.title = "Choose a host · Admit One";
  view.replaceChildren(h("section.gate", {}, h("h1", {}, "Whose links?"),
    h("p.hush", {}, hosts.length ? "This is an admin’s key: choose the host to act for." : "There is no host yet: nobody to book time with. Make the first one."),
    h("div.pick", {}, hosts.map((host) => h("button", { type: "button", onclick: () => { session.hostId = host.hostId; start(); } }, host.name, h("span.sub", {}, host.publicName === host.name ? host.email : `${host.publicName} · ${host.email}`)))),
    hosts.length ? h("details.more", {}, h("summary", {}, "Another host"), hostForm()) : hostForm(),
    h("p.sect", {}, h("button.quiet.small", { type: "button", onclick: signOut }, "Sign out"))));
  /** @type {HTMLElement | null} */ (view.querySelector("button, input"))?.focus();
}

function hostForm() {
  const name = h("input", { required: true, maxlength: 200, autocomplete: "off" });
  const publicName = h("input", { maxlength: 200, autocomplete: "off" });
  const email = h("input", { type: "email", required: true, autocomplete: "off" });
  const zone = h("select", {}, zones().map((one) => h("option", { value: one }, one.replaceAll("_", " "))));
  zone.value = ZONE;
  const go = h("button", { type: "submit" }, "Make host");
  const form = h("form", { autocomplete: "off" }, field("Name", name, { pointer: "/name" }), field("Public name", publicName, { pointer: "/publicName", hint: "What invitees see. Leave it empty to use the name." }), field("Email", email, { pointer: "/email" }), field("Time zone", zone, { pointer: "/timeZone" }), go);
  onSubmit(form, go, async () => {
    const host = await api("POST", "v1/hosts", { body: { name: name.value.trim(), publicName: publicName.value.trim() || null, email: email.value.trim(), timeZone: zone.value } });
    session.hostId = host.hostId;
    start();
  });
  return form;
}

async function start() {
  const mine = ++serial;
  end();
  end = () => {};
  forgetEventTypes();
  view.replaceChildren(loading());
  try {
    const me = await api("GET", "v1/me");
    const admin = me.role === "admin";
    // An admin's key acts for the host chosen, for the one it was made for, or asks.
    if (!admin) session.hostId = "";
    /** @type {any[]} */
    const hosts = admin ? await all("v1/hosts", "hosts") : [];
    const hostId = admin && hosts.some((host) => host.hostId === session.hostId) ? session.hostId : me.host?.hostId;
    if (mine !== serial) return;
    if (!hostId) {
      session.hostId = "";
      showHosts(hosts);
      return;
    }
    if (admin) session.hostId = hostId;
    await loadEventTypes();
    if (mine !== serial) return;
    who.replaceChildren(admin ? hostChoice(hosts, hostId) : me.host.name);
    who.title = admin ? "" : me.host.email;
    top.hidden = false;
    foot.textContent = `Times are in ${ZONE.replaceAll("_", " ")}. Links begin with ${me.baseUrl || location.origin}/s/.`;
    route();
  } catch (error) {
    if (mine !== serial || !session.key) return;
    if (error instanceof ApiError && error.status === 401) showSignIn();
    else view.replaceChildren(failed(/** @type {Error} */ (error), start));
  }
}

/** @param {any[]} hosts @param {string} hostId */
function hostChoice(hosts, hostId) {
  const select = h("select", { "aria-label": "Acting for host" }, hosts.map((host) => h("option", { value: host.hostId }, host.name)));
  select.value = hostId;
  select.addEventListener("change", () => { session.hostId = select.value; start(); });
  return select;
}

function route() {
  const name = location.hash in VIEWS ? location.hash : "#links";
  end();
  for (const link of at("nav").querySelectorAll("a")) {
    if (link.hash === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  end = VIEWS[name](view);
  document.title = `${view.querySelector("h1")?.textContent} · Admit One`;
}

addEventListener("hashchange", () => {
  if (location.hash === "#view") return;
  if (!top.hidden && session.key) {
    route();
    scrollTo(0, 0);
    view.focus({ preventScroll: true });
  }
});
at("sign-out").addEventListener("click", signOut);

// Refused in the middle of something: ask for another key above it, so that nothing typed is lost.
let asking = false;
onRefused.call = () => {
  if (asking || top.hidden) return;
  asking = true;
  const dialog = openDialog({
    title: "Sign in again",
    body: [alert("Your API key is no longer accepted: it was revoked or replaced. What you entered is still here."), keyForm(() => { dialog.close(); if (!document.querySelector("dialog[open]")) start(); })],
    actions: [h("button.quiet", { type: "button", onclick: signOut }, "Sign out")],
    onclose: () => { asking = false; },
  });
};

if (session.key) start();
else showSignIn();
