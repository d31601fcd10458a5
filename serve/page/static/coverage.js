// Which days are held whole: a calendar of one year, darker where more of a day's minutes are complete.

import { count, percent } from "./decimals.js";
import { byId, element, row } from "./elements.js";
import { DAY, day, month, told } from "./times.js";

const MOST_HOLES = 100;
/** Shades by the share of complete bars; only a whole day gets the last one. */
const SHADES = 4;

export class Coverage {
  /** @param {(from: number, until: number) => void} onDay hears which day was chosen */
  constructor(onDay) {
    this.onDay = onDay;
    this.days = new Map();
    this.year = null;
    this.calendar = byId("calendar");
    this.calendar.addEventListener("keydown", (event) => this.pressed(event));
    this.calendar.addEventListener("click", ({ target }) => this.chosen(target.closest("button")));
    byId("year-before").addEventListener("click", () => this.turn(-1));
    byId("year-after").addEventListener("click", () => this.turn(1));
  }

  show({ days, holes, complete_until: until }) {
    this.days = new Map(days.map((one) => [one.day, one]));
    const years = days.map((one) => new Date(one.day).getUTCFullYear());
    this.years = [Math.min(...years), Math.max(...years)];
    const whole = days.filter((one) => one.complete_bars >= one.expected).length;
    byId("coverage-said").textContent = days.length === 0
      ? "No day is held."
      : `${count(whole)} of ${count(days.length)} days are whole${until === null ? "" : `; complete until ${told(until)} UTC`}.`;
    const stays = this.year !== null && this.year >= this.years[0] && this.year <= this.years[1];
    this.year = stays ? this.year : this.years[1];
    this.draw();
    showHoles(holes);
  }

  clear(text) {
    byId("coverage-said").textContent = text;
    this.calendar.replaceChildren();
    byId("years").hidden = true;
    showHoles([]);
  }

  turn(step) {
    this.year += step;
    this.draw();
  }

  draw() {
    byId("years").hidden = this.days.size === 0;
    byId("year").textContent = String(this.year);
    byId("year-before").disabled = this.year <= this.years[0];
    byId("year-after").disabled = this.year >= this.years[1];
    const months = this.days.size === 0 ? [] : [...Array(12).keys()].map((place) => this.month(place));
    this.calendar.replaceChildren(...months.filter(Boolean));
    this.calendar.querySelector("button")?.setAttribute("tabindex", "0");
  }

  /** One month with a day that is held; null where there is none. */
  month(place) {
    const first = Date.UTC(this.year, place, 1);
    const length = (Date.UTC(this.year, place + 1, 1) - first) / DAY;
    const days = Array.from({ length }, (_, step) => first + step * DAY);
    if (!days.some((time) => this.days.has(time))) {
      return null;
    }
    const weekday = (new Date(first).getUTCDay() + 6) % 7;
    const cells = days.map((time) => this.cell(time));
    cells[0].classList.add(`weekday-${weekday}`);
    return element("div", { className: "month", aria: { role: "group", label: `${month(first)} ${this.year}` } },
      element("h4", { aria: { hidden: "true" } }, month(first)), element("div", { className: "days" }, ...cells));
  }

  cell(time) {
    const held = this.days.get(time);
    if (!held) {
      return element("span", { className: "day absent", title: `${day(time)}: not held` });
    }
    const { complete_bars: complete, expected } = held;
    const shade = complete >= expected ? SHADES : Math.min(SHADES - 1, Math.floor((complete / expected) * SHADES));
    const label = `${day(time)}: ${count(complete)} of ${count(expected)} minutes complete (${percent(complete, expected)})`;
    return element("button", {
      type: "button", className: "day", title: label, tabIndex: -1, data: { time, shade }, aria: { label },
    });
  }

  chosen(button) {
    if (button) {
      const time = Number(button.dataset.time);
      this.focus(button);
      this.onDay(time, time + DAY);
    }
  }

  focus(button) {
    this.calendar.querySelectorAll("[tabindex='0']").forEach((one) => one.setAttribute("tabindex", "-1"));
    button.setAttribute("tabindex", "0");
    button.focus();
  }

  pressed(event) {
    const buttons = [...this.calendar.querySelectorAll("button")];
    const place = buttons.indexOf(document.activeElement);
    const aim = {
      ArrowLeft: place - 1, ArrowRight: place + 1, ArrowUp: place - 7, ArrowDown: place + 7, Home: 0, End: buttons.length - 1,
    }[event.key];
    if (place >= 0 && aim !== undefined) {
      event.preventDefault();
      this.focus(buttons[Math.min(Math.max(aim, 0), buttons.length - 1)]);
    }
  }
}

function showHoles(holes) {
  byId("holes").hidden = holes.length === 0;
  byId("holes-count").textContent = count(holes.length);
  byId("holes-note").textContent = holes.length > MOST_HOLES ? `The first ${MOST_HOLES}.` : "";
  byId("holes-body").replaceChildren(
    ...holes.slice(0, MOST_HOLES).map((hole) =>
      row([
        hole.dataset, `${hole.first_id} to ${hole.last_id}`, `${told(hole.from)} to ${told(hole.until)}`,
        hole.cause ?? "not known", hole.state,
      ])),
  );
}
