// Every request of the page. No other file calls `fetch` or writes a path of the interface; the
// crate compares this table with its `API_CALLS`, and the server's tests compare those with its
// routes.

/** @type {Record<string, {method: string, path: string}>} */
export const CALLS = {
  logIn: { method: "POST", path: "/api/v1/auth/login" },
  verify: { method: "GET", path: "/api/v1/auth/verify" },
  logOut: { method: "POST", path: "/api/v1/auth/logout" },
  waysIn: { method: "GET", path: "/api/v1/auth/methods" },
  singleSignOn: { method: "GET", path: "/api/v1/auth/oidc/login" },
  setUp: { method: "POST", path: "/api/v1/auth/setup" },
  passwordStrength: { method: "POST", path: "/api/v1/auth/password/strength" },
  changePassword: { method: "POST", path: "/api/v1/auth/password" },
  sessions: { method: "GET", path: "/api/v1/auth/sessions" },
  endSession: { method: "DELETE", path: "/api/v1/auth/sessions/{id}" },
  apiKeys: { method: "GET", path: "/api/v1/auth/api-keys" },
  newApiKey: { method: "POST", path: "/api/v1/auth/api-keys" },
  endApiKey: { method: "DELETE", path: "/api/v1/auth/api-keys/{id}" },
  engines: { method: "GET", path: "/api/v1/tws/engines" },
  summary: { method: "GET", path: "/api/v1/tws/summary" },
  jobs: { method: "GET", path: "/api/v1/tws/jobs" },
  job: { method: "GET", path: "/api/v1/tws/jobs/{id}" },
  jobLog: { method: "GET", path: "/api/v1/tws/jobs/{id}/log" },
  diagnosis: { method: "GET", path: "/api/v1/tws/jobs/{id}/diagnosis" },
  act: { method: "POST", path: "/api/v1/tws/jobs/{id}/actions/{action}" },
  ask: { method: "POST", path: "/api/v1/chat" },
  conversations: { method: "GET", path: "/api/v1/chat/sessions" },
  history: { method: "GET", path: "/api/v1/chat/history" },
  renameConversation: { method: "PATCH", path: "/api/v1/chat/sessions/{id}" },
  conversationFile: { method: "GET", path: "/api/v1/chat/sessions/{id}/export" },
  judge: { method: "POST", path: "/api/v1/chat/feedback" },
  deleteHistory: { method: "DELETE", path: "/api/v1/chat/history" },
  documentText: { method: "GET", path: "/api/v1/rag/documents/{id}/text" },
};

/** How long we wait for an answer, in milliseconds: an answer of a model is the slowest. */
const PATIENCE = 90_000;

/** What went wrong with a request, in a form that the page can put into words. */
export class Problem extends Error {
  /**
   * @param {{status: number, code: string, detail?: string, requestId?: string, retryAfter?: number, body?: object}} facts
   */
  constructor(facts) {
    super(facts.detail ?? facts.code);
    this.status = facts.status;
    this.code = facts.code;
    this.detail = facts.detail ?? "";
    this.requestId = facts.requestId ?? "";
    /** Seconds to wait, or null. */
    this.retryAfter = facts.retryAfter ?? null;
    /** The whole problem document, for its own members such as `state` and `audit_id`. */
    this.body = facts.body ?? {};
  }
}

let unauthenticated = () => {};

/** Who is told when the server no longer knows us. @param {() => void} listener */
export function onUnauthenticated(listener) {
  unauthenticated = listener;
}

/**
 * Sends one request and returns the JSON of its answer.
 * @param {keyof typeof CALLS} name
 * @param {{params?: Record<string, string>, query?: Record<string, unknown>, body?: object, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 * @throws {Problem} for every answer that is not a success; code `aborted` when `signal` ended it
 */
export async function call(name, { params = {}, query = {}, body, signal } = {}) {
  const { method, path } = CALLS[name];
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") {
    const token = csrfToken();
    if (token) headers["X-CSRF-Token"] = token;
  }
  const timeout = AbortSignal.timeout(PATIENCE);
  let response;
  try {
    response = await fetch(fill(path, params) + search(query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    if (response.ok) return await response.json();
  } catch (cause) {
    if (signal?.aborted) throw new Problem({ status: 0, code: "aborted" });
    if (timeout.aborted) throw new Problem({ status: 0, code: "timeout" });
    if (response?.ok) throw new Problem({ status: response.status, code: "unreadable" });
    throw new Problem({ status: 0, code: "network", detail: String(cause?.message ?? cause) });
  }
  const problem = await problemOf(response);
  if (problem.status === 401 && name !== "logIn" && name !== "verify") unauthenticated();
  throw problem;
}

/**
 * Where the browser itself goes, for what is no request of the page: a redirect to another site.
 * @param {keyof typeof CALLS} name @param {Record<string, unknown>} query @param {Record<string, string>} [params]
 */
export function addressOf(name, query, params = {}) {
  return fill(CALLS[name].path, params) + search(query);
}

/** @param {Response} response */
async function problemOf(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A proxy between us may answer in HTML; the status is what we have then.
  }
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new Problem({
    status: response.status,
    code: typeof body.code === "string" ? body.code : `http-${response.status}`,
    detail: typeof body.detail === "string" ? body.detail : typeof body.title === "string" ? body.title : "",
    requestId: typeof body.request_id === "string" ? body.request_id : (response.headers.get("X-Request-Id") ?? ""),
    retryAfter: Number.isFinite(wait) ? wait : undefined,
    body,
  });
}

/** @param {string} path @param {Record<string, string>} params */
function fill(path, params) {
  return path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(params[name]));
}

/** @param {Record<string, unknown>} query */
function search(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  if (given.length === 0) return "";
  return "?" + new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
}

/** The token that proves a request is ours; the cookie has the prefix wherever it is Secure. */
function csrfToken() {
  for (const name of ["__Host-resync_csrf", "resync_csrf"]) {
    const pair = document.cookie.split("; ").find((cookie) => cookie.startsWith(`${name}=`));
    if (pair) return decodeURIComponent(pair.slice(name.length + 1));
  }
  return "";
}
