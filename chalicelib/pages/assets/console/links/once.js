// The `1×` button: creates a link for one booking and copies it.
import { h } from "../../shared/dom.js";
import { newKey } from "../api.js";
import { busy } from "../ui/states.js";
import { copyCreated } from "./actions.js";
import { createLinks, linksChanged } from "./changes.js";

/** @import { EventType } from "../resources.d.ts" */

/** @param {EventType} eventType */
export function onceButton(eventType) {
  // The same key until a response comes: after a lost response, another press returns the same link.
  let key = newKey();
  const label = `1× ${eventType.title}: create and copy a one-time link`;
  const title = "Create a link for one booking and copy it";
  const button = h("button.small.once", { type: "button", title, "aria-label": label }, "1×");
  const create = async () => {
    const [link] = await createLinks({ eventTypeId: eventType.eventTypeId }, key);
    return link;
  };
  button.addEventListener("click", () =>
    busy(button, async () => {
      await copyCreated(create(), `One-time link for ${eventType.title} copied.`);
      key = newKey();
      linksChanged();
    }),
  );
  return button;
}
