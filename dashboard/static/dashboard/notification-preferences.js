// The preferences of notifications: shows the state that they are in, and does what is clicked.

import { canPush, isOn, isPossible, isPushed, pushOff, pushOn, test, turnOff, turnOn } from "./notifications.js";

const section = document.getElementById("notifications");
const why = section?.querySelector("[data-why]");
const failed = why?.textContent;

const actions = {
  "turn-on": async () => ((await turnOn()) === "default" ? { desktop: "dismissed" } : {}),
  "turn-off": () => turnOff(),
  test,
  "push-on": subscribe,
  "push-off": () => pushOff(),
};

async function subscribe() {
  show("push", "working");
  why.textContent = failed;
  try {
    const refusal = await pushOn(section.dataset.key);
    if (!refusal) return {};
    why.textContent = refusal;
  } catch (error) {
    if (error.name === "AbortError") return { push: "unreached" }; // W3C Push API: the push service could not be reached
  }
  return { push: "failed" };
}

function desktopState() {
  if (!window.isSecureContext) return "insecure";
  if (!isPossible()) return "unsupported";
  if (Notification.permission === "denied") return "blocked";
  return isOn() ? "on" : "off";
}

async function pushState() {
  if (!canPush()) return "unsupported";
  if (!isOn()) return "first";
  return (await isPushed()) ? "on" : "off";
}

function show(name, state) {
  const part = section.querySelector(`[data-part="${name}"]`);
  part.hidden = false;
  part.dataset.state = state;
  for (const element of part.querySelectorAll("[data-when]")) {
    element.hidden = !element.dataset.when.split(" ").includes(state);
  }
}

async function draw(found = {}) {
  show("desktop", found.desktop ?? desktopState());
  show("push", found.push ?? (await pushState()));
}

section?.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-do]");
  if (!button) return;
  const part = button.closest("[data-part]");
  await draw(await actions[button.dataset.do]());
  // The button that was pressed may be gone, and the focus with it.
  if (button.hidden) part.querySelector("button:not([hidden])")?.focus();
});

if (section) draw();
