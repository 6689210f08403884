// One's own account: the password, where one is signed in, and API keys.
import { html, Page, useContext, useId, useRef, useState } from "./lib.js";
import { call } from "./api.js";
import { visible } from "./format.js";
import { KeysSection } from "./keys.js";
import { Note, problemText, ProblemNote, Sheet, Table, useLoad, When } from "./parts.js";
import { NewPassword } from "./password.js";

/** @param {{onClose: () => void}} props */
export function AccountSheet({ onClose }) {
  const { t, user } = useContext(Page);
  // Another password ends the other sessions, so their list is read anew.
  const [changes, setChanges] = useState(0);
  return html`
    <${Sheet} title=${t("account_of", { name: user.username })} onClose=${onClose}>
      <p class="hint">${t("your_role")}: ${t(`role_${user.role}`)}</p>
      <${PasswordSection} onChanged=${() => setChanges((n) => n + 1)} />
      <${SessionsSection} changes=${changes} />
      <${KeysSection} changes=${changes} />
    <//>
  `;
}

/** The form to change one's own password. @param {{onChanged: () => void}} props */
function PasswordSection({ onChanged }) {
  const { t, language, user, renew } = useContext(Page);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const [done, setDone] = useState(false);
  const [acceptable, setAcceptable] = useState(null);
  const [round, setRound] = useState(0);
  const current = useRef(null);
  const next = useRef(null);
  const id = useId();

  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    if (acceptable === false) {
      // Its description says why.
      next.current.focus();
      return;
    }
    setBusy(true);
    setProblem(null);
    setDone(false);
    try {
      const { expires_at: expiresAt } = await call("changePassword", {
        body: { current_password: current.current.value, new_password: next.current.value },
      });
      setDone(true);
      renew(expiresAt);
      onChanged();
      current.current.value = "";
      setAcceptable(null);
      setRound((n) => n + 1);
    } catch (error) {
      setProblem(error);
      const wrong = (error.code === "weak-password" ? next : current).current;
      wrong.focus();
      wrong.select();
    }
    setBusy(false);
  }

  return html`
    <section aria-labelledby=${`${id}-title`}>
      <h3 id=${`${id}-title`}>${t("change_password")}</h3>
      <form class="narrow" onSubmit=${submit} aria-describedby=${problem ? `${id}-problem` : undefined}>
        <input class="sr-only" type="text" name="username" autocomplete="username" value=${user.username} readonly tabindex="-1" aria-hidden="true" />
        <label for=${`${id}-current`}>${t("current_password")}</label>
        <input id=${`${id}-current`} ref=${current} type="password" autocomplete="current-password" required />
        <${NewPassword} key=${round} input=${next} username=${user.username} onJudged=${setAcceptable} />
        <div id=${`${id}-problem`}>
          ${problem && html`<${Note} kind="error" role="alert"><p>${problemText(t, problem, language)}</p><//>`}
        </div>
        <p role="status">${busy ? t("changing_password") : done && t("password_changed")}</p>
        <button type="submit" class="primary" aria-disabled=${busy || acceptable === false}>${t("change_password")}</button>
      </form>
    </section>
  `;
}

/** Where one is signed in. @param {{changes: number}} props */
function SessionsSection({ changes }) {
  const { t, language } = useContext(Page);
  const { data, problem, busy, again } = useLoad((signal) => call("sessions", { signal }), [changes]);
  const [said, setSaid] = useState(null);
  const [failed, setFailed] = useState(null);
  const heading = useRef(null);
  const id = useId();

  async function end(session) {
    setFailed(null);
    try {
      await call("endSession", { params: { id: session.id } });
      setSaid("session_ended");
    } catch (error) {
      // It ended by itself meanwhile, which is what was asked for.
      if (error.status === 404) setSaid("session_ended");
      else setFailed(error);
    }
    // The button goes with its row.
    heading.current.focus();
    again();
  }

  const columns = [
    { key: "since", label: t("signed_in_at"), head: true },
    { key: "where", label: t("signed_in_from") },
    { key: "seen", label: t("last_seen") },
    { key: "ends", label: t("ends_at") },
    { key: "end", label: t("end_session") },
  ];
  const rows = (data?.items ?? []).map((session) => ({
    id: session.id,
    cells: {
      since: html`<${When} at=${session.created_at} />`,
      where: [session.address, session.agent].filter(Boolean).map(visible).join(" · "),
      seen: html`<${When} at=${session.last_seen_at} />`,
      ends: html`<${When} at=${session.expires_at} />`,
      end: session.current
        ? html`<span class="badge">${t("this_session")}</span>`
        : html`<button type="button" onClick=${() => end(session)}>
            ${t("end_session")}<span class="sr-only">${` (${visible(session.created_at)})`}</span>
          </button>`,
    },
  }));
  return html`
    <section aria-labelledby=${`${id}-title`}>
      <h3 id=${`${id}-title`} tabindex="-1" ref=${heading}>${t("sessions")}</h3>
      <p class="hint">${t("sessions_hint")}</p>
      ${problem && html`<${ProblemNote} problem=${problem} again=${again} />`}
      ${failed && html`<${Note} kind="error" role="alert"><p>${problemText(t, failed, language)}</p><//>`}
      ${rows.length > 0 && html`<${Table} caption=${t("sessions")} columns=${columns} rows=${rows} />`}
      <p role="status">${busy && !data ? t("loading") : said && t(said)}</p>
    </section>
  `;
}
