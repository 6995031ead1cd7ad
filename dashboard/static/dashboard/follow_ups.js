// Who is to be followed up: the panel of the board, and the parts of other pages that show it.

import { showAges } from "./ago.js";

// Put the panel that came with a whole board in the place of the one that is shown; the focus stays where it was.
export function takeFollowUps(wholeBoard) {
  const shown = document.getElementById("follow-ups");
  const sent = wholeBoard.querySelector("#follow-ups");
  if (!shown || !sent) return;
  const focused = shown.contains(document.activeElement) && document.activeElement.id;
  shown.replaceWith(sent);
  showAges(sent);
  window.htmx?.process(sent);
  if (!focused) return;
  const next = document.getElementById(focused) ?? document.getElementById(focused.replace("first", "done"));
  (next ?? sent.querySelector("a")).focus({ preventScroll: true });
}

// Have what this page shows of them loaded anew: it listens for this, as for what its own clicks change.
export const renewFollowUps = () => window.htmx?.trigger(document.body, "follow-ups");
