// API keys of one's own: made, shown once, revoked.
import { html, Page, useContext, useEffect, useId, useRef, useState } from "./lib.js";
import { call } from "./api.js";
import { visible } from "./format.js";
import { Note, problemText, ProblemNote, Table, useLoad, When } from "./parts.js";

/** What no key may do: a person confirms. */
const NEVER = "actions.confirm";
const DAYS = [30, 90, 180, 365];

/** A scope as a key of a text. */
const plain = (scope) => scope.replaceAll(".", "_");

/** @param {{changes: number}} props */
export function KeysSection({ changes }) {
  const { t, language } = useContext(Page);
  const { data, problem, busy, again } = useLoad((signal) => call("apiKeys", { signal }), [changes]);
  const [made, setMade] = useState(null);
  const [open, setOpen] = useState(false);
  const [said, setSaid] = useState(null);
  const [failed, setFailed] = useState(null);
  const heading = useRef(null);
  const id = useId();

  async function revoke(key) {
    setFailed(null);
    try {
      await call("endApiKey", { params: { id: key.id } });
      setSaid("key_revoked");
    } catch (error) {
      if (error.status === 404) setSaid("key_revoked");
      else setFailed(error);
    }
    heading.current.focus();
    again();
  }

  const columns = [
    { key: "name", label: t("key_name"), head: true },
    { key: "scopes", label: t("key_scopes") },
    { key: "used", label: t("key_last_used") },
    { key: "ends", label: t("ends_at") },
    { key: "end", label: t("revoke_key") },
  ];
  const rows = (data?.items ?? []).map((key) => ({
    id: key.id,
    cells: {
      name: visible(key.name),
      scopes: key.scopes.map((scope) => t(`scope_${plain(scope)}`)).join(", "),
      used: html`<${When} at=${key.last_used_at} />`,
      ends: html`<${When} at=${key.expires_at} />${key.expired && html`${" "}<span class="badge">${t("key_expired")}</span>`}`,
      end: html`<button type="button" class="danger" onClick=${() => revoke(key)}>
        ${t("revoke_key")}<span class="sr-only">${` ${visible(key.name)}`}</span>
      </button>`,
    },
  }));
  return html`
    <section aria-labelledby=${`${id}-title`}>
      <h3 id=${`${id}-title`} tabindex="-1" ref=${heading}>${t("api_keys")}</h3>
      <p class="hint">${t("api_keys_hint")}</p>
      ${problem && html`<${ProblemNote} problem=${problem} again=${again} />`}
      ${failed && html`<${Note} kind="error" role="alert"><p>${problemText(t, failed, language)}</p><//>`}
      ${data && rows.length === 0 && html`<p class="none">${t("none")}</p>`}
      ${rows.length > 0 && html`<${Table} caption=${t("api_keys")} columns=${columns} rows=${rows} />`}
      <p role="status">${busy && !data ? t("loading") : said && t(said)}</p>
      ${made && html`<${MadeKey} key=${made.api_key.id} made=${made} onClose=${() => {
          setMade(null);
          // The button goes with its note.
          heading.current.focus();
        }} />`}
      ${open
        ? html`<${KeyForm}
            onMade=${(answer) => {
              setMade(answer);
              setOpen(false);
              setSaid(null);
              again();
            }}
            onClose=${() => {
              setOpen(false);
              heading.current.focus();
            }}
          />`
        : html`<div class="buttons"><button type="button" onClick=${() => setOpen(true)}>${t("new_key")}</button></div>`}
    </section>
  `;
}

/** The key's text, this once. */
function MadeKey({ made, onClose }) {
  const { t } = useContext(Page);
  const [copied, setCopied] = useState(null);
  const field = useRef(null);
  const id = useId();
  useEffect(() => {
    field.current.focus();
    field.current.select();
  }, []);

  async function copy() {
    try {
      await navigator.clipboard.writeText(made.key);
      setCopied("copied");
    } catch {
      // Without TLS a browser keeps the clipboard to itself; the text is marked, so that Ctrl+C takes it.
      field.current.focus();
      field.current.select();
      setCopied("copy_by_hand");
    }
  }
  return html`
    <${Note} kind="warning">
      <p><strong>${t("key_made", { name: visible(made.api_key.name) })}</strong></p>
      <p id=${`${id}-once`}>${t("key_once")}</p>
      <label for=${`${id}-key`}>${t("key_text")}</label>
      <div class="with-button">
        <input id=${`${id}-key`} ref=${field} class="mono" type="text" readonly value=${made.key} aria-describedby=${`${id}-once`} autocomplete="off" spellcheck=${false} />
        <button type="button" onClick=${copy}>${t("copy")}</button>
      </div>
      <p role="status">${copied && t(copied)}</p>
      <div class="buttons"><button type="button" onClick=${onClose}>${t("key_kept")}</button></div>
    <//>
  `;
}

function KeyForm({ onMade, onClose }) {
  const { t, language, user } = useContext(Page);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const [scopes, setScopes] = useState([]);
  const name = useRef(null);
  const days = useRef(null);
  const first = useRef(null);
  const id = useId();
  const choices = user.permissions.filter((scope) => scope !== NEVER);
  useEffect(() => name.current.focus(), []);

  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    if (scopes.length === 0) {
      // What the fields belong to says that one is needed.
      first.current.focus();
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      onMade(
        await call("newApiKey", {
          body: { name: name.current.value.trim(), scopes, expires_in_days: Number(days.current.value) },
        }),
      );
    } catch (error) {
      setProblem(error);
      setBusy(false);
      name.current.focus();
    }
  }
  const toggle = (scope, on) => setScopes((old) => (on ? [...old, scope] : old.filter((one) => one !== scope)));

  return html`
    <form class="narrow" onSubmit=${submit} aria-describedby=${problem ? `${id}-problem` : undefined}>
      <h4>${t("new_key")}</h4>
      <label for=${`${id}-name`}>${t("key_name")}</label>
      <input id=${`${id}-name`} ref=${name} type="text" maxlength="64" required autocomplete="off" />
      <fieldset aria-describedby=${`${id}-scopes`}>
        <legend>${t("key_scopes")}</legend>
        <p class="hint" id=${`${id}-scopes`}>${t("key_scopes_hint")}</p>
        ${choices.map(
          (scope, index) => html`
            <label class="check" key=${scope}>
              <input
                ref=${index === 0 ? first : undefined}
                type="checkbox"
                checked=${scopes.includes(scope)}
                onChange=${(event) => toggle(scope, event.currentTarget.checked)}
              />
              <span>${t(`scope_${plain(scope)}`)} <code>${scope}</code></span>
            </label>
          `,
        )}
      </fieldset>
      <label for=${`${id}-days`}>${t("key_days")}</label>
      <select id=${`${id}-days`} ref=${days}>
        ${DAYS.map((n) => html`<option key=${n} value=${n} selected=${n === 90}>${t("days", { n })}</option>`)}
      </select>
      <div id=${`${id}-problem`}>
        ${problem && html`<${Note} kind="error" role="alert"><p>${problemText(t, problem, language)}</p><//>`}
      </div>
      <div class="buttons">
        <button type="submit" class="primary" aria-disabled=${busy || scopes.length === 0}>${t("make_key")}</button>
        <button type="button" onClick=${onClose}>${t("leave")}</button>
      </div>
    </form>
  `;
}
