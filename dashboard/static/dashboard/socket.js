// The live socket, and the pill that says how far the page can be trusted. Every close reconnects, whatever its code,
// except a sign-out; htmx's own extension reconnects on some codes only.

import { loginAddress, text } from "./texts.js";

const SIGNED_OUT = 4401;
const SILENCE_ALLOWED = 12_000; // ms; the server sends a sign of life every 5 s
const STALE_AFTER = 3_000; // ms without a connection
const LONGEST_PAUSE = 10_000; // ms between attempts

const pill = document.getElementById("connection");

let receive;
let socket;
let lastHeard = 0;
let lostAt = Date.now();
let attempts = 0;
let nextAttempt = 0;
let leaving = false;

// Connect, and give every message to this function, which tells whether it was a whole board: only from then on is the page
// up to date, and said to be live.
export function connect(onMessage) {
  receive = onMessage;
  open();
  setInterval(check, 500);
  for (const sign of ["online", "pageshow"]) addEventListener(sign, wake);
  document.addEventListener("visibilitychange", () => document.hidden || wake());
  addEventListener("pagehide", () => (leaving = true));
}

// Ask for a fresh board.
export function reconnect() {
  nextAttempt = 0;
  socket?.close();
}

function open() {
  attempts += 1;
  nextAttempt = Infinity;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = (socket = new WebSocket(`${scheme}//${location.host}/ws/board/`));
  lastHeard = Date.now();
  mine.onmessage = ({ data }) => {
    if (mine !== socket) return;
    lastHeard = Date.now();
    if (receive(data)) attempts = lostAt = 0;
    show();
  };
  mine.onclose = ({ code }) => {
    if (mine !== socket) return;
    if (code === SIGNED_OUT) {
      location.assign(`${loginAddress}?next=${encodeURIComponent(location.pathname + location.search)}`);
      return;
    }
    lostAt ||= Date.now();
    const pause = Math.min(LONGEST_PAUSE, 500 * 2 ** attempts) * (0.5 + Math.random() / 2);
    nextAttempt = Math.min(nextAttempt, Date.now() + pause);
    show();
  };
}

// A socket can die without a word: while the machine sleeps, or behind a router that forgot it.
function check() {
  const silent = Date.now() - lastHeard > SILENCE_ALLOWED;
  if (silent && nextAttempt === Infinity) {
    lostAt ||= lastHeard;
    abandon();
  }
  if (Date.now() >= nextAttempt) open();
  show();
}

function abandon() {
  const old = socket;
  socket = null;
  old.close();
  nextAttempt = 0;
}

function wake() {
  leaving = false;
  if (nextAttempt !== Infinity) nextAttempt = 0;
  else if (Date.now() - lastHeard > SILENCE_ALLOWED / 2) {
    lostAt ||= lastHeard;
    abandon();
  }
  check();
}

function show() {
  if (leaving) return;
  const [state, words] = judge();
  if (pill.dataset.state !== state) pill.dataset.state = document.documentElement.dataset.connection = state;
  const label = pill.querySelector("span");
  if (label.textContent !== words) label.textContent = words;
}

function judge() {
  if (!lostAt) return ["live", text("live")];
  if (Date.now() - lostAt > STALE_AFTER) return ["stale", `${text("stale")} · ${waiting()}`];
  return document.documentElement.dataset.connection ? ["reconnecting", waiting()] : ["connecting", text("connecting")];
}

function waiting() {
  const left = Math.ceil((nextAttempt - Date.now()) / 1000);
  return Number.isFinite(left) && left > 0 ? text("reconnecting", left) : text("reconnectingNow");
}
