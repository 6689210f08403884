//! The laws of [`ConversationStore`], for every adapter to run.
//!
//! ```ignore
//! resync_chat::conversation_store_contract!(store().await);
//! ```
//! The expression gives a guard, which lives as long as the test, and an empty store.
#![expect(
    clippy::missing_panics_doc,
    reason = "a law that does not hold panics: that is its purpose"
)]

use std::collections::BTreeMap;

use chrono::DateTime;
use resync_kernel::UserId;
use resync_tws::model::{EngineName, JobId, RunId};
use uuid::Uuid;

use crate::answer::{Answer, Citation, MessageId, Mode, Place, SessionId, Timings};
use crate::context::Context;
use crate::evidence::{Evidence, EvidenceFact, EvidenceKind, EvidenceSource};
use crate::language::Language;
use crate::ports::{
    ConversationError, ConversationStore, Feedback, Message, Placed, Role, Turn, Verdict,
};
use crate::route::Intent;

type Outcome = Result<(), ConversationError>;

/// Gives an adapter one named test for each law.
#[macro_export]
macro_rules! conversation_store_contract {
    ($make:expr) => {
        $crate::conversation_store_contract! { @laws $make;
            a_turn_reads_back_whole
            a_session_keeps_its_order_and_its_title
            the_same_turn_twice_is_one
            another_users_session_is_not_there
            another_user_cannot_write_into_a_session
            a_missing_session_is_none
            deletion_removes_every_message
            pages_of_messages_do_not_overlap
            sessions_come_last_written_first_and_page
            concurrent_turns_all_stay
            one_session_reads_as_in_the_list
            a_title_is_the_owners_to_change
            the_last_word_on_an_answer_counts
            only_the_owner_says_something_of_an_answer
        }
    };
    (@laws $make:expr; $($law:ident)*) => {
        $(
            #[tokio::test]
            async fn $law() {
                let (_guard, store) = $make;
                if let Err(error) = $crate::contract::$law(&store).await {
                    panic!("{error}: {error:?}");
                }
            }
        )*
    };
}

/// The user of that number.
#[must_use]
pub fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(0xA000 + n))
}

/// The session of that number.
#[must_use]
pub fn session(n: u128) -> SessionId {
    SessionId(Uuid::from_u128(0xB000 + n))
}

fn log_citation() -> Option<Citation> {
    Some(Citation {
        id: "c1".to_owned(),
        title: "Log of FIN_GL_POST".to_owned(),
        evidence: "e1".to_owned(),
        place: Place::Log {
            engine: EngineName::parse("prod").ok()?,
            job_id: JobId::parse("job-1").ok()?,
            run: RunId::parse("run-1").ok()?,
            from_line: 3,
            to_line: 5,
        },
        excerpt: "ORA-00060: deadlock detected".to_owned(),
    })
}

/// The piece of evidence that the citation stands in.
fn log_evidence() -> Option<Evidence> {
    let citation = log_citation()?;
    Some(Evidence {
        id: citation.evidence,
        kind: EvidenceKind::Log,
        source: EvidenceSource::Engine {
            engine: EngineName::parse("prod").ok()?,
            question: "log".to_owned(),
        },
        fetched_at: DateTime::from_timestamp(1_772_409_600, 0)?,
        age_ms: 1_200,
        stale: true,
        span: Some(citation.place),
        facts: vec![EvidenceFact::number("return code", 12).of("FIN_GL_POST")],
        text: Some(citation.excerpt),
        cut: false,
    })
}

/// Turn number `n` of that session; ids, times and texts follow from `n`.
#[must_use]
pub fn turn(owner: UserId, session: SessionId, n: u32) -> Turn {
    let id = |part: u128| {
        MessageId(Uuid::from_u128(
            session.0.as_u128() << 32 | u128::from(n) << 4 | part,
        ))
    };
    let at = DateTime::from_timestamp(1_772_409_600 + i64::from(n), 0).unwrap_or_default();
    let text = format!("Não há espaço; resposta {n}");
    let answer = Answer {
        answer: text.clone(),
        html: String::new(),
        session_id: session,
        message_id: id(2),
        mode: Mode::Deterministic,
        model: None,
        intent: Intent::JobStatus,
        confidence: 0.75,
        entities: BTreeMap::from([("job".to_owned(), vec!["FIN_GL_POST".to_owned()])]),
        figures: Vec::new(),
        citations: log_citation().into_iter().collect(),
        evidence: log_evidence().into_iter().collect(),
        proposal: None,
        clarify: Vec::new(),
        tools_used: Vec::new(),
        demo: true,
        incomplete: false,
        saved: true,
        timings: Timings { total_ms: 12 },
        language: Language::Portuguese,
    };
    let context = Context {
        language: Some(Language::Portuguese),
        ..Context::default()
    };
    Turn {
        owner,
        session,
        title: format!("title {n}"),
        question: Message {
            message_id: id(1),
            role: Role::User,
            text: format!("pergunta \"{n}\"\n'x'"),
            at,
            answer: None,
            feedback: None,
        },
        answer: Message {
            message_id: id(2),
            role: Role::Assistant,
            text,
            at,
            answer: Some(Box::new(answer)),
            feedback: None,
        },
        context,
    }
}

async fn all(
    store: &dyn ConversationStore,
    owner: UserId,
    session: SessionId,
) -> Result<Option<Vec<Placed>>, ConversationError> {
    store.messages(owner, session, None, 500).await
}

fn texts(placed: Option<Vec<Placed>>) -> Vec<String> {
    placed
        .into_iter()
        .flatten()
        .map(|placed| placed.message.text)
        .collect()
}

/// Both messages, the whole answer and the context come back as they were given.
///
/// # Errors
/// What the store says.
pub async fn a_turn_reads_back_whole(store: &dyn ConversationStore) -> Outcome {
    let turn = turn(user(1), session(1), 1);
    store.append(&turn).await?;
    let placed = all(store, user(1), session(1)).await?;
    let messages: Option<Vec<_>> =
        placed.map(|placed| placed.into_iter().map(|placed| placed.message).collect());
    assert_eq!(messages, Some(vec![turn.question, turn.answer]));
    assert_eq!(
        store.context(user(1), session(1)).await?,
        Some(turn.context)
    );
    Ok(())
}

/// Messages stay in the order of their turns; the first turn names the session, the last one is
/// when it was updated.
///
/// # Errors
/// What the store says.
pub async fn a_session_keeps_its_order_and_its_title(store: &dyn ConversationStore) -> Outcome {
    let turns = [1, 2, 3].map(|n| turn(user(1), session(1), n));
    for turn in &turns {
        store.append(turn).await?;
    }
    let wanted: Vec<_> = turns
        .iter()
        .flat_map(|turn| [turn.question.text.clone(), turn.answer.text.clone()])
        .collect();
    assert_eq!(texts(all(store, user(1), session(1)).await?), wanted);
    let sessions = store.sessions(user(1), None, 10).await?;
    assert_eq!(sessions.len(), 1);
    for found in sessions {
        assert_eq!(
            (found.id, found.title.as_str(), found.messages),
            (session(1), "title 1", 6)
        );
        assert_eq!(
            Some(found.updated_at),
            turns.last().map(|turn| turn.answer.at)
        );
    }
    Ok(())
}

/// P2-04: a try that failed after it was stored may be made again.
///
/// # Errors
/// What the store says.
pub async fn the_same_turn_twice_is_one(store: &dyn ConversationStore) -> Outcome {
    let turn = turn(user(1), session(1), 1);
    store.append(&turn).await?;
    store.append(&turn).await?;
    assert_eq!(texts(all(store, user(1), session(1)).await?).len(), 2);
    let sessions = store.sessions(user(1), None, 10).await?;
    assert_eq!(sessions.iter().map(|s| s.messages).collect::<Vec<_>>(), [2]);
    Ok(())
}

/// P1-08: for everybody but its owner a session is not there.
///
/// # Errors
/// What the store says.
pub async fn another_users_session_is_not_there(store: &dyn ConversationStore) -> Outcome {
    store.append(&turn(user(1), session(1), 1)).await?;
    assert_eq!(all(store, user(2), session(1)).await?, None);
    assert_eq!(store.context(user(2), session(1)).await?, None);
    assert_eq!(store.delete(user(2), session(1)).await?, None);
    assert!(store.sessions(user(2), None, 10).await?.is_empty());
    assert_eq!(texts(all(store, user(1), session(1)).await?).len(), 2);
    Ok(())
}

/// P1-08: nobody writes into another user's session, and nothing of the try stays.
///
/// # Errors
/// What the store says.
pub async fn another_user_cannot_write_into_a_session(store: &dyn ConversationStore) -> Outcome {
    store.append(&turn(user(1), session(1), 1)).await?;
    let refused = store.append(&turn(user(2), session(1), 2)).await;
    assert!(
        matches!(refused, Err(ConversationError::UnknownSession)),
        "{refused:?}"
    );
    assert_eq!(texts(all(store, user(1), session(1)).await?).len(), 2);
    assert!(store.sessions(user(2), None, 10).await?.is_empty());
    Ok(())
}

/// A session that nobody has reads as `None`.
///
/// # Errors
/// What the store says.
pub async fn a_missing_session_is_none(store: &dyn ConversationStore) -> Outcome {
    assert_eq!(all(store, user(1), session(9)).await?, None);
    assert_eq!(store.context(user(1), session(9)).await?, None);
    assert_eq!(store.delete(user(1), session(9)).await?, None);
    assert!(store.sessions(user(1), None, 10).await?.is_empty());
    Ok(())
}

/// P1-04: what was deleted is gone, and the count is that of the messages.
///
/// # Errors
/// What the store says.
pub async fn deletion_removes_every_message(store: &dyn ConversationStore) -> Outcome {
    for n in 1..=2 {
        store.append(&turn(user(1), session(1), n)).await?;
    }
    store.append(&turn(user(1), session(2), 1)).await?;
    assert_eq!(store.delete(user(1), session(1)).await?, Some(4));
    assert_eq!(all(store, user(1), session(1)).await?, None);
    assert_eq!(store.context(user(1), session(1)).await?, None);
    assert_eq!(store.delete(user(1), session(1)).await?, None);
    assert_eq!(texts(all(store, user(1), session(2)).await?).len(), 2);
    Ok(())
}

/// Pages follow one another without a gap and without a message twice.
///
/// # Errors
/// What the store says.
pub async fn pages_of_messages_do_not_overlap(store: &dyn ConversationStore) -> Outcome {
    for n in 1..=5 {
        store.append(&turn(user(1), session(1), n)).await?;
    }
    let whole = all(store, user(1), session(1)).await?.unwrap_or_default();
    assert_eq!(whole.len(), 10);
    let (mut paged, mut after): (Vec<Placed>, Option<u64>) = (Vec::new(), None);
    loop {
        let page = store
            .messages(user(1), session(1), after, 3)
            .await?
            .unwrap_or_default();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.place);
        paged.extend(page);
    }
    assert_eq!(paged, whole);
    Ok(())
}

/// The list of sessions is by the last answer, newest first, in pages.
///
/// # Errors
/// What the store says.
pub async fn sessions_come_last_written_first_and_page(store: &dyn ConversationStore) -> Outcome {
    for (id, n) in [(1, 3), (2, 1), (3, 2), (4, 2)] {
        store.append(&turn(user(1), session(id), n)).await?;
    }
    let whole = store.sessions(user(1), None, 10).await?;
    let ids: Vec<_> = whole.iter().map(|found| found.id).collect();
    // Equal times are told apart by the id, the greater one first.
    assert_eq!(ids, [session(1), session(4), session(3), session(2)]);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = store.sessions(user(1), before, 1).await?;
        let Some(last) = page.last() else { break };
        before = Some((last.updated_at, last.id));
        paged.extend(page);
    }
    assert_eq!(paged, whole);
    Ok(())
}

/// Turns that are saved at the same time all stay, each with its question before its answer.
///
/// # Errors
/// What the store says.
pub async fn concurrent_turns_all_stay(store: &dyn ConversationStore) -> Outcome {
    let turns = [1, 2, 3, 4].map(|n| turn(user(1), session(1), n));
    let [a, b, c, d] = &turns;
    let saved = tokio::join!(
        store.append(a),
        store.append(b),
        store.append(c),
        store.append(d)
    );
    saved.0.and(saved.1).and(saved.2).and(saved.3)?;
    let placed = all(store, user(1), session(1)).await?.unwrap_or_default();
    assert_eq!(placed.len(), 8);
    for pair in placed.chunks(2) {
        let roles: Vec<_> = pair.iter().map(|placed| placed.message.role).collect();
        assert_eq!(roles, [Role::User, Role::Assistant]);
    }
    Ok(())
}

/// A session alone is what the list says of it; another user's is not there (P1-08).
///
/// # Errors
/// What the store says.
pub async fn one_session_reads_as_in_the_list(store: &dyn ConversationStore) -> Outcome {
    for n in 1..=2 {
        store.append(&turn(user(1), session(n), 1)).await?;
    }
    for found in store.sessions(user(1), None, 10).await? {
        let alone = store.session(user(1), found.id).await?;
        assert_eq!(alone.as_ref(), Some(&found));
        assert_eq!(store.session(user(2), found.id).await?, None);
    }
    assert_eq!(store.session(user(1), session(9)).await?, None);
    Ok(())
}

/// A new title holds for the owner, later turns leave it, and nobody else can give one (P1-08).
///
/// # Errors
/// What the store says.
pub async fn a_title_is_the_owners_to_change(store: &dyn ConversationStore) -> Outcome {
    store.append(&turn(user(1), session(1), 1)).await?;
    assert!(store.rename(user(1), session(1), "Fechamento 'x'").await?);
    assert!(!store.rename(user(2), session(1), "mine").await?);
    assert!(!store.rename(user(1), session(9), "none").await?);
    store.append(&turn(user(1), session(1), 2)).await?;
    let sessions = store.sessions(user(1), None, 10).await?;
    let titles: Vec<_> = sessions.iter().map(|found| found.title.as_str()).collect();
    assert_eq!(titles, ["Fechamento 'x'"]);
    assert!(store.sessions(user(2), None, 10).await?.is_empty());
    Ok(())
}

fn said(verdict: Verdict, reason: Option<&str>) -> Feedback {
    Feedback {
        verdict,
        reason: reason.map(str::to_owned),
        at: DateTime::from_timestamp(1_772_500_000, 0).unwrap_or_default(),
    }
}

/// Feedback stands beside its answer, the second one in the place of the first, and goes with the
/// conversation (P1-04).
///
/// # Errors
/// What the store says.
pub async fn the_last_word_on_an_answer_counts(store: &dyn ConversationStore) -> Outcome {
    let turns = [1, 2].map(|n| turn(user(1), session(1), n));
    for turn in &turns {
        store.append(turn).await?;
    }
    let [first, _] = &turns;
    let words = [
        said(Verdict::Up, None),
        said(Verdict::Down, Some("não era esse job")),
    ];
    for word in &words {
        let answer = first.answer.message_id;
        assert!(store.feedback(user(1), session(1), answer, word).await?);
    }
    let placed = all(store, user(1), session(1)).await?.unwrap_or_default();
    let given: Vec<_> = placed
        .into_iter()
        .map(|placed| placed.message.feedback)
        .collect();
    let [_, last] = words;
    assert_eq!(given, [None, Some(last), None, None]);
    assert_eq!(store.delete(user(1), session(1)).await?, Some(4));
    // The same turns again are without it.
    store.append(first).await?;
    let placed = all(store, user(1), session(1)).await?.unwrap_or_default();
    assert!(
        placed
            .iter()
            .all(|placed| placed.message.feedback.is_none())
    );
    Ok(())
}

/// P1-08: feedback is on an answer of a session of one's own, and on nothing else.
///
/// # Errors
/// What the store says.
pub async fn only_the_owner_says_something_of_an_answer(store: &dyn ConversationStore) -> Outcome {
    let (one, other) = (turn(user(1), session(1), 1), turn(user(1), session(2), 1));
    store.append(&one).await?;
    store.append(&other).await?;
    let up = said(Verdict::Up, None);
    let (question, answer) = (one.question.message_id, one.answer.message_id);
    for (owner, session, message) in [
        (user(2), session(1), answer),
        (user(1), session(2), answer),
        (user(1), session(9), answer),
        (user(1), session(1), question),
        (user(1), session(1), MessageId(Uuid::from_u128(7))),
    ] {
        assert!(!store.feedback(owner, session, message, &up).await?);
    }
    for id in [session(1), session(2)] {
        let placed = all(store, user(1), id).await?.unwrap_or_default();
        assert!(
            placed
                .iter()
                .all(|placed| placed.message.feedback.is_none())
        );
    }
    Ok(())
}
