// Tabs of one link that are open at the same time share the booking that one of them makes. Nothing is stored.
import { embedded, linksOf, memoryName, recall } from "./memory.js";

/** @typedef {{booked: string, start: string}} Made a booking's URL and its time */
/** @typedef {Made & {ask?: undefined} | {ask: true}} Message a booking, or a question for one */

/** @type {BroadcastChannel | null} */
let channel = null;
/** @type {Made | null} the booking that another tab made */
let other = null;
let sent = ""; // the time that this tab tries to book

/**
 * @param {string} name
 * @param {(message: Message, channel: BroadcastChannel) => void} receive
 */
function listen(name, receive) {
  try {
    const found = new BroadcastChannel(name);
    found.onmessage = ({ data }) => receive(data, found);
    return found;
  } catch {
    return null; // as with storage: a frame may have none
  }
}

/**
 * Receive the bookings that other tabs make with this page's link. If the link is dead, show that booking.
 * @param {boolean} dead
 */
export function watchTabs(dead) {
  channel?.close();
  channel = listen(memoryName, (message) => {
    if (message.ask) return;
    other = message;
    if (dead || message.start === sent) location.replace(urlOf(message));
  });
  if (dead && other) location.replace(urlOf(other));
  else if (dead) channel?.postMessage({ ask: true });
}

/** Return a booking's URL, with the parameter that allows frames if this page is in one. @param {Made} made */
function urlOf({ booked }) {
  const url = new URL(booked);
  url.searchParams.delete("embed");
  if (embedded) url.searchParams.set("embed", "1");
  return url.href;
}

/** Announce the booking on this page, if this tab made it, and answer tabs that ask for it. */
export function answerTabs() {
  for (const [name, { booked, start }] of linksOf(location.pathname)) {
    listen(name, ({ ask }, to) => ask && to.postMessage({ booked, start }))?.postMessage({ booked, start });
  }
}

/** Note the time that this tab tries to book: another tab may have booked it. @param {string} start */
export function noteStart(start) {
  sent = start;
}

/** Return the URL of another tab's booking of that time, after the server rejected this tab's. */
export function bookedElsewhere() {
  const url = other?.start === sent ? urlOf(other) : undefined;
  sent = "";
  return url;
}

/** Announce the booking that this tab made. */
export function announceBooking() {
  const { booked, start } = recall();
  channel?.postMessage({ booked, start });
}
