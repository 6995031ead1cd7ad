// The mapping helper: a click on a path puts it into the field that was used last, or else into the first one.

let field;

document.addEventListener("focusin", ({ target }) => {
  if (target.matches(".mapping .field input")) field = target;
});
document.addEventListener("click", ({ target }) => {
  const path = target.closest(".mapping [data-path]")?.dataset.path;
  if (path === undefined) return;
  field ??= document.querySelector(".mapping .field input");
  field.value = path;
  field.focus();
  field.dispatchEvent(new Event("input", { bubbles: true }));
});
