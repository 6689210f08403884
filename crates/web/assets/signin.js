// The form to sign in. Password managers and pasting work: plain inputs with their usual names.
import { html, Page, useContext, useEffect, useRef, useState } from "./lib.js";
import { addressOf, call } from "./api.js";
import { Note, problemText } from "./parts.js";

/** Why single sign-on ended without a session, once: it leaves the address bar. */
function takeTrouble() {
  const code = new URLSearchParams(window.location.search).get("signin_error");
  if (code) window.history.replaceState(null, "", window.location.pathname + window.location.hash);
  return code;
}

/** The codes of the server that the page has words for. */
const TROUBLES = ["expired", "denied", "refused", "unavailable", "no-name", "name-taken", "no-role", "last-admin"];

/** @param {{message: string | null, onSignedIn: (user: any) => void, switcher: any}} props */
export function SignIn({ message, onSignedIn, switcher }) {
  const { t, language } = useContext(Page);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const [provider, setProvider] = useState(null);
  const [trouble] = useState(takeTrouble);
  const username = useRef(null);
  const password = useRef(null);

  useEffect(() => {
    username.current.focus();
    // Without an answer there is the form alone.
    const ways = call("waysIn");
    ways.then(
      (known) => setProvider(known.oidc?.name ?? null),
      () => {},
    );
  }, []);

  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const answer = await call("logIn", {
        body: { username: username.current.value, password: password.current.value },
      });
      onSignedIn({ ...answer.user, expires_at: answer.expires_at });
    } catch (error) {
      setProblem(error);
      setBusy(false);
      password.current.focus();
      password.current.select();
    }
  }

  return html`
    <div class="signin">
      <header class="signin-head">${switcher}</header>
      <main id="main" tabindex="-1">
        <h1>Resync</h1>
        <p class="lead">${t("tagline")}</p>
        ${trouble &&
        !problem &&
        html`<${Note} kind="error" role="alert">
          ${TROUBLES.includes(trouble) ? t(`sso_${trouble.replace("-", "_")}`) : t("sso_refused")}
        <//>`}
        ${message && !problem && !trouble && html`<${Note} kind="warning" role="alert">${message}<//>`}
        <form onSubmit=${submit} aria-describedby=${problem ? "signin-problem" : undefined}>
          <label for="username">${t("username")}</label>
          <input
            id="username"
            name="username"
            ref=${username}
            type="text"
            autocomplete="username"
            autocapitalize="none"
            spellcheck=${false}
            required
          />
          <label for="password">${t("password")}</label>
          <input
            id="password"
            name="password"
            ref=${password}
            type="password"
            autocomplete="current-password"
            required
          />
          <div id="signin-problem">
            ${problem &&
            html`<${Note} kind="error" role="alert"><p>${problemText(t, problem, language)}</p><//>`}
          </div>
          <button type="submit" class="primary" aria-disabled=${busy}>${busy ? t("signing_in") : t("sign_in")}</button>
        </form>
        ${provider &&
        html`<p class="signin-or">${t("sso_or")}</p>
          <a class="signin-other" href=${addressOf("singleSignOn", { return_to: "/" })}>${t("sso_with", { name: provider })}</a>`}
      </main>
    </div>
  `;
}
