// Boxes with a message: an error, or a piece of information.
import { h } from "../../shared/dom.js";

/** @import { Child } from "../../shared/dom.js" */

/** @param {Child | Child[]} text */
export const alertBox = (text) => h("div.alert", { role: "alert" }, text);
