// The dialog of an action: a reason, then the impact, then the confirm that carries it out.
import { html, Page, useContext, useEffect, useRef, useState } from "./lib.js";
import { call } from "./api.js";
import { moment, visible } from "./format.js";
import { inLanguage } from "./language.js";
import { breakable, Note, problemText, Sheet } from "./parts.js";
import { State } from "./status.js";

/** Actions that cannot be taken back: the person types the job's name. */
const TYPED = ["cancel", "kill"];

/**
 * @param {{target: import("./lib.js").ActionTarget, onDone: () => void, onClose: () => void}} props
 */
export function ActionDialog({ target, onDone, onClose }) {
  const { t } = useContext(Page);
  const [step, setStep] = useState({ name: "form" });
  const [busy, setBusy] = useState(false);

  const send = async (body) => {
    setBusy(true);
    try {
      return await call("act", {
        params: { id: target.jobId, action: target.action },
        query: { engine: target.engine },
        body,
      });
    } finally {
      setBusy(false);
    }
  };
  const propose = async (reason, ticket) => {
    try {
      setStep({ name: "proposal", proposal: await send({ reason, ...(ticket && { ticket }), ...target.more }) });
    } catch (problem) {
      setStep({ name: "form", problem, reason, ticket });
    }
  };
  const confirm = async (token) => {
    try {
      const result = await send({ confirmation_token: token });
      setStep({ name: "result", result });
      target.done?.(result);
      onDone();
    } catch (problem) {
      setStep({ name: "failed", problem });
      // Whatever went wrong, the plan may differ from what is on the board.
      onDone();
    }
  };
  // A reason given in the conversation is not asked for twice.
  const sent = useRef(false);
  useEffect(() => {
    if (!target.reason || sent.current) return;
    sent.current = true;
    propose(target.reason, target.ticket);
  }, []);
  const close = () => !busy && onClose();

  return html`
    <${Sheet} kind="small" title=${breakable(t(`action_title_${target.action}`, { job: target.label }))} onClose=${close}>
      <p role="status">${busy && t(step.name === "proposal" ? "executing" : "preparing")}</p>
      ${step.name === "form" &&
      !(busy && target.reason) &&
      html`<${Form} target=${target} step=${step} busy=${busy} propose=${propose} onClose=${close} />`}
      ${step.name === "proposal" &&
      html`<${Proposal} target=${target} proposal=${step.proposal} busy=${busy} confirm=${confirm} onClose=${close} />`}
      ${step.name === "result" && html`<${Result} result=${step.result} onClose=${close} />`}
      ${step.name === "failed" &&
      html`<${Failed} problem=${step.problem} again=${() => setStep({ name: "form" })} onClose=${close} />`}
    <//>
  `;
}

/** Focus goes to the new step, so that a keyboard and a screen reader follow. */
function useFocus() {
  const element = useRef(null);
  useEffect(() => element.current?.focus(), []);
  return element;
}

function Form({ target, step, busy, propose, onClose }) {
  const { t, language } = useContext(Page);
  const reason = useFocus();
  const ticket = useRef(null);
  return html`
    <form
      onSubmit=${(event) => {
        event.preventDefault();
        if (!busy) propose(reason.current.value.trim(), ticket.current.value.trim());
      }}
    >
      <p>${t("state_now")} <${State} state=${target.state} /></p>
      ${step.problem && html`<${Note} kind="error" role="alert">${problemText(t, step.problem, language)}<//>`}
      <label for="reason">${t("reason")}</label>
      <textarea id="reason" ref=${reason} rows="2" required pattern=".*\\S.*" maxlength="500">
${step.reason ?? target.reason ?? ""}</textarea
      >
      <label for="ticket">${t("ticket")}</label>
      <input id="ticket" ref=${ticket} type="text" autocomplete="off" maxlength="100" defaultValue=${step.ticket ?? target.ticket ?? ""} />
      <p class="hint">${t("nothing_yet")}</p>
      <div class="buttons">
        <button type="submit" class="primary" aria-disabled=${busy}>${t("show_impact")}</button>
        <button type="button" onClick=${onClose}>${t("leave")}</button>
      </div>
    </form>
  `;
}

function Proposal({ target, proposal, busy, confirm, onClose }) {
  const { t, language } = useContext(Page);
  const heading = useFocus();
  const [typed, setTyped] = useState("");
  const needsName = TYPED.includes(target.action);
  const ready = !needsName || typed.trim() === target.name;
  return html`
    <form
      onSubmit=${(event) => {
        event.preventDefault();
        if (ready && !busy) confirm(proposal.confirmation_token);
      }}
    >
      <h3 ref=${heading} tabindex="-1">${t("impact")}</h3>
      <p>
        ${t("on_engine", { job: proposal.target.label, engine: proposal.target.engine })}
        ${" "}<${State} state=${proposal.target.state} />
      </p>
      <${Impact} impact=${proposal.impact} />
      ${needsName &&
      html`
        <label for="typed">${t("type_name", { name: target.name })}</label>
        <input
          id="typed"
          type="text"
          autocomplete="off"
          autocapitalize="none"
          spellcheck=${false}
          value=${typed}
          onInput=${(event) => setTyped(event.currentTarget.value)}
        />
      `}
      <p class="hint">${t("valid_until", { at: moment(proposal.expires_at, language, true) })}</p>
      <div class="buttons">
        <button type="submit" class=${needsName ? "danger" : "primary"} aria-disabled=${!ready || busy}>
          ${t(`confirm_${target.action}`)}
        </button>
        <button type="button" onClick=${onClose}>${t("leave")}</button>
      </div>
    </form>
  `;
}

/** Who waits for the job; `folded` leaves the names for whoever asks. @param {{impact: any, folded?: boolean}} props */
export function Impact({ impact, folded }) {
  const { t, tn, language } = useContext(Page);
  if (!impact) return null;
  const jobs = impact.jobs ?? [];
  // A number that is not there was not read; a zero would be made up.
  const known = typeof impact.blocked === "number";
  const count = html`<strong>${known ? tn("impact_blocked", impact.blocked) : t("impact_unknown")}</strong>`;
  const names =
    jobs.length > 0 &&
    html`<ul class="plain-list impact-jobs">
      ${jobs.map((job) => html`<li key=${job}>${breakable(visible(job))}</li>`)}
      ${known && impact.blocked > jobs.length && html`<li>${t("and_more", { n: impact.blocked - jobs.length })}</li>`}
    </ul>`;
  return html`
    ${folded && names ? html`<details><summary>${count}</summary>${names}</details>` : html`<p>${count}</p>${names}`}
    ${impact.note && html`<${Note} kind="warning">${inLanguage(impact.note, language)}<//>`}
  `;
}

function Result({ result, onClose }) {
  const { t } = useContext(Page);
  const button = useFocus();
  return html`
    <${Note} kind=${result.verified ? "info" : "warning"} role="status">
      <p><strong>${t(result.verified ? "verified" : "not_verified")}</strong></p>
      <p>${t("state_now")} <${State} state=${result.state} /></p>
      <p class="hint">${t("audit_entry", { id: result.audit_id })}</p>
    <//>
    <div class="buttons"><button type="button" class="primary" ref=${button} onClick=${onClose}>${t("close")}</button></div>
  `;
}

/**
 * What is known of an action that was confirmed and did not succeed. Only a refusal before anything
 * was sent says that nothing changed; where we cannot tell, we say that.
 * @param {import("./api.js").Problem} problem
 */
function outcomeOf(problem) {
  const { executed } = problem.body;
  if (executed === true) return "done_not_audited";
  if (executed === false) return "not_executed";
  const refused = problem.status >= 400 && problem.status < 500;
  return refused || problem.code === "unavailable" || problem.code === "overloaded" ? "not_executed" : "outcome_unknown";
}

function Failed({ problem, again, onClose }) {
  const { t, language } = useContext(Page);
  const button = useFocus();
  const outcome = outcomeOf(problem);
  return html`
    <${Note} kind="error" role="alert">
      <p><strong>${t(outcome)}</strong></p>
      <p>${problemText(t, problem, language)}</p>
      ${problem.body.state && html`<p>${t("state_now")} <${State} state=${problem.body.state} /></p>`}
      ${problem.body.audit_id && html`<p class="hint">${t("audit_entry", { id: problem.body.audit_id })}</p>`}
    <//>
    <div class="buttons">
      ${outcome === "not_executed" && html`<button type="button" onClick=${again}>${t("start_again")}</button>`}
      <button type="button" class="primary" ref=${button} onClick=${onClose}>${t("close")}</button>
    </div>
  `;
}
