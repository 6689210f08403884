//! What a conversation remembers, who may see it, and what happens when it cannot be kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use resync_chat::{
    ChatError, ChatEvent, Context, ConversationError, ConversationStore, Feedback, Intent,
    Language, MessageId, PageLinks, Placed, Role, SessionId, SessionSummary, Turn, Verdict,
};
use resync_kernel::{Limit, UserId};
use resync_memory::chat::InMemoryConversationStore;
use resync_tws::model::ActionKind;
use uuid::Uuid;

use crate::world::{Heard, Kind, World, ask, user};

#[tokio::test(start_paused = true)]
async fn a_follow_up_means_the_job_that_was_spoken_of() {
    let world = World::new().await;
    let first = world.ask("status of FIN_GL_POST", None).await;
    let session = Some(first.session_id);
    for (message, intent) in [
        ("why?", Intent::JobDiagnose),
        ("and its log?", Intent::JobLog),
        ("por quê?", Intent::JobDiagnose),
        ("e o log dele?", Intent::JobLog),
        ("quem depende dele?", Intent::Impact),
        ("rerun it", Intent::ActionRerun),
        ("rode de novo", Intent::ActionRerun),
    ] {
        let answer = world.ask(message, session).await;
        assert_eq!(answer.intent, intent, "{message}: {}", answer.answer);
        let about = answer.answer.contains("FIN_GL_POST");
        assert!(about, "{message}: {}", answer.answer);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_job_before_a_follow_up_asks_which() {
    let world = World::new().await;
    let answer = world.ask("rerun it", None).await;
    assert!(answer.proposal.is_none());
    assert!(answer.answer.contains("Which job"), "{}", answer.answer);
    let answer = world.ask("FIN_GL_POST", Some(answer.session_id)).await;
    assert_eq!(answer.intent, Intent::ActionRerun);
    assert_eq!(answer.proposal.unwrap().action, ActionKind::Rerun);
}

#[tokio::test(start_paused = true)]
async fn a_name_in_two_streams_is_asked_back_and_its_label_goes_on() {
    let world = World::new().await;
    let asked = world.ask("why did TWIN_LOAD fail?", None).await;
    assert_eq!(
        asked.clarify,
        ["LX_PRD01#DAILY_A.TWIN_LOAD", "LX_PRD02#DAILY_B.TWIN_LOAD"]
    );
    assert!(asked.figures.is_empty());
    let answer = world.ask(&asked.clarify[1], Some(asked.session_id)).await;
    assert_eq!(answer.intent, Intent::JobDiagnose);
    assert!(
        answer
            .answer
            .contains("LX_PRD02#DAILY_B.TWIN_LOAD is in ABEND"),
        "{}",
        answer.answer
    );
    let narrowed = world
        .ask("why did TWIN_LOAD of stream DAILY_B fail?", None)
        .await;
    assert!(narrowed.clarify.is_empty(), "{}", narrowed.answer);
}

#[tokio::test(start_paused = true)]
async fn a_tie_of_languages_stays_with_the_session() {
    let world = World::new().await;
    let first = world.ask("como está o plano?", None).await;
    let answer = world
        .ask("status FIN_GL_POST", Some(first.session_id))
        .await;
    assert_eq!(answer.language, Language::Portuguese);
    assert_eq!(
        world.ask("status FIN_GL_POST", None).await.language,
        Language::English
    );
}

/// P1-08: another user's session is unknown to every use case.
#[tokio::test(start_paused = true)]
async fn another_users_session_is_unknown() {
    let world = World::new().await;
    let session = world.ask("how is the plan?", None).await.session_id;
    let mut intruder = ask("and its log?", Some(session));
    intruder.user = user(2);
    assert!(matches!(
        world.refused(intruder.clone()).await,
        ChatError::UnknownSession
    ));
    let analyzed = world.chat.analyze(intruder).await;
    assert!(matches!(analyzed, Err(ChatError::UnknownSession)));
    let history = world
        .chat
        .history(user(2), session, Limit::default(), None)
        .await;
    assert!(matches!(history, Err(ChatError::UnknownSession)));
    assert!(matches!(
        world.chat.delete(user(2), session).await,
        Err(ChatError::UnknownSession)
    ));
    let sessions = world
        .chat
        .sessions(user(2), Limit::default(), None)
        .await
        .unwrap();
    assert!(sessions.items.is_empty());
    let unknown = SessionId(Uuid::from_u128(77));
    assert!(matches!(
        world.refused(ask("hi", Some(unknown))).await,
        ChatError::UnknownSession
    ));
}

/// P1-04: deleting a history deletes it.
#[tokio::test(start_paused = true)]
async fn a_deleted_history_is_gone() {
    let world = World::new().await;
    let session = world.ask("how is the plan?", None).await.session_id;
    world.ask("which jobs failed?", Some(session)).await;
    let history = world
        .chat
        .history(user(1), session, Limit::default(), None)
        .await
        .unwrap();
    assert_eq!(history.messages.items.len(), 4);
    assert_eq!(world.chat.delete(user(1), session).await.unwrap(), 4);
    let history = world
        .chat
        .history(user(1), session, Limit::default(), None)
        .await;
    assert!(matches!(history, Err(ChatError::UnknownSession)));
    assert!(matches!(
        world.chat.delete(user(1), session).await,
        Err(ChatError::UnknownSession)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_history_holds_question_and_whole_answer_in_pages() {
    let world = World::new().await;
    let answer = world.ask("why did FIN_GL_POST fail?", None).await;
    let session = answer.session_id;
    let limit = Limit::parse(1).unwrap();
    let first = world
        .chat
        .history(user(1), session, limit, None)
        .await
        .unwrap()
        .messages;
    assert_eq!(
        (first.items[0].role, first.items[0].text.as_str()),
        (Role::User, "why did FIN_GL_POST fail?")
    );
    let cursor = first.next.unwrap();
    let second = world
        .chat
        .history(user(1), session, limit, Some(cursor.as_str()))
        .await
        .unwrap()
        .messages;
    assert_eq!(second.items[0].answer.as_deref(), Some(&answer));
    assert!(second.next.is_none());
    let bad = world
        .chat
        .history(user(1), session, limit, Some("%%%"))
        .await;
    assert!(matches!(bad, Err(ChatError::Cursor(_))));
    let sessions = world.chat.sessions(user(1), limit, None).await.unwrap();
    assert_eq!(sessions.items[0].title, "why did FIN_GL_POST fail?");
}

/// A store whose first writes, or all of them, fail.
struct Failing {
    failures: AtomicU32,
    tries: AtomicU32,
    inner: InMemoryConversationStore,
}

impl Failing {
    fn new(failures: u32) -> Arc<Self> {
        let inner = InMemoryConversationStore::default();
        Arc::new(Self {
            failures: AtomicU32::new(failures),
            tries: AtomicU32::new(0),
            inner,
        })
    }
}

#[async_trait]
impl ConversationStore for Failing {
    async fn append(&self, turn: &Turn) -> Result<(), ConversationError> {
        let tried = self.tries.fetch_add(1, Ordering::SeqCst);
        if tried < self.failures.load(Ordering::SeqCst) {
            return Err(ConversationError::Unavailable("disk full".into()));
        }
        self.inner.append(turn).await
    }

    async fn context(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<Context>, ConversationError> {
        self.inner.context(owner, session).await
    }

    async fn messages(
        &self,
        owner: UserId,
        session: SessionId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Option<Vec<Placed>>, ConversationError> {
        self.inner.messages(owner, session, after, limit).await
    }

    async fn session(
        &self,
        owner: UserId,
        session: SessionId,
    ) -> Result<Option<SessionSummary>, ConversationError> {
        self.inner.session(owner, session).await
    }

    async fn sessions(
        &self,
        owner: UserId,
        before: Option<(DateTime<Utc>, SessionId)>,
        limit: u32,
    ) -> Result<Vec<SessionSummary>, ConversationError> {
        self.inner.sessions(owner, before, limit).await
    }

    async fn rename(
        &self,
        owner: UserId,
        session: SessionId,
        title: &str,
    ) -> Result<bool, ConversationError> {
        self.inner.rename(owner, session, title).await
    }

    async fn feedback(
        &self,
        owner: UserId,
        session: SessionId,
        message: MessageId,
        feedback: &Feedback,
    ) -> Result<bool, ConversationError> {
        self.inner.feedback(owner, session, message, feedback).await
    }

    async fn delete(
        &self,
        _owner: UserId,
        _session: SessionId,
    ) -> Result<Option<u64>, ConversationError> {
        Err(ConversationError::Unavailable("disk full".into()))
    }
}

/// P2-04: a turn that cannot be saved is answered, and the answer says that it was not saved.
#[tokio::test(start_paused = true)]
async fn a_turn_that_is_not_saved_says_so() {
    let store = Failing::new(2);
    let world = World::on(store.clone(), Kind::Plain).await;
    let answer = world.ask("how is the plan?", None).await;
    assert!(!answer.saved && !answer.figures.is_empty());
    assert_eq!(store.tries.load(Ordering::SeqCst), 2);
}

/// P2-04: a save that fails once is tried again.
#[tokio::test(start_paused = true)]
async fn a_save_is_tried_twice() {
    let store = Failing::new(1);
    let world = World::on(store.clone(), Kind::Plain).await;
    let answer = world.ask("how is the plan?", None).await;
    assert!(answer.saved);
    assert_eq!(store.tries.load(Ordering::SeqCst), 2);
    let history = world
        .chat
        .history(user(1), answer.session_id, Limit::default(), None)
        .await
        .unwrap();
    assert_eq!(history.messages.items.len(), 2);
}

/// P1-04: a store that cannot delete gives an error, never a success.
#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_is_an_error() {
    let world = World::on(Failing::new(0), Kind::Plain).await;
    let session = world.ask("how is the plan?", None).await.session_id;
    assert!(matches!(
        world.chat.delete(user(1), session).await,
        Err(ChatError::Unavailable(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn analyzing_saves_nothing() {
    let world = World::new().await;
    let routing = world
        .chat
        .analyze(ask("why did FIN_GL_POST fail?", None))
        .await
        .unwrap();
    assert_eq!(routing.intent, Intent::JobDiagnose);
    assert_eq!(routing.entities.jobs[0].candidates.len(), 1);
    let sessions = world
        .chat
        .sessions(user(1), Limit::default(), None)
        .await
        .unwrap();
    assert!(sessions.items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_told_from_its_start_over_its_steps_and_its_text_to_the_whole() {
    let (world, heard) = (World::new().await, Heard::default());
    let asked = ask("why did FIN_GL_POST fail?", None);
    let answer = world.chat.ask_telling(asked, &heard).await.unwrap();
    assert_eq!(heard.text(), answer.answer);
    let events = heard.events();
    let start = ChatEvent::StreamStart {
        session_id: answer.session_id,
        message_id: answer.message_id,
    };
    assert_eq!(events.first(), Some(&start));
    let citations = events.iter().filter_map(|event| match event {
        ChatEvent::Citation { citation } => Some(citation.clone()),
        _ => None,
    });
    assert_eq!(citations.collect::<Vec<_>>(), answer.citations);
    let mut open: Vec<&str> = Vec::new();
    let mut done = 0;
    for event in &events {
        match event {
            ChatEvent::Step {
                name,
                took_ms: None,
            } => open.push(name),
            ChatEvent::Step {
                name,
                took_ms: Some(_),
            } => {
                let at = open.iter().position(|begun| begun == name);
                open.remove(at.expect("a call ends after it has begun"));
                done += 1;
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(done, answer.tools_used.len());
    let whole = ChatEvent::Message {
        is_final: true,
        answer: Box::new(answer),
    };
    assert_eq!(events.last(), Some(&whole));
}

/// Giving up an answer while it waits for the engine ends it, and no half turn is in the history.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_given_up_is_not_saved() {
    let (world, heard) = (World::new().await, Heard::default());
    world.engine.slow.store(true, Ordering::SeqCst);
    let asked = ask("why did FIN_GL_POST fail?", None);
    let answering = world.chat.ask_telling(asked, &heard);
    let given_up = tokio::time::timeout(Duration::from_secs(1), answering).await;
    assert!(given_up.is_err() && !heard.events().is_empty());
    let sessions = world.chat.sessions(user(1), Limit::default(), None).await;
    assert!(sessions.unwrap().items.is_empty());
}

/// P1-08: a title, feedback and the file are the owner's alone; another's conversation is a missing one.
#[tokio::test(start_paused = true)]
async fn titles_feedback_and_the_file_are_the_owners_alone() {
    let world = World::new().await;
    let answer = world.ask("por que o FIN_GL_POST falhou?", None).await;
    let (session, message) = (answer.session_id, answer.message_id);
    let links = PageLinks::new("https://resync.example");
    let chat = &world.chat;
    let owner = user(1);

    let renamed = chat
        .rename(owner, session, " Deadlock\nno razão ")
        .await
        .unwrap();
    assert_eq!(
        (renamed.title.as_str(), renamed.messages),
        ("Deadlock no razão", 2)
    );
    for wrong in ["", " \u{200b}", &"x".repeat(121)] {
        let refused = chat.rename(owner, session, wrong).await;
        assert!(matches!(refused, Err(ChatError::Title { max: 120 })));
    }
    let reason = Some(" era outro job ");
    let said = chat
        .feedback(owner, session, message, Verdict::Down, reason)
        .await
        .unwrap();
    assert_eq!(said.reason.as_deref(), Some("era outro job"));
    let long = "x".repeat(1_001);
    let refused = chat
        .feedback(owner, session, message, Verdict::Up, Some(&long))
        .await;
    assert!(matches!(refused, Err(ChatError::Reason { max: 1_000 })));

    let stranger = UserId(Uuid::from_u128(99));
    for (who, which) in [(stranger, session), (owner, SessionId(Uuid::from_u128(5)))] {
        let renamed = chat.rename(who, which, "mine").await;
        assert!(matches!(renamed, Err(ChatError::UnknownSession)));
        let said = chat.feedback(who, which, message, Verdict::Up, None).await;
        assert!(matches!(said, Err(ChatError::UnknownMessage)));
        let file = chat.export(who, which, &links).await;
        assert!(matches!(file, Err(ChatError::UnknownSession)));
    }

    let file = chat.export(owner, session, &links).await.unwrap();
    insta::assert_snapshot!(
        "a_conversation_as_a_file",
        format!("{}\n{}", file.file_name, file.markdown).replace(&session.to_string(), "SESSION")
    );
}
