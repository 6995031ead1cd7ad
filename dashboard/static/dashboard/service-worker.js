// Ringdesk's service worker: shows calls outside the browser, for open pages and for what is pushed. It keeps no page: a board
// is shown as the server has it, or not at all. `texts` and `unreached` stand before this, put there by the server.

"use strict";

const WINDOWS = { type: "window", includeUncontrolled: true };
const CAN_REJECT = (self.Notification?.maxActions ?? 0) > 0 && "cookieStore" in self;

// In place of the worker before it at once: that one has other words, and may wait for a call to end (`closeAtEnd`).
addEventListener("install", () => {
  registration.active?.postMessage({ leave: true });
  skipWaiting();
});
addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([clients.claim(), registration.navigationPreload?.enable()]));
});

// Pages

addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate" && event.request.method === "GET") event.respondWith(fromServer(event));
});

async function fromServer(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return new Response(unreached, { status: 503, headers: { "Content-Type": "text/html; charset=utf-8" } });
  }
}

// Notifications are looked at and changed one after the other: what is closed may just be about to be shown.

let turn = Promise.resolve();
const inTurn = (work) => (turn = turn.then(work, work));

const tagOf = (call) => `call-${call}`;

addEventListener("message", (event) => {
  const { data } = event;
  if (data.leave) leave();
  else if (data.test) event.waitUntil(inTurn(() => show(texts.test, { tag: "test", body: texts.test_body })));
  else if (data.looked) event.waitUntil(inTurn(() => closeWhere(() => true)));
  else event.waitUntil(Promise.all([inTurn(() => take(data)), ...data.fresh.map((call) => closeAtEnd(call, data.now))]));
});

addEventListener("push", (event) => {
  const call = event.data.json();
  event.waitUntil(inTurn(() => (call.until ? announce(call) : tellThatItIsOver(call))));
});

// What a page knows: the calls that ring for it (`ringing`, by number), those of them that are new to it (`fresh`), whether it
// is up to date (`live`) and was looked at then (`seen`), and the server's time. One that isn't up to date can't tell what has
// ended, but for the clock.
async function take({ ringing, fresh, live, seen, now }) {
  await closeWhere(({ call, until }) => until && (until <= now || (live && !ringing.includes(call))));
  for (const call of seen ? [] : fresh) await announce(call);
}

async function announce(call) {
  const [before] = await registration.getNotifications({ tag: tagOf(call.call) });
  if (before?.data.said || (await somebodyLooks())) return; // what came of a click stays, also where the call rings again
  await show(call.title, {
    tag: tagOf(call.call),
    body: call.body,
    timestamp: call.received,
    requireInteraction: true,
    actions: CAN_REJECT ? [{ action: "reject", title: texts.reject }] : [],
    data: { call: call.call, until: call.until },
  });
}

let leave;
const left = new Promise((resolve) => (leave = resolve));

// Where the pages are closed meanwhile, nobody else would say so.
async function closeAtEnd({ call, until }, now) {
  const isOver = new Promise((resolve) => setTimeout(resolve, until - now, true));
  if (await Promise.race([isOver, left])) await inTurn(() => closeWhere((shown) => shown.call === call && shown.until === until));
}

// Browsers want something shown for each push, so what was shown is replaced and not closed.
async function tellThatItIsOver({ call, title, body, received }) {
  if (await somebodyLooks()) await closeWhere((shown) => shown.call === call);
  else await show(title, { tag: tagOf(call), body, timestamp: received, silent: true, data: { call } });
}

async function somebodyLooks() {
  const windows = await clients.matchAll(WINDOWS);
  return windows.some((page) => page.focused && page.visibilityState === "visible");
}

const show = (title, options) => registration.showNotification(title, { icon: texts.icon, badge: texts.badge, ...options });

async function closeWhere(condition) {
  for (const shown of await registration.getNotifications()) if (condition(shown.data ?? {})) shown.close();
}

// Clicks

addEventListener("notificationclick", (event) => {
  const { action, notification } = event;
  notification.close();
  event.waitUntil(action === "reject" ? reject(notification) : open(notification.data?.call));
});

async function open(call) {
  const windows = await clients.matchAll(WINDOWS);
  const board = windows.find((page) => new URL(page.url).pathname === texts.board);
  if (!board) return clients.openWindow(call ? `${texts.board}#${tagOf(call)}` : texts.board);
  await board.focus();
  if (call) board.postMessage({ show: tagOf(call) });
}

async function reject({ title, timestamp, data: { call, until } }) {
  const say = (outcome) =>
    show(title, {
      tag: tagOf(call),
      body: texts[outcome],
      timestamp,
      silent: true,
      requireInteraction: !["asking", "rejected"].includes(outcome),
      data: { call, said: true, until: outcome === "ringing" ? until : undefined },
    });
  await inTurn(() => say("asking"));
  const outcome = await ask(call);
  await inTurn(() => say(outcome));
}

// What came of it: the status of the card that the server answers with, or what happened instead; a name among the texts.
async function ask(call) {
  let answer;
  try {
    const token = await cookieStore.get("csrftoken");
    const headers = { "X-CSRFToken": token?.value ?? "", "HX-Request": "true" };
    answer = await fetch(`/calls/${call}/reject/`, { method: "POST", headers });
  } catch {
    return "offline";
  }
  if (answer.headers.has("HX-Redirect")) return "signed_out";
  if (answer.status === 404) return "not_yours";
  if (answer.status === 503) return "busy";
  const card = answer.ok ? await answer.text().catch(() => "") : "";
  const status = new RegExp(`id="${tagOf(call)}"[^>]* data-status="(\\w+)"`).exec(card)?.[1];
  return status in texts ? status : "failed";
}
