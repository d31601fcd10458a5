// Search for an instrument: a combobox that works by keyboard as the ARIA practices say.

import { ApiError, ask } from "./api.js";
import { byId, element, settled } from "./elements.js";
import { told } from "./times.js";

const MOST = 50;

export class Search {
  /** @param {(series: object) => void} onChosen hears which series was chosen */
  constructor(onChosen) {
    this.onChosen = onChosen;
    [this.input, this.list, this.said] = ["search", "found", "search-said"].map(byId);
    this.found = [];
    this.active = -1;
    this.chosen = "";
    const look = settled(120, () => this.look());
    this.input.addEventListener("input", look);
    this.input.addEventListener("focus", () => this.input.select());
    this.input.addEventListener("click", () => this.list.hidden && this.look(""));
    this.input.addEventListener("keydown", (event) => this.pressed(event));
    this.input.addEventListener("blur", () => this.close());
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", ({ target }) => this.choose(Number(target.closest("li")?.dataset.place ?? -1)));
  }

  /** Write what is on screen into the field. */
  show(name) {
    this.chosen = name;
    this.input.value = name;
  }

  async look(words = this.input.value.trim()) {
    this.asking?.abort();
    this.asking = new AbortController();
    try {
      const { instruments } = await ask("instruments", { q: words, limit: MOST }, this.asking.signal);
      this.open(instruments.filter(({ series_type: type }) => type === "bars"), words);
    } catch (error) {
      if (error instanceof ApiError) {
        this.open([], words);
        this.say(error.message);
      } else if (error.name !== "AbortError") {
        throw error;
      }
    }
  }

  open(found, words) {
    this.found = found;
    this.list.replaceChildren(...found.map((series, place) => option(series, place)));
    this.list.hidden = found.length === 0;
    this.input.setAttribute("aria-expanded", String(found.length > 0));
    const many = found.length === MOST ? `The first ${MOST} instruments` : `${found.length} instruments`;
    this.say(found.length === 0 ? `Nothing that is published matches “${words}”` : many);
    this.activate(found.length > 0 && words ? 0 : -1);
  }

  say(text) {
    this.said.textContent = text;
    this.said.hidden = this.found.length > 0;
  }

  close() {
    this.asking?.abort();
    this.list.hidden = true;
    this.said.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.activate(-1);
    this.input.value = this.chosen;
  }

  activate(place) {
    this.list.children[this.active]?.setAttribute("aria-selected", "false");
    this.active = place;
    const option = this.list.children[place];
    if (option) {
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      this.input.setAttribute("aria-activedescendant", option.id);
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }

  choose(place) {
    const series = this.found[place];
    if (series) {
      this.chosen = series.instrument;
      this.close();
      this.onChosen(series);
    }
  }

  pressed(event) {
    const last = this.found.length - 1;
    const isOpen = !this.list.hidden;
    const moves = {
      ArrowDown: () => (isOpen ? this.activate(this.active < last ? this.active + 1 : 0) : this.look("")),
      ArrowUp: () => (isOpen ? this.activate(this.active > 0 ? this.active - 1 : last) : this.look("")),
      Enter: () => this.enter(),
      Escape: () => (isOpen ? this.close() : (this.input.value = "")),
    };
    if (moves[event.key] && !event.isComposing) {
      event.preventDefault();
      moves[event.key]();
    }
  }

  /** Enter may come before the answer: then the first that is found is chosen. */
  async enter() {
    if (this.list.hidden || this.active < 0) {
      await this.look();
    }
    this.choose(Math.max(this.active, 0));
  }
}

function option(series, place) {
  const { exchange, kind, instrument, first_time: first, last_time: last } = series;
  const known = first === null ? "no bars yet" : `${told(first).slice(0, 10)} to ${told(last).slice(0, 10)}`;
  return element(
    "li",
    { id: `found-${place}`, data: { place }, aria: { role: "option", selected: "false" } },
    element("b", {}, instrument),
    element("span", {}, `${exchange} ${kind}`),
    element("small", {}, known),
  );
}
