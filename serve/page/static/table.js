// What is on screen as a table, for those who hear the page, and for whoever wants to copy it.

import { STATES, stateOf } from "./candles.js";
import { count } from "./decimals.js";
import { byId, row } from "./elements.js";
import { told } from "./times.js";

const MOST = 500;

/** Fill the table where it is open; else only say how much it would hold. */
export function showTable(bars, length, units) {
  const details = byId("table");
  byId("table-count").textContent = count(bars.length);
  if (!details.open) {
    byId("table-body").replaceChildren();
    return;
  }
  const shown = bars.slice(-MOST);
  byId("table-note").textContent =
    bars.length > MOST ? `The newest ${MOST} of ${count(bars.length)}; the files above hold all.` : "";
  byId("table-volume").textContent = units?.quantity_unit ? `Volume, ${units.quantity_unit}` : "Volume";
  byId("table-body").replaceChildren(...shown.map((bar) => line(bar, length)));
}

function line(bar, length) {
  const prices = ["open", "high", "low", "close"].map((field) => bar[field] ?? "\u2013");
  const state = stateOf(bar, length);
  return row([told(bar.time), ...prices, bar.volume ?? "\u2013", count(bar.trade_count), state === "complete" ? "" : STATES[state]]);
}
