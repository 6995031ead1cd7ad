// The board: puts each card that arrives into its place. On other pages the board is kept out of sight, so that ringing calls
// are counted and heard there too.

import { showTimes } from "./reader.js";
import { serverTime, tick } from "./clock.js";

const LINGER = 5_000; // ms for which a call that has just ended stays where it was
const ENDED_SHOWN = 20;

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
  const cards = wholeBoard ? [] : message.content.querySelectorAll(".call");
  if (wholeBoard) takeBoard(wholeBoard);
  for (const card of cards) place(card);
  count();
  return { wholeBoard: Boolean(wholeBoard), cards: cards.length > 0, sign: message.content.querySelector("#beat")?.dataset };
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
  if (isOver(card) && ringing.contains(card)) setTimeout(() => moveToEnded(card.id), LINGER);
  trim();
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
  const focused = isFocused(shown);
  const onButton = focused && document.activeElement.matches("button");
  shown.replaceWith(card);
  if (focused) ((onButton && card.querySelector("button")) || card).focus({ preventScroll: true });
}

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

// Not while the pointer or the focus is on it.
function moveToEnded(id) {
  const card = cardOf(id);
  if (!card || !isOver(card) || !ringing.contains(card)) return;
  if (card.matches(":hover") || isFocused(card)) {
    setTimeout(() => moveToEnded(id), 1_000);
    return;
  }
  card.remove();
  insert(card);
  trim();
}

function trim() {
  for (const card of [...ended.children].slice(ENDED_SHOWN)) card.remove();
}

// How many ring, in the heading, the menu and the tab's title.
const plainTitle = document.title;

// Without those whose ring window is over: a page that is cut off from the server must not ring for ever.
export function ringingCards() {
  const now = serverTime();
  return [...ringing.querySelectorAll('.call[data-status="ringing"]')].filter((card) => card.dataset.until > now);
}

export function count() {
  const active = [...ringing.children].filter((card) => !isOver(card)).length;
  for (const shown of document.querySelectorAll("[data-ringing-count]")) {
    shown.textContent = active;
    if (shown.classList.contains("count")) shown.hidden = !active;
  }
  board.classList.toggle("is-empty", !ringing.children.length);
  const title = active ? `(${active}) ${plainTitle}` : plainTitle;
  if (document.title !== title) document.title = title;
}

// Cards that came with the page itself.
for (const card of board.querySelectorAll(".call")) tick(card);
count();
