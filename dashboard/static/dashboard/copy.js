// Buttons that copy a text: data-copy holds it, data-copied what the button says afterwards.

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  // Over plain http browsers give no clipboard; then the text is selected, for the reader to copy.
  if (!navigator.clipboard) return getSelection().selectAllChildren(button.parentElement.querySelector("code"));
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = button.dataset.copied;
});
