// The ring, made here from two tones: no file to fetch. Browsers allow sound only after the reader has done something on the
// page, so until then a button says that it is off.

const EVERY = 3_000; // ms
const TONES = [
  [880, 0],
  [660, 0.22],
]; // Hz, seconds

const button = document.getElementById("sound");
const context = new AudioContext();

let rings = () => false;
let lastRang = 0;

export const isAudible = () => context.state === "running";

// Ring for as long as this function says so.
export function ringWhile(condition) {
  rings = condition;
  button.addEventListener("click", () => context.resume().then(ring));
  // Not by the press on the button itself: sound that is on hides it, before the press becomes a click.
  const resume = ({ target }) => button.contains(target) || context.resume();
  for (const sign of ["pointerdown", "keydown"]) addEventListener(sign, resume, { passive: true });
  context.addEventListener("statechange", showWhetherOff);
  showWhetherOff();
  setInterval(ringIfDue, 250);
}

export function ringIfDue() {
  if (!rings()) {
    lastRang = 0;
    return;
  }
  if (isAudible() && Date.now() - lastRang >= EVERY) ring();
}

function showWhetherOff() {
  button.hidden = isAudible();
}

function ring() {
  lastRang = Date.now();
  for (const [frequency, after] of TONES) {
    const start = context.currentTime + after;
    const tone = new OscillatorNode(context, { type: "triangle", frequency });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.25, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.2);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.22);
  }
  document.documentElement.dataset.rang = String(Number(document.documentElement.dataset.rang ?? 0) + 1);
}
