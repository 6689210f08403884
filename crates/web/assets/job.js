// One job: why it failed, its runs, its log, and what can be done about it.
import { html, Page, useContext, useEffect, useState } from "./lib.js";
import { call } from "./api.js";
import { fullMoment, hasLog, labelOf, latestRun, moment, span, stateOf, visible } from "./format.js";
import { has, inLanguage } from "./language.js";
import { LogView } from "./log.js";
import { Age, breakable, Note, ProblemNote, Sheet, Table, useLoad, When } from "./parts.js";
import { State } from "./status.js";

/** The actions of the page, in the order of their buttons. */
const ACTIONS = ["rerun", "hold", "release", "cancel"];

/** @param {{route: any, onClose: () => void}} props */
export function JobSheet({ route, onClose }) {
  const { engine, t } = useContext(Page);
  const [name, setName] = useState(null);
  return html`
    <${Sheet} title=${name ? breakable(name) : t("job")} onClose=${onClose}>
      ${engine ? html`<${JobView} route=${route} named=${setName} />` : html`<p role="status">${t("loading")}</p>`}
    <//>
  `;
}

function JobView({ route, named }) {
  const { t, language, engine, changes, go } = useContext(Page);
  const { data, problem, receivedAt, busy, again } = useLoad(
    (signal) => call("job", { params: { id: route.id }, query: { engine: engine.name }, signal }),
    [route.id, engine.name, changes],
  );
  const job = data?.job;
  useEffect(() => {
    if (job) named(labelOf(job));
  }, [job]);
  if (!job)
    return html`
      ${problem && html`<${ProblemNote} problem=${problem} again=${again} />`}
      <p role="status">${busy && t("loading")}</p>
    `;
  const open = (run, lines) => go({ page: "job", id: route.id, engine: route.engine, run, lines });
  return html`
    <div class="job-head">
      <${State} state=${data.state ?? stateOf(job)} />
      <${Age} meta=${data.meta} receivedAt=${receivedAt} />
      <button type="button" class="quiet" aria-disabled=${busy} onClick=${() => !busy && again()}>${t("refresh")}</button>
    </div>
    ${problem &&
    html`
      <${ProblemNote} problem=${problem} again=${again} />
      <p>${t("last_known", { at: moment(data.meta.fetched_at, language, true) })}</p>
    `}
    ${problem?.code !== "unknown-job" && html`<${Actions} job=${job} state=${data.state ?? stateOf(job)} />`}
    <${Facts} job=${job} waiting=${data.why_waiting} />
    <${Diagnosis} id=${route.id} open=${open} />
    <${Runs} job=${job} shown=${route.run ?? latestRun(job)?.id} open=${open} />
    <${LogView} job=${job} route=${route} open=${open} />
  `;
}

function Actions({ job, state }) {
  const { t, user, engine, act } = useContext(Page);
  if (!user.permissions.includes("actions.propose") || !user.permissions.includes("actions.confirm")) return null;
  if (engine.read_only) return html`<p class="hint">${t("engine_read_only")}</p>`;
  return html`
    <div class="actions" role="group" aria-label=${t("actions")}>
      ${ACTIONS.map(
        (action) => html`
          <button
            type="button"
            key=${action}
            class=${action === "cancel" ? "danger" : ""}
            onClick=${() =>
              act({ action, jobId: job.id, label: labelOf(job), name: job.name, state, engine: engine.name })}
          >
            ${t(`action_${action}`)}
          </button>
        `,
      )}
    </div>
  `;
}

function Facts({ job, waiting }) {
  const { t, language } = useContext(Page);
  const facts = [
    ["substatus", job.substatus && breakable(job.substatus, /(?<=_)/)],
    ["folder", job.folder],
    ["priority", job.priority],
    ["scheduled", job.scheduled_at && html`<${When} at=${job.scheduled_at} />`],
    ["earliest_start", job.earliest_start && html`<${When} at=${job.earliest_start} />`],
    ["deadline_label", job.deadline && html`<${When} at=${job.deadline} />`],
    ["usual_duration", job.estimated_seconds !== null && job.estimated_seconds !== undefined && span(job.estimated_seconds * 1000)],
    ["recovery", job.recovery],
    ["unresolved", job.unresolved_dependencies],
  ].filter(([, value]) => value !== null && value !== undefined && value !== false);
  const marks = ["late", "long_running", "critical", "requires_confirmation", "every"].filter((mark) => job[mark]);
  return html`
    ${waiting && html`<${Note}><strong>${t("why_waiting")}</strong> ${inLanguage(waiting, language)}<//>`}
    <dl class="facts">
      ${facts.map(([key, value]) => html`<div key=${key}><dt>${t(key)}</dt><dd>${value}</dd></div>`)}
    </dl>
    ${marks.length > 0 &&
    html`<ul class="marks" aria-label=${t("marks")}>
      ${marks.map((mark) => html`<li key=${mark} class="badge">${t(`mark_${mark}`)}</li>`)}
    </ul>`}
  `;
}

function Diagnosis({ id, open }) {
  const { t, tn, language, engine, changes } = useContext(Page);
  const { data, problem, receivedAt, busy, again } = useLoad(
    (signal) => call("diagnosis", { params: { id }, query: { engine: engine.name }, signal }),
    [id, engine.name, changes],
  );
  const list = (title, items, key) =>
    items?.length > 0 &&
    html`<h4>${t(title)}</h4>
      <ul class="plain-list">
        ${items.map((item, index) => html`<li key=${index}>${key ? item[key] : inLanguage(item, language)}</li>`)}
      </ul>`;
  return html`
    <section aria-labelledby="why-title">
      <h3 id="why-title">${t("why")}</h3>
      ${problem && html`<${ProblemNote} problem=${problem} again=${again} />`}
      <p role="status">${busy && !data && t("loading")}</p>
      ${data &&
      html`
        <p class="verdict">
          <strong class="badge verdict-${data.verdict}">${t(`verdict_${data.verdict}`)}</strong>
          ${data.cause ? html`<span>${inLanguage(data.cause, language)}</span>` : html`<span>${t("no_cause")}</span>`}
        </p>
        <p class="hint">${t(`transience_${data.transience}`)} · ${Number.isInteger(data.victims) ? tn("victims_of", data.victims) : t("victims_unknown")} · <${Age} meta=${data.meta} receivedAt=${receivedAt} /></p>
        ${data.evidence.length > 0 &&
        html`
          <h4>${t("evidence")}</h4>
          <ol class="evidence">
            ${data.evidence.map(
              (one, index) => html`
                <li key=${index}>
                  ${one.kind === "log" && one.from_line
                    ? html`<button
                        type="button"
                        class="link"
                        onClick=${() => open(one.run, { from: one.from_line, to: one.to_line ?? one.from_line })}
                      >
                        ${t("log")}, ${linesText(t, one)}
                      </button>`
                    : html`<span class="hint">${has(`evidence_${one.kind}`) ? t(`evidence_${one.kind}`) : one.kind}</span>`}
                  <code>${visible(one.sentence ? inLanguage(one.sentence, language) : one.text)}</code>
                </li>
              `,
            )}
          </ol>
        `}
        ${list("next_steps", data.next_steps)} ${list("missing", data.missing)}
      `}
    </section>
  `;
}

/** "lines 12 to 14" for whatever has `from_line` and `to_line`. */
export function linesText(t, { from_line: from, to_line: to }) {
  return to && to > from ? t("lines", { from, to }) : t("line", { n: from });
}

function Runs({ job, shown, open }) {
  const { t, language } = useContext(Page);
  const columns = [
    { key: "run", label: t("run"), head: true },
    { key: "state", label: t("state") },
    { key: "rc", label: t("return_code"), numeric: true },
    { key: "start", label: t("started") },
    { key: "took", label: t("took"), numeric: true },
    { key: "log", label: t("log") },
  ];
  const rows = job.runs.toReversed().map((run) => ({
    id: run.id,
    cells: {
      run: html`${run.number ?? (hasLog(run) ? run.id : "–")} <span class="hint">${run.kind}</span>`,
      state: html`<${State} state=${run.status} />`,
      rc: run.return_code ?? html`<span class="none">–</span>`,
      start: html`<${When} at=${run.started_at ?? run.submitted_at} />`,
      took: run.elapsed_seconds === null || run.elapsed_seconds === undefined ? "–" : span(run.elapsed_seconds * 1000),
      log: hasLog(run)
        ? html`<button
            type="button"
            class="link"
            aria-current=${shown === run.id ? "true" : undefined}
            aria-label=${t("log_of_run", { run: run.number ?? run.id, at: fullMoment(run.started_at, language) })}
            onClick=${() => open(run.id)}
          >
            ${t("open_log")}
          </button>`
        : html`<span class="none">–</span>`,
    },
  }));
  return html`
    <section aria-labelledby="runs-title">
      <h3 id="runs-title">${t("runs")}</h3>
      ${rows.length === 0
        ? html`<p class="none">${t("no_runs")}</p>`
        : html`<${Table} caption=${t("runs")} columns=${columns} rows=${rows} />`}
    </section>
  `;
}
