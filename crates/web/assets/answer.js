// One answer: its text, its figures with their age, its sources, its proposal.
import { html, Page, useContext, useId, useRef, useState } from "./lib.js";
import { Impact } from "./action.js";
import { moment, span, visible } from "./format.js";
import { Icon } from "./icons.js";
import { linesText } from "./job.js";
import { has } from "./language.js";
import { breakable, Note, When } from "./parts.js";
import { State } from "./status.js";

/** @param {{answer: any, suggest: (text: string) => void}} props */
export function Answer({ answer, suggest }) {
  const { t } = useContext(Page);
  return html`
    <div class="answer">
      ${answer.incomplete && html`<${Note} kind="warning">${t("incomplete")}<//>`}
      <${AnswerText} answer=${answer} />
      ${answer.clarify?.length > 0 && html`<${Clarify} texts=${answer.clarify} suggest=${suggest} />`}
      ${answer.citations?.length > 0 && html`<${Citations} citations=${answer.citations} />`}
      ${answer.figures?.length > 0 && html`<${Figures} figures=${answer.figures} />`}
      ${answer.evidence?.length > 0 && html`<${Evidence} pieces=${answer.evidence} />`}
      ${answer.proposal && html`<${ProposalCard} proposal=${answer.proposal} />`}
      ${answer.saved === false && html`<${Note} kind="warning">${t("not_saved")}<//>`}
      <${How} answer=${answer} />
    </div>
  `;
}

function Clarify({ texts, suggest }) {
  const { t } = useContext(Page);
  return html`
    <p class="hint">${t("did_you_mean")}</p>
    <ul class="chips">
      ${texts.map(
        (text) =>
          html`<li key=${text}><button type="button" onClick=${() => suggest(text)}>${visible(text)}</button></li>`,
      )}
    </ul>
  `;
}

/** The text, in which each mark of a source opens that source. */
function AnswerText({ answer }) {
  const { t } = useContext(Page);
  const open = useOpen();
  const sources = new Map((answer.citations ?? []).map((one) => [one.id, one]));
  // Every second part is what stood between the brackets.
  const parts = visible(answer.answer).split(/\[(c\d+)\]/);
  return html`
    <p class="turn-text" lang=${answer.language === "pt" ? "pt-BR" : answer.language}>
      ${parts.map((part, index) => {
        if (index % 2 === 0) return part;
        const source = sources.get(part);
        return source
          ? html`<button type="button" class="link mark" aria-label=${t("open_source", { id: part })} onClick=${() => open(source)}>
              [${part}]
            </button>`
          : `[${part}]`;
      })}
    </p>
  `;
}

/** Figures that one look at one engine gave share its line. @param {any[]} figures */
function looks(figures) {
  const groups = new Map();
  for (const figure of figures) {
    const key = [figure.source.engine, figure.fetched_at, figure.stale].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), figure]);
  }
  return [...groups.values()];
}

/** The figures of the text once more, each with its source and age; the text has said them, so they are folded. */
function Figures({ figures }) {
  const { t, tn, language } = useContext(Page);
  return looks(figures).map((group) => {
    const { source, fetched_at: at, age_ms: age, stale } = group[0];
    return html`
      <details class="figures" key=${source.engine + at}>
        <summary>
          ${tn("figures", group.length)} · ${source.engine} · ${t("as_of", { at: moment(at, language, true), age: span(age) })}
          ${stale && html`${" "}<strong class="stale"><${Icon} name="warning" />${t("stale")}</strong>`}
        </summary>
        <dl>
          ${group.map(
            (figure, index) => html`
              <div key=${index}>
                <dt>${breakable(visible(figure.label))}</dt>
                <dd>${shown(figure.value)}${figure.unit && ` ${figure.unit}`}</dd>
              </div>
            `,
          )}
        </dl>
      </details>
    `;
  });
}

/** What each tool told, for whoever checks the answer; its words are text here, whatever they hold. */
function Evidence({ pieces }) {
  const { t, tn, language } = useContext(Page);
  return html`
    <details class="figures">
      <summary>${tn("pieces", pieces.length)}</summary>
      <ol class="evidence">
        ${pieces.map(
          (one) => html`
            <li key=${one.id}>
              <p>
                <span class="source-id">${one.id}</span> ${told(t, one)} ·${" "}
                ${t("as_of", { at: moment(one.fetched_at, language, true), age: span(one.age_ms) })}
                ${one.stale && html`${" "}<strong class="stale"><${Icon} name="warning" />${t("stale")}</strong>`}
              </p>
              ${one.facts?.length > 0 &&
              html`<dl>
                ${one.facts.map(
                  (fact, index) => html`
                    <div key=${index}>
                      <dt>${breakable(visible([fact.of, fact.name].filter(Boolean).join(": ")))}</dt>
                      <dd>${shown(fact.value)}${fact.unit && ` ${fact.unit}`}</dd>
                    </div>
                  `,
                )}
              </dl>`}
              ${one.text && html`<code class="excerpt">${visible(one.text)}</code>`}
              ${one.cut && html`<p class="hint">${t("piece_cut")}</p>`}
            </li>
          `,
        )}
      </ol>
    </details>
  `;
}

/** Who told a piece of evidence: the engine and the question to it, or the document. */
function told(t, { kind, source }) {
  const what = has(`piece_${kind}`) ? t(`piece_${kind}`) : kind;
  if (source.from === "engine") return `${what} · ${visible(source.engine)} · ${source.question}`;
  return source.from === "document" ? `${what} · ${visible(source.source)}` : what;
}

/** A time of the engine stands in the reader's zone, as on the board. @param {string | number} value */
const shown = (value) => (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? html`<${When} at=${value} />` : visible(value));

/** A way to open a source at its lines. @returns {(one: any) => void} */
function useOpen() {
  const { go, engine } = useContext(Page);
  return (one) => {
    if (one.kind === "log")
      return go({
        page: "job",
        id: one.job_id,
        engine: one.engine !== engine?.name ? one.engine : undefined,
        run: one.run ?? undefined,
        lines: one.from_line ? { from: one.from_line, to: one.to_line ?? one.from_line } : undefined,
      });
    const from = one.span?.start_line ?? one.from_line;
    const to = one.span?.end_line ?? one.to_line ?? from;
    return go({ page: "document", id: one.document_id, lines: from ? { from, to } : undefined });
  };
}

function Citations({ citations }) {
  const { t } = useContext(Page);
  const open = useOpen();
  return html`
    <h4 class="sources-title">${t("sources")}</h4>
    <ol class="sources">
      ${citations.map(
        (one) => html`
          <li key=${one.id}>
            <button type="button" class="source" onClick=${() => open(one)}>
              <span class="source-title">
                <span class="source-id">${one.id}</span>
                <${Icon} name=${one.kind === "log" ? "log" : "document"} />
                <span>${breakable(visible(one.title))}${place(t, one)}</span>
              </span>
              ${one.excerpt && html`<code class="excerpt">${visible(one.excerpt)}</code>`}
            </button>
          </li>
        `,
      )}
    </ol>
  `;
}

/** Where in the source, as ", lines 12 to 14". */
function place(t, one) {
  if (one.kind === "log") return one.from_line ? `, ${linesText(t, one)}` : "";
  const given = Array.isArray(one.heading_path) ? one.heading_path : [one.heading_path];
  // The first heading of a runbook is most often its title, which stands there already.
  const path = given.filter((heading, index) => heading && (index > 0 || heading !== one.title));
  return path.map((heading) => ` › ${visible(heading)}`).join("");
}

/** A prepared action. Nothing happens by itself: the button opens the dialog that shows and confirms. */
function ProposalCard({ proposal }) {
  const { t, user, act } = useContext(Page);
  const reason = useRef(null);
  const ticket = useRef(null);
  const [result, setResult] = useState(null);
  const id = useId();
  // The contract has the target's fields beside the action; the first answer of an action nests them.
  const target = { ...proposal, ...(typeof proposal.target === "object" ? proposal.target : {}) };
  const allowed = user.permissions.includes("actions.propose") && user.permissions.includes("actions.confirm");
  return html`
    <form
      class="proposal"
      aria-labelledby=${`${id}-title`}
      onSubmit=${(event) => {
        event.preventDefault();
        act({
          action: proposal.action,
          jobId: target.job_id,
          label: target.label,
          name: nameOf(target.label),
          state: target.state,
          engine: target.engine,
          reason: reason.current.value.trim(),
          ticket: ticket.current.value.trim(),
          more: moreOf(proposal),
          done: setResult,
        });
      }}
    >
      <h4 id=${`${id}-title`}>${breakable(t(`action_title_${proposal.action}`, { job: target.label }))}</h4>
      <p>${t("state_then")} <${State} state=${target.state} /> <span class="hint">${target.engine}</span></p>
      <${Impact} impact=${proposal.impact} folded />
      ${result
        ? html`<${Note} kind=${result.verified ? "info" : "warning"}>
            ${t(result.verified ? "verified" : "not_verified")} <${State} state=${result.state} />
          <//>`
        : allowed
        ? html`
            <label for=${`${id}-reason`}>${t("reason")}</label>
            <input id=${`${id}-reason`} ref=${reason} type="text" required pattern=".*\\S.*" maxlength="500" autocomplete="off" />
            <label for=${`${id}-ticket`}>${t("ticket")}</label>
            <input id=${`${id}-ticket`} ref=${ticket} type="text" maxlength="100" autocomplete="off" />
            <p class="hint">${t("nothing_yet_card")}</p>
            <button type="submit" class="primary">${t("review")}</button>
          `
        : html`<p class="hint">${t("not_permitted")}</p>`}
    </form>
  `;
}

/** The job's own name, which ends a label `WORKSTATION#STREAM.JOB`. @param {string} label */
const nameOf = (label) => label.slice(label.lastIndexOf(".") + 1);

/** What two of the actions need besides a reason; the question named it. @param {any} proposal */
function moreOf({ action, priority, status }) {
  if (action === "priority") return { priority };
  return action === "confirm" ? { status } : undefined;
}

/** What was looked at, for whoever wants to know. */
function How({ answer }) {
  const { t } = useContext(Page);
  const tools = answer.tools_used ?? [];
  return html`
    <details class="how">
      <summary>
        ${answer.mode === "deterministic" ? t("by_rules") : t("by_model", { model: answer.mode })}
        ${answer.timings && ` · ${answer.timings.total_ms} ms`}
      </summary>
      <p>${t("understood", { intent: answer.intent, confidence: Math.round(answer.confidence * 100) })}</p>
      ${tools.length === 0
        ? html`<p>${t("no_tools")}</p>`
        : html`<ul class="plain-list">
            ${tools.map(
              (tool, index) =>
                html`<li key=${index}>${tool.name} · ${tool.took_ms} ms${tool.cache ? ` · ${tool.cache}` : ""}</li>`,
            )}
          </ul>`}
    </details>
  `;
}
