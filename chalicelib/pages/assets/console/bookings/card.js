// The card of one booking, and its actions: cancel, erase personal data, show its link.
import { h } from "../../shared/dom.js";
import { api, hasStatus } from "../api.js";
import { eventTypeOf } from "../event-types/cache.js";
import { kindWords } from "../event-types/location-kinds.js";
import { openDetail } from "../links/detail/detail.js";
import { CANCELLED, CONFIRMED } from "../statuses.js";
import { ZONE, clock, clockZone, exact } from "../time.js";
import { confirmThen } from "../ui/dialogs.js";
import { menuButton } from "../ui/menus.js";
import { notify } from "../ui/notices.js";
import { messageOf } from "../ui/states.js";
import { openMove } from "./move.js";

/** @import { Booking } from "../resources.d.ts" */
/** @typedef {() => Promise<unknown>} Reload */

/**
 * @param {Booking} booking
 * @param {Reload} reload
 */
export function bookingCard(booking, reload) {
  const times = `${clock(booking.start)} – ${clockZone(booking.end)}`;
  const cancelled = booking.status === CANCELLED ? [" ", h("span.pill.cancelled", {}, "Cancelled")] : null;
  const { invitee } = booking;
  return h(
    "li.panel.card",
    { "data-id": booking.bookingId },
    h(
      "div",
      {},
      h("h3", {}, times, cancelled),
      h("p", {}, booking.title, invitee ? [" with ", h("b", {}, invitee.name)] : null),
      inviteeLine(booking),
      locationLine(booking),
      answerLines(booking),
    ),
    actions(booking, reload),
  );
}

/** @param {Booking} booking */
function inviteeLine({ invitee, timeZone }) {
  if (!invitee) return h("p.sub", {}, "Personal data erased");
  const address = h("a", { href: `mailto:${encodeURIComponent(invitee.email)}` }, invitee.email);
  return h("p.sub", {}, address, timeZone === ZONE ? "" : `, in ${timeZone.replaceAll("_", " ")}`);
}

/** @param {Booking} booking */
function locationLine({ location }) {
  if (!location) return null;
  return h("p.sub", {}, [kindWords(location), location.detail].filter(Boolean).join(": "));
}

/** @param {Booking} booking */
function answerLines(booking) {
  const questions = eventTypeOf(booking.eventTypeId)?.questions ?? [];
  return Object.entries(booking.answers ?? {})
    .filter(([, answer]) => answer)
    .map(([id, answer]) => h("p.sub", {}, `${questions.find((one) => one.id === id)?.label ?? id}: ${answer}`));
}

/** @param {Booking} booking @param {Reload} reload */
function actions(booking, reload) {
  const who = booking.invitee?.name ?? "someone";
  const open = booking.status === CONFIRMED && Date.parse(booking.start) > Date.now();
  const move = { "aria-label": `Move the booking with ${who}`, onclick: () => openMove(booking, reload) };
  const cancel = { "aria-label": `Cancel the booking with ${who}`, onclick: () => askCancel(booking, reload) };
  const erase = { text: "Erase personal data", run: () => askErase(booking, reload), bad: true };
  return h(
    "div.actions",
    {},
    open
      ? [
          h("button.quiet.small", { type: "button", ...move }, "Move"),
          h("button.quiet.small.danger", { type: "button", ...cancel }, "Cancel"),
        ]
      : null,
    menuButton(`Actions for the booking with ${who}`, () => [
      { text: "Show its link", run: () => showLink(booking) },
      ...(booking.invitee ? [erase] : []),
    ]),
  );
}

/** @param {Booking} booking */
async function showLink(booking) {
  try {
    openDetail(await api("GET", `v1/links/${booking.linkId}`));
  } catch (error) {
    notify(hasStatus(error, 404) ? "The link was deleted." : messageOf(error), { bad: true });
  }
}

/** @param {Booking} booking @param {Reload} reload */
function askCancel(booking, reload) {
  const what = `${booking.title}${booking.invitee ? ` with ${booking.invitee.name}` : ""}`;
  const then = "The time is free again at once. Whether the link can be used again is the link’s own setting.";
  confirmThen({
    title: "Cancel this booking?",
    text: [h("p", {}, `${what}, ${exact(booking.start)}.`), h("p", {}, then)],
    action: "Cancel booking",
    keep: "Keep it",
    run: async () => {
      await api("POST", `v1/bookings/${booking.bookingId}/cancel`);
      notify("Booking cancelled.");
      await reload();
    },
  });
}

/** @param {Booking} booking @param {Reload} reload */
function askErase(booking, reload) {
  const text = "Name, email and answers are permanently deleted. The record that there was a booking stays.";
  confirmThen({
    title: "Erase the personal data?",
    text: h("p", {}, text),
    action: "Erase",
    run: async () => {
      await api("DELETE", `v1/bookings/${booking.bookingId}/personal-data`);
      notify("Personal data erased.");
      await reload();
    },
  });
}
