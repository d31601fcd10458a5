// What the page shows, as its address says it: exchange, kind, instrument, interval, start and end.

import { addressed, parsed } from "./times.js";

/** Read the address; what it does not say is null. A time that can't be read is told to `onBad`. */
export function read(onBad = () => {}) {
  const words = new URLSearchParams(location.search);
  const time = (name) => {
    const found = parsed(words.get(name));
    if (found === null && words.get(name)) {
      onBad(name, words.get(name));
    }
    return found;
  };
  return {
    exchange: words.get("exchange"),
    kind: words.get("kind"),
    instrument: words.get("instrument"),
    interval: words.get("interval"),
    start: time("start"),
    end: time("end"),
  };
}

/** Write the address; `step` makes a step that the browser's back button undoes. */
export function write(view, { step = false } = {}) {
  const words = new URLSearchParams();
  for (const name of ["exchange", "kind", "instrument", "interval"]) {
    words.set(name, view[name]);
  }
  for (const name of ["start", "end"]) {
    if (view[name] !== null) {
      words.set(name, addressed(view[name]));
    }
  }
  const url = `?${words}`;
  if (url === location.search) {
    return;
  }
  history[step ? "pushState" : "replaceState"](null, "", url);
}
