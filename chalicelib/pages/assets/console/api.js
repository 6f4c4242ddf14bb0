// The team's door as the console speaks it: one fetch, the API key, and problems as errors.

const KEY = "admit-one.key";
const HOST = "admit-one.host";
const root = new URL(document.documentElement.dataset.root ?? "./", document.baseURI);

/** @typedef {{pointer: string, detail: string, line?: number, column?: string | number | null}} Fault */

/** What the API, or the way to it, said against a request. `status` is 0 where nothing answered. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{type?: string, title?: string, detail?: string, errors?: Fault[]}} problem
   */
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.code = (problem.type ?? "").split(":").pop() ?? "";
    this.faults = problem.errors ?? [];
  }
}

/** The signed-in caller: the key and the host acted for, for this tab alone, gone when it is closed. */
export const session = {
  get key() { return sessionStorage.getItem(KEY) ?? ""; },
  set key(value) { value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY); },
  get hostId() { return sessionStorage.getItem(HOST) ?? ""; },
  set hostId(value) { value ? sessionStorage.setItem(HOST, value) : sessionStorage.removeItem(HOST); },
};

/** Called when a key that worked is refused; resolves once there is one that works. */
export const onRefused = { call: /** @type {() => void} */ (() => {}) };

/**
 * Send a request and return its answer: JSON as a value, other text as it is, nothing for 204.
 * @param {string} method
 * @param {string} path from the site's root, without a slash before it
 * @param {{query?: Record<string, string | number | undefined>, body?: unknown, csv?: BodyInit, key?: string,
 *   apiKey?: string, signal?: AbortSignal}} [options] `key` is the Idempotency-Key
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function api(method, path, options = {}) {
  const url = new URL(path, root);
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (path.startsWith("v1/")) headers.Authorization = `Bearer ${options.apiKey ?? session.key}`;
  if (options.key) headers["Idempotency-Key"] = options.key;
  let body;
  if (options.csv !== undefined) {
    headers["Content-Type"] = "text/csv; charset=utf-8";
    body = options.csv;
  } else if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.body);
  }
  let answer;
  let text;
  try {
    answer = await fetch(url, {
      method, headers, body, signal: options.signal, cache: "no-store", credentials: "omit",
    });
    text = await answer.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, { detail: "The server can’t be reached. Check your connection, then try again; nothing you entered is lost." });
  }
  const json = /json/.test(answer.headers.get("Content-Type") ?? "");
  const value = json && text ? JSON.parse(text) : text; // a 204 says JSON and has none
  if (answer.ok) return value;
  const error = new ApiError(answer.status, json && text ? value : {});
  if (answer.status === 401 && options.apiKey === undefined) onRefused.call();
  throw error;
}

/**
 * Read every page of a list.
 * @param {string} path
 * @param {string} name the list's name in the answer
 * @param {Record<string, string | number | undefined>} [query]
 * @returns {Promise<any[]>}
 */
export async function all(path, name, query = {}) {
  const rows = [];
  let cursor;
  do {
    const page = await api("GET", path, { query: { limit: 200, ...query, cursor } });
    rows.push(...page[name]);
    cursor = page.nextCursor;
  } while (cursor);
  return rows;
}

/** The host to name in a query or a body, if the key doesn't name one by itself. */
export function forHost() {
  return session.hostId ? { hostId: session.hostId } : {};
}

/**
 * A fresh Idempotency-Key.
 * @returns {string}
 */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
