// The one dialog: what is swapped into it opens it, and an answer without content (204) to what is sent from it closes it. Escape,
// its button and the way back of the focus are the browser's; only what was drawn anew meanwhile is looked for by its id.

import { text } from "./texts.js";

const dialog = document.getElementById("dialog");
const content = document.getElementById("dialog-content");
let opener;
let home; // of the opener, in case that it is gone

dialog.addEventListener("htmx:afterSwap", () => {
  if (dialog.open) return;
  opener = document.activeElement;
  home = opener.parentElement?.closest("[id]")?.id;
  dialog.showModal();
});
dialog.addEventListener("htmx:afterRequest", ({ detail }) => detail.xhr.status === 204 && dialog.close());
dialog.addEventListener("close", () => {
  content.replaceChildren();
  if (opener.isConnected) return;
  (document.getElementById(opener.id) ?? document.getElementById(home)?.querySelector("a, button"))?.focus();
});

// What the page says of a click that failed would stand behind it.
dialog.addEventListener("htmx:sendError", () => say("unreached"));
dialog.addEventListener("htmx:responseError", ({ detail }) => say(detail.xhr.status === 503 ? "busy" : "failed"));

function say(words) {
  const said = content.querySelector(".said.error") ?? document.createElement("p");
  said.className = "said error";
  said.setAttribute("role", "alert");
  said.textContent = text(words);
  content.prepend(said);
}
