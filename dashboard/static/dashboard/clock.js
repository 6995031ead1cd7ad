// Ages and remaining times, by the server's clock: the reader's own may be wrong.

import { text } from "./texts.js";

const NEARLY_OVER = 15; // seconds

let ahead = 0; // ms by which the server's clock is ahead of this one

export function setServerTime(milliseconds) {
  ahead = milliseconds - Date.now();
}

export const serverTime = () => Date.now() + ahead;

// Show a card's age, what is left of its ring window, and the bar for it.
export function tick(card) {
  if ("over" in card.dataset) return;
  const now = serverTime();
  const { received, until } = card.dataset;
  const age = Math.max(0, Math.floor((now - received) / 1000));
  const left = Math.max(0, Math.ceil((until - now) / 1000));
  const shown = card.querySelector(".age time") ?? card.querySelector(".age");
  write(shown, `${Math.floor(age / 60)}:${String(age % 60).padStart(2, "0")}`);
  write(card.querySelector(".left"), left ? text("left", left) : "");
  card.classList.toggle("nearly-over", left <= NEARLY_OVER);
  const gone = Math.min(1, Math.max(0, (now - received) / (until - received)));
  card.querySelector(".window").style.setProperty("--gone", gone);
}

// A text that is written anew is laid out anew, even where it says the same.
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export function keepTicking(root) {
  const begun = root.dataset.now;
  if (begun) setServerTime(Number(begun));
  setInterval(() => root.querySelectorAll(".call:not([data-over])").forEach(tick), 250);
}
