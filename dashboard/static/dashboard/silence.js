// Silence for me: a call stops ringing in this browser, on all its pages, and goes on ringing for everyone else.

const KEY = "silenced";
const KEPT = 60 * 60 * 1000; // ms, which is longer than any call rings

const all = () => JSON.parse(localStorage.getItem(KEY) ?? "{}"); // when each call was silenced, by the id of its card

export const isSilenced = (card) => card.id in all();

// Show on a card whether it is silenced here.
export function showSilence(card) {
  const button = card.querySelector("[data-silence]");
  if (!button) return;
  const silenced = isSilenced(card);
  button.setAttribute("aria-pressed", silenced);
  card.classList.toggle("silenced", silenced);
}

function toggle(card) {
  const now = Date.now();
  const kept = Object.entries(all()).filter(([id, at]) => id !== card.id && now - at < KEPT);
  if (!isSilenced(card)) kept.push([card.id, now]);
  localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(kept)));
  showSilence(card);
}

export function useSilence(board) {
  board.addEventListener("click", ({ target }) => {
    if (target.closest("[data-silence]")) toggle(target.closest(".call"));
  });
  addEventListener("storage", ({ key }) => key === KEY && board.querySelectorAll(".call").forEach(showSilence));
}
