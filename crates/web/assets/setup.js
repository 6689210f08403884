// The page behind the one-time link of the first start: it makes the first administrator.
import { html, Page, useContext, useEffect, useRef, useState } from "./lib.js";
import { call } from "./api.js";
import { Note, problemText } from "./parts.js";
import { NewPassword } from "./password.js";

/** The page's own address, without the link's token. */
export const SETUP = "/setup";

/**
 * The token of the link. It stands behind the `#`, which a browser sends to nobody, and leaves the
 * address bar and the history at once.
 */
export function takeToken() {
  const token = new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "";
  if (token) window.history.replaceState(null, "", window.location.pathname);
  return token;
}

/** @param {{token: string, switcher: any, onDone: () => void}} props */
export function Setup({ token, switcher, onDone }) {
  const { t, language } = useContext(Page);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const [name, setName] = useState("");
  const [acceptable, setAcceptable] = useState(null);
  const username = useRef(null);
  const password = useRef(null);
  const heading = useRef(null);

  useEffect(() => (username.current ?? heading.current).focus(), []);

  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    if (acceptable === false) {
      // Its description says why.
      password.current.focus();
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      await call("setUp", { body: { token, username: name.trim(), password: password.current.value } });
      onDone();
    } catch (error) {
      setProblem(error);
      setBusy(false);
      (error.code === "weak-password" ? password : username).current.focus();
    }
  }

  return html`
    <div class="signin">
      <header class="signin-head">${switcher}</header>
      <main id="main" tabindex="-1">
        <h1 ref=${heading} tabindex="-1">${t("setup_title")}</h1>
        ${token
          ? html`<p class="lead">${t("setup_lead")}</p>
              <form onSubmit=${submit} aria-describedby=${problem ? "setup-problem" : undefined}>
                <label for="setup-username">${t("username")}</label>
                <input
                  id="setup-username"
                  ref=${username}
                  type="text"
                  autocomplete="username"
                  autocapitalize="none"
                  spellcheck=${false}
                  maxlength="64"
                  required
                  onInput=${(event) => setName(event.currentTarget.value)}
                />
                <${NewPassword} input=${password} username=${name} onJudged=${setAcceptable} />
                <div id="setup-problem">
                  ${problem && html`<${Note} kind="error" role="alert"><p>${problemText(t, problem, language)}</p><//>`}
                </div>
                <button type="submit" class="primary" aria-disabled=${busy || acceptable === false}>
                  ${busy ? t("preparing") : t("setup_make")}
                </button>
              </form>`
          : html`<${Note} kind="warning"><p>${t("setup_no_token")}</p><//>`}
        <p class="signin-foot"><a href="/">${t("sign_in")}</a></p>
      </main>
    </div>
  `;
}
