// One answer: its text, its figures with their age, its sources, its proposal.
import { html, Page, useContext, useId, useRef } from "./lib.js";
import { Impact } from "./action.js";
import { moment, span, visible } from "./format.js";
import { Icon } from "./icons.js";
import { linesText } from "./job.js";
import { Note } from "./parts.js";
import { State } from "./status.js";

/** @param {{answer: any, suggest: (text: string) => void}} props */
export function Answer({ answer, suggest }) {
  const { t } = useContext(Page);
  return html`
    <div class="answer">
      ${answer.incomplete && html`<${Note} kind="warning">${t("incomplete")}<//>`}
      <p class="turn-text" lang=${answer.language === "pt" ? "pt-BR" : answer.language}>${visible(answer.answer)}</p>
      ${answer.clarify?.length > 0 && html`<${Clarify} texts=${answer.clarify} suggest=${suggest} />`}
      ${answer.figures?.length > 0 && html`<${Figures} figures=${answer.figures} />`}
      ${answer.citations?.length > 0 && html`<${Citations} citations=${answer.citations} />`}
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

function Figures({ figures }) {
  const { t, language } = useContext(Page);
  return html`
    <dl class="figures" aria-label=${t("figures")}>
      ${figures.map(
        (figure, index) => html`
          <div key=${index}>
            <dt>${visible(figure.label)}</dt>
            <dd>
              <strong>${visible(figure.value)}</strong>${figure.unit && ` ${figure.unit}`}
              <span class="hint">
                ${figure.source.engine} · ${t("as_of", { at: moment(figure.fetched_at, language), age: span(figure.age_ms) })}
                ${figure.stale && html`${" "}<strong class="stale"><${Icon} name="warning" />${t("stale")}</strong>`}
              </span>
            </dd>
          </div>
        `,
      )}
    </dl>
  `;
}

function Citations({ citations }) {
  const { t, go } = useContext(Page);
  const open = (one) => {
    if (one.kind === "log")
      return go({
        page: "job",
        id: one.job_id,
        run: one.run ?? undefined,
        lines: one.from_line ? { from: one.from_line, to: one.to_line ?? one.from_line } : undefined,
      });
    const from = one.span?.start_line ?? one.from_line;
    const to = one.span?.end_line ?? one.to_line ?? from;
    return go({ page: "document", id: one.document_id, lines: from ? { from, to } : undefined });
  };
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
                <span>${t(one.kind === "log" ? "log" : "document")}: ${visible(one.title)}${place(t, one)}</span>
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
  const path = Array.isArray(one.heading_path) ? one.heading_path.join(" › ") : one.heading_path;
  return path ? ` › ${visible(path)}` : "";
}

/** A prepared action. Nothing happens by itself: the button opens the dialog that shows and confirms. */
function ProposalCard({ proposal }) {
  const { t, user, act } = useContext(Page);
  const reason = useRef(null);
  const ticket = useRef(null);
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
        });
      }}
    >
      <h4 id=${`${id}-title`}>${t(`action_title_${proposal.action}`, { job: target.label })}</h4>
      <p>${t("state_now")} <${State} state=${target.state} /> <span class="hint">${target.engine}</span></p>
      <${Impact} impact=${proposal.impact} />
      ${allowed
        ? html`
            <label for=${`${id}-reason`}>${t("reason")}</label>
            <input id=${`${id}-reason`} ref=${reason} type="text" required pattern=".*\\S.*" maxlength="500" autocomplete="off" />
            <label for=${`${id}-ticket`}>${t("ticket")}</label>
            <input id=${`${id}-ticket`} ref=${ticket} type="text" maxlength="100" autocomplete="off" />
            <p class="hint">${t("nothing_yet")}</p>
            <button type="submit">${t("review")}</button>
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
