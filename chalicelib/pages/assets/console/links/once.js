// "1×": one press makes a link for one booking, and copies it.
import { newKey } from "../api.js";
import { busy, copy, h } from "../dom.js";
import { makeLinks, onLinksChanged } from "../state.js";

/**
 * A button that makes and copies a link of an event type.
 * @param {any} eventType
 */
export function onceButton(eventType) {
  // The same key until an answer came: pressed again after a lost reply, it is the same link.
  let key = newKey();
  const button = h("button.small.once", { type: "button", title: "Make a link for one booking and copy it", "aria-label": `1× ${eventType.title}: make and copy a one-time link` }, "1×");
  button.addEventListener("click", () => busy(button, async () => {
    const making = makeLinks({ eventTypeId: eventType.eventTypeId }, key).then(([link]) => link.url);
    await copy(making, `One-time link for ${eventType.title} copied.`);
    key = newKey();
    onLinksChanged.call();
  }));
  return button;
}
