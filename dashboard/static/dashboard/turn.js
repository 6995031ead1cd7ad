// Of all the pages that somebody has open in this browser one rings, for as long as it can be heard. Whose turn it is stands in
// the browser's storage: locks, made for this, exist on secure addresses alone.

const KEY = "turn.to.ring";
const HELD_FOR = 6_000; // ms; signs of life wake a page in the background every 2 s
const RENEWED_AFTER = 2_000; // ms

const me = crypto.getRandomValues(new Uint32Array(2)).join("-");

function holder() {
  const [page, until] = (localStorage.getItem(KEY) ?? "").split(" ");
  const left = until - Date.now();
  return left > 0 && left <= HELD_FOR ? { page, left } : undefined; // a clock that was put back holds nobody's turn
}

// Take the turn, or keep it. Tells whether this page has it.
export function takeTurn() {
  const held = holder();
  if (held && held.page !== me) return false;
  if (!held || held.left < HELD_FOR - RENEWED_AFTER) localStorage.setItem(KEY, `${me} ${Date.now() + HELD_FOR}`);
  return holder()?.page === me;
}

export const someoneElseHasTheTurn = () => (holder()?.page ?? me) !== me;

addEventListener("pagehide", () => someoneElseHasTheTurn() || localStorage.removeItem(KEY));
