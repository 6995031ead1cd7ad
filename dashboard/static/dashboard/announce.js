// What screen readers hear: that a call has come, at once; what became of one, politely. Never a time that is left.

import { text } from "./texts.js";

const atOnce = document.getElementById("said-at-once");
const politely = document.getElementById("said-politely");

const wordsOf = (card, ...parts) =>
  parts.map((part) => card.querySelector(part)?.textContent.replace(/\s+/g, " ").trim()).filter(Boolean).join(", ");

// The cards of one message: those that have come, and those whose call became something else.
export function announce(arrived, changed) {
  if (arrived.length > 1) atOnce.textContent = text("manyArrived", arrived.length);
  else if (arrived.length) atOnce.textContent = text("arrived", wordsOf(arrived[0], "h3", ".facts"));
  if (changed.length) politely.textContent = changed.map((card) => wordsOf(card, "h3", ".act .outcome, .doing", ".by", ".note")).join("; ");
}

export function say(words) {
  politely.textContent = words;
}
