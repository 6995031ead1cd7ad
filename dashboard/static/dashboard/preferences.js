// What somebody prefers in this browser, which keeps it: the sound and its volume, and whether single keys act on calls.

const DEFAULTS = { sound: "two-tone", volume: "70", keys: "on" };

export const preference = (name) => localStorage.getItem(`preference.${name}`) ?? DEFAULTS[name];

// Keys that do nothing aren't shown on cards.
const showKeys = () => (document.documentElement.dataset.keys = preference("keys"));
showKeys();

const isTicked = (input) => (input.type === "radio" ? input.value : "on") === preference(input.name);

for (const input of document.querySelectorAll("[data-preference]")) {
  if (input.type === "range") input.value = preference(input.name);
  else input.checked = isTicked(input);
  input.addEventListener("change", () => {
    const value = input.type === "checkbox" && !input.checked ? "off" : input.value;
    localStorage.setItem(`preference.${input.name}`, value);
    showKeys();
  });
}

// A form whose choice counts as soon as it is made.
document.addEventListener("change", ({ target }) => target.form?.matches("[data-at-once]") && target.form.requestSubmit());
