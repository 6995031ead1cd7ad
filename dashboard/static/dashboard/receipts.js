// What this screen has shown, for the record: each ringing call once, and once more when its ring can be heard here.

import { board, ringingCards } from "./cards.js";
import { isAudible } from "./sound.js";

const MOST = 200; // calls in one message
const KEPT = 120_000; // ms, once it was told

// A screen is a browser tab. The name outlives a reload, so that a call counts once.
export const screen = (sessionStorage.screen ||= madeUp());

const shown = new Map(); // by the call's number: when it was first shown, with sound or not, and what was told of it

function madeUp() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const numberOf = (card) => Number(card.id.slice("call-".length));
const worth = (call) => (call.audible ? 2 : 1);

// Note what rings on the board that somebody could be looking at.
export function noteShown() {
  if (document.hidden || !board.isConnected) return;
  for (const card of ringingCards()) {
    const pk = numberOf(card);
    if (!shown.has(pk)) shown.set(pk, { at: performance.now(), audible: false, told: 0 });
    shown.get(pk).audible ||= isAudible();
  }
}

// What the server has not been told yet, as it wants it: call, ms ago, with sound or not.
export function untold() {
  forget();
  noteShown();
  const due = [...shown].filter(([, call]) => call.told < worth(call)).slice(0, MOST);
  return due.map(([pk, call]) => {
    call.told = worth(call);
    return [pk, Math.round(performance.now() - call.at), worth(call) - 1];
  });
}

// On a new socket, since nobody knows what still arrived by the old one.
export function tellAgain() {
  forget();
  for (const call of shown.values()) call.told = 0;
}

function forget() {
  const old = performance.now() - KEPT;
  const ringing = new Set(ringingCards().map(numberOf));
  for (const [pk, call] of shown) if (call.told && call.at < old && !ringing.has(pk)) shown.delete(pk);
}

document.addEventListener("visibilitychange", noteShown);
