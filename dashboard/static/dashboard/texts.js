// What scripts say to people, as the server translated it (templates/_texts.html).

const texts = document.getElementById("texts").dataset;

export const text = (name, n) => texts[name].replace("{n}", () => n);
export const loginAddress = texts.login;
