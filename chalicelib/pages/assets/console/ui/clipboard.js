// Copy text to the clipboard and download files.
import { h } from "../../shared/dom.js";
import { notify } from "./notices.js";

const REVOKED_AFTER_MS = 60000;

/**
 * Copy a text, which may still be on its way, and show a notice. If the browser refuses, show the text to be copied.
 * @param {string | Promise<string>} text
 * @param {string} done the notice once it is copied
 * @returns {Promise<boolean>} whether it was copied
 */
export async function copy(text, done) {
  const coming = Promise.resolve(text);
  const written = write(coming);
  const value = await coming;
  if (await written) {
    notify(done);
    return true;
  }
  const what = done.replace(/\b[Cc]opied\b.*/, "").trim();
  const advice = `${what} Your browser didn’t allow copying. Press Ctrl+C or ⌘C:`.trim();
  const field = h("input", { readonly: true, value, "aria-label": "To copy" });
  notify([h("p", {}, advice), field], { stays: true });
  field.focus();
  field.select();
  return false;
}

/**
 * @param {Promise<string>} coming
 * @returns {Promise<boolean>} whether it was copied
 */
async function write(coming) {
  try {
    // Safari lets a page copy only if it asks while the press is handled; the text may follow.
    if (window.ClipboardItem) {
      const blob = coming.then((text) => new Blob([text], { type: "text/plain" }));
      blob.catch(() => {}); // the caller handles the error
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
    } else {
      await navigator.clipboard.writeText(await coming);
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * Download a file.
 * @param {string} name
 * @param {Blob} blob
 */
export function download(name, blob) {
  const url = URL.createObjectURL(blob);
  const anchor = h("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), REVOKED_AFTER_MS);
}
