// What the page asks of the HTTP API, with retries where asking again can help.

const ROOT = new URL("api/v1/", document.baseURI);
const PAUSES = [1, 2, 4, 8, 15];
const KEY = "candlelake-key";

/** An answer that is none: `status` 0 where nobody answered, `pause` the seconds that the server asks for. */
export class ApiError extends Error {
  constructor(status, { code = "", message, hint = "" }, pause = null) {
    super(message);
    Object.assign(this, { status, code, hint, pause });
  }

  /** Whether the same question may be answered a little later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The address of a question; parameters that are null or empty are left out. */
export function address(path, parameters = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") {
      url.searchParams.set(name, value);
    }
  }
  return url.href;
}

/** Ask once. Throws ApiError, or AbortError where `signal` says so. */
export async function ask(path, parameters, signal) {
  const response = await answered(address(path, parameters), signal);
  const body = await response.json().catch((error) => {
    if (error.name === "AbortError") {
      throw error;
    }
    return null;
  });
  if (response.ok && body !== null) {
    return body;
  }
  const said = body?.error ?? { message: `The API answered with status ${response.status}.` };
  const pause = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  throw new ApiError(response.ok ? 502 : response.status, said, Number.isNaN(pause) ? null : pause);
}

async function answered(url, signal) {
  const key = sessionStorage.getItem(KEY);
  const headers = { Accept: "application/json", ...(key && { "X-API-Key": key }) };
  try {
    return await fetch(url, { signal, headers });
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    throw new ApiError(0, { message: "The API does not answer." });
  }
}

/** Ask until there is an answer; `onTrouble(error, seconds)` hears of each pause. */
export async function insist(path, parameters, { signal, onTrouble }) {
  for (let round = 0; ; round += 1) {
    try {
      return await ask(path, parameters, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passes) {
        throw error;
      }
      const seconds = Math.min(error.pause ?? PAUSES[Math.min(round, PAUSES.length - 1)], 60);
      onTrouble(error, seconds);
      await pause(seconds * 1000, signal);
    }
  }
}

/** Wait; rejects with AbortError as soon as `signal` says so. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("The question was taken back.", "AbortError"));
    });
  });
}

/** Keep an API key until this tab is closed. */
export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
}
