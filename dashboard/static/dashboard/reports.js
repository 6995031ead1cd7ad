// The page of reports: of a period and dates the one chosen last counts, and a button prints.

const others = { period: ["from", "to"], from: ["period"], to: ["period"] };

// Before htmx, which sends the form, hears of it.
document.body.addEventListener(
  "change",
  ({ target }) => {
    if (!target.closest("#report form")) return;
    for (const name of others[target.name] ?? []) target.form.elements[name].value = "";
  },
  { capture: true },
);

document.body.addEventListener("click", ({ target }) => {
  if (target.closest("[data-print]")) window.print();
});
