// Calls outside the browser: tells the service worker what rings here, and the worker shows what nobody looks at.

import { audibleCards, board, ringingCards } from "./cards.js";
import { serverTime } from "./clock.js";
import { isAway } from "./people.js";

const KEPT = "notifications"; // in localStorage: "on", where somebody turned them on in this browser
const PUSHED = "push"; // there too: the id of the person whose calls are pushed to this browser

const about = document.querySelector('meta[name="push"]');
const announced = new Set(); // numbers of calls
let told = ""; // what the worker knows, so that it is told changes only

export const isPossible = () => "Notification" in window && "serviceWorker" in navigator;
export const isOn = () => localStorage.getItem(KEPT) === "on" && Notification.permission === "granted";

// Whoever asks for it has clicked: browsers refuse, and people resent, questions that nobody asked for.
export async function turnOn() {
  const answer = await Notification.requestPermission();
  if (answer === "granted") localStorage.setItem(KEPT, "on");
  tell();
  return answer;
}

export async function turnOff() {
  localStorage.removeItem(KEPT);
  await pushOff();
  post({ looked: true });
}

export const test = () => post({ test: true });

// In another language it is another script, which browsers fetch at once. Where nothing is secure, there is no worker.
const script = `/service-worker.js?language=${document.documentElement.lang}`;
const worker = navigator.serviceWorker?.register(script).then(() => navigator.serviceWorker.ready);
worker?.catch((error) => console.warn("no service worker:", error.message));

async function post(message) {
  (await worker)?.active.postMessage(message);
}

const numberOf = (card) => Number(card.id.slice("call-".length));
const textOf = (element) => element?.textContent.replace(/\s+/g, " ").trim() ?? "";

function callOn(card) {
  return {
    call: numberOf(card),
    title: textOf(card.querySelector("h3")),
    body: [...card.querySelectorAll(".facts > *")].map(textOf).join(" · "),
    received: Number(card.dataset.received),
    until: Number(card.dataset.until),
  };
}

// Tell the worker what rings. A page that was cut off tells nothing of what it can't know. Nothing new is shown of calls that
// are silenced here, or to who is away.
function tell() {
  if (!isPossible() || !isOn()) return;
  const ringing = ringingCards().map(numberOf);
  const live = document.documentElement.dataset.connection === "live";
  const fresh = (isAway() ? [] : audibleCards()).filter((card) => !announced.has(numberOf(card))).map(callOn);
  const knows = JSON.stringify([ringing, live]);
  if (knows === told) return;
  told = knows;
  for (const call of fresh) announced.add(call.call);
  for (const call of announced) if (!ringing.includes(call)) announced.delete(call);
  post({ ringing, fresh, live, seen: document.hasFocus(), now: serverTime() });
}

// Cards are put in, replaced and taken out there, so that nothing is missed and no timer is needed, which browsers slow down in
// pages that nobody sees.
new MutationObserver(tell).observe(board.querySelector("#ringing"), { childList: true });
new MutationObserver(tell).observe(document.documentElement, { attributeFilter: ["data-connection"] });
addEventListener("focus", () => isPossible() && isOn() && post({ looked: true }));
addEventListener("storage", ({ key }) => key === KEPT && tell());

// Another worker took over, and what the one before was told last may have been lost with it.
navigator.serviceWorker?.addEventListener("controllerchange", () => {
  told = "";
  announced.clear();
  tell();
});
navigator.serviceWorker?.addEventListener("message", ({ data }) => {
  const card = document.getElementById(data.show);
  card?.scrollIntoView({ block: "center" });
  card?.focus({ preventScroll: true });
});

// Web Push

export const canPush = () => isPossible() && "PushManager" in window;
export const isPushed = async () => localStorage.getItem(PUSHED) === about.content && Boolean(await subscription());

const subscription = async () => (await worker)?.pushManager.getSubscription();

export async function pushOn(applicationServerKey) {
  await (await subscription())?.unsubscribe(); // it may have been made with another key, or be somebody else's
  const made = await (await worker).pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
  const wrong = await keepPushing(made);
  if (!wrong) localStorage.setItem(PUSHED, about.content);
  return wrong;
}

export async function pushOff() {
  localStorage.removeItem(PUSHED);
  const made = canPush() && (await subscription());
  if (!made) return;
  await made.unsubscribe();
  // Where the server isn't told, the push service tells it with the next call.
  await send(about.dataset.off, { endpoint: made.endpoint }).catch(() => {});
}

// Tell the server where this browser is reached. Returns why it refused that, in its words; nothing where all is well.
async function keepPushing(made) {
  const { endpoint, keys } = made.toJSON();
  const answer = await send(about.dataset.on, { endpoint, ...keys, key: inText(made.options.applicationServerKey) });
  if (answer.ok && !answer.redirected) return "";
  if (answer.status !== 400) throw new Error(`answered ${answer.status}`); // or led to a sign-in
  await pushOff();
  return answer.text();
}

function send(address, fields) {
  const { "X-CSRFToken": token } = JSON.parse(document.body.getAttribute("hx-headers"));
  return fetch(address, { method: "POST", headers: { "X-CSRFToken": token }, body: new URLSearchParams(fields) });
}

// Bytes in base64 for addresses.
function inText(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// The server forgets it with each sign-out, and the browser may have been given another address.
async function renew() {
  if (!canPush() || localStorage.getItem(PUSHED) !== about.content) return;
  const made = await subscription();
  if (made) await keepPushing(made);
}

renew().catch((error) => console.warn("push:", error.message));
