// Colleagues: who of them looks at a card or has taken it, and whether this page's own person is away. Cards are drawn for all,
// so what concerns one reader alone is added here.

import { board } from "./cards.js";
import { text } from "./texts.js";

const { me, supervisor } = document.getElementById("people").dataset;

// Whether this page's person is away: then nothing rings.
export const isAway = () => !document.getElementById("me-away").hidden;

board.addEventListener("taken", show);
show();

// The button that was clicked is gone then.
document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id !== "me-away") return;
  const menu = document.querySelector("details.me");
  menu.open = false;
  menu.querySelector("summary").focus();
});

function show() {
  showAway();
  showLookers();
  for (const taken of board.querySelectorAll("#ringing .taken")) showActions(taken);
}

function showAway() {
  const list = document.getElementById("people-away");
  if (!list.hasAttribute("data-known")) return; // not sent yet
  const own = list.querySelector(`[data-person="${me}"]`);
  const chip = document.getElementById("me-away");
  if (chip.hidden === !own && (!own || chip.dataset.told === own.outerHTML)) return;
  chip.hidden = !own;
  chip.dataset.told = own?.outerHTML ?? "";
  document.getElementById("me-away-until").innerHTML = own?.innerHTML ?? "";
}

function showLookers() {
  const names = new Map(); // by call, of others
  for (const { dataset, textContent } of document.querySelectorAll("#people-lookers li")) {
    if (dataset.person !== me) names.set(dataset.call, [...(names.get(dataset.call) ?? []), textContent]);
  }
  for (const slot of board.querySelectorAll(".lookers:not(:empty)")) {
    if (!names.has(callOf(slot))) slot.textContent = slot.title = "";
  }
  for (const [call, looking] of names) {
    const slot = board.querySelector(`#call-${call} .lookers`);
    if (slot) fill(slot, looking);
  }
}

function fill(slot, names) {
  const words = names.length === 1 ? text("looks", names[0]) : text("look", names.length);
  if (slot.textContent !== words) slot.textContent = words;
  slot.title = names.join(", ");
}

const callOf = (slot) => slot.closest(".call").id.slice("call-".length);

function showActions(taken) {
  const mine = taken.dataset.takenBy === me;
  for (const action of taken.querySelectorAll("[data-for]")) {
    action.hidden = action.dataset.for === "taker" ? !mine : mine || supervisor === undefined;
  }
}
