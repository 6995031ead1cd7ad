// The live socket, and the pill that says how far the page can be trusted. Every close reconnects, whatever its code,
// except a sign-out; htmx's own extension reconnects on some codes only.

import { say } from "./announce.js";
import { screen, tellAgain, untold } from "./receipts.js";
import { loginAddress, text } from "./texts.js";

const SIGNED_OUT = 4401;
const OVERDUE = 2_500; // ms; the server sends a sign of life every 2 s
const SILENCE_ALLOWED = 4_500; // ms
const MOST_PATIENT = 4; // times that, for a server that is slow to answer: too many pages come back to it at once
const STALE_AFTER = 3_000; // ms without a connection
const FIRST_PAUSE = 600; // ms between attempts
const LONGEST_PAUSE = 3_000;
const RENEWED_EVERY = 1_000; // ms, at most, where texts get lost on the way again and again
const ANSWERED_EVERY = 3; // signs of life, at least

const pill = document.getElementById("connection");

let receive;
let socket;
let openedAt = 0;
let lastHeard = 0;
let lostAt = Date.now();
let attempts = 0; // since the last board
let nextAttempt = 0;
let number; // of the last text; cards and asides raise it by one. None before the first board
let doubtful = false; // whether the server knows of calls that it can't show, or may not know of them
let beats = 0;
let leaving = false;

// Connect, and give every message to this function, which tells its number, whether it was a whole board, cards or what stands
// beside them, and whether there are doubts. Only from a board on is the page up to date, and said to be live.
export function connect(onMessage) {
  receive = onMessage;
  open();
  setInterval(check, 250);
  for (const sign of ["online", "pageshow"]) addEventListener(sign, wake);
  navigator.connection?.addEventListener("change", wake);
  document.addEventListener("visibilitychange", () => document.hidden || wake());
  addEventListener("pagehide", () => (leaving = true));
}

// Ask for a fresh board. Not again and again: a way that loses every other text loses boards as well.
export function reconnect() {
  giveUp(Date.now(), Math.max(Date.now(), openedAt + RENEWED_EVERY));
}

function open() {
  attempts += 1;
  nextAttempt = Infinity;
  number = undefined;
  openedAt = lastHeard = Date.now();
  tellAgain();
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = (socket = new WebSocket(`${scheme}//${location.host}/ws/board/?screen=${screen}`));
  mine.onmessage = ({ data }) => mine === socket && hear(data);
  mine.onclose = ({ code }) => {
    if (mine !== socket) return;
    if (code === SIGNED_OUT) {
      location.assign(`${loginAddress}?next=${encodeURIComponent(location.pathname + location.search)}&ended=1`);
      return;
    }
    lostAt ||= Date.now();
    nextAttempt = Math.min(nextAttempt, Date.now() + pause());
    show();
  };
}

// Of different lengths, so that pages don't all come back to a server at the same moment.
function pause() {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempts) * (0.2 + 0.8 * Math.random());
}

function hear(data) {
  // After so long a silence, this was left lying while the machine slept. What came after it may be lost.
  if (isSilent()) return giveUp(lastHeard);
  lastHeard = Date.now();
  const { wholeBoard, changes, number: sent, doubtful: doubts } = receive(data);
  doubtful = doubts;
  if (wholeBoard) attempts = lostAt = 0;
  else if (sent !== number + (changes ? 1 : 0)) return reconnect(); // one before it got lost
  number = sent;
  if (!wholeBoard && !changes) answer();
  show();
}

// Answer a sign of life: the server closes sockets that have fallen silent, too.
function answer() {
  const shown = untold();
  if (shown.length || beats % ANSWERED_EVERY === 0) socket.send(JSON.stringify({ shown }));
  beats += 1;
}

// Tell the server something, if it can be told now.
export function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// A socket can die without a word: while the machine sleeps, or behind a router that forgot it. The clock may also be put
// back. A socket that has not brought a board yet is waited for longer with each attempt.
function isSilent() {
  const patience = number === undefined ? Math.min(MOST_PATIENT, attempts) : 1;
  return Math.abs(Date.now() - lastHeard) > SILENCE_ALLOWED * patience;
}

function check() {
  if (nextAttempt === Infinity && isSilent()) giveUp(lastHeard);
  const left = nextAttempt - Date.now();
  if (left <= 0 || (left > LONGEST_PAUSE && left < Infinity)) open(); // the latter where the clock was put back
  show();
}

// Drop the socket, which can't be trusted since then, and open another one.
function giveUp(since, again = Date.now()) {
  lostAt ||= since;
  nextAttempt = again;
  const old = socket;
  socket = null;
  old?.close();
  if (again <= Date.now()) open();
  show();
}

function wake() {
  leaving = false;
  if (nextAttempt !== Infinity) nextAttempt = 0;
  else if (Date.now() - lastHeard > OVERDUE) giveUp(lastHeard);
  check();
}

function show() {
  if (leaving) return;
  const [state, words] = judge();
  if (pill.dataset.state !== state) {
    if (state === "stale") say(text("lost"));
    else if (pill.dataset.state === "stale" && state === "live") say(text("restored"));
    pill.dataset.state = document.documentElement.dataset.connection = state;
  }
  const label = pill.querySelector("span");
  if (label.textContent !== words) label.textContent = words;
}

function judge() {
  if (!lostAt) return doubtful ? ["stale", text("stale")] : ["live", text("live")];
  if (Math.abs(Date.now() - lostAt) > STALE_AFTER) return ["stale", `${text("stale")} · ${waiting()}`];
  return document.documentElement.dataset.connection ? ["reconnecting", waiting()] : ["connecting", text("connecting")];
}

function waiting() {
  const left = Math.ceil((nextAttempt - Date.now()) / 1000);
  return Number.isFinite(left) && left > 0 ? text("reconnecting", left) : text("reconnectingNow");
}
