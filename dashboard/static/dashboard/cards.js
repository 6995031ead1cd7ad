// The board: puts each card that arrives into its place. On other pages the board is kept out of sight, so that ringing calls
// are counted and heard there too.

import { showAges } from "./ago.js";
import { announce } from "./announce.js";
import { showCount } from "./attention.js";
import { serverTime, tick } from "./clock.js";
import { showTimes } from "./reader.js";
import { offerReasons } from "./reasons.js";
import { isSilenced, showSilence } from "./silence.js";
import { text } from "./texts.js";

const LINGER = 5_000; // ms for which a call that has just ended stays where it was
const ENDED_SHOWN = 20;
const PASSED_ON_FOR = 1_000; // ms

export const board = document.getElementById("board") ?? unseenBoard();
const ringing = board.querySelector("#ringing");
const ended = board.querySelector("#ended");

function unseenBoard() {
  const made = document.createElement("section");
  made.innerHTML = '<div id="ringing"></div><div id="ended"></div>';
  return made;
}

const cardOf = (id) => board.querySelector(`#${CSS.escape(id)}`);
const isOver = (card) => "over" in card.dataset;

// Take what the server sent: a whole board, single cards, or the answer to a click; and tell which of them it was, with the
// sign of life that ends each text of the socket.
export function take(html) {
  const message = document.createElement("template");
  message.innerHTML = html;
  const wholeBoard = message.content.querySelector("#board");
  const cards = wholeBoard ? [] : [...message.content.querySelectorAll(".call")];
  if (wholeBoard) steadily(() => takeBoard(wholeBoard));
  else if (cards.length) steadily(() => takeCards(cards));
  const asides = [...message.content.querySelectorAll("[data-aside]")];
  asides.forEach(takeAside);
  board.dispatchEvent(new Event("taken"));
  const sign = message.content.querySelector("#beat")?.dataset;
  return { wholeBoard: Boolean(wholeBoard), cards: cards.length > 0, asides: asides.map(({ id }) => id), sign };
}

function takeCards(cards) {
  const before = new Map(cards.map(({ id }) => [id, newsOf(cardOf(id))]));
  for (const card of cards) place(card);
  const placed = cards.filter((card) => board.contains(card));
  announce(
    placed.filter((card) => !before.get(card.id) && card.dataset.status === "ringing"),
    placed.filter((card) => before.get(card.id) && before.get(card.id) !== newsOf(card)),
  );
}

// What is worth hearing of a card.
const newsOf = (card) => card && card.dataset.status + (card.querySelector(".note")?.textContent ?? "");

// Change the board so that the card under the pointer, or with the keyboard's focus, stays where it is on the screen, and so
// that the focus isn't lost with a card that goes.
function steadily(change) {
  const held = [...ringing.children].findLast((card) => card.matches(":hover") || isFocused(card));
  const place = [...ringing.children].indexOf(held);
  const focused = held && isFocused(held);
  const top = held?.getBoundingClientRect().top;
  change();
  count();
  const kept = held && cardOf(held.id);
  ringing.style.marginBottom = "";
  if (kept && ringing.contains(kept)) scrollAlong(kept.getBoundingClientRect().top - top);
  else if (focused) passOnFocus(place);
}

let passedOnAt = -Infinity;

function passOnFocus(place) {
  (ringing.children[place] ?? ringing.lastElementChild)?.focus({ preventScroll: true });
  passedOnAt = performance.now();
}

// Whether the focus went to another call just now, so that a key may be meant for the one that has gone.
export const focusWasPassedOn = () => performance.now() - passedOnAt < PASSED_ON_FOR;

// Also where the page is too short for it.
function scrollAlong(by) {
  if (Math.abs(by) < 1) return; // pages are scrolled by whole pixels
  const short = innerHeight + by - document.querySelector("main").getBoundingClientRect().bottom;
  if (by > 0 && short > 0) ringing.style.marginBottom = `${short}px`;
  scrollBy({ top: by, behavior: "instant" });
}

function takeBoard(whole) {
  const sent = [...whole.querySelectorAll(".call")];
  const ids = new Set(sent.map((card) => card.id));
  for (const shown of board.querySelectorAll(".call")) if (!ids.has(shown.id)) shown.remove();
  for (const card of sent) place(card, true);
  board.querySelector(".empty")?.replaceWith(whole.querySelector(".empty"));
  const more = board.querySelector("#more");
  if (more) {
    more.hidden = whole.dataset.more === "0";
    more.textContent = whole.querySelector("#more").textContent;
  }
}

// What stands beside the cards: in place of what has its id, where this page shows that; the focus stays where it was.
function takeAside(aside) {
  const shown = document.getElementById(aside.id);
  if (!shown || shown.isEqualNode(aside)) return;
  const parts = (of) => [...of.querySelectorAll("a, button")];
  const focused = parts(shown).indexOf(document.activeElement);
  showTimes(aside);
  showAges(aside);
  shown.replaceWith(aside);
  window.htmx?.process(aside);
  if (focused < 0) return;
  const { id } = parts(shown)[focused];
  const after = parts(aside);
  (after.find((part) => id && part.id === id) ?? after[focused] ?? after.at(-1))?.focus({ preventScroll: true });
}

function place(card, wholeBoard = false) {
  const shown = cardOf(card.id);
  if (shown && isOlder(card, shown)) return;
  showTimes(card);
  tick(card);
  const stays = shown && (isOver(shown) === isOver(card) || (ringing.contains(shown) && !wholeBoard));
  if (stays) replace(shown, card);
  else {
    shown?.remove();
    insert(card);
    if (!wholeBoard) card.classList.add("arriving");
  }
  window.htmx?.process(card);
  prepare(card);
  if (isOver(card) && ringing.contains(card)) setTimeout(() => moveToEnded(card.id), LINGER);
  trim();
}

// What the browser adds to a card.
function prepare(card) {
  showSilence(card);
  offerReasons(card);
}

// By version; of one version, which changes by the clock alone, the one drawn later counts.
function isOlder(card, shown) {
  const ahead = card.dataset.version - shown.dataset.version;
  return ahead < 0 || (ahead === 0 && Number(card.dataset.drawn) < Number(shown.dataset.drawn));
}

// By the keyboard; a click leaves the focus behind without anybody relying on it.
const isFocused = (card) => card.matches(":focus-visible, :has(:focus-visible)");

// Where it is, so that nothing moves; and the keyboard's focus stays where it was.
function replace(shown, card) {
  const focused = isFocused(shown) && document.activeElement;
  if (isHeld(shown)) {
    card.style.minHeight = `${shown.getBoundingClientRect().height}px`; // so that none below it moves up
    card.style.contentVisibility = "visible"; // else it has its true height only once the browser knows that it is in sight
  }
  shown.replaceWith(card);
  if (!focused) return;
  // A button that isn't there while somebody rejects the call gets the focus again afterwards.
  card.focusOn = focused === shown ? shown.focusOn : makeOf(focused);
  const part = [...card.querySelectorAll("a, button")].find((other) => makeOf(other) === card.focusOn);
  (part ?? card).focus({ preventScroll: true });
}

// By which a link or button is known again on another card.
const makeOf = ({ tagName, className, dataset }) => [tagName, className, ...Object.keys(dataset)].join();

// Ringing calls oldest first, ended ones newest first.
function insert(card) {
  const list = isOver(card) ? ended : ringing;
  const follows = isOver(card) ? (other) => order(other, card) < 0 : (other) => order(other, card) > 0;
  list.insertBefore(card, [...list.children].find(follows) ?? null);
}

function order(one, other) {
  const number = (card) => Number(card.id.slice("call-".length));
  return one.dataset.received - other.dataset.received || number(one) - number(other);
}

// Not while the pointer or the focus is on it, or on a card below it, which would move.
async function moveToEnded(id) {
  const card = cardOf(id);
  if (!card || !isOver(card) || !ringing.contains(card)) return;
  if (isHeld(card)) {
    setTimeout(() => moveToEnded(id), 1_000);
    return;
  }
  await fadeOut(card);
  if (!ringing.contains(card)) return; // replaced meanwhile, by one that leaves in its turn
  card.remove();
  card.classList.remove("leaving");
  card.style.minHeight = "";
  insert(card);
  trim();
  count();
}

function isHeld(card) {
  for (let other = card; other; other = other.nextElementSibling) if (other.matches(":hover") || isFocused(other)) return true;
  return false;
}

// Nothing moves in a page that nobody sees, so it would never end there.
async function fadeOut(card) {
  if (document.hidden) return;
  card.classList.add("leaving");
  await Promise.allSettled(card.getAnimations().map(({ finished }) => finished));
}

function trim() {
  for (const card of [...ended.children].slice(ENDED_SHOWN)) card.remove();
}

// Those that ring, without those whose ring window is over: a page that is cut off from the server must not ring for ever.
export function ringingCards() {
  const now = serverTime();
  return [...ringing.querySelectorAll('.call[data-status="ringing"]')].filter((card) => card.dataset.until > now);
}

// Those of them that may be heard here.
export const audibleCards = () => ringingCards().filter((card) => !isSilenced(card));

// How many ring, in the heading, the menu and the tab; and how many of each contact.
export function count() {
  const active = [...ringing.children].filter((card) => !isOver(card)).length;
  for (const shown of document.querySelectorAll("[data-ringing-count]")) {
    shown.textContent = active;
    if (shown.classList.contains("count")) shown.hidden = !active;
  }
  board.classList.toggle("is-empty", !ringing.children.length);
  showCount(active);
  offerRejectAll();
}

const rejectable = () => [...ringing.children].filter((card) => ["ringing", "unconfirmed"].includes(card.dataset.status) && !isOver(card));

function offerRejectAll() {
  const cards = rejectable();
  const calls = new Map();
  for (const { dataset } of cards) calls.set(dataset.contact, (calls.get(dataset.contact) ?? 0) + 1);
  for (const card of cards) {
    const button = card.querySelector("[data-reject-all]");
    const number = calls.get(card.dataset.contact);
    button.hidden = number < 2;
    if (number > 1) button.textContent = text("rejectAll", number);
  }
}

board.addEventListener("click", ({ target }) => {
  const clicked = target.closest("[data-reject-all]")?.closest(".call");
  if (!clicked) return;
  for (const card of rejectable()) {
    if (card.dataset.contact === clicked.dataset.contact) card.querySelector("button.reject").click();
  }
});

// Cards that came with the page itself.
for (const card of board.querySelectorAll(".call")) {
  tick(card);
  prepare(card);
}
count();
