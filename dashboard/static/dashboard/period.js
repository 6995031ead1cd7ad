// A form with a period and dates of one's own: they replace each other, so that the one chosen last counts.

const others = { period: ["from", "to"], from: ["period"], to: ["period"] };

// On its way down: before htmx, which listens at the form and sends it.
document.addEventListener(
  "change",
  ({ target }) => {
    for (const name of others[target.name] ?? []) target.form.elements[name].value = "";
  },
  true,
);
