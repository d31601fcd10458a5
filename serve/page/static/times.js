// Times are UNIX milliseconds and UTC; texts are ISO 8601 without the T.

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
export const DAY = UNITS.d;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The length of an interval like `15m` in ms. */
export function lengthOf(interval) {
  const [, count, unit] = /^(\d+)([mhdw])$/.exec(interval) ?? [null, "1", "m"];
  return Number(count) * UNITS[unit];
}

/** `2024-01-01 00:05`, with seconds only where there are some. */
export function told(time) {
  const text = new Date(time).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, text.slice(17, 19) === "00" ? 16 : 19)}`;
}

export function day(time) {
  return new Date(time).toISOString().slice(0, 10);
}

export function month(time) {
  return MONTHS[new Date(time).getUTCMonth()];
}

/** What an axis says of a time; `grain` is the chart library's: 0 year, 1 month, 2 day, 3 and 4 time. */
export function axisLabel(time, grain) {
  const at = new Date(time);
  return [
    () => String(at.getUTCFullYear()),
    () => MONTHS[at.getUTCMonth()],
    () => `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`,
    () => at.toISOString().slice(11, 16),
    () => at.toISOString().slice(11, 19),
  ][grain]();
}

/** The short form that stands in an address; `parsed` reads it back. */
export function addressed(time) {
  const text = new Date(time).toISOString();
  return text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : text.replace(/(:00)?\.000Z$/, "Z");
}

/** An ISO date or time (UTC where it names no zone), or UNIX ms; null where it is neither. */
export function parsed(text) {
  if (!text) {
    return null;
  }
  if (/^-?\d{5,}$/.test(text)) {
    return Number(text);
  }
  const zoned = /T/.test(text) && !/(Z|[+-]\d\d:?\d\d)$/.test(text) ? `${text}Z` : text;
  const time = Date.parse(zoned);
  return Number.isNaN(time) ? null : time;
}

/** `3 min`, `2 h`, `5 d`: how long ago or how long, coarsely. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const steps = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];
  const [unit, size] = steps.find(([, size]) => seconds >= size * 2) ?? steps[3];
  return `${Math.floor(seconds / size)} ${unit}`;
}
