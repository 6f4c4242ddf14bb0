// The tabs that pass a link on as embed code and as a QR code.
import { h } from "../../../shared/dom.js";
import { copy, download } from "../../ui/clipboard.js";
import { field } from "../../ui/forms.js";
import { icon } from "../../ui/icons.js";
import { busy, loading } from "../../ui/states.js";
import { forWhom, usesWords } from "../words.js";
import { createButton } from "./create.js";
import { EMBED, ONCE, QR } from "./sharing.js";

/** @import { Link } from "../../resources.d.ts" */
/** @import { Sharing, Tab } from "./sharing.js" */

const PNG_SIDE = 1024; // px

/**
 * Return the link to pass on, the ways to do it, and which link it is in words. Without a link, offer to create one.
 * @param {Sharing} sharing
 * @param {Tab} tab
 */
export async function waysOf(sharing, tab) {
  const link = sharing.current;
  if (!link) {
    const button = createButton(sharing, ONCE, "Create a one-time link", tab);
    sharing.put(tab, h("div.prose", {}, h("p", {}, "Create a link to share first."), button));
    return null;
  }
  sharing.put(tab, loading());
  return { link, ways: await sharing.waysOf(link), words: h("p.hush", {}, linkWords(link)) };
}

/** @param {Link} link */
function linkWords(link) {
  if (link.maxUsageCount === null) return "For the reusable link.";
  const kind = link.maxUsageCount === 1 ? "one-time " : "";
  const whom = forWhom(link) ? ` for ${forWhom(link)}` : "";
  return `For the ${kind}link${whom}: valid for ${usesWords(link.remainingUses)}.`;
}

/** @param {Sharing} sharing */
export async function showEmbed(sharing) {
  const found = await waysOf(sharing, EMBED);
  if (!found) return;
  const { embedHtml } = found.ways;
  sharing.put(EMBED, found.words, embedHtml === null ? noEmbedding() : embedding(embedHtml));
}

/** @param {string} html */
function embedding(html) {
  const code = h("textarea.code", { readonly: true, value: html });
  const onclick = () => copy(html, "Embed code copied.");
  const button = h("button", { type: "button", onclick }, icon("copy"), "Copy");
  return h("div", {}, field("Paste this into the page", code), h("p.actions", {}, button));
}

function noEmbedding() {
  const text =
    "No website is allowed to show booking pages in a frame yet. Your administrator can allow some: " +
    "name their origins in the setting ";
  return h("div.prose", {}, h("p", {}, text, h("code", {}, "FRAME_ANCESTORS"), "."));
}

/** @param {Sharing} sharing */
export async function showQr(sharing) {
  const found = await waysOf(sharing, QR);
  if (!found) return;
  const { qrSvg } = found.ways;
  const src = `data:image/svg+xml,${encodeURIComponent(qrSvg)}`;
  const image = h("img.qr", { alt: "QR code of the link", src });
  const png = h("button", { type: "button" }, "Download PNG");
  png.addEventListener("click", () => busy(png, async () => download("link-qr.png", await toPng(image))));
  const saveSvg = () => download("link-qr.svg", new Blob([qrSvg], { type: "image/svg+xml" }));
  const svg = h("button.quiet", { type: "button", onclick: saveSvg }, "Download SVG");
  sharing.put(QR, found.words, image, h("p.actions", {}, png, svg));
}

/**
 * Draw the QR code with sharp edges.
 * @param {HTMLImageElement} image
 * @returns {Promise<Blob>}
 */
async function toPng(image) {
  await image.decode();
  const canvas = h("canvas", { width: PNG_SIDE, height: PNG_SIDE });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, PNG_SIDE, PNG_SIDE);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error("The browser could not draw it."));
    }, "image/png");
  });
}
