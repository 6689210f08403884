// Pieces that several parts of the page share: notes, ages, tables, sheets.
import { html, Page, useContext, useEffect, useId, useLayoutEffect, useRef, useState } from "./lib.js";
import { fullMoment, moment, span, visible } from "./format.js";
import { Icon } from "./icons.js";
import { has } from "./language.js";

/**
 * What went wrong, in words, with the time to wait and the request id where there are any.
 * @param {import("./api.js").Problem} problem
 */
export function problemText(t, problem, language) {
  const key = `problem_${problem.code.replaceAll("-", "_")}`;
  const words = has(key)
    ? t(key)
    : problem.detail
      ? t("problem_detail", { detail: visible(problem.detail) })
      : t("problem_other", { code: problem.code });
  const places = Array.isArray(problem.body.errors) && !COMPLETE.includes(problem.code) ? problem.body.errors : [];
  const parts = [words, ...places.map((one) => place(t, one))];
  if (problem.retryAfter !== null) {
    const at = new Date(Date.now() + problem.retryAfter * 1000).toISOString();
    parts.push(t("retry_after", { wait: span(problem.retryAfter * 1000), at: moment(at, language, true) }));
  }
  if (problem.status >= 500 && problem.requestId) parts.push(t("request_id", { id: problem.requestId }));
  return parts.join(" ");
}

/** Codes whose words leave nothing to say of the field. */
const COMPLETE = ["wrong-password"];

/** What is wrong with one field, in the page's words where it has some. */
function place(t, { pointer, detail }) {
  const key = `invalid${String(pointer).replaceAll("/", "_")}`;
  return has(key) ? t(key) : visible(`${pointer}: ${detail}.`);
}

/** A long label breaks after its `#` and its `.`, where its parts end. @param {string} text @param {RegExp} [after] */
export const breakable = (text, after = /(?<=[#.])/) =>
  text.split(after).map((part, index) => (index === 0 ? part : html`<wbr />${part}`));

/** A note in words. @param {{kind?: "error" | "warning" | "info", role?: string, children: any}} props */
export const Note = ({ kind = "info", role, children }) => html`
  <div class="note note-${kind}" role=${role}>
    ${kind !== "info" && html`<${Icon} name=${kind === "error" ? "failed" : "warning"} />`}
    <div>${children}</div>
  </div>
`;

/** A problem as a note that is announced. @param {{problem: any, again?: () => void}} props */
export function ProblemNote({ problem, again }) {
  const { t, language } = useContext(Page);
  return html`
    <${Note} kind="error" role="alert">
      <p>${problemText(t, problem, language)}</p>
      ${again && html`<button type="button" onClick=${again}>${t("try_again")}</button>`}
    <//>
  `;
}

/** How old live data is, counted on from the age that the server gave. */
export function useAge(meta, receivedAt) {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return meta ? meta.age_ms + Math.max(0, now - receivedAt) : 0;
}

/** "data 4 s old", with the word "stale" when the server says so. @param {{meta: any, receivedAt: number}} props */
export function Age({ meta, receivedAt }) {
  const { t, language } = useContext(Page);
  const age = useAge(meta, receivedAt);
  return html`
    <span class="age" title=${fullMoment(meta.fetched_at, language)}>
      ${t("data_age", { age: span(age) })}${" "}
      ${meta.stale && html`<strong class="stale"><${Icon} name="warning" />${t("stale")}</strong>`}
    </span>
  `;
}

/** A moment that a machine can read, too. @param {{at?: string | null}} props */
export function When({ at }) {
  const { language } = useContext(Page);
  if (!at) return html`<span class="none">–</span>`;
  return html`<time datetime=${at} title=${fullMoment(at, language)}>${moment(at, language)}</time>`;
}

/**
 * A table that turns into cards on a narrow screen. The roles are written out, because a `display`
 * other than that of a table takes them away.
 * @param {{caption: string, columns: {key: string, label: string, head?: boolean, numeric?: boolean}[], rows: {id: string, cells: Record<string, any>}[]}} props
 */
export const Table = ({ caption, columns, rows }) => html`
  <table role="table">
    <caption class="sr-only">${caption}</caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map(
          ({ key, label, numeric }) =>
            html`<th role="columnheader" scope="col" key=${key} class=${numeric ? "numeric" : ""}>${label}</th>`,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        ({ id, cells }) => html`
          <tr role="row" key=${id}>
            ${columns.map(({ key, label, head, numeric }) =>
              head
                ? html`<th role="rowheader" scope="row" key=${key}>${cells[key]}</th>`
                : html`<td role="cell" key=${key} class=${numeric ? "numeric" : ""} data-label=${label}>
                    ${cells[key]}
                  </td>`,
            )}
          </tr>
        `,
      )}
    </tbody>
  </table>
`;

/**
 * A modal sheet: `<dialog>` keeps the focus inside, closes on Escape, and gives the focus back.
 * @param {{title: any, kind?: "side" | "small", onClose: () => void, children: any}} props
 */
export function Sheet({ title, kind = "side", onClose, children }) {
  const { t } = useContext(Page);
  const dialog = useRef(null);
  const heading = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const opener = document.activeElement;
    const around = opener?.closest("[tabindex]");
    dialog.current.showModal();
    heading.current.focus();
    const element = dialog.current;
    return () => {
      if (element.open) element.close();
      // The button may have gone with a newer board or a carried out action; then the part around it
      // takes the focus, and stays where it is on the screen.
      if (opener?.isConnected && opener !== document.body) opener.focus();
      else (around?.isConnected ? around : document.getElementById("main"))?.focus({ preventScroll: true });
    };
  }, []);
  return html`
    <dialog
      ref=${dialog}
      class="sheet sheet-${kind}"
      aria-labelledby=${id}
      onCancel=${(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown=${(event) => {
        if (kind === "side" && event.target === dialog.current) onClose();
      }}
    >
      <div class="sheet-box">
        <header class="sheet-head">
          <h2 id=${id} ref=${heading} tabindex="-1">${title}</h2>
          <button type="button" class="quiet" onClick=${onClose}>
            <${Icon} name="close" />${t("close")}
          </button>
        </header>
        <div class="sheet-body">${children}</div>
      </div>
    </dialog>
  `;
}

/**
 * Loads something once for each `key`, and again by `again()`. What an older key asked for never
 * shows under a newer one.
 * @param {(signal: AbortSignal) => Promise<any>} load
 * @param {unknown[]} key
 */
export function useLoad(load, key) {
  const [state, setState] = useState({ data: null, problem: null, receivedAt: 0, busy: true });
  const [round, setRound] = useState(0);
  const first = useRef(null);
  useEffect(() => {
    const controller = new AbortController();
    const same = first.current === JSON.stringify(key);
    first.current = JSON.stringify(key);
    setState((old) => (same ? { ...old, busy: true } : { data: null, problem: null, receivedAt: 0, busy: true }));
    load(controller.signal).then(
      (data) => {
        if (!controller.signal.aborted) setState({ data, problem: null, receivedAt: performance.now(), busy: false });
      },
      (problem) => {
        if (!controller.signal.aborted) setState((old) => ({ ...old, problem, busy: false }));
      },
    );
    return () => controller.abort();
  }, [...key, round]);
  return { ...state, again: () => setRound((n) => n + 1) };
}
