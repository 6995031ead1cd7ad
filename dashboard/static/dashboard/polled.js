// What a page asks for every few seconds (data-polled): shown anew only when it changed, so that nothing is read out twice; and
// no trouble of the page where one question finds no answer, since the next one is due.

const shown = new WeakMap();

document.addEventListener(
  "htmx:beforeSwap",
  ({ target, detail }) => {
    if (!target.matches("[data-polled]")) return;
    const text = detail.xhr.responseText;
    if (detail.xhr.status !== 200 || text === (shown.get(target) ?? "")) detail.shouldSwap = false;
    else shown.set(target, text);
  },
  true,
);
for (const failure of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(failure, (event) => event.target.matches?.("[data-polled]") && event.stopPropagation(), true);
}
