// New bars as they come: by server-sent events; where those fail, by asking every few seconds.

import { ApiError, address, ask } from "./api.js";

const POLL = 5_000;
const STREAM_AGAIN = 60_000;
const PATIENCE = 3;

export class Live {
  /**
   * @param {object} series exchange, kind, instrument and interval
   * @param {() => number | null} newest the time of the newest bar that is held
   * @param {object} hears onBars(bars), onPublication(), onState(name, text)
   */
  constructor(series, newest, hears) {
    Object.assign(this, { series, newest, hears, publication: null, stopped: false });
    this.asking = new AbortController();
    this.stream();
  }

  stop() {
    this.stopped = true;
    this.source?.close();
    this.asking.abort();
    [this.timer, this.again].forEach(clearTimeout);
  }

  stream() {
    let failures = 0;
    this.source = new EventSource(address("live/sse", this.series));
    this.source.addEventListener("open", () => {
      failures = 0;
      clearTimeout(this.timer);
      this.hears.onState("live", "live");
      this.catchUp();
    });
    this.source.addEventListener("bar", ({ data }) => this.hears.onBars([JSON.parse(data)]));
    this.source.addEventListener("publication", ({ data }) => {
      if (this.isNew(JSON.parse(data).publication)) {
        this.catchUp();
      }
    });
    this.source.addEventListener("error", () => {
      failures += 1;
      if (this.source.readyState === EventSource.CLOSED || failures >= PATIENCE) {
        this.source.close();
        this.poll();
        this.again = setTimeout(() => this.stream(), STREAM_AGAIN);
      } else {
        this.hears.onState("waiting", "live: connecting again");
      }
    });
  }

  async poll() {
    if (await this.catchUp()) {
      this.hears.onState("polling", `live: asked every ${POLL / 1000} s`);
    }
    if (!this.stopped) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.poll(), POLL);
    }
  }

  /** Whether a publication is another than the last one; then what depends on it hears so. */
  isNew(publication) {
    const isOther = publication !== this.publication;
    this.publication = publication;
    if (isOther) {
      this.hears.onPublication();
    }
    return isOther;
  }

  /** Ask for the newest bar and all behind it; returns whether there was an answer. */
  async catchUp() {
    const parameters = { ...this.series, start: this.newest(), order: "asc", filled: true };
    try {
      const { bars, publication } = await ask("ohlcv", parameters, this.asking.signal);
      this.hears.onBars(bars);
      this.isNew(publication);
      return true;
    } catch (error) {
      if (error instanceof ApiError) {
        this.hears.onState("gone", `not live: ${error.message}`);
      } else if (error.name !== "AbortError") {
        throw error;
      }
      return false;
    }
  }
}
