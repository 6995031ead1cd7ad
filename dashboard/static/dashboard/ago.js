// Ages in words ("22 min"), by the server's clock.

import { serverTime } from "./clock.js";
import { text } from "./texts.js";

const RENEWED_EVERY = 10_000; // ms

export function showAges(root) {
  for (const time of root.querySelectorAll("time[data-ago]")) {
    const words = inWords(Math.floor((serverTime() - new Date(time.dateTime)) / 60_000));
    if (time.textContent !== words) time.textContent = words;
  }
}

// As the server says it: `age` in calls/templatetags/ringdesk.py.
function inWords(minutes) {
  if (minutes < 1) return text("justNow");
  if (minutes < 60) return text("minutes", minutes);
  if (minutes < 48 * 60) return text("hours", Math.floor(minutes / 60));
  return text("days", Math.floor(minutes / (24 * 60)));
}

setInterval(() => showAges(document), RENEWED_EVERY);
