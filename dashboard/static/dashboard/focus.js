// The focus is never lost by a swap: where what had it is gone, it goes to the part of the page that was drawn anew.

let drawnAnew; // the id of a part that had the focus in it

for (const before of ["htmx:beforeSwap", "htmx:oobBeforeSwap"]) {
  document.addEventListener(before, ({ detail }) => {
    if (detail.shouldSwap && detail.target.contains(document.activeElement)) drawnAnew = detail.target.id;
  });
}
document.addEventListener("htmx:afterSettle", () => {
  const part = drawnAnew && document.getElementById(drawnAnew);
  drawnAnew = undefined;
  if (!part || document.activeElement !== document.body) return;
  part.tabIndex = -1;
  part.focus({ preventScroll: true });
});
