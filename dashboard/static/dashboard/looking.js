// Tells the server which call its reader looks at: the one that has the focus or the pointer, or whose page this is.

import { board } from "./cards.js";
import { send } from "./socket.js";

const SETTLES = 300; // ms, so that a pointer on its way elsewhere looks at nothing, and little is sent

let told = 0;
let due = false;

for (const sign of ["pointerover", "pointerleave", "focusin", "focusout", "taken"]) board.addEventListener(sign, look);
document.addEventListener("visibilitychange", look);

// On a new socket the server knows nothing yet.
export function tellAnew() {
  told = 0;
  look();
}

function look() {
  if (due) return;
  due = true;
  setTimeout(tell, SETTLES);
}

function tell() {
  due = false;
  const call = lookedAt();
  if (call === told) return;
  told = call;
  send({ looking: call });
}

function lookedAt() {
  if (document.hidden) return 0;
  const page = document.querySelector("#happened:not([data-over])");
  if (page) return Number(page.dataset.pk);
  const card = board.querySelector(".call:not([data-over]):is(:hover, :focus-within)");
  return card ? Number(card.id.slice("call-".length)) : 0;
}
