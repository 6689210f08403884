// The conversation: questions, answers with their sources, proposals.
import { html, Page, useContext, useEffect, useRef, useState } from "./lib.js";
import { Answer } from "./answer.js";
import { addressOf, call } from "./api.js";
import { visible } from "./format.js";
import { Note, problemText, Sheet, When } from "./parts.js";

/** The longest message, in characters. */
const LONGEST = 4000;

/** The conversation that a reload goes on with; it lasts as long as the tab. */
function keptSession(username) {
  const key = `resync.session.${username}`;
  // A browser may refuse storage; then a reload begins a new conversation, and nothing else is lost.
  return {
    read() {
      try {
        return sessionStorage.getItem(key);
      } catch {
        return null;
      }
    },
    write(id) {
      try {
        if (id) sessionStorage.setItem(key, id);
        else sessionStorage.removeItem(key);
      } catch {
        // See above.
      }
    },
  };
}

/** The longest title of a conversation and the longest reason of a judgement, in characters. */
const LONGEST_TITLE = 120;
const LONGEST_REASON = 1000;

/** What was typed and not sent, by user: a session that ends under the typing loses nothing. */
const drafts = new Map();

export function Chat() {
  const { t, user, engine, language } = useContext(Page);
  const [kept] = useState(() => keptSession(user.username));
  const [session, setSession] = useState(() => kept.read());
  const [turns, setTurns] = useState([]);
  const [older, setOlder] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState("");
  const [earlier, setEarlier] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const [renaming, setRenaming] = useState(false);
  const controller = useRef(null);
  const box = useRef(null);
  const log = useRef(null);

  const keep = (id) => {
    kept.write(id);
    setSession(id);
  };
  async function loadHistory(id, cursor) {
    setProblem(null);
    setBusy("loading");
    try {
      const page = await call("history", { query: { session_id: id, cursor } });
      const read = page.items.map((item) => ({
        id: item.message_id,
        role: item.role,
        text: item.text,
        at: item.at,
        answer: item.answer,
        feedback: item.feedback,
      }));
      // Whichever end the pages come from, the conversation reads in the order of its time.
      setTurns((now) => [...(cursor ? now : []), ...read].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)));
      setOlder(page.next_cursor);
    } catch (error) {
      if (error.status === 404) keep(null);
      else setProblem(error);
    }
    setBusy("");
  }
  useEffect(() => {
    if (session) loadHistory(session);
    return () => controller.current?.abort();
  }, []);
  useEffect(() => {
    // The newest question stands at the top, so that its answer is read from its beginning; only the
    // log itself scrolls, never the page.
    const asked = [...(log.current?.querySelectorAll(".turn-mine") ?? [])].at(-1);
    if (asked) log.current.scrollTop = asked.offsetTop - 8;
  }, [turns.length, busy]);

  async function ask(message) {
    if (busy) return;
    setProblem(null);
    setBusy("thinking");
    const id = `${turns.length}-asked`;
    setTurns((now) => [...now, { id, role: "user", text: message, at: new Date().toISOString() }]);
    controller.current = new AbortController();
    try {
      const answer = await call("ask", {
        body: { message, ...(session && { session_id: session }), ...(engine && { engine: engine.name }) },
        signal: controller.current.signal,
      });
      keep(answer.session_id);
      setTurns((now) => [
        ...now,
        { id: answer.message_id, role: "assistant", text: answer.answer, at: new Date().toISOString(), answer },
      ]);
    } catch (error) {
      if (error.code === "unknown-session") keep(null);
      if (error.code !== "aborted") setProblem(error);
      // What was typed comes back, so that nobody has to write it again.
      setTurns((now) => now.filter((turn) => turn.id !== id));
      if (!box.current?.value) {
        drafts.set(user.username, message);
        if (box.current) box.current.value = message;
      }
    }
    setBusy("");
  }
  const begin = () => {
    controller.current?.abort();
    keep(null);
    setTurns([]);
    setOlder(null);
    setProblem(null);
    // After the dialog, if there was one, has given the focus back to a button that goes away.
    requestAnimationFrame(() => box.current?.focus());
  };
  const suggest = (text) => {
    box.current.value = text;
    drafts.set(user.username, text);
    box.current.focus();
  };

  return html`
    <section class="chat" aria-labelledby="chat-title">
      <div class="chat-head">
        <h2 id="chat-title">${t("chat")}</h2>
        <button type="button" class="quiet" onClick=${() => setEarlier(true)}>${t("earlier")}</button>
        <button type="button" class="quiet" onClick=${begin}>${t("new_conversation")}</button>
        ${session &&
        html`
          <button type="button" class="quiet" onClick=${() => setRenaming(true)}>${t("rename")}</button>
          <a href=${addressOf("conversationFile", {}, { id: session })} download>${t("as_file")}</a>
          <button type="button" class="quiet" onClick=${() => setDeleting(true)}>${t("delete")}</button>
        `}
      </div>
      <div class="turns" role="log" aria-live="polite" aria-label=${t("conversation")} tabindex="0" ref=${log}>
        ${turns.length === 0 && !busy && html`<${Suggestions} suggest=${suggest} />`}
        ${turns.map((turn) => html`<${Turn} key=${turn.id} turn=${turn} suggest=${suggest} session=${session} />`)}
      </div>
      ${older && !busy && html`<button type="button" onClick=${() => loadHistory(session, older)}>${t("more")}</button>`}
      <div role="status" class="chat-status">
        ${busy && html`<p>${t(busy)}</p>`}
      </div>
      ${problem && html`<${Note} kind="error" role="alert"><p>${problemText(t, problem, language)}</p><//>`}
      <${MessageForm} box=${box} ask=${ask} busy=${busy} stop=${() => controller.current?.abort()} />
      ${earlier &&
      html`<${Conversations}
        onClose=${() => setEarlier(false)}
        open=${(id) => {
          setEarlier(false);
          keep(id);
          loadHistory(id);
        }}
      />`}
      ${renaming && html`<${RenameDialog} session=${session} onClose=${() => setRenaming(false)} />`}
      ${deleting &&
      html`<${DeleteDialog}
        session=${session}
        onClose=${() => setDeleting(false)}
        onDeleted=${() => {
          setDeleting(false);
          begin();
        }}
      />`}
    </section>
  `;
}

function Suggestions({ suggest }) {
  const { t } = useContext(Page);
  return html`
    <div class="suggestions">
      <p>${t("ask_something")}</p>
      <ul>
        ${["question_failed", "question_late", "question_off"].map(
          (key) =>
            html`<li key=${key}><button type="button" class="link" onClick=${() => suggest(t(key))}>${t(key)}</button></li>`,
        )}
      </ul>
    </div>
  `;
}

function Turn({ turn, suggest, session }) {
  const { t } = useContext(Page);
  const mine = turn.role === "user";
  return html`
    <article class=${mine ? "turn turn-mine" : "turn"}>
      <h3 class="turn-who">${mine ? t("you") : "Resync"} <span class="hint"><${When} at=${turn.at} /></span></h3>
      ${turn.answer
        ? html`
            <${Answer} answer=${turn.answer} suggest=${suggest} />
            ${turn.answer.saved !== false && html`<${Judgement} turn=${turn} session=${turn.answer.session_id ?? session} />`}
          `
        : html`<p class="turn-text">${visible(turn.text)}</p>`}
    </article>
  `;
}

/** Whether an answer was of use; a bad word may have its reason. */
function Judgement({ turn, session }) {
  const { t, language } = useContext(Page);
  const [said, setSaid] = useState(turn.feedback?.verdict ?? null);
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState(null);
  const reason = useRef(null);
  async function judge(verdict, why) {
    setProblem(null);
    try {
      await call("judge", { body: { session_id: session, message_id: turn.id, verdict, ...(why && { reason: why }) } });
      setSaid(verdict);
      setAsking(verdict === "down" && !why && !asking);
    } catch (error) {
      setProblem(error);
    }
  }
  return html`
    <div class="buttons">
      ${["up", "down"].map(
        (verdict) => html`
          <button type="button" class="quiet" key=${verdict} aria-pressed=${said === verdict} onClick=${() => judge(verdict)}>
            ${t(`judge_${verdict}`)}
          </button>
        `,
      )}
      <span class="hint" role="status">${said && !asking && t("judged")}</span>
    </div>
    ${asking &&
    html`
      <form
        onSubmit=${(event) => {
          event.preventDefault();
          judge("down", reason.current.value.trim());
        }}
      >
        <label for=${`why-${turn.id}`}>${t("judge_reason")}</label>
        <input id=${`why-${turn.id}`} ref=${reason} type="text" maxlength=${LONGEST_REASON} autocomplete="off" />
        <div class="buttons"><button type="submit">${t("send")}</button></div>
      </form>
    `}
    ${problem && html`<${Note} kind="error" role="alert">${problemText(t, problem, language)}<//>`}
  `;
}

function MessageForm({ box, ask, busy, stop }) {
  const { t, user } = useContext(Page);
  useEffect(() => {
    box.current.value = drafts.get(user.username) ?? "";
  }, []);
  const send = () => {
    const message = box.current.value.trim();
    if (!message || busy) return;
    box.current.value = "";
    drafts.delete(user.username);
    ask(message);
  };
  return html`
    <form
      class="message-form"
      onSubmit=${(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label for="message">${t("message")}</label>
      <textarea
        id="message"
        ref=${box}
        rows="2"
        maxlength=${LONGEST}
        aria-describedby="message-hint"
        onInput=${(event) => drafts.set(user.username, event.currentTarget.value)}
        onKeyDown=${(event) => {
          // Enter that ends the writing of an accent or a syllable is not a send.
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      ></textarea>
      <div class="buttons">
        <span class="hint" id="message-hint">${t("enter_sends")}</span>
        ${busy === "thinking"
          ? html`<button type="button" key="stop" onClick=${stop}>${t("stop")}</button>`
          : html`<button type="submit" key="send" class="primary">${t("send")}</button>`}
      </div>
    </form>
  `;
}

/** The conversations of this user, to go on with one. */
function Conversations({ open, onClose }) {
  const { t, tn, language } = useContext(Page);
  const [pages, setPages] = useState({ items: null, next: null });
  const [problem, setProblem] = useState(null);
  async function load(cursor) {
    setProblem(null);
    try {
      const page = await call("conversations", { query: { cursor } });
      setPages((old) => ({ items: [...(cursor ? old.items : []), ...page.items], next: page.next_cursor }));
    } catch (error) {
      setProblem(error);
    }
  }
  useEffect(() => {
    load(null);
  }, []);
  return html`
    <${Sheet} title=${t("earlier")} onClose=${onClose}>
      ${problem && html`<${Note} kind="error" role="alert">${problemText(t, problem, language)}<//>`}
      ${pages.items?.length === 0 && html`<p class="none">${t("no_conversation")}</p>`}
      <ul class="lines">
        ${(pages.items ?? []).map(
          (one) => html`
            <li key=${one.id}>
              <button type="button" class="link" onClick=${() => open(one.id)}>
                ${visible(one.title) || t("untitled")}
              </button>
              <span class="line-facts"><${When} at=${one.updated_at} /> · ${tn("messages", one.messages)}</span>
            </li>
          `,
        )}
      </ul>
      ${pages.next && html`<button type="button" onClick=${() => load(pages.next)}>${t("more")}</button>`}
    <//>
  `;
}

function RenameDialog({ session, onClose }) {
  const { t, language } = useContext(Page);
  const [problem, setProblem] = useState(null);
  const name = useRef(null);
  async function rename(event) {
    event.preventDefault();
    setProblem(null);
    try {
      await call("renameConversation", { params: { id: session }, body: { title: name.current.value.trim() } });
      onClose();
    } catch (error) {
      setProblem(error);
    }
  }
  return html`
    <${Sheet} kind="small" title=${t("rename_title")} onClose=${onClose}>
      <form onSubmit=${rename}>
        <label for="conversation-name">${t("conversation_name")}</label>
        <input id="conversation-name" ref=${name} type="text" required pattern=".*\\S.*" maxlength=${LONGEST_TITLE} autocomplete="off" />
        ${problem && html`<${Note} kind="error" role="alert">${problemText(t, problem, language)}<//>`}
        <div class="buttons">
          <button type="submit" class="primary">${t("rename")}</button>
          <button type="button" onClick=${onClose}>${t("leave")}</button>
        </div>
      </form>
    <//>
  `;
}

function DeleteDialog({ session, onClose, onDeleted }) {
  const { t, language } = useContext(Page);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  async function remove() {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await call("deleteHistory", { query: { session_id: session } });
      onDeleted();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  return html`
    <${Sheet} kind="small" title=${t("delete_title")} onClose=${onClose}>
      <p>${t("delete_text")}</p>
      ${problem && html`<${Note} kind="error" role="alert">${problemText(t, problem, language)}<//>`}
      <div class="buttons">
        <button type="button" class="danger" aria-disabled=${busy} onClick=${remove}>${t("delete")}</button>
        <button type="button" onClick=${onClose}>${t("leave")}</button>
      </div>
    <//>
  `;
}
