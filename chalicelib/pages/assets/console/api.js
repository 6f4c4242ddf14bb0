// Requests to the API: one function for all of them, the API key, and problems as errors.

/** @import { Fault, Problem } from "./resources.d.ts" */

const KEY = "admit-one.key";
const HOST = "admit-one.host";
const root = new URL(document.documentElement.dataset.root ?? "./", document.baseURI);

/** An error of the API, or of the connection to it: then `status` is 0. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {Partial<Omit<Problem, "status">>} problem
   */
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.code = (problem.type ?? "").split(":").pop() ?? "";
    /** @type {Fault[]} */
    this.faults = problem.errors ?? [];
  }
}

/**
 * Whether an error is the API's with this status.
 * @param {unknown} error
 * @param {number} status
 */
export const hasStatus = (error, status) => error instanceof ApiError && error.status === status;

/** The API key, and the host that an admin's key acts for. Kept for this tab until it is closed. */
export const session = {
  get key() {
    return sessionStorage.getItem(KEY) ?? "";
  },
  set key(value) {
    store(KEY, value);
  },
  get hostId() {
    return sessionStorage.getItem(HOST) ?? "";
  },
  set hostId(value) {
    store(HOST, value);
  },
};

/** @param {string} name @param {string} value */
function store(name, value) {
  if (value) sessionStorage.setItem(name, value);
  else sessionStorage.removeItem(name);
}

let keyRefused = () => {};

/**
 * Set what to do when the API rejects a key that it accepted before.
 * @param {() => void} run
 */
export function onKeyRefused(run) {
  keyRefused = run;
}

/**
 * @typedef {object} Options
 * @property {Record<string, string | number | undefined>} [query]
 * @property {unknown} [body] sent as JSON
 * @property {BodyInit} [csv]
 * @property {string} [key] the Idempotency-Key
 * @property {string} [apiKey] another API key than the session's
 * @property {AbortSignal} [signal]
 */

/**
 * Send a request and return what came back: JSON as a value, other text as it is, an empty string for 204.
 * @template [Resource=unknown] what the caller's annotation says; without one, the result can't be used
 * @param {string} method
 * @param {string} path from the site's root, without a slash before it
 * @param {Options} [options]
 * @returns {Promise<Resource>}
 * @throws {ApiError}
 */
export async function api(method, path, options = {}) {
  const response = await fetched(urlOf(path, options.query), {
    method,
    ...contentOf(path, options),
    signal: options.signal,
    cache: "no-store",
    credentials: "omit",
  });
  const json = /json/.test(response.type);
  const value = json && response.text ? JSON.parse(response.text) : response.text; // a 204 says JSON and has none
  if (response.ok) return value;
  if (response.status === 401 && options.apiKey === undefined) keyRefused();
  throw new ApiError(response.status, json && response.text ? value : {});
}

/** @param {string} path @param {Options["query"]} query */
function urlOf(path, query = {}) {
  const url = new URL(path, root);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url;
}

/** @param {string} path @param {Options} options */
function contentOf(path, { apiKey, key, csv, body }) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (path.startsWith("v1/")) headers.Authorization = `Bearer ${apiKey ?? session.key}`;
  if (key) headers["Idempotency-Key"] = key;
  if (csv !== undefined) headers["Content-Type"] = "text/csv; charset=utf-8";
  else if (body !== undefined) headers["Content-Type"] = "application/json";
  return { headers, body: csv ?? (body === undefined ? undefined : JSON.stringify(body)) };
}

/** @param {URL} url @param {RequestInit} request */
async function fetched(url, request) {
  try {
    const response = await fetch(url, request);
    const { ok, status, headers } = response;
    return { ok, status, type: headers.get("Content-Type") ?? "", text: await response.text() };
  } catch (error) {
    if (request.signal?.aborted) throw error;
    const advice = "Check your connection, then try again; nothing you entered is lost.";
    throw new ApiError(0, { detail: `The server can’t be reached. ${advice}` });
  }
}

/**
 * Read every page of a list.
 * @template [Resource=unknown] as for `api`
 * @param {string} path
 * @param {string} name the list's name in the response
 * @param {Options["query"]} [query]
 * @returns {Promise<Resource[]>}
 */
export async function all(path, name, query = {}) {
  /** @type {Resource[]} */
  const rows = [];
  let cursor;
  do {
    /** @type {any} */
    const page = await api("GET", path, { query: { limit: 200, ...query, cursor } });
    rows.push(...page[name]);
    cursor = page.nextCursor;
  } while (cursor);
  return rows;
}

/** Return the host to name in a query or a body; nothing if the key itself names one. */
export function forHost() {
  return session.hostId ? { hostId: session.hostId } : {};
}

/**
 * Return a new Idempotency-Key.
 * @returns {string}
 */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
