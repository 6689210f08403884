// The log of one run, by windows of lines, with a search that the server does.
import { html, Page, useContext, useEffect, useState } from "./lib.js";
import { call } from "./api.js";
import { hasLog, latestRun } from "./format.js";
import { Lines } from "./lines.js";
import { hashOf } from "./location.js";
import { Age, Note, ProblemNote, useLoad } from "./parts.js";

/** The zone in which the page shows its own times. */
const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Lines in a window, and how many of them stand before the first cited one. */
const WINDOW = 200;
const BEFORE = 30;
/** Lines that the server searches at a time. */
const SEARCHED = 2000;
/** Matches that are listed. */
const SHOWN = 40;

/** @param {{job: any, route: any, open: (run: string | undefined, lines?: any) => void}} props */
export function LogView({ job, route, open }) {
  const { t, engine } = useContext(Page);
  const latest = latestRun(job);
  const run = route.run ?? (hasLog(latest) ? latest.id : undefined);
  const wanted = route.lines ? Math.max(1, route.lines.from - BEFORE) : 1;
  const [from, setFrom] = useState(wanted);
  useEffect(() => {
    // A cited line that the window already has moves the mark and not the window.
    setFrom((old) => {
      if (!route.lines) return 1;
      return route.lines.from >= old && route.lines.to < old + WINDOW ? old : wanted;
    });
  }, [run, route.lines?.from, route.lines?.to]);

  const { data, problem, receivedAt, busy, again } = useLoad(
    (signal) =>
      run
        ? call("jobLog", { params: { id: job.id }, query: { engine: engine.name, run, from, lines: WINDOW }, signal })
        : Promise.resolve(null),
    [job.id, engine.name, run, from],
  );
  const address = (line) => "./" + hashOf({ page: "job", id: job.id, run, lines: { from: line, to: line } });
  const last = data ? data.from_line + data.lines.length - 1 : 0;
  return html`
    <section aria-labelledby="log-title">
      <h3 id="log-title">${t("log")}</h3>
      ${!run && html`<p class="none">${t("no_log")}</p>`}
      ${run && html`<${Search} job=${job} run=${run} open=${open} />`}
      ${problem && html`<${ProblemNote} problem=${problem} again=${again} />`}
      <p role="status">${busy && t("loading")}</p>
      ${data &&
      html`
        <p class="hint">
          <${Age} meta=${data.meta} receivedAt=${receivedAt} />
          ${data.redacted > 0 && html` · ${t("redacted", { n: data.redacted })}`}
          ${data.truncated && html` · ${t("log_goes_on")}`}
          ${engine.timezone && engine.timezone !== ownZone() && html` · ${t("engine_zone", { zone: engine.timezone })}`}
        </p>
        ${data.lines.length === 0
          ? html`<${Note}>${from > 1 ? t("log_ends") : t("log_empty")}<//>`
          : html`<${Lines}
              first=${data.from_line}
              lines=${data.lines}
              cited=${route.lines}
              label=${t("log_region", { from: data.from_line, to: last })}
              address=${address}
              onNumber=${(line) => open(run, { from: line, to: line })}
            />`}
        <div class="pager">
          ${from > 1 &&
          html`<button type="button" onClick=${() => setFrom(Math.max(1, from - WINDOW))}>${t("earlier_lines")}</button>`}
          ${data.truncated && data.lines.length > 0 &&
          html`<button type="button" onClick=${() => setFrom(last + 1)}>${t("later_lines")}</button>`}
        </div>
      `}
    </section>
  `;
}

function Search({ job, run, open }) {
  const { t, tn, engine } = useContext(Page);
  const [text, setText] = useState("");
  const [asked, setAsked] = useState({ search: "", from: 1 });
  const { data, problem, again } = useLoad(
    (signal) =>
      asked.search
        ? call("jobLog", {
            params: { id: job.id },
            query: { engine: engine.name, run, lines: SEARCHED, ...asked },
            signal,
          })
        : Promise.resolve(null),
    [job.id, run, asked.search, asked.from],
  );
  const matches = data?.matches ?? [];
  const last = data ? data.from_line + data.lines.length - 1 : 0;
  return html`
    <form
      class="log-search"
      role="search"
      onSubmit=${(event) => {
        event.preventDefault();
        setAsked({ search: text.trim(), from: 1 });
      }}
    >
      <label for="log-search">${t("search_log")}</label>
      <input
        id="log-search"
        type="search"
        autocomplete="off"
        value=${text}
        onInput=${(event) => setText(event.currentTarget.value)}
      />
      <button type="submit">${t("search")}</button>
    </form>
    ${problem && html`<${ProblemNote} problem=${problem} again=${again} />`}
    <div role="status">${data &&
      html`<p class="hint">${tn("matches", matches.length)} ${t("searched", { from: data.from_line, to: last })}</p>`}
    </div>
    ${data?.truncated &&
    data.lines.length > 0 &&
    html`<button type="button" onClick=${() => setAsked({ ...asked, from: last + 1 })}>${t("search_on")}</button>`}
    ${matches.length > 0 &&
    html`<ul class="matches">
      ${matches.slice(0, SHOWN).map(
        (line) => html`
          <li key=${line}>
            <button type="button" class="link" onClick=${() => open(run, { from: line, to: line })}>
              ${t("line", { n: line })}
            </button>
          </li>
        `,
      )}
      ${matches.length > SHOWN && html`<li class="hint">${t("shown_of", { shown: SHOWN, count: matches.length })}</li>`}
    </ul>`}
  `;
}
