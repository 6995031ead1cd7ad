// History: its filters, and the word of calls that came since the table was made.

const LOOKED_EVERY = 2_000; // ms, at most: a flood of cards is no flood of questions

const filters = document.getElementById("filters");

if (filters) {
  const { q } = filters.elements;
  const fold = filters.querySelector(".fold");

  // It was searched for while it was written. A table that changes under the click that leaves the box would swallow the click.
  q.addEventListener("change", (event) => event.stopPropagation());

  fold.addEventListener("click", () => {
    fold.setAttribute("aria-expanded", fold.getAttribute("aria-expanded") !== "true");
  });
}

let due;

// Ask, soon, whether there are new calls that the table doesn't show. It stays as it is until somebody wants them.
export function lookForNewCalls() {
  if (!document.getElementById("new-calls")) return;
  due ||= setTimeout(() => {
    due = undefined;
    window.htmx.trigger("#new-calls", "cards");
  }, LOOKED_EVERY * (0.5 + Math.random() / 2));
}
