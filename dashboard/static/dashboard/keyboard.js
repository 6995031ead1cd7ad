// Keys for everything that agents do with calls (templates/_keys_list.html lists them). They act on the call that has the focus,
// and can be turned off.

import { focusWasPassedOn } from "./cards.js";
import { preference } from "./preferences.js";
import { rejectForReason } from "./reasons.js";

const list = document.getElementById("keys");

const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
const buttons = { r: "button.reject", "shift r": "[data-reject-all]:not([hidden])", s: "[data-silence]", t: "[data-key='t']", n: "[data-key='n']" };

export function useKeyboard(board) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || preference("keys") !== "on") return;
    if (event.target.closest("input, select, textarea, [popover]") || document.querySelector("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const combined = event.shiftKey ? `shift ${key}` : key; // asked of the key itself: Caps Lock is no Shift
    const card = focusedCard(board);
    if (key === "?") list.showModal();
    else if (combined in step) move(board, step[combined], event);
    else if (focusWasPassedOn()) return;
    else if (combined in buttons) card?.querySelector(buttons[combined])?.click();
    else if (/^[1-9]$/.test(key) && card) rejectForReason(card, Number(key));
  });
}

const focusedCard = (board) => (board.contains(document.activeElement) ? document.activeElement.closest(".call") : null);

function move(board, by, event) {
  const cards = [...board.querySelectorAll("#ringing .call")];
  if (!cards.length) return;
  const at = cards.indexOf(focusedCard(board));
  const next = at < 0 ? (by > 0 ? 0 : cards.length - 1) : Math.min(cards.length - 1, Math.max(0, at + by));
  cards[next].focus();
  event.preventDefault();
}
