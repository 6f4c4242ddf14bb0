// Tabs of one link that are open at the same time tell each other of the booking made; nothing of it outlives them.
import { linksOf, memoryName, recall } from "./invitee-memory.js";

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
    if (dead || said.start === sent) location.replace(said.booked);
  });
  if (dead && other) location.replace(other.booked);
  else if (dead) channel?.postMessage({ ask: true });
}

/** Answer for the booking that is on show, if this tab made it. */
export function answerTabs() {
  for (const [name, { booked, start }] of linksOf(location.pathname)) {
    listen(name, (said, to) => said.ask && to.postMessage({ booked, start }));
  }
}

/** The booking that another tab has made for this time; where there is none, this tab goes ahead. @param {string} start */
export function madeElsewhere(start) {
  sent = start;
  return other?.start === start ? other.booked : undefined;
}

export function tellTabs() {
  const { booked, start } = recall();
  channel?.postMessage({ booked, start });
}
