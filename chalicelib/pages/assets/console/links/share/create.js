// The tabs that create a link to share: one for one booking, one without a limit.
import { h } from "../../../shared/dom.js";
import { api, newKey } from "../../api.js";
import { ACTIVE } from "../../statuses.js";
import { busy, loading } from "../../ui/states.js";
import { askReplace, copyCreated } from "../actions.js";
import { createLinks, linksChanged } from "../changes.js";
import { forWhom } from "../words.js";
import { MANY, ONCE, urlRow } from "./sharing.js";

/** @import { Link, LinkPage, LinkSettings } from "../../resources.d.ts" */
/** @import { Kind, Sharing, Tab } from "./sharing.js" */

const REUSABLE = "Reusable link"; // the label by which it is found again

/** @type {Record<Kind, {settings: Partial<LinkSettings>, name: string}>} */
const NEW_LINK = {
  [ONCE]: { settings: {}, name: "One-time link" },
  [MANY]: { settings: { maxUsageCount: null, label: REUSABLE }, name: REUSABLE },
};

/** @param {Sharing} sharing */
export function showOnce(sharing) {
  const link = sharing.links.once;
  if (!link) {
    const button = createButton(sharing, ONCE, "Create a one-time link and copy it");
    sharing.put(ONCE, h("div.prose", {}, h("p", {}, "A link that one person can book with once."), button));
    return;
  }
  sharing.current = link;
  const good = forWhom(link) ? `For ${forWhom(link)}: good` : "Good";
  const left = link.remainingUses === 1 ? "one booking; then it is spent" : `${link.remainingUses} more bookings`;
  sharing.put(ONCE, h("p.hush", {}, `${good} for ${left}.`), urlRow(link), replaceButton(sharing, ONCE, link));
}

/** @param {Sharing} sharing */
export async function showMany(sharing) {
  if (!sharing.links.many && !sharing.soughtReusable) {
    sharing.put(MANY, loading());
    sharing.links.many = await findReusable(sharing.eventTypeId);
    sharing.soughtReusable = true;
  }
  const link = sharing.links.many;
  if (!link) {
    const button = createButton(sharing, MANY, "Create a reusable link and copy it");
    const text = "A link without a limit of uses, for a signature or a web page. You can revoke it at any time.";
    sharing.put(MANY, h("div.prose", {}, h("p", {}, text), button));
    return;
  }
  sharing.current = link;
  const text = "Everyone who has it can book, any number of times, until you revoke it.";
  sharing.put(MANY, h("p.hush", {}, text), urlRow(link), replaceButton(sharing, MANY, link));
}

/** @param {string} eventTypeId */
async function findReusable(eventTypeId) {
  const query = { eventTypeId, status: ACTIVE, q: REUSABLE, limit: 50 };
  /** @type {LinkPage} */
  const page = await api("GET", "v1/links", { query });
  return page.links.find(({ maxUsageCount, url }) => maxUsageCount === null && url) ?? null;
}

/**
 * Return a button that creates a link and copies it.
 * @param {Sharing} sharing
 * @param {Kind} kind
 * @param {string} words
 * @param {Tab} [next] the tab to show then
 */
export function createButton(sharing, kind, words, next = kind) {
  const { settings, name } = NEW_LINK[kind];
  const create = async () => {
    const [link] = await createLinks({ eventTypeId: sharing.eventTypeId, ...settings }, sharing.keys[kind]);
    sharing.use(kind, link);
    return link;
  };
  const button = h("button", { type: "button" }, words);
  button.addEventListener("click", () =>
    busy(button, async () => {
      await copyCreated(create(), `${name} copied.`);
      sharing.keys[kind] = newKey();
      linksChanged();
      await sharing.open(next);
    }),
  );
  return h("p.actions", {}, button);
}

/**
 * @param {Sharing} sharing
 * @param {Kind} kind
 * @param {Link} link
 */
function replaceButton(sharing, kind, link) {
  /** @param {Link} fresh */
  const done = (fresh) => {
    sharing.use(kind, fresh);
    sharing.open(kind);
  };
  const onclick = () => askReplace(link, done);
  return h("p.actions", {}, h("button.quiet.small", { type: "button", onclick }, "Generate new link"));
}
