// The ring, made here from tones: no file to fetch. Browsers allow sound only after the reader has done something on the page,
// so until then a button says that it is off.

import { isAway } from "./people.js";
import { preference } from "./preferences.js";
import { someoneElseHasTheTurn, takeTurn } from "./turn.js";

const EVERY = 3_000; // ms
const LOUDEST = 0.5;
// Each a wave, and tones: Hz, seconds after the beginning, seconds until it has died away
const SOUNDS = {
  "two-tone": ["triangle", [[880, 0, 0.2], [660, 0.22, 0.2]]],
  bell: ["sine", [[1046, 0, 1.1], [2093, 0, 0.5], [1318, 0.4, 1.1], [2637, 0.4, 0.5]]],
  marimba: ["sine", [[523, 0, 0.3], [659, 0.13, 0.3], [784, 0.26, 0.3], [1046, 0.39, 0.45]]],
};

const button = document.getElementById("sound");
const context = new AudioContext();

let rings = () => false;
let lastRang = 0;

const isOn = () => context.state === "running";

// Whether a ring would be heard from this page, and not from another one in this browser.
export const isAudible = () => isOn() && !isAway() && takeTurn();

// Ring for as long as this function says so.
export function ringWhile(condition) {
  rings = condition;
  for (const tests of [button, document.querySelector("[data-test-sound]")]) {
    tests?.addEventListener("click", () => context.resume().then(ring));
  }
  // Not by the press on the button itself: sound that is on hides it, before the press becomes a click.
  const resume = ({ target }) => button.contains(target) || context.resume();
  for (const sign of ["pointerdown", "keydown"]) addEventListener(sign, resume, { passive: true });
  context.addEventListener("statechange", ringIfDue);
  ringIfDue();
  setInterval(ringIfDue, 250);
}

export function ringIfDue() {
  const audible = isAudible();
  button.hidden = audible || someoneElseHasTheTurn();
  if (!rings()) lastRang = 0;
  else if (audible && Date.now() - lastRang >= EVERY) ring();
}

function ring() {
  lastRang = Date.now();
  const [type, tones] = SOUNDS[preference("sound")] ?? SOUNDS["two-tone"];
  const loud = LOUDEST * (preference("volume") / 100) ** 2; // as ears hear it
  for (const [frequency, after, lasts] of tones) {
    const start = context.currentTime + after;
    const tone = new OscillatorNode(context, { type, frequency });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(loud, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, start + lasts);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + lasts);
  }
  document.documentElement.dataset.rang = String(Number(document.documentElement.dataset.rang ?? 0) + 1);
}
