// The way to a booking, or to another time for one: choose a time, say who, look it over, press once.
import { calendar } from "./calendar.js";
import { h, say } from "./dom.js";
import { embedded, forget, recall, remember } from "./memory.js";
import { isZone } from "./rules.js";
import { problemOf, send, Unheard } from "./redeem.js";
import { askFor, madeElsewhere } from "./tabs.js";
import { comma, day, ownZone, span, zoneWords } from "./time.js";
import { zoneChoice } from "./zone.js";

/**
 * Turn the server's form into steps. Where there is none, there is nothing to do.
 * @param {(page: Document) => void} show puts another page in this one's place
 */
export function booking(show) {
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-picker]"));
  if (!form) return;
  const picker = JSON.parse(form.dataset.picker ?? "{}");
  const time = /** @type {HTMLElement} */ (form.querySelector(".time"));
  const details = /** @type {HTMLElement | null} */ (form.querySelector(".details"));
  const finish = /** @type {HTMLElement} */ (form.querySelector(".finish"));
  const button = /** @type {HTMLButtonElement} */ (finish.querySelector("button"));
  const main = /** @type {HTMLElement} */ (document.querySelector("main"));
  const failed = Boolean(problemOf(document));
  const verb = button.textContent ?? "";
  const memory = recall();

  // The server's own choice gives way to the calendar; what it had chosen is taken over.
  const checked = /** @type {HTMLInputElement | null} */ (form.querySelector("[name=start]:checked"));
  const start = h("input", { type: "hidden", name: "start" });
  const zoneField = /** @type {HTMLInputElement} */ (form.querySelector("[name=timeZone]"));
  const asked = new URLSearchParams(location.search).get("timeZone");
  const wanted = [failed ? zoneField.value : null, memory.zone, asked, ownZone()].find((zone) => zone && isZone(zone));
  let zone = wanted ?? zoneField.value;
  const refused = /** @type {HTMLElement | null} */ (main.querySelector("[data-unknown]"));
  const unknown = refused?.dataset.unknown ?? (wanted ? "" : ownZone() || "?");
  refused?.remove();
  zoneField.value = zone;
  start.value = checked?.value ?? "";
  time.querySelector(".days")?.remove();
  form.querySelector("[name=idempotencyKey]")?.remove(); // this tab sends its own key instead
  form.noValidate = true;
  form.append(start);

  const shown = h("p.chosen");
  const review = h("section.review", { hidden: true, "aria-labelledby": "review" });
  const status = h("p.told", { role: "status" });
  const back = h("button.quiet", { type: "button", onclick: () => history.back() }, say("back"));
  form.insertBefore(review, finish);
  button.after(back);
  finish.append(status);
  details?.before(shown);

  const zones = zoneChoice(main, zone, unknown, (to) => {
    zone = zoneField.value = to;
    remember({ zone });
    dates.setZone(zone, chosenAt());
    tell();
  });
  const dates = calendar(picker, zone, {
    pick(at) {
      start.value = new Date(at).toISOString().replace(".000Z", "Z");
      to(details ? "details" : "review");
    },
    dayShown: (at) => zones.tell(zone, at),
  });
  time.append(dates.element);

  const chosenAt = () => (start.value ? Date.parse(start.value) : null);
  const when = (/** @type {number} */ at) => `${day(at, zone)}${comma}${span(at, at + picker.minutes * 60000, zone)}`;

  /** Say which time was chosen, with a way back to choosing. */
  function tell() {
    const at = chosenAt();
    if (at === null) return;
    shown.replaceChildren(h("span", {}, h("strong", {}, when(at)), h("span.sub", {}, zoneWords(zone, at))),
      h("button.link", { type: "button", onclick: () => to("time") }, say("change-time")));
  }

  /**
   * @param {string} step `time`, `details` or `review`
   * @param {boolean} [travelled] by the browser's own back or forward
   */
  function to(step, travelled = false) {
    if (step !== "time" && chosenAt() === null) step = "time";
    if (step === "details" && !details) step = "review";
    if (!travelled && history.state?.step !== step) history.pushState({ step }, "");
    draw(step);
    main.scrollIntoView({ block: "start" });
    if (step === "time") dates.focus();
    else if (step === "details") first(details?.querySelectorAll("input, select, textarea") ?? [])?.focus();
    else /** @type {HTMLElement} */ (review.firstElementChild).focus();
  }

  /** @param {Iterable<any>} fields the first one that wants something */
  const first = (fields) => [...fields].find((field) => !field.value && field.type !== "radio") ?? [...fields][0];

  /** @param {string} step */
  function draw(step) {
    main.dataset.step = step;
    time.hidden = step !== "time";
    zones.element.hidden = step !== "time";
    shown.hidden = step !== "details";
    if (details) details.hidden = step !== "details";
    review.hidden = step !== "review";
    finish.hidden = step === "time";
    button.textContent = step === "review" ? verb : say("review");
    status.textContent = "";
    if (step === "time") dates.show(chosenAt());
    if (step === "details") tell();
    if (step === "review") look();
    remember({ step, body: body() });
  }

  const body = () => new URLSearchParams(/** @type {any} */ (new FormData(form))).toString();

  /** Fill the review with all that will be sent. */
  function look() {
    const at = /** @type {number} */ (chosenAt());
    const rows = [[say("what"), picker.title]];
    if (picker.moving) {
      const [from, to] = picker.moving.map((/** @type {string} */ one) => Date.parse(one));
      rows.push([say("until-now"), `${day(from, zone)}${comma}${span(from, to, zone)}`]);
    }
    rows.push([say(picker.moving ? "new-time" : "when"), h("span", {}, when(at), h("span.sub", {}, zoneWords(zone, at)))]);
    const place = form.querySelectorAll("[name=location]").length ? +(new FormData(form).get("location") ?? 0) : 0;
    if (picker.places?.[place]) rows.push([say("where"), picker.places[place]]);
    for (const [label, value] of answers()) rows.push([label, value || h("span.hush", {}, say("no-answer-given"))]);
    review.replaceChildren(
      h("h2", { id: "review", tabindex: "-1" }, say(picker.moving ? "review-move" : "review-heading")),
      h("dl", {}, ...rows.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value)))),
    );
  }

  /** @returns {[string, string][]} what is asked beside the place, and what was said to it */
  function answers() {
    const given = new FormData(form);
    return [...(details?.querySelectorAll(".field") ?? [])].map((field) => {
      const label = field.querySelector("label[for], legend")?.firstChild?.textContent?.trim() ?? "";
      const name = /** @type {HTMLInputElement} */ (field.querySelector("[name]")).name;
      return [label, String(given.get(name) ?? "").trim()];
    });
  }

  /** Say what is missing or wrong beside each field, and go to the first. */
  function faults() {
    const wrong = [...(details?.querySelectorAll(".field, .where") ?? [])].filter((field) => {
      const inputs = /** @type {NodeListOf<HTMLInputElement>} */ (field.querySelectorAll("[name]"));
      const [input] = inputs;
      const value = String(new FormData(form).get(input.name) ?? "").trim();
      const bad = (input.required && !value && input.dataset.missing) || (value && input.type === "email" && !/^[^\s@]+@[^\s@]+\.[^\s@.]+$/.test(value) && input.dataset.wrong) || "";
      const described = field.matches("fieldset") ? field : input;
      const id = `${input.id}-error`;
      field.querySelector(".error")?.remove();
      for (const one of inputs) one.toggleAttribute("aria-invalid", false);
      described.removeAttribute("aria-describedby");
      if (!bad) return false;
      const place = field.querySelector("label[for], legend");
      place?.after(h("p.error", { id }, bad));
      described.setAttribute("aria-describedby", id);
      if (described === input) input.setAttribute("aria-invalid", "true");
      return true;
    });
    /** @type {HTMLElement | null | undefined} */ (wrong[0]?.querySelector("[name]"))?.focus();
    return wrong.length > 0;
  }

  const email = form.querySelector("#invitee-email"), unreachable = form.querySelector("#unreachable");
  /** Warn before booking if no confirmation can be emailed: SES accepts only ASCII before the @. */
  function warn() {
    unreachable?.toggleAttribute("hidden", !/^[^@]*[^\x00-\x7f]/.test(/** @type {HTMLInputElement} */ (email).value.trim()));
  }
  email?.addEventListener("input", warn);

  let sending = false;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (main.dataset.step === "details") {
      if (!faults()) to("review");
      return;
    }
    if (sending) return; // pressed twice is pressed once
    sending = true;
    askFor(start.value);
    button.setAttribute("aria-disabled", "true");
    form.classList.add("sending");
    try {
      const answer = await send(form.action, body(), (tries) => { status.textContent = say(tries ? "sending-again" : "sending"); });
      if (answer.booked) {
        location.replace(answer.booked);
        return; // the button stays as it is: the page is on its way
      }
      const made = madeElsewhere(); // pressed in two tabs too
      if (made && answer.page && /^(slot|link)-/.test(problemOf(answer.page))) return location.replace(made);
      if (answer.page) show(answer.page);
    } catch (error) {
      if (!(error instanceof Unheard)) throw error;
      status.textContent = say("not-heard");
    }
    sending = false;
    button.removeAttribute("aria-disabled");
    form.classList.remove("sending");
  });

  addEventListener("popstate", (event) => {
    if (form.isConnected) to(event.state?.step ?? "time", true);
  });
  addEventListener("pagehide", () => {
    if (form.isConnected && !recall().booked) remember({ body: body() });
  });

  begin();
  warn();

  /** Where to begin: at what was wrong, at what an earlier page of this tab had come to, or at the start. */
  function begin() {
    let step = "time";
    if (failed) {
      const wrong = details?.querySelector(".error");
      step = wrong && chosenAt() !== null ? "details" : "time";
      if (main.dataset.problem?.startsWith("slot-")) start.value = "";
    } else if (memory.body) {
      restore(new URLSearchParams(memory.body));
      step = chosenAt() === null ? "time" : (memory.step ?? "time");
      if (memory.unheard) step = "review";
    }
    history.replaceState({ step }, "");
    draw(step);
    if (memory.unheard && step === "review") status.textContent = say("not-heard");
  }

  /** @param {URLSearchParams} typed */
  function restore(typed) {
    for (const field of /** @type {Iterable<any>} */ (form.elements)) {
      const value = field.name ? typed.get(field.name) : null;
      if (value === null || field === zoneField) continue;
      if (field.type === "radio") field.checked = field.value === value;
      else field.value = value;
    }
    const at = chosenAt();
    if (at !== null && !memory.unheard && (at < Date.now() || (dates.knows(at) && !dates.has(at)))) start.value = "";
  }
}

/** Did this tab book by this link already? Then that booking is what its visitor wants. @param {boolean} dead */
export function bookedBefore(dead) {
  const { booked, unheard, key } = recall();
  const [entry] = performance.getEntriesByType("navigation");
  const travelled = /** @type {PerformanceNavigationTiming} */ (entry)?.type === "back_forward";
  if (booked && (dead || travelled)) {
    location.replace(booked);
    return true;
  }
  if (booked) forget(); // a link for several bookings, opened for another one
  if (dead && unheard && key) {
    send(`${location.pathname}/redeem${embedded ? "?embed=1" : ""}`, unheard).then((answer) => answer.booked && location.replace(answer.booked), () => {});
  }
  return false;
}
