// How the candles on screen compare with the exchange's own bars: the state, and the certificates that say so.

import { count, percent } from "./decimals.js";
import { byId, element } from "./elements.js";
import { told } from "./times.js";

/** The newest certificate of each comparison and window, those of this interval first. */
function newest(certificates, interval) {
  const seen = new Set();
  const kept = certificates.filter((one) => {
    const key = [one.check_name, one.bar_interval, one.left_side, one.right_side, one.window_start, one.window_end].join("\n");
    return !seen.has(key) && seen.add(key);
  });
  return kept.sort((left, right) => (right.bar_interval === interval) - (left.bar_interval === interval));
}

/** Whether the windows together cover `[from, until)` without a gap. */
function covers(certificates, from, until) {
  const windows = certificates.map((one) => [one.window_start, one.window_end]).sort((left, right) => left[0] - right[0]);
  return windows.reduce((reached, [start, end]) => (start <= reached ? Math.max(reached, end) : reached), from) >= until;
}

/** One word for the eye and one sentence: `[state, text]`. */
function verdict(certificates, from, until) {
  const sum = (field) => certificates.reduce((total, one) => total + (one[field] ?? 0), 0);
  if (certificates.length === 0) {
    return ["none", "Not compared: no certificate touches what is on screen."];
  }
  const [unexplained, undetermined, compared] = ["unexplained", "undetermined", "compared"].map(sum);
  if (unexplained > 0) {
    return ["bad", `${count(unexplained)} of ${count(compared)} fields differ and nothing explains it.`];
  }
  const agreed = sum("equal") + sum("equal_after_rounding");
  const told = `${count(agreed)} of ${count(compared)} compared fields equal (${percent(agreed, compared)}), none unexplained`;
  if (undetermined > 0) {
    return ["part", `${told}; ${count(undetermined)} could not be decided.`];
  }
  return covers(certificates, from, until)
    ? ["good", `${told}.`]
    : ["part", `${told}. Part of what is on screen was not compared.`];
}

export function showCertificates(certificates, { interval, from, until }) {
  const kept = newest(certificates, interval);
  const [state, text] = verdict(kept, from, until);
  byId("verdict").textContent = text;
  byId("verdict").dataset.state = state;
  byId("certificates").replaceChildren(...kept.map((one, place) => certificate(one, place === 0)));
}

export function clearCertificates(text) {
  byId("verdict").textContent = text;
  byId("verdict").dataset.state = "none";
  byId("certificates").replaceChildren();
}

function certificate(one, open) {
  const sides = one.left_side && one.right_side ? `${one.left_side} against ${one.right_side}` : one.check_name;
  const title = `${one.bar_interval || one.dataset || ""} ${sides}, ${told(one.window_start)} to ${told(one.window_end)} UTC`;
  const list = element("dl", {}, ...facts(one).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  return element("details", { open }, element("summary", {}, title), list);
}

function facts(one) {
  const causes = Object.entries(one.causes ?? {}).map(([cause, number]) => `${cause}: ${count(number)}`).join(", ");
  const number = (value) => (value === null || value === undefined ? "not counted" : count(value));
  return [
    ["Check", one.check_name],
    ["Rows", `${number(one.left_rows)} and ${number(one.right_rows)}, ${number(one.matched)} matched`],
    ["Fields compared", number(one.compared)],
    ["Equal", number(one.equal)],
    ["Equal after rounding", number(one.equal_after_rounding)],
    ["Not derivable", number(one.not_derivable)],
    ["Different", number(one.different)],
    ["Only on the left", number(one.only_left)],
    ["Only on the right", number(one.only_right)],
    ["Unexplained", number(one.unexplained)],
    ["Not decided", number(one.undetermined)],
    ["Causes", causes || "none"],
    ["Checked", `${told(one.checked_at)} UTC`],
    ["Run", one.run_id],
    ["Hash, left", one.left_hash ?? "none"],
    ["Hash, right", one.right_hash ?? "none"],
  ];
}
