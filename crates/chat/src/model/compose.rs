//! An answer in a model's words, told sentence by sentence as each has been checked.
//!
//! Invariants:
//! - Only sentences that [`Guard`] passes are told or kept; the others are counted.
//! - At most [`CALLS`] calls of the model and what the bench allows of the engine; a whole time for
//!   all of it. The model's wishes are carried out by the bench, which can read and nothing else.
//! - Whatever the model does, it comes to an end and says how: a word of [`ModelError`], `length`,
//!   `filtered`, `no_answer`, `nothing_checked`, `mostly_struck`.

use async_trait::async_trait;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::counts::WordingCounts;
use super::cutter::Cutter;
use super::guard::Guard;
use super::port::{
    Finish, LanguageModel, ModelError, ModelMessage, ModelRequest, Piece, TokenUse, ToolCall,
};
use super::prompt::{self, Asked, IsOrder};
use super::thoughts::Thoughts;
use super::toolset::{self, Wish};
use crate::answer::Citation;
use crate::events::{ChatEvent, Progress};
use crate::evidence::Evidence;

/// Calls of the model for one answer.
const CALLS: usize = 3;
/// Wishes of one call that are carried out.
const WISHES: usize = 4;
/// Sentences that are shown, and that are struck; a model that goes on is stopped.
const KEPT: u32 = 24;
const STRUCK: u32 = 200;
/// Characters of what a tool's result may take in a prompt.
const RESULT_CHARS: usize = 6_000;

/// The evidence of an answer, and who gathers more of it.
#[async_trait]
pub(crate) trait Bench: Send {
    /// What has been gathered.
    fn evidence(&self) -> Vec<Evidence>;

    /// What is cited beside the text.
    fn citations(&self) -> &[Citation];

    /// Gathers what is wished for; `false` when no more may be asked.
    async fn gather(&mut self, wish: &Wish) -> bool;
}

/// Who words, and within what.
pub(crate) struct Wording<'a> {
    pub(crate) model: &'a dyn LanguageModel,
    pub(crate) counts: &'a WordingCounts,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) is_order: IsOrder<'a>,
    /// When it must be done.
    pub(crate) deadline: Instant,
    /// Tokens of a prompt.
    pub(crate) prompt_tokens: usize,
}

/// What came of it. Its text has been told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Worded {
    /// The sentences that passed.
    pub(crate) text: String,
    /// The model that was heard.
    pub(crate) name: Option<String>,
    /// Why the answer from templates is needed.
    pub(crate) fell_back: Option<&'static str>,
    /// Sentences that were struck.
    pub(crate) struck: u32,
    /// Sentences that passed.
    pub(crate) kept: u32,
    /// Tokens, where they were counted.
    pub(crate) tokens: Option<TokenUse>,
}

/// How a call of the model ended.
struct Said {
    /// Everything that it said, for it to go on from.
    text: String,
    calls: Vec<ToolCall>,
    finish: Finish,
}

impl Wording<'_> {
    /// Words the answer and tells it.
    ///
    /// Cancel safe: dropping it ends the call of the model.
    pub(crate) async fn word(&self, asked: &Asked<'_>, bench: &mut dyn Bench) -> Worded {
        let mut worded = Worded::default();
        let reason = self.converse(asked, bench, &mut worded).await.err();
        worded.fell_back = reason.or(match worded {
            Worded { kept: 0, .. } => Some("nothing_checked"),
            Worded { kept, struck, .. } if struck > kept => Some("mostly_struck"),
            _ => None,
        });
        self.counts.with(|counts| {
            counts.struck += u64::from(worded.struck);
            counts.worded += u64::from(worded.kept > 0);
            if let Some(reason) = worded.fell_back {
                *counts.fell_back.entry(reason).or_default() += 1;
            }
        });
        worded
    }

    async fn converse(
        &self,
        asked: &Asked<'_>,
        bench: &mut dyn Bench,
        worded: &mut Worded,
    ) -> Result<(), &'static str> {
        let mut evidence = prompt::cleaned(&bench.evidence(), self.is_order);
        let mut messages = prompt::answer(asked, &evidence, self.is_order, self.prompt_tokens);
        for call in 1..=CALLS {
            // The last call must answer.
            let tools = if call == CALLS {
                Vec::new()
            } else {
                toolset::specs()
            };
            let request = ModelRequest {
                messages: messages.clone(),
                tools,
            };
            let guard = Guard::new(&evidence, bench.citations(), self.is_order);
            let said = self.listen(request, &guard, worded).await?;
            match said.finish {
                Finish::Stop => return Ok(()),
                Finish::Length => return Err("length"),
                Finish::Filtered => return Err("filtered"),
                Finish::Calls => {}
            }
            let known = evidence.len();
            let mut results = Vec::new();
            for call in &said.calls {
                let before = bench.evidence().len();
                let note = if results.len() < WISHES {
                    self.carry_out(call, bench).await
                } else {
                    Some("not carried out: too many calls")
                };
                let gathered = bench.evidence();
                let gathered = gathered.get(before..).unwrap_or_default();
                let gathered = prompt::cleaned(gathered, self.is_order);
                let text = match note {
                    Some(note) => note.to_owned(),
                    None if gathered.is_empty() => "nothing new".to_owned(),
                    None => prompt::fitted(&gathered, RESULT_CHARS),
                };
                results.push((call.id.clone(), text));
            }
            messages.push(ModelMessage::Assistant {
                text: said.text,
                calls: said.calls,
            });
            let results = results.into_iter();
            messages.extend(results.map(|(call_id, text)| ModelMessage::Tool { call_id, text }));
            let all = bench.evidence();
            let new = all.get(known..).unwrap_or_default();
            evidence.extend(prompt::cleaned(new, self.is_order));
        }
        Err("no_answer")
    }

    /// Carries out a wish, or says why not.
    async fn carry_out(&self, call: &ToolCall, bench: &mut dyn Bench) -> Option<&'static str> {
        let refused = match toolset::wish(call) {
            Ok(wish) => match timeout_at(self.deadline, bench.gather(&wish)).await {
                Ok(true) => None,
                Ok(false) => Some("not carried out: no more may be asked"),
                Err(_) => Some("not carried out: the time is over"),
            },
            Err(why) => Some(why),
        };
        self.counts.with(|counts| {
            let counter = match refused {
                None => &mut counts.tool_calls,
                Some(_) => &mut counts.refused_calls,
            };
            *counter += 1;
        });
        refused
    }

    /// Hears one call of the model to its end.
    async fn listen(
        &self,
        request: ModelRequest,
        guard: &Guard<'_>,
        worded: &mut Worded,
    ) -> Result<Said, &'static str> {
        let late = ModelError::TimedOut.word();
        let begun = timeout_at(self.deadline, self.model.complete(request)).await;
        let mut pieces = begun.map_err(|_| late)?.map_err(|error| error.word())?;
        let (mut thoughts, mut cutter) = (Thoughts::default(), Cutter::default());
        let mut said = Said {
            text: String::new(),
            calls: Vec::new(),
            finish: Finish::Stop,
        };
        loop {
            let piece = timeout_at(self.deadline, pieces.next()).await;
            let piece = piece.map_err(|_| late)?;
            match piece
                .unwrap_or(Err(ModelError::CutOff))
                .map_err(|error| error.word())?
            {
                Piece::Begun(name) => worded.name = Some(name),
                Piece::Text(more) => {
                    let more = thoughts.text(&more);
                    said.text.push_str(&more);
                    for sentence in cutter.push(&more) {
                        self.tell(&sentence, guard, worded).await;
                    }
                    if worded.kept >= KEPT || worded.struck >= STRUCK {
                        return Ok(said);
                    }
                }
                Piece::Calls(calls) => said.calls = calls,
                Piece::Usage(tokens) => {
                    let all = worded.tokens.get_or_insert_default();
                    all.prompt += tokens.prompt;
                    all.completion += tokens.completion;
                }
                Piece::Finished(finish) => {
                    said.finish = finish;
                    break;
                }
            }
        }
        // The last sentence of a text that broke off is not whole.
        if matches!(said.finish, Finish::Stop | Finish::Calls) {
            let rest = thoughts.end();
            said.text.push_str(&rest);
            let mut sentences = cutter.push(&rest);
            sentences.extend(cutter.end());
            for sentence in sentences {
                self.tell(&sentence, guard, worded).await;
            }
        }
        Ok(said)
    }

    /// Tells a sentence if it passes.
    async fn tell(&self, sentence: &str, guard: &Guard<'_>, worded: &mut Worded) {
        if sentence.trim().is_empty() {
            return;
        }
        let passed = guard.pass(sentence);
        let Ok(passed) = passed else {
            worded.struck += 1;
            return;
        };
        // Small models repeat themselves.
        if worded.text.contains(passed.trim()) {
            return;
        }
        worded.kept += 1;
        let mut delta = String::new();
        let apart = worded.text.is_empty() || worded.text.ends_with(['\n', ' ']);
        if !apart {
            delta.push(if passed.trim_start().starts_with("- ") {
                '\n'
            } else {
                ' '
            });
        }
        delta.push_str(passed.trim());
        if passed.ends_with('\n') {
            delta.push('\n');
        }
        worded.text.push_str(&delta);
        self.progress.tell(ChatEvent::Stream { delta }).await;
    }
}

#[cfg(test)]
mod tests;
