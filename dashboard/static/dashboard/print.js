// Buttons that print the page.

document.body.addEventListener("click", ({ target }) => {
  if (target.closest("[data-print]")) window.print();
});
