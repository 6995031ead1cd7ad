// The page of reports: its button prints.

document.body.addEventListener("click", ({ target }) => {
  if (target.closest("[data-print]")) window.print();
});
