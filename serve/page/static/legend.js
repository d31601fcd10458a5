// What the crosshair points at, in the API's own text; without a crosshair, the newest bar.

import { STATES, stateOf } from "./candles.js";
import { count, difference } from "./decimals.js";
import { byId } from "./elements.js";
import { told } from "./times.js";

const FIELDS = ["open", "high", "low", "close", "volume"];

export function showLegend(candles, time, units) {
  const bar = time === null ? candles?.last : candles?.at(time);
  const at = time ?? bar?.time ?? null;
  const state = bar ? stateOf(bar, candles.length) : null;
  FIELDS.forEach((field) => {
    byId(`legend-${field}`).textContent = bar?.[field] ?? "\u2013";
  });
  byId("legend-trades").textContent = bar ? count(bar.trade_count) : "\u2013";
  byId("legend-unit").textContent = units?.quantity_unit ?? "";
  byId("legend-time").textContent = at === null ? "" : `${told(at)} UTC`;
  showChange(bar);
  const badge = byId("legend-state");
  badge.textContent = at === null ? "" : (STATES[state] ?? "no bar at the exchange");
  badge.dataset.state = state ?? "";
}

function showChange(bar) {
  const change = byId("legend-change");
  const known = bar && bar.close !== null && bar.open !== null;
  change.textContent = known ? difference(bar.close, bar.open) : "\u2013";
  change.dataset.sign = known ? change.textContent[0] : "";
}

/** The same in one sentence, for those who hear the page. */
export function spoken(candles, time) {
  const bar = candles?.at(time);
  if (!bar) {
    return `${told(time)}: no bar at the exchange`;
  }
  const state = stateOf(bar, candles.length);
  const prices = bar.close === null ? "" : `open ${bar.open}, high ${bar.high}, low ${bar.low}, close ${bar.close}, volume ${bar.volume}`;
  return `${told(time)}: ${[prices, state === "complete" ? "" : STATES[state]].filter(Boolean).join("; ")}`;
}
