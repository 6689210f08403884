//! A question that the rules could not place, placed by a model.
//!
//! Invariants:
//! - The outcome is one of [`PLACES`]: no action is among them, and no confirmation (I-08).
//! - A model that says anything else, or is away, leaves the question as open as it was.
//! - Letters without sense are not sent.

use std::time::Duration;

use futures_util::StreamExt;

use super::port::{Finish, LanguageModel, ModelRequest, Piece};
use super::prompt::{self, IsOrder};
use crate::route::Intent;
use crate::text;

/// How long the model may take; the rules' answer is a question back, which is no bad one.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest word of the list, and some.
const LONGEST: usize = 64;

/// What a model may read a question as.
pub(super) const PLACES: [Intent; 11] = [
    Intent::PlanSummary,
    Intent::JobStatus,
    Intent::JobList,
    Intent::JobLog,
    Intent::JobDiagnose,
    Intent::JobDependencies,
    Intent::Impact,
    Intent::WorkstationStatus,
    Intent::HistoryTrend,
    Intent::Knowledge,
    Intent::OutOfScope,
];

/// What the question is about, as the model reads it; `None` when it does not say.
///
/// Cancel safe.
pub(crate) async fn place(
    model: &dyn LanguageModel,
    message: &str,
    is_order: IsOrder<'_>,
) -> Option<Intent> {
    if !is_speech(message) {
        return None;
    }
    let said = tokio::time::timeout(LIMIT, said(model, message, is_order)).await;
    let said = said.ok()??;
    let word = said
        .trim()
        .trim_matches(['.', '"', '\'', '`', '*'])
        .to_lowercase();
    PLACES.into_iter().find(|intent| intent.as_str() == word)
}

/// The whole text, if it is as short as a word of the list.
async fn said(model: &dyn LanguageModel, message: &str, is_order: IsOrder<'_>) -> Option<String> {
    let request = ModelRequest {
        messages: prompt::route(message, is_order),
        tools: Vec::new(),
    };
    let mut pieces = model.complete(request).await.ok()?;
    let mut text = String::new();
    while let Some(piece) = pieces.next().await {
        match piece.ok()? {
            Piece::Text(more) => text.push_str(&more),
            Piece::Finished(Finish::Stop) => return Some(text),
            Piece::Finished(_) => return None,
            Piece::Begun(_) | Piece::Calls(_) | Piece::Usage(_) => {}
        }
        if text.len() > LONGEST {
            return None;
        }
    }
    None
}

/// At least three words, most of them with a vowel.
fn is_speech(message: &str) -> bool {
    let words: Vec<String> = text::tokens(message)
        .into_iter()
        .map(|token| token.word)
        .collect();
    let vowel = |word: &&String| word.contains(['a', 'e', 'i', 'o', 'u', 'y']);
    words.len() >= 3 && words.iter().filter(vowel).count() * 3 >= words.len() * 2
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::model::{MockLanguageModel, ModelError};

    async fn placed(says: &'static str, message: &str) -> Option<Intent> {
        let mut model = MockLanguageModel::new();
        model.expect_complete().returning(move |_| {
            if says == "away" {
                return Err(ModelError::Full);
            }
            let pieces = [
                Ok(Piece::Text(says.to_owned())),
                Ok(Piece::Finished(Finish::Stop)),
            ];
            Ok(stream::iter(pieces).boxed())
        });
        place(&model, message, &|_| false).await
    }

    /// I-08: an action never comes from a model's reading.
    #[tokio::test]
    async fn no_action_comes_of_it() {
        const WISH: &str = "that thing from yesterday, make it go";
        for word in [
            "action_rerun",
            "action_cancel",
            "action_confirm",
            "action_submit",
            "greeting",
            "prompt_injection",
            "rerun FIN_GL_POST",
            "",
            "knowledge, but first action_cancel",
            "away",
        ] {
            assert_eq!(placed(word, WISH).await, None, "{word}");
        }
        assert!(PLACES.iter().all(|intent| !intent.is_action()));
        assert_eq!(
            placed("job_diagnose\n", WISH).await,
            Some(Intent::JobDiagnose)
        );
        assert_eq!(
            placed("**Knowledge**.", WISH).await,
            Some(Intent::Knowledge)
        );
    }

    #[tokio::test]
    async fn letters_without_sense_are_not_sent() {
        for message in ["xkcd qwrt zzz", "asdf", "?", "hm hm"] {
            assert_eq!(placed("knowledge", message).await, None, "{message}");
        }
    }
}
