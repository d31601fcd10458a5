// The page: holds the parts together. One `showing` at a time is on screen.

import { ApiError, insist, keepKey, pause } from "./api.js";
import { Candles } from "./candles.js";
import { CandleChart } from "./chart.js";
import { clearCertificates, showCertificates } from "./certificates.js";
import { Controls, MOST_CANDLES, fitting } from "./controls.js";
import { Coverage } from "./coverage.js";
import { byId, settled } from "./elements.js";
import { showLegend, spoken } from "./legend.js";
import { askForKey, notice, quiet } from "./notice.js";
import * as permalink from "./permalink.js";
import { Search } from "./search.js";
import { Showing } from "./showing.js";
import { showTable } from "./table.js";
import { DAY, addressed, lengthOf, told } from "./times.js";

/** So few candles make no picture. */
const FEWEST = 20;
const EMPTY_AGAIN = 10_000;
/** What is on screen or being loaded, and what was on screen last: null where that failed. */
let showing = null;
let last = null;
let opening = null;
const bad = [];

const onTrouble = (error, seconds) =>
  notice("trouble", `${error.message} Trying again in ${seconds} s.`, error.hint);

const chart = new CandleChart(byId("chart"), {
  onPoint: (time) => showLegend(showing?.candles, time, showing?.units),
  onView: () => viewChanged(),
});
const search = new Search((series) => open({ ...series, interval: last?.series.interval ?? null, start: null, end: null }));
const coverage = new Coverage((from, until) => openRange(from, until));
const controls = new Controls({
  onInterval: (interval) => open({ ...last.view, ...rangeFor(interval), interval }),
  onRange: openRange,
});

/** Show a range in candles of the present interval, or of a longer one where those would be too many. */
function openRange(start, end) {
  const { series, units, view } = last;
  const until = end ?? units.last_time ?? Date.now();
  const wanted = start === null ? series.interval : fitting(series.interval, units.intervals, until - start);
  open({ ...view, interval: wanted, start, end });
}

/** The range on screen as a view says it: an end that is the newest bar stays open. */
function onScreen() {
  const view = chart.view();
  return view === null ? { start: null, end: null } : { start: view.from, end: view.atEnd && last.live ? null : view.until };
}

/** The range on screen for candles of another interval; where it would hold too few, those before its end. */
function rangeFor(interval) {
  const { start, end } = onScreen();
  const candles = ((end ?? last.candles.last?.time) - start) / lengthOf(interval);
  return { start: candles < FEWEST ? null : start, end };
}

/** Put a view on screen; `step` makes a step for the back button. */
async function open(view, { step = true } = {}) {
  showing?.stop();
  const mine = new AbortController();
  showing = null;
  opening?.abort();
  opening = mine;
  byId("chart").setAttribute("aria-busy", "true");
  notice("wait", "Loading\u2026");
  try {
    await load(view, step, mine.signal);
  } catch (error) {
    if (opening === mine) {
      failed(error, view);
    }
  }
}

async function load(view, step, signal) {
  const series = isWhole(view) ? null : required(await seriesOf(view, signal), view);
  const whole = { ...view, ...named(series), interval: intervalOf(view, series) };
  const next = new Showing(whole, onTrouble);
  signal.addEventListener("abort", () => next.stop());
  showing = next;
  const [units] = await Promise.all([series ?? seriesOf(whole, next.asking.signal), next.load()]);
  next.units = required(units, whole);
  shown(next, step);
}

const isWhole = ({ exchange, kind, instrument, interval }) => exchange && kind && instrument && interval;

function required(series, { exchange, kind, instrument }) {
  if (series === null) {
    const name = [exchange, kind, instrument].filter(Boolean).join(" ");
    throw new ApiError(404, { message: `Nothing is published of ${name}.`, hint: "Search for another instrument." });
  }
  return series;
}

const named = (series) => series && { exchange: series.exchange, kind: series.kind, instrument: series.instrument };

/** The interval that the address names; else minutes for a week or less, hours for more. */
function intervalOf(view, series) {
  if (view.interval && (series?.intervals.includes(view.interval) ?? true)) {
    return view.interval;
  }
  const aim = series.last_time - series.first_time > 7 * DAY ? "1h" : "1m";
  return series.intervals.includes(aim) ? aim : series.intervals[0];
}

/** What the API says of an instrument, null where it has none; without a name, of the first one with bars. */
async function seriesOf({ exchange, kind, instrument }, signal) {
  for (;;) {
    const answer = await insist("instruments", { q: instrument, exchange, kind, limit: 50 }, { signal, onTrouble });
    const found = answer.instruments.find((one) =>
      one.series_type === "bars" && (!instrument || one.instrument === instrument) &&
      (!exchange || one.exchange === exchange) && (!kind || one.kind === kind));
    if (found) {
      return found;
    }
    if (instrument) {
      return null;
    }
    notice("empty", "Nothing is published yet.", "./spark-submit.sh publish brings the candles of a lake here; this page looks again by itself.");
    await pause(EMPTY_AGAIN, signal);
  }
}

function shown(next, step) {
  const { candles, view, units } = next;
  last = next;
  byId("controls").inert = false;
  quiet();
  title(next);
  chart.show(candles);
  chart.setView(view.start, view.end);
  controls.show(units, view.interval);
  showLegend(candles, null, units);
  tellWhatIsMissing(next);
  permalink.write(view, { step });
  byId("chart").setAttribute("aria-busy", "false");
  requestAnimationFrame(() => requestAnimationFrame(() => {
    performance.mark("candles-painted");
    next.isPainted = true;
    afterwards(next);
  }));
}

function title({ series }) {
  byId("title").textContent = `${series.instrument} ${series.interval}`;
  byId("place").textContent = `${series.exchange} ${series.kind}`;
  document.title = `${series.instrument} ${series.interval} \u2013 Candlelake`;
  search.show(series.instrument);
}

function tellWhatIsMissing({ candles, view }) {
  if (candles.bars.length === 0) {
    notice("empty", "There are no candles in this range.", "Choose another range, or an earlier end.");
  } else if (view.start !== null && candles.first.time > view.start + candles.length && candles.bars.length >= MOST_CANDLES) {
    notice("note", `The range holds more than ${MOST_CANDLES.toLocaleString("en")} candles: these are the newest; older ones load as you scroll.`);
  }
}

/** What can wait until the candles are painted. */
function afterwards(next) {
  if (next !== showing) {
    return;
  }
  if (next.view.end === null) {
    next.listen({ onBars: (bars) => arrived(next, bars), onPublication: () => askAround(next), onState: liveState });
  } else {
    liveState("off", "not live: this range has ended");
  }
  askCoverage(next);
  viewChanged();
}

function liveState(state, text) {
  byId("live").dataset.state = state;
  byId("live").textContent = text;
}

/** New bars: the newest ones only are drawn, or all where an older one changed. */
function arrived(next, bars) {
  if (next !== showing || bars.length === 0) {
    return;
  }
  const before = next.candles.last?.time;
  const isNewest = next.candles.put(bars);
  if (isNewest && bars.length === 1 && before !== undefined) {
    chart.drawNewest();
  } else {
    chart.draw();
  }
  if (chart.cursor === null) {
    showLegend(next.candles, null, next.units);
  }
  viewSettled();
}

async function askCoverage(next) {
  const { interval, ...series } = next.series;
  await besides(next, () => insist("coverage", series, { signal: next.asking.signal, onTrouble: () => {} }),
    (answer) => coverage.show(answer), (text) => coverage.clear(text));
}

async function askCertificates(next, { from, until }) {
  const { interval, ...series } = next.series;
  const question = { ...series, start: from, end: until };
  await besides(next, () => insist("reconciliation", question, { signal: next.asking.signal, onTrouble: () => {} }),
    ({ certificates }) => showCertificates(certificates, { interval, from, until }), clearCertificates);
}

/** A part that the candles do without: its failure is told in its own place. */
async function besides(next, question, show, clear) {
  try {
    const answer = await question();
    if (next === showing) {
      show(answer);
    }
  } catch (error) {
    if (!(error instanceof ApiError)) {
      if (error.name === "AbortError") {
        return;
      }
      throw error;
    }
    clear(error.message);
  }
}

function askAround(next) {
  if (next === showing) {
    askCoverage(next);
    viewSettled();
  }
}

function viewChanged() {
  const view = showing && chart.view();
  if (view === null) {
    return;
  }
  if (view.atStart && showing.isPainted && !showing.isWhole && !showing.isLoading) {
    loadOlder(showing);
  }
  viewSettled();
}

async function loadOlder(next) {
  try {
    if (await next.older() && next === showing) {
      chart.draw();
      quiet();
    }
  } catch (error) {
    if (error instanceof ApiError) {
      notice("trouble", `Older candles can't be had: ${error.message}`, error.hint);
    } else if (error.name !== "AbortError") {
      throw error;
    }
  }
}

/** What follows the part on screen, once it rests. */
const viewSettled = settled(250, () => {
  const view = showing?.units && chart.view();
  if (!view) {
    return;
  }
  permalink.write({ ...showing.series, ...onScreen() });
  controls.showView(showing.series, view);
  byId("on-screen").textContent = `${told(view.from)} to ${told(view.until)} UTC`;
  showTable(showing.candles.between(view.from, view.until), showing.candles.length, showing.units);
  askCertificates(showing, view);
});

function failed(error, view) {
  if (error.name === "AbortError") {
    return;
  }
  if (!(error instanceof ApiError)) {
    notice("trouble", "The page failed.", String(error.message));
    throw error;
  }
  blank();
  if (error.status === 401 || error.status === 403) {
    askForKey(error.message, (key) => {
      keepKey(key);
      open(view, { step: false });
    });
    return;
  }
  notice("trouble", error.message, error.hint);
  if (view.instrument) {
    title({ series: { ...view, interval: view.interval ?? "" } });
  }
}

/** Leave nothing of another instrument on screen. */
function blank() {
  showing?.stop();
  showing = null;
  last = null;
  byId("controls").inert = true;
  byId("chart").setAttribute("aria-busy", "false");
  byId("on-screen").textContent = "";
  chart.show(new Candles("1m", lengthOf("1m")));
  showLegend(null, null, null);
  showTable([], 0, null);
  coverage.clear("");
  clearCertificates("");
  liveState("off", "");
}

const speak = settled(150, (time) => {
  byId("spoken").textContent = time === null ? "" : spoken(showing?.candles, time);
});

const KEYS = {
  ArrowLeft: (event) => chart.point(event.shiftKey ? -10 : -1),
  ArrowRight: (event) => chart.point(event.shiftKey ? 10 : 1),
  Home: () => chart.point(-Infinity),
  End: () => chart.point(Infinity),
  PageUp: () => chart.scroll(-50),
  PageDown: () => chart.scroll(50),
  "+": () => chart.zoom(1 / 1.5),
  "=": () => chart.zoom(1 / 1.5),
  "-": () => chart.zoom(1.5),
  Escape: () => chart.unpoint(),
};

byId("chart").addEventListener("keydown", (event) => {
  if (KEYS[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    KEYS[event.key](event);
    speak(chart.cursor);
  }
});
byId("chart").addEventListener("blur", () => chart.unpoint());
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, button, select")) {
    event.preventDefault();
    byId("search").focus();
  }
});
byId("table").addEventListener("toggle", () => viewSettled());
addEventListener("popstate", () => open(addressedView(), { step: false }));
addEventListener("pagehide", () => showing?.live?.stop());

byId("theme").addEventListener("change", ({ target }) => {
  if (target.value === "system") {
    localStorage.removeItem("candlelake-theme");
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem("candlelake-theme", target.value);
    document.documentElement.dataset.theme = target.value;
  }
  chart.recolour();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.recolour());
byId("theme").value = document.documentElement.dataset.theme ?? "system";

function addressedView() {
  bad.length = 0;
  return permalink.read((name, text) => bad.push(`${name}=${text}`));
}

await open(addressedView(), { step: false });
if (bad.length > 0) {
  notice("note", `The address says ${bad.join(" and ")}, which is no time.`, `Write it as ${addressed(Date.UTC(2024, 0, 1))} or 2024-01-01T14:30Z.`);
}
