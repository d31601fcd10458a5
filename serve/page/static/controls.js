// Interval, range and files: what stands above the chart.

import { address } from "./api.js";
import { byId, element } from "./elements.js";
import { DAY, day, lengthOf, parsed } from "./times.js";

/** More candles than these are not loaded at once: a longer range is shown in longer candles. */
export const MOST_CANDLES = 5_000;
const FILES = ["csv", "parquet"];
/** The API gives no more rows at once. */
const MOST_ROWS = 10_000;

/** The interval itself, or the next longer one in which the range is not too many candles. */
export function fitting(interval, intervals, range) {
  const longer = intervals.filter((one) => lengthOf(one) >= lengthOf(interval));
  return longer.find((one) => range / lengthOf(one) <= MOST_CANDLES) ?? longer.at(-1) ?? interval;
}

export class Controls {
  /** @param {object} hears onInterval(interval), onRange(start, end) with null for what stays open */
  constructor({ onInterval, onRange }) {
    byId("intervals").addEventListener("change", ({ target }) => onInterval(target.value));
    byId("ranges").addEventListener("click", ({ target }) => {
      if (target.dataset.days) {
        this.back(Number(target.dataset.days), onRange);
      }
    });
    byId("dates").addEventListener("submit", (event) => {
      event.preventDefault();
      this.dated(onRange);
    });
    this.newest = null;
  }

  /** Offer what this series has. */
  show({ intervals, last_time: last }, interval) {
    this.newest = last;
    byId("intervals").querySelectorAll("label").forEach((label) => label.remove());
    const choices = intervals.map((one) => {
      const choice = element("input", { type: "radio", name: "interval", value: one, checked: one === interval });
      return element("label", {}, choice, element("span", {}, one));
    });
    byId("intervals").append(...choices);
  }

  /** The last so many days that are held; 0 means the newest candles. */
  back(days, onRange) {
    if (days === 0 || this.newest === null) {
      onRange(null, null);
      return;
    }
    onRange(Math.floor(this.newest / 60_000 + 1) * 60_000 - days * DAY, null);
  }

  /** Both days inclusive, as people say them. */
  dated(onRange) {
    const [from, to] = ["from", "to"].map((id) => parsed(byId(id).value));
    const wrong = from !== null && to !== null && from > to;
    byId("to").setCustomValidity(wrong ? "The last day is before the first one." : "");
    if (byId("dates").reportValidity()) {
      onRange(from, to === null ? null : to + DAY);
    }
  }

  /** Write what is on screen into the dates, and into the addresses of the files. */
  showView(series, { from, until }) {
    byId("from").value = day(from);
    byId("to").value = day(until - 1);
    byId("to").setCustomValidity("");
    const limit = Math.min(MOST_ROWS, (until - from) / lengthOf(series.interval));
    FILES.forEach((format) => {
      const link = byId(`file-${format}`);
      link.href = address("ohlcv", { ...series, start: from, end: until, limit, filled: true, format });
      link.removeAttribute("aria-disabled");
    });
  }
}
