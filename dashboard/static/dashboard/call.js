// The page of one call: loads what it shows anew when that call's card has changed.

import { board } from "./cards.js";

export function renewIfChanged(wholeBoard) {
  const page = document.getElementById("happened");
  if (!page) return;
  const card = board.querySelector(`#call-${page.dataset.pk}`);
  const changed = card
    ? card.dataset.version !== page.dataset.version || card.dataset.status !== page.dataset.status
    : wholeBoard && !("over" in page.dataset);
  if (changed) window.htmx.trigger(page, "changed");
}
