// Name a request, and link to an email program.

/** @import { LinkRequest } from "../resources.d.ts" */

/** @param {LinkRequest} request */
export const nameOf = (request) => request.name || request.email;

/**
 * Return a `mailto:` URL.
 * @param {string} to
 * @param {{subject: string, body: string}} [mail]
 */
export function mailto(to, mail) {
  const words = mail ? `?subject=${encodeURIComponent(mail.subject)}&body=${encodeURIComponent(mail.body)}` : "";
  return `mailto:${encodeURIComponent(to)}${words}`;
}
