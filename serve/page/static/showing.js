// One series at one interval on screen: its history page by page, and what comes live.

import { insist } from "./api.js";
import { Candles } from "./candles.js";
import { MOST_CANDLES } from "./controls.js";
import { Live } from "./live.js";
import { lengthOf } from "./times.js";

const PAGE = 1_500;
/** A page may hold few bars or none, where the market was halted: so many are asked for at once. */
const MOST_PAGES = 20;
const COLUMNS = "time,open,high,low,close,volume,trade_count,is_complete,is_filled";

export class Showing {
  /** @param {object} view exchange, kind, instrument, interval, start and end; @param onTrouble hears of pauses */
  constructor(view, onTrouble) {
    const { exchange, kind, instrument, interval } = view;
    this.series = { exchange, kind, instrument, interval };
    this.view = view;
    this.candles = new Candles(interval, lengthOf(interval));
    this.asking = new AbortController();
    this.onTrouble = onTrouble;
    this.cursor = null;
    this.isWhole = false;
    this.isLoading = false;
    // what can wait is asked for once the first candles are on screen
    this.isPainted = false;
    this.units = null;
    this.publication = null;
  }

  get waiting() {
    return { signal: this.asking.signal, onTrouble: this.onTrouble };
  }

  stop() {
    this.asking.abort();
    this.live?.stop();
  }

  /** Load what the view wants, newest first: all of its range, at most MOST_CANDLES at once. */
  async load() {
    const { start, end } = this.view;
    const wanted = start === null ? PAGE : MOST_CANDLES;
    const held = this.candles;
    const reaches = () => (start === null ? held.first : held.bars.length >= wanted || held.first?.time <= start);
    let pages = 0;
    do {
      await this.older(wanted - held.bars.length, end);
      pages += 1;
    } while (!this.isWhole && !reaches() && pages < MOST_PAGES);
  }

  /** Load the page before the oldest bar; returns whether there was one. */
  async older(limit = PAGE, end = this.view.end) {
    if (this.isWhole || this.isLoading) {
      return false;
    }
    this.isLoading = true;
    try {
      const answer = await this.page({
        ...this.series, end, limit, cursor: this.cursor, order: "desc", filled: true, columns: COLUMNS,
      });
      this.candles.put(answer.bars);
      this.cursor = answer.next_cursor;
      this.isWhole = answer.next_cursor === null;
      this.publication = answer.publication;
      return answer.bars.length > 0;
    } finally {
      this.isLoading = false;
    }
  }

  /** Ask for a page; a server that gives fewer rows at once refuses the limit: then its own page is taken. */
  async page(question) {
    try {
      return await insist("ohlcv", question, this.waiting);
    } catch (error) {
      if (error.status !== 422 || !error.message.startsWith("`limit`")) {
        throw error;
      }
      return insist("ohlcv", { ...question, limit: null }, this.waiting);
    }
  }

  /** Listen for new bars; a range that ends in the past has none. */
  listen(hears) {
    this.live = new Live(this.series, () => this.candles.last?.time ?? null, hears);
    this.live.publication = this.publication;
  }
}
