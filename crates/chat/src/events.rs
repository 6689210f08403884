//! An answer as it is made, in events.
//!
//! Invariants:
//! - The deltas in their order are the answer's text.
//! - The first event is the start, the last one the whole answer; what ends without the whole answer
//!   ended with an error or was given up, and is in no history.

use async_trait::async_trait;
use serde::Serialize;

use crate::answer::{Answer, Citation, MessageId, ProposalCard, SessionId};

/// An event of an answer. The transport adds `seq`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChatEvent {
    /// The answer begins.
    StreamStart {
        /// The conversation.
        session_id: SessionId,
        /// The answer's message.
        message_id: MessageId,
    },
    /// A tool was called, or is done.
    Step {
        /// `snapshot`, `job`, `diagnosis`, `log`, `search` and their like.
        name: String,
        /// How long it took, in milliseconds; absent when it begins.
        #[serde(skip_serializing_if = "Option::is_none")]
        took_ms: Option<u64>,
    },
    /// A part of the text.
    Stream {
        /// The part, with its blanks.
        delta: String,
    },
    /// A place that the text rests on.
    Citation {
        /// The citation.
        citation: Citation,
    },
    /// A prepared action.
    Proposal {
        /// The card.
        proposal: ProposalCard,
    },
    /// The whole answer; the last event.
    Message {
        /// Always true.
        is_final: bool,
        /// The answer.
        answer: Box<Answer>,
    },
}

/// Who hears of an answer while it is made.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Progress: Send + Sync {
    /// Takes the next event. The answer waits for it: a listener that is slow makes the answer slow,
    /// and one that queues must bound its queue.
    async fn tell(&self, event: ChatEvent);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

#[async_trait]
impl Progress for Silent {
    async fn tell(&self, _event: ChatEvent) {}
}

/// Tells a text, by sentence.
pub(crate) async fn tell_text(progress: &dyn Progress, text: &str) {
    for delta in sentences(text) {
        progress.tell(ChatEvent::Stream { delta }).await;
    }
}

/// Tells what an answer has beside its text.
pub(crate) async fn tell_rest(progress: &dyn Progress, answer: &Answer) {
    for citation in answer.citations.iter().cloned() {
        progress.tell(ChatEvent::Citation { citation }).await;
    }
    for proposal in answer.proposal.iter().cloned() {
        progress.tell(ChatEvent::Proposal { proposal }).await;
    }
}

/// The last event.
pub(crate) async fn tell_whole(progress: &dyn Progress, answer: &Answer) {
    let answer = Box::new(answer.clone());
    let is_final = true;
    progress.tell(ChatEvent::Message { is_final, answer }).await;
}

/// `text` cut behind line ends and behind sentences.
fn sentences(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        part.push(c);
        let blank_follows = chars.peek().is_some_and(|next| *next == ' ');
        if c == '\n' || (matches!(c, '.' | '?' | '!' | ':') && blank_follows) {
            parts.push(std::mem::take(&mut part));
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::sentences;

    #[test]
    fn the_parts_are_the_text() {
        let text = "A is in ABEND. Cause: b.c [c1]\n- one\n- two\nDone";
        let parts = sentences(text);
        assert_eq!(parts.concat(), text);
        assert!(parts.len() >= 4, "{parts:?}");
        assert!(sentences("").is_empty());
    }
}
