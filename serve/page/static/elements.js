// The page's elements. Text goes in as text: nothing that the API sends becomes markup.

export const byId = (id) => document.getElementById(id);

/** Make an element: `element("p", { className: "quiet" }, "text", child)`; `data` and `aria` are maps. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  const { data = {}, aria = {}, ...others } = properties;
  Object.assign(made, others);
  Object.assign(made.dataset, data);
  Object.entries(aria).forEach(([key, value]) => made.setAttribute(key === "role" ? key : `aria-${key}`, value));
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A table row of texts; the first one is its heading. */
export function row(texts, { head = false } = {}) {
  const cells = texts.map((text, place) => {
    const scope = head ? "col" : "row";
    return head || place === 0 ? element("th", { scope }, text) : element("td", {}, text);
  });
  return element("tr", {}, ...cells);
}

/** Call `act` once it was quiet for so long. */
export function settled(milliseconds, act) {
  let timer;
  return (...words) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...words), milliseconds);
  };
}
