// The share window: create or copy a link, and ways to pass it on.
import { h } from "../../../shared/dom.js";
import { titleOf } from "../../event-types/cache.js";
import { alertBox } from "../../ui/alerts.js";
import { openDialog } from "../../ui/dialogs.js";
import { messageOf } from "../../ui/states.js";
import { tabs } from "../../ui/tabs.js";
import { showMany, showOnce } from "./create.js";
import { showMail } from "./mail.js";
import { showRolling } from "./rolling.js";
import { EMBED, MAIL, MANY, ONCE, QR, ROLLING, Sharing } from "./sharing.js";
import { showEmbed, showQr } from "./ways.js";

/** @import { EventType, Link } from "../../resources.d.ts" */
/** @import { Tab } from "./sharing.js" */

/** @type {Record<Tab, (sharing: Sharing) => void | Promise<void>>} */
const SHOW = {
  [ONCE]: showOnce,
  [MANY]: showMany,
  [ROLLING]: showRolling,
  [EMBED]: showEmbed,
  [QR]: showQr,
  [MAIL]: showMail,
};

/**
 * Open the window for a link, or for an event type of which a link is to be created.
 * @param {{link: Link} | {link?: undefined, eventType: EventType}} what
 */
export function openShare(what) {
  const { link } = what;
  const eventTypeId = link ? link.eventTypeId : what.eventType.eventTypeId;
  const panel = h("div.sect", {});
  const sharing = new Sharing(eventTypeId, link ?? null, panel, (tab) => choice.open(tab));
  const several = link && link.maxUsageCount !== null && link.maxUsageCount > 1;
  /** @type {[Tab, string][]} */
  const names = [
    [ONCE, several ? "This link" : "One-time link"],
    [MANY, "Reusable link"],
    [ROLLING, "Self-renewing"],
    [EMBED, "Embed"],
    [QR, "QR code"],
    [MAIL, "Email"],
  ];
  const choice = tabs("Ways to share", names, panel, (key) => show(sharing, /** @type {Tab} */ (key)));
  openDialog({
    title: `Share ${link?.overrides.title ?? titleOf(eventTypeId)}`,
    kind: "steady",
    body: [choice.element, panel],
  });
  choice.open(sharing.links.many ? MANY : ONCE);
}

/** @param {Sharing} sharing @param {Tab} tab */
async function show(sharing, tab) {
  sharing.tab = tab;
  try {
    await SHOW[tab](sharing);
  } catch (error) {
    const again = h("button.quiet.small", { type: "button", onclick: () => sharing.open(tab) }, "Try again");
    sharing.put(tab, alertBox(messageOf(error)), h("p.actions", {}, again));
  }
}
