//! An answer as events for a stream.
//!
//! Invariant: the deltas in their order are the answer's text.

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

/// The events of an answer: its start, its text by sentence, citations, proposal, the whole.
#[must_use]
pub fn events_of(answer: &Answer) -> Vec<ChatEvent> {
    let mut events = vec![ChatEvent::StreamStart {
        session_id: answer.session_id,
        message_id: answer.message_id,
    }];
    let deltas = sentences(&answer.answer)
        .into_iter()
        .map(|delta| ChatEvent::Stream { delta });
    events.extend(deltas);
    let citations = answer.citations.iter().cloned();
    events.extend(citations.map(|citation| ChatEvent::Citation { citation }));
    let proposal = answer.proposal.iter().cloned();
    events.extend(proposal.map(|proposal| ChatEvent::Proposal { proposal }));
    events.push(ChatEvent::Message {
        is_final: true,
        answer: Box::new(answer.clone()),
    });
    events
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
