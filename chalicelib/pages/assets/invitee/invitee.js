// The invitee pages' entry: times in the visitor's zone, a calendar, a review, and a form that books once.
import { enhanceForm } from "./booking/booking.js";
import { showEarlierBooking } from "./booking/earlier.js";
import { forget, forgetLinksOf, recall } from "./memory.js";
import { readPhrases } from "./phrases.js";
import { readRules } from "./rules.js";
import { problemOf } from "./redeem.js";
import { answerTabs, watchTabs } from "./tabs.js";
import { formatTimes } from "./time.js";

/** Show another page in this one's place, as the response to what was sent. @param {Document} page */
function showPage(page) {
  const main = page.querySelector("main");
  if (!main) {
    location.reload();
    return;
  }
  document.querySelector("main")?.replaceWith(document.adoptNode(main));
  document.title = page.title;
  begin();
  const alert = /** @type {HTMLElement | null} */ (main.querySelector("[role=alert]") ?? main.querySelector("h1"));
  alert?.setAttribute("tabindex", "-1");
  alert?.focus();
  scrollTo(0, 0);
}

function begin() {
  readPhrases();
  readRules();
  formatTimes(document);
  if (/\/s\/[^/]+$/.test(location.pathname)) {
    const dead = /^link-/.test(problemOf(document));
    if (showEarlierBooking(dead)) return;
    watchTabs(dead);
  } else {
    if (recall().booked) forget(); // a booking may be moved again
    if (document.querySelector("main.void")) forgetLinksOf(location.pathname);
    else answerTabs();
  }
  enhanceForm(showPage);
}

begin();
// The browser shows a page from its cache as the visitor left it; show a booking that was made since.
addEventListener("pageshow", (event) => event.persisted && showEarlierBooking(true));
