// Sign in with an API key.
import { h } from "../shared/dom.js";
import { ApiError, api, hasStatus, session } from "./api.js";
import { field, onSubmit } from "./ui/forms.js";

/** @param {() => void} done */
export function signInPage(done) {
  const purpose = h("p.hush", {}, "Private booking links, for hosts.");
  return h("section.gate", {}, h("h1", {}, "Admit One"), purpose, keyForm(done));
}

/**
 * Return the form that asks for a key and checks it.
 * @param {() => void} done
 */
export function keyForm(done) {
  const plain = { autocomplete: "off", spellcheck: "false", autocapitalize: "off" };
  const input = h("input", { type: "password", required: true, ...plain }); // no name: a key never gets into a URL
  const go = h("button", { type: "submit" }, "Sign in");
  const hint = "It starts with ao_ and is kept in this browser tab only.";
  const form = h("form", { autocomplete: "off" }, field("API key", input, { hint }), go);
  onSubmit(form, go, async () => {
    const apiKey = input.value.trim();
    try {
      await api("GET", "v1/me", { apiKey });
    } catch (error) {
      if (!hasStatus(error, 401)) throw error;
      input.select();
      const cause = "This key doesn’t work: it has a typo, or it was revoked.";
      const advice = "Check it, or ask your administrator for a new one.";
      throw new ApiError(401, { detail: `${cause} ${advice}` });
    }
    if (session.key !== apiKey) session.hostId = "";
    session.key = apiKey;
    input.value = "";
    done();
  });
  return form;
}
