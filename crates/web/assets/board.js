// The board: what the plan looks like now, and how old that knowledge is.
import { html, Page, useContext, useEffect, useRef, useState } from "./lib.js";
import { call } from "./api.js";
import { labelOf, latestRun, moment, number, span, stateOf, visible } from "./format.js";
import { Icon } from "./icons.js";
import { Age, breakable, Note, problemText, Table, When } from "./parts.js";
import { PHASES, phaseOf, State } from "./status.js";

/** How often the board asks, in milliseconds. */
const EVERY = 5_000;
/** How soon it asks once more when the server answered with old data and fetches new, in milliseconds. */
const SOON = 1_000;
/** How often in a row: an engine that is slow or away is not asked more often for it. */
const HURRIES = 3;

/**
 * Asks every five seconds, and sooner after old data that the server is about to renew. It stops while the tab is hidden or `paused`, waits as long as the server
 * asks for, and keeps the last answer when a later one fails. `changes` asks at once.
 */
function usePoll(load, paused, changes) {
  const [state, setState] = useState({ data: null, receivedAt: 0, problem: null });
  const loaded = useRef(null);
  useEffect(() => {
    const controller = new AbortController();
    let timer;
    let asking = false;
    let hurries = 0;
    async function ask() {
      if (asking) return;
      asking = true;
      clearTimeout(timer);
      let wait = EVERY;
      try {
        const data = await load(controller.signal);
        if (controller.signal.aborted) return;
        loaded.current = changes;
        setState({ data, receivedAt: performance.now(), problem: null });
        hurries = data.meta.stale && !data.meta.refresh_failed ? hurries + 1 : 0;
        if (hurries > 0 && hurries <= HURRIES) wait = SOON;
      } catch (problem) {
        if (controller.signal.aborted) return;
        wait = Math.max(wait, (problem.retryAfter ?? 0) * 1000);
        // The same problem again is not news: it keeps its words and its request, and is not announced anew.
        setState((old) => (old.problem?.code === problem.code && problem.retryAfter === null ? old : { ...old, problem }));
      }
      asking = false;
      if (!paused && !document.hidden) timer = setTimeout(ask, wait);
    }
    const shown = () => {
      if (document.hidden) clearTimeout(timer);
      else if (!paused) ask();
    };
    document.addEventListener("visibilitychange", shown);
    // Paused means no updates by themselves; what one's own action changed is still asked for once.
    if (!paused || loaded.current !== changes) ask();
    return () => {
      controller.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [paused, changes]);
  return state;
}

export function Board() {
  const { t, tn, engine, changes, language } = useContext(Page);
  const [paused, setPaused] = useState(false);
  const { data, receivedAt, problem } = usePoll(
    (signal) => call("summary", { query: { engine: engine.name }, signal }),
    paused,
    changes,
  );
  const failures = data?.by_phase?.failed ?? 0;
  useEffect(() => {
    document.title = data ? `${tn("title_failed", failures)} – Resync` : "Resync";
    return () => {
      document.title = "Resync";
    };
  }, [data, failures, language]);

  return html`
    <div class="board-head">
      <h1>${t("board")}</h1>
      <p class="board-age">
        ${data && html`<${Age} meta=${problem ? { ...data.meta, stale: true } : data.meta} receivedAt=${receivedAt} />`} ${paused && html`<strong>${t("paused")}</strong>`}
      </p>
      <button type="button" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>
        ${t("pause_updates")}
      </button>
    </div>
    <div role="status">
      ${problem && html`<${Outage} problem=${problem} meta=${data?.meta} />`}
      ${!problem && data?.meta.refresh_failed && html`<${Note} kind="warning">${t("refresh_failed")}<//>`}
      ${!problem && !data && html`<p>${t("loading")}</p>`}
    </div>
    ${data && html`<${Summary} data=${data} />`}
  `;
}

/** What failed, and what the board below it is worth. */
function Outage({ problem, meta }) {
  const { t, language } = useContext(Page);
  return html`
    <${Note} kind="error">
      <p>${problemText(t, problem, language)}</p>
      <p>${meta ? t("last_known", { at: moment(meta.fetched_at, language, true) }) : t("nothing_known")}</p>
    <//>
  `;
}

function Summary({ data }) {
  const { t, language } = useContext(Page);
  const off = data.workstations_off ?? [];
  return html`
    <${Counts} data=${data} />
    <${Failures} data=${data} />
    <div class="lists">
      <${Section} id="late" title=${t("late")} count=${data.late.count} shown=${data.late.items.length}>
        ${data.late.items.map((job) => html`<${JobLine} key=${job.id} job=${job} kind="late" />`)}
      <//>
      <${Section}
        id="long"
        title=${t("long_running")}
        count=${data.long_running.count}
        shown=${data.long_running.items.length}
      >
        ${data.long_running.items.map((job) => html`<${JobLine} key=${job.id} job=${job} kind="long" />`)}
      <//>
      <${Section} id="stuck" title=${t("stuck_streams")} count=${data.stuck_streams.length}>
        ${data.stuck_streams.map(
          (stream) => html`
            <li key=${stream.id}>
              <span class="line-name">${stream.workstation && `${stream.workstation}#`}${stream.name}</span>
              <span class="line-facts"><${State} state=${stream.status} /></span>
            </li>
          `,
        )}
      <//>
      <${Section} id="prompts" title=${t("prompts_waiting")} count=${data.prompts_waiting.length}>
        ${data.prompts_waiting.map(
          (prompt, index) => html`
            <li key=${prompt.name ?? index}>
              <span class="line-name">${prompt.name ?? t("prompt")}</span>
              ${prompt.text && html`<q class="line-text">${visible(prompt.text)}</q>`}
              ${prompt.job_id &&
              html`<span class="line-facts"><${JobLink} id=${prompt.job_id} text=${t("open_job")} words /></span>`}
            </li>
          `,
        )}
      <//>
      <${Section}
        id="off"
        title=${t("workstations_off")}
        count=${data.workstations?.off ?? off.length}
        shown=${off.length}
        note=${data.workstations && t("of_workstations", { n: number(data.workstations.total, language) })}
      >
        ${off.map(
          (one) => html`
            <li key=${one.name}>
              <span class="line-name">${one.name}</span>
              <span class="line-facts line-together">
                <${Icon} name="warning" />
                <span>${[
                  one.link && one.link !== "LINKED" && t(one.link === "UNLINKED" ? "unlinked" : "link_unknown"),
                  one.jobman_up === false && t("jobman_down"),
                  one.kind,
                  one.limit !== null && one.limit !== undefined && t("limit", { n: one.limit }),
                ]
                  .filter(Boolean)
                  .join(" · ")}</span>
              </span>
            </li>
          `,
        )}
      <//>
    </div>
  `;
}

/** Where to look first, and below it what failed only because something else did. */
function Failures({ data }) {
  const { t, tn, language } = useContext(Page);
  const roots = data.failed.filter((one) => one.root !== false);
  const others = data.failed.filter((one) => one.root === false);
  const all = data.by_phase.failed ?? 0;
  return html`
    <section aria-labelledby="failed-title">
      <h2 id="failed-title">${t("root_failures")} <span class="count">${number(roots.length, language)}</span></h2>
      ${data.failed.length === 0
        ? html`<p class="good"><${Icon} name="succeeded" />${t("no_failures")}</p>`
        : html`
            <p class="hint">${tn("victims_total", data.victims_total)}</p>
            <${FailedTable} items=${roots} />
          `}
      ${others.length > 0 &&
      html`<details class="others">
        <summary>${tn("failed_after", others.length)}</summary>
        <${FailedTable} items=${others} />
      </details>`}
      ${data.failed.length < all && html`<p class="hint">${t("shown_of", { shown: data.failed.length, count: all })}</p>`}
    </section>
  `;
}

/** Counts by phase with the engine's own words below, each a way to the list of those jobs. */
function Counts({ data }) {
  const { t, language, go } = useContext(Page);
  const states = Object.entries(data.by_status).filter(([, n]) => n > 0);
  return html`
    <section aria-labelledby="counts-title">
      <h2 id="counts-title">${t("jobs_by_state")} <span class="count">${number(data.total, language)}</span></h2>
      <ul class="counts">
        ${PHASES.filter((phase) => (data.by_phase[phase] ?? 0) > 0 || phase === "failed").map(
          (phase) => html`
            <li key=${phase} class="tile phase-${phase} ${data.by_phase[phase] ? "" : "tile-none"}">
              <span class="tile-word"><${Icon} name=${phase} />${t(`phase_${phase}`)}</span>
              <span class="tile-number">${number(data.by_phase[phase] ?? 0, language)}</span>
              <span class="tile-states">
                ${states
                  .filter(([state]) => phaseOf(state) === phase)
                  .map(
                    ([state, n]) => html`
                      <button
                        type="button"
                        class="link"
                        key=${state}
                        onClick=${() => go({ page: "jobs", status: state })}
                        aria-label=${t("list_state", { state, n: number(n, language) })}
                      >
                        ${state} ${number(n, language)}
                      </button>
                    `,
                  )}
              </span>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

function FailedTable({ items }) {
  const { t, language, engine } = useContext(Page);
  const columns = [
    { key: "job", label: t("job"), head: true },
    { key: "state", label: t("state") },
    { key: "rc", label: t("return_code"), numeric: true },
    { key: "since", label: t("since") },
    { key: "victims", label: t("victims"), numeric: true },
  ];
  const rows = items.map(({ job, victims, since }) => ({
    id: job.id,
    cells: {
      job: html`<${JobLink} id=${job.id} text=${labelOf(job)} />`,
      state: html`<${State} state=${stateOf(job)} />`,
      rc: latestRun(job)?.return_code ?? html`<span class="none">–</span>`,
      // A simulated engine has a clock of its own: the browser cannot say how long ago that was.
      since: html`<${When} at=${since} />${since &&
      !engine.demo &&
      html`<span class="hint"> ${t("ago", { age: span(Date.now() - new Date(since).getTime()) })}</span>`}`,
      victims: number(victims, language),
    },
  }));
  return html`<${Table} caption=${t("root_failures")} columns=${columns} rows=${rows} />`;
}

/** A button that opens a job; `words` when its text is not a name. @param {{id: string, text: string, words?: boolean}} props */
export function JobLink({ id, text, words }) {
  const { go } = useContext(Page);
  return html`<button type="button" class=${words ? "link" : "link job-link"} onClick=${() => go({ page: "job", id })}>
    ${breakable(text)}
  </button>`;
}

function JobLine({ job, kind }) {
  const { t, language } = useContext(Page);
  const run = latestRun(job);
  return html`
    <li>
      <span class="line-name"><${JobLink} id=${job.id} text=${labelOf(job)} /></span>
      <span class="line-facts">
        <${State} state=${stateOf(job)} />
        ${kind === "late" && job.deadline && html`<span>${t("deadline", { at: moment(job.deadline, language) })}</span>`}
        ${kind === "long" &&
        run?.elapsed_seconds !== null &&
        run?.elapsed_seconds !== undefined &&
        html`<span>${t("running_for", { age: span(run.elapsed_seconds * 1000) })}</span>`}
        ${kind === "long" &&
        job.estimated_seconds !== null &&
        job.estimated_seconds !== undefined &&
        html`<span>${t("usually", { age: span(job.estimated_seconds * 1000) })}</span>`}
      </span>
    </li>
  `;
}

/** A titled list; an empty one says "none", and one that was cut says so. */
function Section({ id, title, count, shown = count, note, children }) {
  const { t, language } = useContext(Page);
  return html`
    <section class="card" aria-labelledby=${`${id}-title`}>
      <h2 id=${`${id}-title`}>
        ${title} <span class="count">${number(count, language)}</span>${note && html`<span class="hint"> ${note}</span>`}
      </h2>
      ${count === 0 ? html`<p class="none">${t("none")}</p>` : html`<ul class="lines">${children}</ul>`}
      ${shown < count && html`<p class="hint">${t("shown_of", { shown, count })}</p>`}
    </section>
  `;
}
