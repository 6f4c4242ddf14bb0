// The host that an admin acts for: choose one or create one.
import { h } from "../shared/dom.js";
import { api } from "./api.js";
import { ZONE, zones } from "./time.js";
import { field, onSubmit, select } from "./ui/forms.js";

/** @import { Host } from "./resources.d.ts" */
/** @typedef {(hostId: string) => void} Chosen */

/**
 * Return the page where an admin chooses a host.
 * @param {Host[]} hosts
 * @param {{chosen: Chosen, signOut: () => void}} outcomes
 */
export function hostChoice(hosts, { chosen, signOut }) {
  const some = "This is an admin’s key: choose the host to act for.";
  const none = "There is no host yet. Create one so that people can book time with them.";
  const form = hostForm(chosen);
  return h(
    "section.gate",
    {},
    h("h1", {}, "Whose links?"),
    h("p.hush", {}, hosts.length ? some : none),
    h(
      "div.pick",
      {},
      hosts.map((host) => hostButton(host, chosen)),
    ),
    hosts.length ? h("details.more", {}, h("summary", {}, "Another host"), form) : form,
    h("p.sect", {}, h("button.quiet.small", { type: "button", onclick: signOut }, "Sign out")),
  );
}

/** @param {Host} host @param {Chosen} chosen */
function hostButton({ hostId, name, publicName, email }, chosen) {
  const more = publicName === name ? email : `${publicName} · ${email}`;
  return h("button", { type: "button", onclick: () => chosen(hostId) }, name, h("span.sub", {}, more));
}

/** @param {Chosen} created */
function hostForm(created) {
  const name = h("input", { required: true, maxlength: 200, autocomplete: "off" });
  const publicName = h("input", { maxlength: 200, autocomplete: "off" });
  const email = h("input", { type: "email", required: true, autocomplete: "off" });
  const names = zones().map((one) => /** @type {[string, string]} */ ([one, one.replaceAll("_", " ")]));
  const zone = select(names, ZONE);
  const go = h("button", { type: "submit" }, "Create host");
  const hint = "What invitees see. Leave it empty to use the name.";
  const form = h(
    "form",
    { autocomplete: "off" },
    field("Name", name, { pointer: "/name" }),
    field("Public name", publicName, { pointer: "/publicName", hint }),
    field("Email", email, { pointer: "/email" }),
    field("Time zone", zone, { pointer: "/timeZone" }),
    go,
  );
  onSubmit(form, go, async () => {
    const body = {
      name: name.value.trim(),
      publicName: publicName.value.trim() || null,
      email: email.value.trim(),
      timeZone: zone.value,
    };
    /** @type {Host} */
    const host = await api("POST", "v1/hosts", { body });
    created(host.hostId);
  });
  return form;
}

/**
 * Return a select that changes the host.
 * @param {Host[]} hosts
 * @param {string} hostId
 * @param {Chosen} chosen
 */
export function hostSelect(hosts, hostId, chosen) {
  const options = hosts.map((host) => /** @type {[string, string]} */ ([host.hostId, host.name]));
  const choice = select(options, hostId);
  choice.setAttribute("aria-label", "Acting for host");
  choice.addEventListener("change", () => chosen(choice.value));
  return choice;
}
