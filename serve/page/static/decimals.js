// Decimals are text, as the API sends them. Nothing here passes through a floating-point number.

const places = (text) => (text.split(".")[1] ?? "").length;

function scaled(text, scale) {
  const [whole, fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(scale, "0"));
}

/** `left - right` as exact text, with its sign. */
export function difference(left, right) {
  const scale = Math.max(places(left), places(right));
  const units = scaled(left, scale) - scaled(right, scale);
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, "");
  const sign = units > 0n ? "+" : units < 0n ? "\u2212" : "";
  return sign + whole + (fraction && `.${fraction}`);
}

/** The most decimal places among these texts. */
export function mostPlaces(texts) {
  return texts.reduce((most, text) => Math.max(most, places(text)), 0);
}

/** Whole numbers for people: `1,440`. */
export const count = (number) => new Intl.NumberFormat("en").format(number);

/** The share of two whole numbers in per cent, cut (not rounded up) at two places: never 100 % too soon. */
export function percent(part, whole) {
  if (whole === 0) {
    return "\u2013";
  }
  const hundredths = (BigInt(part) * 10_000n) / BigInt(whole);
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")} %`;
}
