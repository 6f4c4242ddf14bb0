// The form in steps: choose a time, enter the details, review, send once.
import { fill, h } from "../../shared/dom.js";
import { createCalendar, focusCalendar, isTaken, setCalendarZone, showTime } from "../calendar/calendar.js";
import { recall, remember } from "../memory.js";
import { say } from "../phrases.js";
import { isZone } from "../rules.js";
import { NoResponse, problemOf, send } from "../redeem.js";
import { bookedElsewhere, noteStart } from "../tabs.js";
import { ownZone, zoneWords } from "../time.js";
import { zoneChoice } from "../zone.js";
import { bodyOf, checkFields, fillFields, firstEmpty, warnOfUnreachable } from "./fields.js";
import { reviewOf, timeWords } from "./review.js";

/** @import { Picker } from "./review.js" */
/** @typedef {(page: Document) => void} ShowPage puts another page in this one's place */

const TIME = "time";
const DETAILS = "details";
const REVIEW = "review";

/** A problem for which another tab's booking may be the reason. */
const TAKEN = /^(slot|link)-/;

/**
 * Turn the server's form into steps, if the page has one.
 * @param {ShowPage} showPage
 */
export function enhanceForm(showPage) {
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-picker]"));
  if (form) new BookingForm(form, showPage).begin();
}

/** Return an element that the server always writes. @param {ParentNode} place @param {string} selector */
const mustFind = (place, selector) => /** @type {HTMLElement} */ (place.querySelector(selector));

class BookingForm {
  /** @param {HTMLFormElement} form @param {ShowPage} showPage */
  constructor(form, showPage) {
    this.form = form;
    this.showPage = showPage;
    this.sending = false;
    /** @type {Picker} */
    this.picker = JSON.parse(form.dataset.picker ?? "{}");
    this.problem = problemOf(document);
    this.main = mustFind(document, "main");
    this.time = mustFind(form, ".time");
    this.details = /** @type {HTMLElement | null} */ (form.querySelector(".details"));
    this.finish = mustFind(form, ".finish");
    this.button = mustFind(this.finish, "button");
    this.verb = this.button.textContent;
    this.start = startField(form);
    this.zoneField = /** @type {HTMLInputElement} */ (mustFind(form, "[name=timeZone]"));
    this.chosen = h("p.chosen");
    this.review = h("section.review", { hidden: true, "aria-labelledby": "review" });
    this.status = h("p.told", { role: "status" });
    this.zones = zoneChoice(this.main, ...this.takeZone(), (zone) => this.setZone(zone));
    const calendar = createCalendar(this.picker, this.zone, {
      pick: (at) => this.pick(at),
      dayShown: (at) => this.zones.show(this.zone, at),
    });
    this.arrange();
    this.time.append(calendar);
  }

  /** The start that the visitor chose. */
  get at() {
    return this.start.value ? Date.parse(this.start.value) : null;
  }

  get zone() {
    return this.zoneField.value;
  }

  /**
   * Choose the first zone: after an error the form's own, else one that the visitor chose, else the browser's.
   * @returns {[string, string]} the zone, and the browser's if the server does not know it
   */
  takeZone() {
    const inUrl = new URLSearchParams(location.search).get("timeZone");
    const zones = [this.problem && this.zone, recall().zone, inUrl, ownZone()];
    const known = zones.find((zone) => zone && isZone(zone));
    const refused = /** @type {HTMLElement | null} */ (this.main.querySelector("[data-unknown]"));
    refused?.remove();
    this.zoneField.value = known ?? this.zone;
    return [this.zone, refused?.dataset.unknown ?? (known ? "" : ownZone() || "?")];
  }

  /** Put the elements of the steps in the place of the server's, and listen. */
  arrange() {
    const { form } = this;
    this.time.querySelector(".days")?.remove();
    form.querySelector("[name=idempotencyKey]")?.remove(); // this tab sends its own key instead
    form.noValidate = true;
    form.append(this.start);
    form.insertBefore(this.review, this.finish);
    this.button.after(h("button.quiet", { type: "button", onclick: () => history.back() }, say("back")));
    this.finish.append(this.status);
    this.details?.before(this.chosen);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    addEventListener("popstate", (event) => {
      if (form.isConnected) this.goTo(event.state?.step ?? TIME, true);
    });
    addEventListener("pagehide", () => {
      if (form.isConnected && !recall().booked) remember({ body: bodyOf(form) });
    });
  }

  /** Begin at the step that the visitor left, or where something is wrong. */
  begin() {
    const { body, step: left = TIME, unheard } = recall();
    let step = TIME;
    if (this.problem) {
      if (this.details?.querySelector(".error") && this.at !== null) step = DETAILS;
      if (this.problem.startsWith("slot-")) this.start.value = "";
    } else if (body) {
      fillFields(this.form, new URLSearchParams(body));
      if (!unheard && this.isGone()) this.start.value = "";
      if (this.at !== null) step = left;
      if (unheard) step = REVIEW;
    }
    history.replaceState({ step }, "");
    this.draw(step);
    if (unheard && step === REVIEW) this.status.textContent = say("not-heard");
    warnOfUnreachable(this.form);
  }

  /** Whether the chosen start is past or no longer on offer. */
  isGone() {
    const { at } = this;
    return at !== null && (at < Date.now() || isTaken(at));
  }

  /** @param {number} at */
  pick(at) {
    this.start.value = new Date(at).toISOString().replace(".000Z", "Z");
    this.goTo(DETAILS);
  }

  /** @param {string} zone */
  setZone(zone) {
    this.zoneField.value = zone;
    remember({ zone });
    setCalendarZone(zone, this.at);
    this.drawChosen();
  }

  /**
   * @param {string} wanted TIME, DETAILS or REVIEW; another step if something is missing for it
   * @param {boolean} [travelled] by the browser's own back or forward
   */
  goTo(wanted, travelled = false) {
    const step = this.at === null ? TIME : wanted === DETAILS && !this.details ? REVIEW : wanted;
    if (!travelled && history.state?.step !== step) history.pushState({ step }, "");
    this.draw(step);
    this.main.scrollIntoView({ block: "start" });
    if (step === TIME) focusCalendar();
    else if (step === REVIEW) mustFind(this.review, "h2").focus();
    else if (this.details) firstEmpty(this.details)?.focus();
  }

  /** @param {string} step */
  draw(step) {
    this.main.dataset.step = step;
    this.time.hidden = this.zones.element.hidden = step !== TIME;
    this.chosen.hidden = step !== DETAILS;
    if (this.details) this.details.hidden = step !== DETAILS;
    this.review.hidden = step !== REVIEW;
    this.finish.hidden = step === TIME;
    this.button.textContent = step === REVIEW ? this.verb : say("review");
    this.status.textContent = "";
    if (step === TIME) showTime(this.at);
    if (step === DETAILS) this.drawChosen();
    if (step === REVIEW) this.drawReview();
    remember({ step, body: bodyOf(this.form) });
  }

  /** Show the chosen time, with a way back to choosing. */
  drawChosen() {
    const { at, zone, picker } = this;
    if (at === null) return;
    const time = h("strong", {}, timeWords(at, at + picker.minutes * 60000, zone));
    const change = h("button.link", { type: "button", onclick: () => this.goTo(TIME) }, say("change-time"));
    fill(this.chosen, h("span", {}, time, h("span.sub", {}, zoneWords(zone, at))), change);
  }

  drawReview() {
    const { form, details, picker, at, zone } = this;
    if (at !== null) fill(this.review, reviewOf(form, details, picker, { at, zone }));
  }

  async submit() {
    if (this.main.dataset.step === DETAILS) {
      if (this.details && checkFields(this.form, this.details)) this.goTo(REVIEW);
      return;
    }
    if (this.sending) return; // a double click sends once
    this.setSending(true);
    noteStart(this.start.value);
    if (!(await this.send())) this.setSending(false);
  }

  /** @param {boolean} sending */
  setSending(sending) {
    this.sending = sending;
    this.form.classList.toggle("sending", sending);
    if (sending) this.button.setAttribute("aria-disabled", "true");
    else this.button.removeAttribute("aria-disabled");
  }

  /** @returns {Promise<boolean>} whether the browser is on its way to the booking's page */
  async send() {
    try {
      const { booked, page } = await send(this.form.action, bodyOf(this.form), (tries) => {
        this.status.textContent = say(tries ? "sending-again" : "sending");
      });
      const elsewhere = booked ? undefined : bookedElsewhere(); // the visitor pressed in two tabs
      const url = booked ?? (page && TAKEN.test(problemOf(page)) ? elsewhere : undefined);
      if (url) location.replace(url);
      else if (page) this.showPage(page);
      return Boolean(url);
    } catch (error) {
      if (!(error instanceof NoResponse)) throw error;
      this.status.textContent = say("not-heard");
      return false;
    }
  }
}

/** Return a hidden field with the start that the server's form has chosen. @param {HTMLFormElement} form */
function startField(form) {
  const checked = /** @type {HTMLInputElement | null} */ (form.querySelector("[name=start]:checked"));
  return h("input", { type: "hidden", name: "start", value: checked?.value ?? "" });
}
