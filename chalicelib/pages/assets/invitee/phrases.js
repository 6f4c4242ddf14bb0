// Phrases in the page's language, which the page includes.

/** @type {Record<string, string | Record<string, string>>} */
let phrases = {};

/** Read the phrases that the page includes. */
export function readPhrases() {
  phrases = JSON.parse(document.querySelector("main")?.dataset.words ?? "{}");
}

/**
 * Return a phrase; `n` chooses among its plural forms.
 * @param {string} key
 * @param {Record<string, any>} [values]
 */
export function say(key, values = {}) {
  const found = phrases[key];
  const { lang } = document.documentElement;
  const form = typeof found === "string" ? found : (found[new Intl.PluralRules(lang).select(values.n)] ?? found.other);
  return form.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
