// One line above everything: what keeps the page from showing candles, and what to do.

import { byId, element } from "./elements.js";

/** `kind` is wait, empty, trouble or note; `hint` is what to do next. */
export function notice(kind, text, hint = "") {
  const box = byId("notice");
  box.dataset.kind = kind;
  box.hidden = false;
  box.replaceChildren(element("p", {}, text), ...(hint ? [element("p", { className: "hint" }, hint)] : []));
}

export function quiet() {
  byId("notice").hidden = true;
  byId("notice").replaceChildren();
}

/** Ask for the API key that the server wants; `onKey` hears it. */
export function askForKey(text, onKey) {
  notice("trouble", text);
  const input = element("input", { type: "password", id: "key", autocomplete: "off", required: true });
  const form = element("form", {}, element("label", { htmlFor: "key" }, "API key "), input, element("button", {}, "Use it"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onKey(input.value);
  });
  byId("notice").append(form);
}
