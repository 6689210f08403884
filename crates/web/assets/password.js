// A new password, with what the server thinks of it while it is typed.
import { html, Page, useContext, useEffect, useId, useState } from "./lib.js";
import { call } from "./api.js";
import { inLanguage } from "./language.js";

/** How long the typing must rest before the server is asked, in milliseconds. */
const REST = 250;

/**
 * The field and its meter. The meter is words; the bar beside them only repeats what they say.
 * While nothing is known yet, `onJudged` gets `null`: the form may be sent, and the server judges then.
 * @param {{input: {current: any}, username: string, onJudged: (acceptable: boolean | null) => void}} props
 */
export function NewPassword({ input, username, onJudged }) {
  const { t } = useContext(Page);
  const [text, setText] = useState("");
  const [judged, setJudged] = useState(null);
  const [shown, setShown] = useState(false);
  const id = useId();

  useEffect(() => {
    setJudged(null);
    onJudged(null);
    if (text === "") return undefined;
    const controller = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const answer = await call("passwordStrength", {
          body: { password: text, ...(username && { username }) },
          signal: controller.signal,
        });
        setJudged(answer);
        onJudged(answer.acceptable);
      } catch (error) {
        if (error.code === "aborted") return;
        setJudged({ unknown: true });
      }
    }, REST);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [text, username]);

  return html`
    <label for=${`${id}-new`}>${t("new_password")}</label>
    <div class="with-button">
      <input
        id=${`${id}-new`}
        ref=${input}
        type=${shown ? "text" : "password"}
        autocomplete="new-password"
        autocapitalize="none"
        spellcheck=${false}
        required
        aria-describedby=${`${id}-rule ${id}-meter`}
        onInput=${(event) => setText(event.currentTarget.value)}
      />
      <button type="button" aria-pressed=${shown} aria-controls=${`${id}-new`} onClick=${() => setShown(!shown)}>
        ${t("show_password")}
      </button>
    </div>
    <p class="hint" id=${`${id}-rule`}>${t("password_rule")}</p>
    <${Meter} id=${`${id}-meter`} judged=${judged} asking=${text !== "" && !judged} />
  `;
}

function Meter({ id, judged, asking }) {
  const { t, language } = useContext(Page);
  const known = judged && !judged.unknown;
  const words = known ? t(`strength_${judged.score}`) : "";
  const more = known ? [judged.warning, ...(judged.suggestions ?? [])].filter(Boolean) : [];
  return html`
    <div class="strength">
      <div class="strength-bar strength-${known ? judged.score : "none"}" aria-hidden="true">
        ${[0, 1, 2, 3].map((step) => html`<span key=${step} class=${known && judged.score > step ? "on" : ""}></span>`)}
      </div>
      <div id=${id} role="status">
        ${known &&
        html`<p>
            <strong>${words}</strong>${" "}${t(judged.acceptable ? "strength_enough" : "strength_not_enough")}
          </p>
          ${more.length > 0 && html`<ul>${more.map((one, index) => html`<li key=${index}>${inLanguage(one, language)}</li>`)}</ul>`}`}
        ${judged?.unknown && html`<p>${t("strength_unknown")}</p>`}
        ${asking && html`<span class="sr-only">${t("loading")}</span>`}
      </div>
    </div>
  `;
}
