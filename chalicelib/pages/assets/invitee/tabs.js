// Tabs of one link that are open at the same time tell each other of the booking made; nothing of it outlives them.
import { embedded, linksOf, memoryName, recall } from "./memory.js";

/** @typedef {{booked: string, start: string}} Made a booking's URL and its time */

/** @type {BroadcastChannel | null} */
let channel = null;
/** @type {Made | null} made in another tab */
let other = null;
let sent = "";

/** @param {string} name @param {(said: any, channel: BroadcastChannel) => void} heard */
function listen(name, heard) {
  try {
    const found = new BroadcastChannel(name);
    found.onmessage = ({ data }) => heard(data, found);
    return found;
  } catch {
    return null; // as with storage: a frame may have none
  }
}

/**
 * Hear of bookings that other tabs make by this page's link; where none can be made any more, that is what its
 * visitor wants.
 * @param {boolean} dead
 */
export function meetTabs(dead) {
  channel?.close();
  channel = listen(memoryName, (said) => {
    if (said.ask) return;
    other = said;
    if (dead || said.start === sent) location.replace(shown(said));
  });
  if (dead && other) location.replace(shown(other));
  else if (dead) channel?.postMessage({ ask: true });
}

/** A booking's URL as this page may show it: in a frame with the word that allows one. @param {Made} made */
function shown({ booked }) {
  const url = new URL(booked);
  url.searchParams.delete("embed");
  if (embedded) url.searchParams.set("embed", "1");
  return url.href;
}

/** Answer for the booking that is on show, if this tab made it; also whoever asked while it was on its way. */
export function answerTabs() {
  for (const [name, { booked, start }] of linksOf(location.pathname)) {
    listen(name, (said, to) => said.ask && to.postMessage({ booked, start }))?.postMessage({ booked, start });
  }
}

/** This tab asks for a time; a booking of it by another tab is an answer too. @param {string} start */
export function askFor(start) {
  sent = start;
}

/** The answer was no: what another tab has booked at the time that was asked for, if it has. */
export function madeElsewhere() {
  const made = other?.start === sent ? shown(other) : undefined;
  sent = "";
  return made;
}

export function tellTabs() {
  const { booked, start } = recall();
  channel?.postMessage({ booked, start });
}
