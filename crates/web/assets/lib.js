// The one place that names the vendored library, so that a new version changes one file.
// Text from the engine, a log, a document or a model only ever becomes a text node: Preact escapes
// what stands in `${…}`, and a test of the crate refuses the ways around it.
import { createContext, h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export {
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "./vendor/preact-hooks.js";
export { createContext, render };

/** Templates: html`<p>${text}</p>`. */
export const html = htm.bind(h);

/**
 * What every part of the signed-in page shares.
 * @typedef {object} Shared
 * @property {(key: string, values?: Record<string, string | number>) => string} t
 * @property {(key: string, count: number) => string} tn
 * @property {"en" | "pt"} language
 * @property {{username: string, permissions: string[], expires_at: string}} user
 * @property {Engine | null} engine
 * @property {(route: import("./location.js").Route) => void} go
 * @property {(target: ActionTarget) => void} act opens the dialog of an action
 * @property {number} changes counts the actions carried out, so that what shows the plan loads anew
 *
 * @typedef {{name: string, read_only: boolean, demo: boolean, state: string, timezone?: string, detail?: string}} Engine
 * @typedef {{action: string, jobId: string, label: string, name: string, state: string, engine?: string, reason?: string, ticket?: string, more?: object, done?: (result: any) => void}} ActionTarget
 */

/** @type {import("./vendor/preact.js").Context<Shared>} */
export const Page = createContext(null);
