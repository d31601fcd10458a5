// The picture: candles, their volume, and a shade over minutes of which nothing is held.
// The library draws with floating-point numbers; every number that is read as text comes from the API's own text.

import {
  CandlestickSeries,
  CrosshairMode,
  HistogramSeries,
  createChart,
} from "./vendor/lightweight-charts.mjs";
import { stateOf } from "./candles.js";
import { mostPlaces } from "./decimals.js";
import { axisLabel, told } from "./times.js";

/** So many absent bars are drawn as a gap of their true width; a longer gap is drawn this wide. */
const WIDEST_GAP = 200;
/** A view that starts so few bars from the oldest one asks for older ones. */
const NEAR_START = 30;
const NEWEST = 160;

/** Every time that has a place on the axis: those of the bars, and those of the gaps between them. */
function placed(bars, length) {
  const times = [];
  bars.forEach((bar, place) => {
    const before = place === 0 ? bar.time : bars[place - 1].time;
    const absent = Math.min((bar.time - before) / length - 1, WIDEST_GAP);
    for (let step = 1; step <= absent; step += 1) {
      times.push(before + step * length);
    }
    times.push(bar.time);
  });
  return times;
}

export class CandleChart {
  /**
   * @param {HTMLElement} container what it fills
   * @param {(time: number | null) => void} onPoint hears where the crosshair is, null where it is gone
   * @param {() => void} onView hears that another part is on screen
   */
  constructor(container, { onPoint, onView }) {
    this.container = container;
    this.onPoint = onPoint;
    this.candles = null;
    this.times = [];
    this.cursor = null;
    this.chart = createChart(container, {
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      layout: { attributionLogo: false, fontFamily: getComputedStyle(container).fontFamily },
      localization: { locale: "en-GB", timeFormatter: (time) => `${told(time * 1000)} UTC` },
      rightPriceScale: { borderVisible: false },
      timeScale: {
        borderVisible: false,
        minBarSpacing: 0.05,
        rightOffset: 3,
        timeVisible: true,
        tickMarkFormatter: (time, grain) => axisLabel(time * 1000, grain),
      },
    });
    this.addSeries();
    this.recolour();
    this.chart.subscribeCrosshairMove(({ time }) => this.pointed(time ? time * 1000 : null));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange(() => onView());
  }

  addSeries() {
    const quiet = { lastValueVisible: false, priceLineVisible: false };
    this.shades = this.chart.addSeries(HistogramSeries, {
      ...quiet,
      priceScaleId: "shades",
      autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 1 } }),
    });
    this.shades.priceScale().applyOptions({ scaleMargins: { top: 0, bottom: 0 } });
    this.prices = this.chart.addSeries(CandlestickSeries, {});
    this.volumes = this.chart.addSeries(HistogramSeries, { ...quiet, priceFormat: { type: "volume" } }, 1);
    const [prices, volumes] = this.chart.panes();
    prices.setStretchFactor(4);
    volumes.setStretchFactor(1);
  }

  /** Take the colours of the page's present theme. */
  recolour() {
    const probe = this.container.appendChild(document.createElement("i"));
    const colour = (name) => {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    };
    this.colours = Object.fromEntries(
      ["rise", "fall", "rise-soft", "fall-soft", "forming", "quiet", "unknown"].map((name) => [name, colour(name)]),
    );
    const { rise, fall, unknown } = this.colours;
    const line = { color: colour("grid") };
    this.chart.applyOptions({
      layout: {
        background: { color: colour("paper") },
        textColor: colour("ink-soft"),
        panes: { separatorColor: colour("line") },
      },
      grid: { vertLines: line, horzLines: line },
    });
    probe.remove();
    this.shades.applyOptions({ color: unknown });
    this.prices.applyOptions({
      upColor: rise, downColor: fall, borderUpColor: rise, borderDownColor: fall, wickUpColor: rise, wickDownColor: fall,
    });
    this.draw();
  }

  /** Show these candles from now on. */
  show(candles) {
    this.candles = candles;
    this.cursor = null;
    const precision = Math.min(10, mostPlaces(candles.bars.flatMap((bar) => [bar.open ?? "", bar.close ?? ""])));
    this.prices.applyOptions({ priceFormat: { type: "price", precision, minMove: 10 ** -precision } });
    this.draw();
  }

  /** Draw what the candles hold now; the part on screen stays where it is. */
  draw() {
    const bars = this.candles?.bars ?? [];
    this.times = placed(bars, this.candles?.length);
    this.container.dataset.candles = String(bars.length);
    const drawn = this.times.map((time) => this.drawing(time, this.candles.at(time)));
    this.prices.setData(drawn.map(({ price }) => price));
    this.volumes.setData(drawn.map(({ volume }) => volume));
    this.shades.setData(drawn.map(({ shade }) => shade));
  }

  /** Draw the newest bar again, or one behind it, without touching the others. */
  drawNewest() {
    const { last, length } = this.candles;
    if (this.times.length === 0 || last.time > this.times.at(-1) + length || last.time < this.times.at(-1)) {
      this.draw();
      return;
    }
    const { price, volume, shade } = this.drawing(last.time, last);
    this.prices.update(price);
    this.volumes.update(volume);
    this.shades.update(shade);
    if (last.time > this.times.at(-1)) {
      this.times.push(last.time);
    }
  }

  /** What the three series draw at a time; nothing where there is no bar or no price. */
  drawing(time, bar) {
    const at = { time: time / 1000 };
    const state = bar && stateOf(bar, this.candles.length);
    const shade = state === "unknown" ? { ...at, value: 1 } : at;
    if (!bar) {
      return { price: at, volume: at, shade };
    }
    const { rise, fall, quiet, "rise-soft": riseSoft, "fall-soft": fallSoft } = this.colours;
    const rising = Number(bar.close) >= Number(bar.open);
    const volume = { ...at, value: Number(bar.volume ?? 0), color: rising ? riseSoft : fallSoft };
    if (bar.close === null) {
      return { price: at, volume: bar.trade_count > 0 ? { ...volume, color: quiet } : at, shade };
    }
    const [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(Number);
    return { price: { ...at, open, high, low, close, ...this.look(state, rising ? rise : fall) }, volume, shade };
  }

  /** How a state differs from a complete bar: hollow where more may come, grey where nothing happened. */
  look(state, colour) {
    const { forming, quiet } = this.colours;
    return {
      forming: { color: "transparent", borderColor: forming, wickColor: forming },
      incomplete: { color: "transparent", borderColor: colour, wickColor: colour },
      quiet: { color: quiet, borderColor: quiet, wickColor: quiet },
    }[state];
  }

  /** Put `[from, until)` on screen; null means the end of what is held. */
  setView(from, until) {
    const place = (time) => {
      const found = this.times.findIndex((one) => one >= time);
      return found < 0 ? this.times.length : found;
    };
    const right = until === null ? this.times.length + 1 : Math.max(place(until) - 1, 1);
    const left = from === null ? Math.max(right - NEWEST, 0) : place(from);
    this.chart.timeScale().setVisibleLogicalRange({ from: Math.min(left, right - 2), to: right });
  }

  /** What is on screen, by the middle of each bar: `from` and `until` in ms, and whether it touches either end. */
  view() {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    const last = this.times.length - 1;
    if (range === null || last < 0) {
      return null;
    }
    const clamped = (place) => Math.min(Math.max(place, 0), last);
    return {
      from: this.times[clamped(Math.ceil(range.from - 0.5))],
      until: this.times[clamped(Math.floor(range.to + 0.5))] + this.candles.length,
      atStart: range.from < NEAR_START,
      atEnd: range.to + 0.5 >= last,
    };
  }

  pointed(time) {
    this.cursor = time;
    this.onPoint(time);
  }

  /** Move the crosshair by so many bars, or to an end of what is on screen with -Infinity and Infinity. */
  point(step) {
    const view = this.view();
    if (view === null) {
      return;
    }
    const [left, right] = [this.times.indexOf(view.from), this.times.indexOf(view.until - this.candles.length)];
    const start = this.cursor === null ? right + (step < 0 ? 1 : 0) : this.times.indexOf(this.cursor);
    const place = Math.abs(step) === Infinity
      ? (step < 0 ? left : right)
      : Math.min(Math.max(start + step, 0), this.times.length - 1);
    if (place < left || place > right) {
      this.scroll(place < left ? place - left : place - right);
    }
    const time = this.times[place];
    const price = Number(this.candles.at(time)?.close ?? this.candles.last?.close ?? 0);
    this.chart.setCrosshairPosition(price, time / 1000, this.prices);
    this.pointed(time);
  }

  unpoint() {
    this.chart.clearCrosshairPosition();
    this.pointed(null);
  }

  scroll(bars) {
    this.changeRange(({ from, to }) => ({ from: from + bars, to: to + bars }));
  }

  /** Show `factor` times as many bars, the right edge unmoved. */
  zoom(factor) {
    this.changeRange(({ from, to }) => ({ from: to - Math.max((to - from) * factor, 5), to }));
  }

  changeRange(change) {
    const scale = this.chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (range !== null) {
      scale.setVisibleLogicalRange(change(range));
    }
  }
}
