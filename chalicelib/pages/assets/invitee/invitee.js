// The invitee's pages with JavaScript: times in the visitor's own zone, a calendar, a review, and one booking whatever happens.
import { booking, bookedBefore } from "./booking.js";
import { readPhrases } from "./dom.js";
import { forget, forgetLinksOf, recall } from "./memory.js";
import { problemOf } from "./redeem.js";
import { readRules } from "./rules.js";
import { answerTabs, meetTabs } from "./tabs.js";
import { tellTimes } from "./time.js";

/** Put another page of ours in this one's place, as an answer to what was just sent. @param {Document} page */
function show(page) {
  const main = page.querySelector("main");
  if (!main) return location.reload();
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
  tellTimes(document);
  if (/\/s\/[^/]+$/.test(location.pathname)) {
    const dead = /^link-/.test(problemOf(document));
    if (bookedBefore(dead)) return;
    meetTabs(dead);
  } else {
    if (recall().booked) forget(); // a booking may be moved again
    if (document.querySelector("main.void")) forgetLinksOf(location.pathname);
    else answerTabs();
  }
  booking(show);
}

begin();
// A page that the browser had kept aside begins where it was left; a booking made since is what its visitor wants.
addEventListener("pageshow", (event) => event.persisted && bookedBefore(true));
