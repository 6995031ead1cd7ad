// Arrow keys (or j and k) go from card to card, R rejects the one that is focused.

const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };

export function useKeyboard(board) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key in step) move(board, step[event.key], event);
    else if (event.key.toLowerCase() === "r") focusedCard(board)?.querySelector("button.reject")?.click();
  });
}

const focusedCard = (board) => board.contains(document.activeElement) && document.activeElement.closest(".call");

function move(board, by, event) {
  const cards = [...board.querySelectorAll("#ringing .call")];
  if (!cards.length) return;
  const at = cards.indexOf(focusedCard(board));
  const next = at < 0 ? (by > 0 ? 0 : cards.length - 1) : Math.min(cards.length - 1, Math.max(0, at + by));
  cards[next].focus();
  event.preventDefault();
}
