// The alarms on top of a supervisor's page, asked for every few seconds: shown anew only when they changed, so that nothing
// is read out twice; and no trouble of the page where one question finds no answer, since the next one is due.

const alarms = document.getElementById("alarms");
let shown = "";

alarms?.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = event;
  if (detail.xhr.status !== 200 || detail.xhr.responseText === shown) detail.shouldSwap = false;
  else shown = detail.xhr.responseText;
});
for (const failure of ["htmx:sendError", "htmx:responseError"]) {
  alarms?.addEventListener(failure, (event) => event.stopPropagation());
}
