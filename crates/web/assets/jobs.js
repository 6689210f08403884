// The jobs in one state, page by page.
import { html, Page, useContext, useEffect, useState } from "./lib.js";
import { call } from "./api.js";
import { JobLink } from "./board.js";
import { labelOf, latestRun, stateOf } from "./format.js";
import { Age, ProblemNote, Sheet, Table, When } from "./parts.js";
import { State } from "./status.js";

const PAGE = 50;

/** @param {{status: string, onClose: () => void}} props */
export function JobsSheet({ status, onClose }) {
  const { t } = useContext(Page);
  return html`
    <${Sheet} title=${t("jobs_in_state", { state: status })} onClose=${onClose}>
      <${JobList} status=${status} />
    <//>
  `;
}

function JobList({ status }) {
  const { t, engine, changes } = useContext(Page);
  const [pages, setPages] = useState({ items: [], next: null, meta: null, receivedAt: 0 });
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(true);

  async function load(cursor, signal) {
    setBusy(true);
    setProblem(null);
    try {
      const { items, next_cursor: next, meta } = await call("jobs", {
        query: { engine: engine?.name, status, limit: PAGE, cursor },
        signal,
      });
      setPages((old) => ({
        items: cursor ? [...old.items, ...items] : items,
        next,
        meta,
        receivedAt: performance.now(),
      }));
    } catch (error) {
      if (error.code === "aborted") return;
      setProblem(error);
    }
    setBusy(false);
  }
  useEffect(() => {
    if (!engine) return undefined;
    const controller = new AbortController();
    load(null, controller.signal);
    return () => controller.abort();
  }, [status, engine?.name, changes]);

  const columns = [
    { key: "job", label: t("job"), head: true },
    { key: "state", label: t("state") },
    { key: "rc", label: t("return_code"), numeric: true },
    { key: "start", label: t("scheduled") },
    { key: "workstation", label: t("workstation") },
  ];
  const rows = pages.items.map((job) => ({
    id: job.id,
    cells: {
      job: html`<${JobLink} id=${job.id} text=${labelOf(job)} />`,
      state: html`<${State} state=${stateOf(job)} />`,
      rc: latestRun(job)?.return_code ?? html`<span class="none">–</span>`,
      start: html`<${When} at=${job.scheduled_at} />`,
      workstation: job.workstation ?? html`<span class="none">–</span>`,
    },
  }));
  return html`
    ${pages.meta && html`<p><${Age} meta=${pages.meta} receivedAt=${pages.receivedAt} /></p>`}
    ${problem && html`<${ProblemNote} problem=${problem} again=${() => load(pages.next)} />`}
    ${pages.meta && rows.length === 0 && html`<p class="none">${t("none")}</p>`}
    ${rows.length > 0 && html`<${Table} caption=${t("jobs_in_state", { state: status })} columns=${columns} rows=${rows} />`}
    <p role="status">${busy && t("loading")}</p>
    ${pages.next && !busy && html`<button type="button" onClick=${() => load(pages.next)}>${t("more")}</button>`}
  `;
}
