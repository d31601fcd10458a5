// The bars that the page holds, as the API sent them, by time; and what they mean.

/** What a bar is: what the chart, the legend and the table tell apart. */
export const STATES = {
  complete: "complete",
  forming: "forming: this interval has not ended",
  incomplete: "not complete: a hole or a conflict touches it",
  quiet: "quiet: proved to have no print",
  unpriced: "no price: off-book prints alone",
  unknown: "unknown: what happened is not held",
};

/** The state of a bar of this length; an absent bar is unknown to nobody: it has no state. */
export function stateOf(bar, length, now = Date.now()) {
  if (bar.close === null) {
    return bar.trade_count > 0 ? "unpriced" : "unknown";
  }
  if (bar.is_filled) {
    return "quiet";
  }
  if (bar.time + length > now) {
    return "forming";
  }
  return bar.is_complete ? "complete" : "incomplete";
}

/** Bars of one series and interval, without two of one time, in order. */
export class Candles {
  constructor(interval, length) {
    Object.assign(this, { interval, length, bars: [], places: new Map() });
  }

  get first() {
    return this.bars[0];
  }

  get last() {
    return this.bars.at(-1);
  }

  at(time) {
    return this.bars[this.places.get(time)];
  }

  /** Put bars in, in any order; the newer one of a time stays. Returns whether only the newest bar changed. */
  put(bars) {
    const newest = this.last?.time ?? -Infinity;
    const byTime = new Map(this.bars.map((bar) => [bar.time, bar]));
    bars.forEach((bar) => byTime.set(bar.time, bar));
    this.bars = [...byTime.values()].sort((left, right) => left.time - right.time);
    this.places = new Map(this.bars.map((bar, place) => [bar.time, place]));
    return bars.every((bar) => bar.time >= newest);
  }

  /** The bars that start in `[from, until)`. */
  between(from, until) {
    return this.bars.slice(this.place(from), this.place(until));
  }

  /** Where the first bar at or after `time` stands. */
  place(time) {
    let [low, high] = [0, this.bars.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      [low, high] = this.bars[middle].time < time ? [middle + 1, high] : [low, middle];
    }
    return low;
  }
}
