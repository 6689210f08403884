// The page as a whole: who is signed in, which engine, what is open.
import { html, Page, useCallback, useEffect, useMemo, useRef, useState } from "./lib.js";
import { AccountSheet } from "./account.js";
import { ActionDialog } from "./action.js";
import { call, onUnauthenticated } from "./api.js";
import { Board } from "./board.js";
import { Chat } from "./chat.js";
import { DocumentSheet } from "./document.js";
import { JobSheet } from "./job.js";
import { JobsSheet } from "./jobs.js";
import { useLanguage, useTexts } from "./language.js";
import { useRoute } from "./location.js";
import { Note, ProblemNote } from "./parts.js";
import { SETUP, Setup, takeToken } from "./setup.js";
import { SignIn } from "./signin.js";

/** How long before the end of the session we say so, in milliseconds. */
const WARNING = 5 * 60_000;

export function App() {
  const [language, setLanguage] = useLanguage();
  const { t, tn } = useTexts(language);
  const [user, setUser] = useState(null);
  const [starting, setStarting] = useState(true);
  const [problem, setProblem] = useState(null);
  const [reason, setReason] = useState(null);
  const [fresh, setFresh] = useState(false);
  const [setup, setSetup] = useState(() => (window.location.pathname === SETUP ? { token: takeToken() } : null));

  const start = useCallback(async () => {
    if (setup) {
      setStarting(false);
      return;
    }
    setStarting(true);
    setProblem(null);
    try {
      setUser(await call("verify"));
    } catch (error) {
      if (error.status !== 401) setProblem(error);
    }
    setStarting(false);
  }, []);
  useEffect(() => {
    onUnauthenticated(() => {
      setUser(null);
      setReason("signed_out_by_server");
    });
    start();
  }, []);

  const switcher = html`<${LanguageSwitch} t=${t} language=${language} setLanguage=${setLanguage} />`;
  const words = { t, tn, language };
  let view;
  if (starting) view = html`<p class="starting" role="status">${t("starting")}</p>`;
  else if (setup)
    view = html`<${Setup}
      token=${setup.token}
      switcher=${switcher}
      onDone=${() => {
        window.history.replaceState(null, "", "/");
        setReason("setup_done");
        setSetup(null);
      }}
    />`;
  else if (problem)
    view = html`<main class="starting" id="main"><h1>Resync</h1><${ProblemNote} problem=${problem} again=${start} /></main>`;
  else if (!user)
    view = html`<${SignIn}
      message=${reason && t(reason)}
      switcher=${switcher}
      onSignedIn=${(signedIn) => {
        setReason(null);
        setFresh(true);
        setUser(signedIn);
      }}
    />`;
  else
    return html`<${Desk}
      key=${user.username}
      words=${words}
      user=${user}
      switcher=${switcher}
      fresh=${fresh}
      renew=${(expiresAt) => setUser((old) => ({ ...old, expires_at: expiresAt }))}
      onSignedOut=${(why) => {
        setUser(null);
        setReason(why);
      }}
    />`;
  return html`<${Page.Provider} value=${words}>${view}<//>`;
}

/** The page of someone who is signed in. */
function Desk({ words, user, switcher, fresh, renew, onSignedOut }) {
  const { t } = words;
  const [route, go] = useRoute();
  const [engines, setEngines] = useState(null);
  const [enginesProblem, setEnginesProblem] = useState(null);
  const [chosen, setChosen] = useState(null);
  const [target, setTarget] = useState(null);
  const [changes, setChanges] = useState(0);
  const main = useRef(null);

  const loadEngines = useCallback(async () => {
    setEnginesProblem(null);
    try {
      setEngines((await call("engines")).items);
    } catch (error) {
      setEnginesProblem(error);
    }
  }, []);
  useEffect(() => {
    loadEngines();
    // The form that had the focus is gone; a reload leaves the focus where the browser puts it.
    if (fresh) main.current.focus();
  }, []);

  const engine = engines?.find((one) => one.name === chosen) ?? engines?.[0] ?? null;
  const shared = useMemo(
    () => ({ ...words, user, renew, engine, go, act: setTarget, changes }),
    [words.t, user, engine, go, changes],
  );

  // A source may lie on another engine than the chosen one. One that is not configured (any more) is
  // still asked by its name, and the answer says so.
  const other = engines && route.engine && route.engine !== engine?.name ? route.engine : null;
  const ofJob = useMemo(
    () =>
      other
        ? { ...shared, engine: engines.find((one) => one.name === other) ?? { name: other, read_only: true, demo: false } }
        : shared,
    [shared, engines, other],
  );

  async function signOut() {
    try {
      const { revoked } = await call("logOut");
      onSignedOut(revoked ? "signed_out" : "signed_out_not_revoked");
    } catch (error) {
      onSignedOut(error.status === 401 ? "signed_out" : "sign_out_failed");
    }
  }
  const jump = (id) => (event) => {
    event.preventDefault();
    const element = document.getElementById(id);
    element?.focus();
    element?.scrollIntoView({ block: "start" });
  };
  const closePanel = () => go({ page: "board" });

  return html`
    <${Page.Provider} value=${shared}>
      <a class="skip" href="#main" onClick=${jump("main")}>${t("skip_to_board")}</a>
      <a class="skip" href="#message" onClick=${jump("message")}>${t("skip_to_chat")}</a>
      <header class="top">
        <div class="top-name">
          <span class="brand">Resync</span>
          <${EngineName} engines=${engines} engine=${engine} choose=${setChosen} />
        </div>
        <div class="top-tools">
          <a class="narrow-only" href="#message" onClick=${jump("message")}>${t("chat")}</a>
          ${switcher}
          <button type="button" class="quiet" onClick=${() => go({ page: "account" })}>
            <span class="sr-only">${t("account")}: </span>${user.username}
          </button>
          <button type="button" class="quiet" onClick=${signOut}>${t("sign_out")}</button>
        </div>
      </header>
      <${SessionEnd} expiresAt=${user.expires_at} />
      <div class="desk">
        <main id="main" tabindex="-1" ref=${main}>
          ${enginesProblem && html`<${ProblemNote} problem=${enginesProblem} again=${loadEngines} />`}
          ${engines?.length === 0 && html`<${Note} kind="warning">${t("no_engine")}<//>`}
          ${engine
            ? html`<${Board} key=${engine.name} />`
            : html`<h1>${t("board")}</h1>${!engines && !enginesProblem && html`<p role="status">${t("loading")}</p>`}`}
        </main>
        <${Chat} key=${`chat ${user.username}`} />
      </div>
      ${route.page === "job" &&
      html`<${Page.Provider} value=${ofJob}>
        <${JobSheet} key=${`${route.engine ?? ""} ${route.id}`} route=${route} onClose=${closePanel} />
      <//>`}
      ${route.page === "jobs" && html`<${JobsSheet} key=${route.status} status=${route.status} onClose=${closePanel} />`}
      ${route.page === "document" && html`<${DocumentSheet} key=${route.id} route=${route} onClose=${closePanel} />`}
      ${route.page === "account" && html`<${AccountSheet} onClose=${closePanel} />`}
      ${target &&
      html`<${ActionDialog}
        target=${target}
        onDone=${() => setChanges((n) => n + 1)}
        onClose=${() => setTarget(null)}
      />`}
    <//>
  `;
}

/** The engine's name, a choice when there are several, and whether it is a demo or only for reading. */
function EngineName({ engines, engine, choose }) {
  return html`
    <${Page.Consumer}>
      ${({ t }) => html`
        <div class="engine">
          ${engines?.length > 1
            ? html`<label for="engine">${t("engine")}</label>
                <select id="engine" value=${engine.name} onChange=${(event) => choose(event.currentTarget.value)}>
                  ${engines.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}
                </select>`
            : engine && html`<span class="engine-name"><span class="sr-only">${t("engine")}: </span>${engine.name}</span>`}
          ${engine?.demo && html`<strong class="badge badge-demo">${t("demo")}</strong>`}
          ${engine?.read_only && html`<span class="badge">${t("read_only")}</span>`}
        </div>
      `}
    <//>
  `;
}

/** Two buttons, each in its own language. */
function LanguageSwitch({ t, language, setLanguage }) {
  const one = (code, lang, short, name) => html`
    <button
      type="button"
      class="quiet"
      lang=${lang}
      aria-pressed=${language === code}
      title=${name}
      onClick=${() => setLanguage(code)}
    >
      ${short}<span class="sr-only"> – ${name}</span>
    </button>
  `;
  return html`
    <div class="languages" role="group" aria-label=${t("language")}>
      ${one("en", "en", "EN", "English")} ${one("pt", "pt-BR", "PT", "Português")}
    </div>
  `;
}

/** Says in time that the session ends, so that nothing half typed is lost. */
function SessionEnd({ expiresAt }) {
  const left = () => new Date(expiresAt).getTime() - Date.now();
  const [near, setNear] = useState(() => left() < WARNING);
  useEffect(() => {
    const timer = setInterval(() => setNear(left() < WARNING), 15_000);
    return () => clearInterval(timer);
  }, [expiresAt]);
  return html`
    <${Page.Consumer}>
      ${({ t }) =>
        html`<div role="status">
          ${near && html`<${Note} kind="warning">${t("session_ends")}<//>`}
        </div>`}
    <//>
  `;
}
