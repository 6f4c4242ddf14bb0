// A link's URL or token holds its id in plain sight: found here, so that no token is ever sent in a query.

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const TOKEN = /^[A-Za-z0-9_-]{36}$/;

/**
 * Return the linkId of a pasted URL or token; null if the text is neither.
 * @param {string} text
 * @returns {string | null}
 */
export function linkIdIn(text) {
  const inUrl = /\/s\/([A-Za-z0-9_-]{36})(?:[/?#]|$)/.exec(text);
  const token = inUrl ? inUrl[1] : text;
  if (!TOKEN.test(token)) return null;
  const raw = atob(token.replaceAll("-", "+").replaceAll("_", "/"));
  return `lnk_${base32([...raw].slice(1, 17).map((c) => c.charCodeAt(0)))}`;
}

/**
 * Whether a text looks as if it had a token in it, whole or partial: such a text must not be sent.
 * @param {string} text
 */
export const looksSecret = (text) => /\/[sb]\/|^ao_|^https?:/i.test(text);

/** @param {number[]} bytes RFC 4648, lower case, without padding */
function base32(bytes) {
  let bits = 0;
  let value = 0;
  let out = "";
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      out += ALPHABET[(value >>> (bits - 5)) & 31];
      bits -= 5;
    }
    value &= (1 << bits) - 1;
  }
  return bits ? out + ALPHABET[(value << (5 - bits)) & 31] : out;
}
