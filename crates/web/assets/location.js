// Where the page stands, as the hash of its address: `#job/<id>/run/<run>/L12-L14` opens a job at
// lines of a log, `#job/<id>/engine/<name>` one of another engine than the chosen one,
// `#document/<id>/L3-L9` a document, `#jobs/<status>` a list, `#account` one's own account. Anything else is the board.
import { useCallback, useEffect, useState } from "./lib.js";

/**
 * @typedef {{from: number, to: number}} Lines
 * @typedef {{page: "board"} | {page: "account"} | {page: "jobs", status: string} | {page: "job", id: string, engine?: string, run?: string, lines?: Lines}
 *   | {page: "document", id: string, lines?: Lines}} Route
 */

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const parts = hash.replace(/^#/, "").split("/").map(decode);
  const [page, id, ...rest] = parts;
  if (page === "account") return { page };
  if (!id) return { page: "board" };
  if (page === "jobs") return { page, status: id };
  if (page === "document") return { page, id, lines: linesOf(rest[0]) };
  if (page === "job") {
    const named = (word) => (rest[0] === word ? rest.splice(0, 2)[1] : undefined);
    const engine = named("engine");
    const run = named("run");
    return { page, id, engine, run, lines: linesOf(rest[0]) };
  }
  return { page: "board" };
}

/** @param {Route} route */
export function hashOf(route) {
  if (route.page === "account") return "#account";
  const parts = [route.page, route.status ?? route.id];
  if (route.engine) parts.push("engine", route.engine);
  if (route.run) parts.push("run", route.run);
  if (route.lines) parts.push(`L${route.lines.from}` + (route.lines.to > route.lines.from ? `-L${route.lines.to}` : ""));
  return route.page === "board" ? "" : "#" + parts.map(encodeURIComponent).join("/");
}

/** The route, and a way to go to another. @returns {[Route, (route: Route) => void]} */
export function useRoute() {
  const [route, setRoute] = useState(() => parse(window.location.hash));
  useEffect(() => {
    const read = () => setRoute(parse(window.location.hash));
    window.addEventListener("popstate", read);
    window.addEventListener("hashchange", read);
    return () => {
      window.removeEventListener("popstate", read);
      window.removeEventListener("hashchange", read);
    };
  }, []);
  const go = useCallback((next) => {
    // Not `location.hash = …`: the browser would scroll to an element of that name.
    window.history.pushState(null, "", window.location.pathname + hashOf(next));
    setRoute(next);
  }, []);
  return [route, go];
}

/** @param {string | undefined} text @returns {Lines | undefined} */
function linesOf(text) {
  const found = /^L(\d{1,9})(?:-L?(\d{1,9}))?$/.exec(text ?? "");
  if (!found) return undefined;
  const from = Math.max(1, Number(found[1]));
  return { from, to: Math.max(from, Number(found[2] ?? found[1])) };
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
