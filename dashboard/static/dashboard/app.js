// What every signed-in page does: listens to the socket, rings, and sends clicks.

import "./copy.js";
import "./dialog.js";
import "./focus.js";
import "./mapping.js";
import "./notification-preferences.js";
import "./notifications.js";
import "./period.js";
import "./polled.js";
import "./reports.js";
import { renewIfChanged } from "./call.js";
import { audibleCards, board, take } from "./cards.js";
import { keepTicking, setServerTime } from "./clock.js";
import { lookForNewCalls } from "./history.js";
import { useKeyboard } from "./keyboard.js";
import { tellAnew } from "./looking.js";
import { showTimes } from "./reader.js";
import { useReasons } from "./reasons.js";
import { noteShown } from "./receipts.js";
import { useSilence } from "./silence.js";
import { connect, reconnect } from "./socket.js";
import { ringIfDue, ringWhile } from "./sound.js";
import { text } from "./texts.js";

const trouble = document.getElementById("trouble");

keepTicking(board);
ringWhile(() => audibleCards().length > 0);
useKeyboard(board);
useReasons(board);
useSilence(board);

connect((html) => {
  const { wholeBoard, cards, asides, sign } = take(html);
  setServerTime(Number(sign.now));
  renewIfChanged(wholeBoard);
  if (cards) lookForNewCalls();
  // For parts of pages that show them. With the first board, too: it is newer than the page.
  if (asides.includes("follow-ups")) window.htmx.trigger(document.body, "follow-ups");
  noteShown();
  ringIfDue();
  if (wholeBoard) tellAnew();
  return { wholeBoard, changes: cards || asides.length > 0, number: Number(sign.seq), doubtful: "doubtful" in sign };
});

// The answer to a click on Reject is its card, which goes the way of every other card.
document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.target !== board) return;
  detail.shouldSwap = false;
  if (detail.xhr.status !== 200) return;
  say("");
  take(detail.xhr.responseText);
});
document.body.addEventListener("htmx:afterSwap", ({ detail }) => showTimes(detail.target));
document.body.addEventListener("htmx:sendError", () => say(text("unreached")));
document.body.addEventListener("htmx:responseError", ({ detail }) => {
  say(text(detail.xhr.status === 503 ? "busy" : "failed"));
  reconnect();
});

function say(words) {
  trouble.textContent = words;
  trouble.hidden = !words;
}
