// The share window: a one-time link, a reusable one, and for each the embed code, the QR code and a mail.
import { api, newKey } from "../api.js";
import { busy, copy, download, fill, h, icon, loading, warn } from "../dom.js";
import { alert, confirmThen, field, onSubmit, openDialog } from "../dialogs.js";
import { askReplace } from "./actions.js";
import { forWhom, makeLinks, onLinksChanged, titleOf } from "../state.js";
import { tabs } from "../tabs.js";

const REUSABLE = "Reusable link";
const PNG_SIDE = 1024;
const LONGEST_MESSAGE = 1000;
const LANGUAGES = [["en", "English"], ["de", "German"], ["fr", "French"], ["es", "Spanish"], ["ja", "Japanese"]];

/**
 * Open the window for a link, or for an event type of which a link is yet to be made.
 * @param {{link?: any, eventType?: any}} what
 */
export function openShare({ link, eventType }) {
  const eventTypeId = link?.eventTypeId ?? eventType.eventTypeId;
  /** @type {{once: any, many: any}} */
  const links = { once: link && link.maxUsageCount !== null ? link : null, many: link && link.maxUsageCount === null ? link : null };
  let current = link ?? null;
  let looked = Boolean(links.many);
  const keys = { once: newKey(), many: newKey() };
  /** @type {Map<string, Promise<any>>} */
  const shared = new Map();
  const share = () => {
    const { linkId } = current;
    if (!shared.has(linkId)) shared.set(linkId, api("GET", `v1/links/${linkId}/share`).catch((error) => { shared.delete(linkId); throw error; }));
    return /** @type {Promise<any>} */ (shared.get(linkId));
  };

  /** @type {[string, string, () => any][]} */
  const TABS = [["once", link?.maxUsageCount > 1 ? "This link" : "One-time link", showOnce], ["many", "Reusable link", showMany], ["rolling", "Self-renewing", showRolling], ["embed", "Embed", showEmbed], ["qr", "QR code", showQr], ["mail", "Mail", showMail]];
  const panel = h("div.sect", {});
  /** @type {string} */
  let shownTab = "";
  const choice = tabs("Ways to share", TABS.map(([key, words]) => [key, words]), panel, async (key) => {
    shownTab = key;
    try {
      await TABS.find(([name]) => name === key)?.[2]();
    } catch (error) {
      if (shownTab === key) panel.replaceChildren(alert(/** @type {Error} */ (error).message), h("p.actions", {}, h("button.quiet.small", { type: "button", onclick: () => open(key) }, "Try again")));
    }
  });
  const open = choice.open;
  openDialog({ title: `Share ${link?.overrides.title ?? titleOf(eventTypeId)}`, kind: "steady", body: [choice.element, panel] });
  open(links.many ? "many" : "once");

  /** @param {string} key @param {...any} children what the tab shows, if it is still the one on show */
  function put(key, ...children) {
    if (shownTab === key) fill(panel, ...children);
  }

  /** @param {any} shown */
  function urlRow(shown) {
    return h("div.url", {}, h("input", { readonly: true, value: shown.url, "aria-label": "The link’s URL", onfocus: (/** @type {any} */ e) => e.target.select() }),
    h("button", { type: "button", onclick: () => copy(shown.url, "Link copied.") }, icon("copy"), "Copy"));
  }

  /** @param {"once" | "many"} kind @param {string} words @param {Record<string, any>} settings @param {string} [then] the tab to go on with */
  function maker(kind, words, settings, then = kind) {
    const button = h("button", { type: "button" }, words);
    button.addEventListener("click", () => busy(button, async () => {
      const making = makeLinks({ eventTypeId, ...settings }, keys[kind]).then(([made]) => { links[kind] = current = made; return made.url; });
      await copy(making, `${kind === "once" ? "One-time link" : REUSABLE} copied.`);
      keys[kind] = newKey();
      onLinksChanged.call();
      await open(then);
    }));
    return h("p.actions", {}, button);
  }

  function replacer(/** @type {"once" | "many"} */ kind) {
    return h("p.actions", {}, h("button.quiet.small", { type: "button", onclick: () => askReplace(links[kind], (fresh) => { links[kind] = current = fresh; open(kind); }) }, "Generate new link"));
  }

  function showOnce() {
    const shown = links.once;
    if (shown) current = shown;
    put("once", ...shown
      ? [h("p.hush", {}, `${forWhom(shown) ? `For ${forWhom(shown)}: good` : "Good"} for ${shown.remainingUses === 1 ? "one booking; then it is spent" : `${shown.remainingUses} more bookings`}.`), urlRow(shown), replacer("once")]
      : [h("div.prose", {}, h("p", {}, "A link that one person can book with once."), maker("once", "Make a one-time link and copy it", {}))]);
  }

  async function showMany() {
    if (!links.many && !looked) {
      put("many", loading());
      const page = await api("GET", "v1/links", { query: { eventTypeId, status: "active", q: REUSABLE, limit: 50 } });
      links.many = page.links.find((/** @type {any} */ one) => one.maxUsageCount === null && one.url) ?? null;
      looked = true;
    }
    const shown = links.many;
    if (shown) current = shown;
    put("many", ...shown
      ? [h("p.hush", {}, "Everyone who has it can book, any number of times, until you revoke it."), urlRow(shown), replacer("many")]
      : [h("div.prose", {}, h("p", {}, "A link without a limit of uses, for a signature or a web page. You can revoke it at any time."), maker("many", "Make a reusable link and copy it", { maxUsageCount: null, label: REUSABLE }))]);
  }

  async function showRolling() {
    const path = `v1/event-types/${eventTypeId}/rolling-link`;
    put("rolling", loading());
    const found = await api("GET", path).catch((error) => { if (error.status === 404) return null; throw error; });
    const shown = found?.url && found.status === "active" ? found : null;
    if (shown) current = shown;
    const renew = async () => {
      /** @type {any} */
      let fresh;
      await copy(api("POST", path).then((made) => { fresh = made; warn(made); return made.url; }), "Self-renewing link copied.");
      current = fresh;
      onLinksChanged.call();
      await open("rolling");
    };
    const make = h("button", { type: "button" }, found ? "Make a fresh one and copy it" : "Make it and copy it");
    make.addEventListener("click", () => busy(make, renew));
    const replace = h("button.quiet.small", { type: "button", onclick: () => confirmThen({
      title: "Generate a new link?",
      text: [h("p", {}, "A fresh self-renewing link is made and copied."), h("p", {}, h("strong", {}, "The old link stops working at once"), ", also for someone who has it open.")],
      action: "Generate new link",
      bad: false,
      run: renew,
    }) }, "Generate new link");
    put("rolling", ...shown
      ? [h("p.hush", {}, "Good for one booking. As soon as it is used, the next one stands here, ready for the next person."), urlRow(shown), h("p.actions", {}, replace)]
      : [h("div.prose", {}, h("p", {}, found ? "The last one expired or was revoked." : "One private link that renews itself: as soon as someone books with it, it is spent, and a fresh one stands here for the next person."), h("p.actions", {}, make))]);
  }

  /**
   * What the other tabs are about, or the way to have something to share.
   * @param {string} key
   */
  async function about(key) {
    if (!current) {
      put(key, h("div.prose", {}, h("p", {}, "First make a link to share."), maker("once", "Make a one-time link", {}, key)));
      return null;
    }
    put(key, loading());
    return { ways: await share(), words: h("p.hush", {}, current.maxUsageCount === null ? "Of the reusable link." : `Of the ${current.maxUsageCount === 1 ? "one-time " : ""}link${forWhom(current) ? ` for ${forWhom(current)}` : ""}: good for ${current.remainingUses === 1 ? "one booking" : `${current.remainingUses} bookings`}.`) };
  }

  async function showEmbed() {
    const found = await about("embed");
    if (!found) return;
    const { ways, words } = found;
    put("embed", words, ways.embedHtml === null
      ? h("div.prose", {}, h("p", {}, "No website may show booking pages in a frame yet. Whoever runs this installation can allow some: name their origins in the setting ", h("code", {}, "FRAME_ANCESTORS"), "."))
      : h("div", {}, field("Paste this into the page", h("textarea.code", { readonly: true, value: ways.embedHtml })), h("p.actions", {}, h("button", { type: "button", onclick: () => copy(ways.embedHtml, "Embed code copied.") }, icon("copy"), "Copy"))));
  }

  async function showQr() {
    const found = await about("qr");
    if (!found) return;
    const { ways, words } = found;
    const image = h("img.qr", { alt: "QR code of the link", src: `data:image/svg+xml,${encodeURIComponent(ways.qrSvg)}` });
    const png = h("button", { type: "button" }, "Download PNG");
    png.addEventListener("click", () => busy(png, async () => download("link-qr.png", await toPng(image))));
    put("qr", words, image, h("p.actions", {}, png,
      h("button.quiet", { type: "button", onclick: () => download("link-qr.svg", new Blob([ways.qrSvg], { type: "image/svg+xml" })) }, "Download SVG")));
  }

  async function showMail() {
    const found = await about("mail");
    if (!found) return;
    const { ways, words } = found;
    const to = h("input", { type: "email", value: current.recipient?.email ?? "", autocomplete: "off" });
    const subject = h("input", { value: ways.mail.subject });
    const text = h("textarea", { rows: 9, value: ways.mail.text });
    const send = h("a.button", { href: "#" }, "Open in your mail program");
    const set = () => { send.href = `mailto:${encodeURIComponent(to.value)}?subject=${encodeURIComponent(subject.value)}&body=${encodeURIComponent(text.value.replaceAll("\n", "\r\n"))}`; };
    for (const one of [to, subject, text]) one.addEventListener("input", set);
    set();
    put("mail", words, sender(current), h("section.sect", {}, h("h3", {}, "From your own mail program"), field("To", to), field("Subject", subject), field("Text", text)),
      h("p.actions.sect", {}, h("button", { type: "button", onclick: () => copy(text.value, "Text copied.") }, icon("copy"), "Copy text"), send));
  }
}

/**
 * What has a link mailed to its recipient by this installation.
 * @param {any} link
 */
function sender(link) {
  const place = h("section.sect", {});
  const to = link.recipient?.email;
  if (!to) {
    place.append(h("p.hint", {}, "Give the link a recipient with an email address, and it can be sent from here."));
    return place;
  }
  const ask = () => {
    // The same key until an answer came: pressed again after a lost reply, it is the same mail.
    let key = newKey();
    const message = h("textarea", { rows: 3, maxlength: LONGEST_MESSAGE });
    const language = h("select", { value: "en" }, LANGUAGES.map(([code, words]) => h("option", { value: code }, words)));
    const send = h("button", { type: "submit" }, "Send by mail");
    const form = h("form", { autocomplete: "off" },
      field("A word of yours (optional)", message, { pointer: "/message", hint: "The mail says who invites, to what, and how long the link is good." }),
      field("Language of the mail", language, { pointer: "/language" }), h("p.actions.sect", {}, send));
    form.addEventListener("input", () => { key = newKey(); });
    onSubmit(form, send, async () => {
      const sent = await api("POST", `v1/links/${link.linkId}/send`, { body: { message: message.value, language: language.value }, key }).catch((error) => {
        if (error.code === "mail-not-configured") error.message = "This installation sends no mail: whoever runs it has to set a sender’s address. Your own mail program, below, can.";
        throw error;
      });
      const again = h("button.quiet.small", { type: "button", onclick: () => { ask(); place.querySelector("textarea")?.focus(); } }, "Send another");
      fill(place, h("div.alert.info", { role: "status" }, `On its way to ${sent.to}. The link’s history says when it is sent.`), h("p.actions", {}, again));
      again.focus();
    });
    fill(place, h("h3", {}, `Send to ${to}`), form);
  };
  ask();
  return place;
}

/**
 * Draw the QR code with sharp edges.
 * @param {HTMLImageElement} image
 * @returns {Promise<Blob>}
 */
async function toPng(image) {
  await image.decode();
  const canvas = h("canvas", { width: PNG_SIDE, height: PNG_SIDE });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, PNG_SIDE, PNG_SIDE);
  return new Promise((resolve, reject) => canvas.toBlob((/** @type {Blob | null} */ blob) => (blob ? resolve(blob) : reject(new Error("The browser could not draw it."))), "image/png"));
}
