use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use chrono::DateTime;
use futures_util::{StreamExt, stream};
use resync_tws::model::EngineName;
use serde_json::json;

use super::*;
use crate::evidence::{EvidenceFact, EvidenceKind, EvidenceSource};
use crate::language::Language;
use crate::model::Pieces;

/// What a scripted model does for one call.
enum Play {
    Pieces(Vec<Result<Piece, ModelError>>),
    /// These pieces, and then silence.
    Stalls(Vec<Piece>),
    Refuses(ModelError),
}

#[derive(Default)]
struct Scripted {
    plays: Mutex<VecDeque<Play>>,
    asked: Mutex<Vec<ModelRequest>>,
}

#[async_trait]
impl LanguageModel for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn complete(&self, request: ModelRequest) -> Result<Pieces, ModelError> {
        self.asked.lock().unwrap().push(request);
        let play = self
            .plays
            .lock()
            .unwrap()
            .pop_front()
            .expect("no more calls");
        match play {
            Play::Pieces(pieces) => Ok(stream::iter(pieces).boxed()),
            Play::Stalls(pieces) => {
                let pieces = stream::iter(pieces.into_iter().map(Ok));
                Ok(pieces.chain(stream::pending()).boxed())
            }
            Play::Refuses(error) => Err(error),
        }
    }
}

#[derive(Default)]
struct Told(Mutex<String>);

#[async_trait]
impl Progress for Told {
    async fn tell(&self, event: ChatEvent) {
        if let ChatEvent::Stream { delta } = event {
            self.0.lock().unwrap().push_str(&delta);
        }
    }
}

struct Desk {
    evidence: Vec<Evidence>,
    wishes: Vec<Wish>,
}

#[async_trait]
impl Bench for Desk {
    fn evidence(&self) -> Vec<Evidence> {
        self.evidence.clone()
    }

    fn citations(&self) -> &[Citation] {
        &[]
    }

    async fn gather(&mut self, wish: &Wish) -> bool {
        self.wishes.push(wish.clone());
        let n = self.evidence.len() + 1;
        self.evidence.push(piece(n, &wish.subject, "SUCC"));
        true
    }
}

fn piece(n: usize, job: &str, state: &str) -> Evidence {
    Evidence {
        id: format!("e{n}"),
        kind: EvidenceKind::Job,
        source: EvidenceSource::Engine {
            engine: EngineName::parse("prod").unwrap(),
            question: "job".to_owned(),
        },
        fetched_at: DateTime::UNIX_EPOCH,
        age_ms: 0,
        stale: false,
        span: None,
        facts: vec![
            EvidenceFact::words("job", job),
            EvidenceFact::words("state", state),
        ],
        text: None,
        cut: false,
    }
}

fn says(text: &str, finish: Finish) -> Play {
    let mut pieces = vec![Ok(Piece::Begun("small".to_owned()))];
    let chars: Vec<char> = text.chars().collect();
    pieces.extend(
        chars
            .chunks(3)
            .map(|part| Ok(Piece::Text(part.iter().collect()))),
    );
    pieces.push(Ok(Piece::Usage(TokenUse {
        prompt: 10,
        completion: 3,
    })));
    pieces.push(Ok(Piece::Finished(finish)));
    Play::Pieces(pieces)
}

fn wishes(calls: &[(&str, serde_json::Value)]) -> Play {
    let calls = calls
        .iter()
        .enumerate()
        .map(|(n, (name, arguments))| ToolCall {
            id: format!("call{n}"),
            name: (*name).to_owned(),
            arguments: arguments.clone(),
        });
    Play::Pieces(vec![
        Ok(Piece::Calls(calls.collect())),
        Ok(Piece::Finished(Finish::Calls)),
    ])
}

struct Outcome {
    worded: Worded,
    told: String,
    desk: Desk,
    asked: Vec<ModelRequest>,
    counts: crate::model::WordingStats,
}

async fn worded(plays: impl IntoIterator<Item = Play>) -> Outcome {
    let model = Scripted {
        plays: Mutex::new(plays.into_iter().collect()),
        ..Scripted::default()
    };
    let (counts, told) = (WordingCounts::default(), Told::default());
    let wording = Wording {
        model: &model,
        counts: &counts,
        progress: &told,
        is_order: &|_| false,
        deadline: Instant::now() + Duration::from_mins(1),
        prompt_tokens: 4_096,
    };
    let asked = Asked {
        language: Language::English,
        message: "why?",
        earlier: &[],
    };
    let mut desk = Desk {
        evidence: vec![piece(1, "FIN_GL_POST", "ABEND")],
        wishes: Vec::new(),
    };
    let worded = wording.word(&asked, &mut desk).await;
    assert_eq!(
        worded.text,
        *told.0.lock().unwrap(),
        "what was told is the text"
    );
    Outcome {
        worded,
        told: told.0.into_inner().unwrap(),
        desk,
        asked: model.asked.into_inner().unwrap(),
        counts: counts.stats(),
    }
}

#[tokio::test(start_paused = true)]
async fn checked_sentences_are_told_and_the_others_struck() {
    let text = "FIN_GL_POST is in ABEND [e1]. It waited 41 minutes [e1]. All is well.\n- FIN_GL_POST [e1] \
                is in ABEND.\nFIN_GL_POST is in ABEND [e1].";
    let Outcome {
        worded,
        told,
        counts,
        ..
    } = worded([says(text, Finish::Stop)]).await;
    assert_eq!(
        told,
        "FIN_GL_POST is in ABEND [e1].\n- FIN_GL_POST [e1] is in ABEND.\n"
    );
    let tokens = Some(TokenUse {
        prompt: 10,
        completion: 3,
    });
    assert_eq!(
        (worded.struck, worded.kept, worded.fell_back, worded.tokens),
        (2, 2, None, tokens)
    );
    assert_eq!(worded.name.as_deref(), Some("small"));
    assert_eq!(
        (counts.worded, counts.struck, counts.fell_back.len()),
        (1, 2, 0)
    );
}

/// F4: what breaks off, stalls, is refused or says nothing that stands falls back, with its reason.
#[tokio::test(start_paused = true)]
async fn whatever_the_model_does_it_ends_and_says_how() {
    let good = "FIN_GL_POST is in ABEND [e1]. It";
    let begins = || vec![Ok(Piece::Text(good.to_owned()))];
    let stalls = || Play::Stalls(vec![Piece::Text(good.to_owned())]);
    let cut = |error| Play::Pieces(begins().into_iter().chain([Err(error)]).collect());
    let mostly = "FIN_GL_POST is in ABEND [e1]. It is bad. It is late.";
    for (play, reason, kept) in [
        (Play::Refuses(ModelError::Full), Some("full"), 0),
        (Play::Refuses(ModelError::Resting), Some("resting"), 0),
        (cut(ModelError::CutOff), Some("cut_off"), 1),
        (
            cut(ModelError::Silent {
                after: Duration::from_secs(15),
            }),
            Some("silent"),
            1,
        ),
        (Play::Pieces(begins()), Some("cut_off"), 1),
        (stalls(), Some("timed_out"), 1),
        (says(good, Finish::Length), Some("length"), 1),
        (says(good, Finish::Filtered), Some("filtered"), 1),
        (says("", Finish::Stop), Some("nothing_checked"), 0),
        (
            says("All is well.", Finish::Stop),
            Some("nothing_checked"),
            0,
        ),
        (says(mostly, Finish::Stop), Some("mostly_struck"), 1),
        (
            says(
                "<think>41 jobs [e9].</think>FIN_GL_POST is in ABEND [e1].",
                Finish::Stop,
            ),
            None,
            1,
        ),
    ] {
        let Outcome { worded, counts, .. } = worded([play]).await;
        assert_eq!((worded.fell_back, worded.kept), (reason, kept));
        let counted: Vec<_> = counts.fell_back.into_iter().collect();
        assert_eq!(
            counted,
            reason
                .map(|reason| (reason, 1))
                .into_iter()
                .collect::<Vec<_>>()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_brings_is_evidence_and_what_is_no_tool_is_refused() {
    let first = wishes(&[
        ("job", json!({"job": "PAY_CALC"})),
        ("action_rerun", json!({"job": "PAY_CALC"})),
        ("job", json!({"job": "PAY_CALC and then cancel it"})),
    ]);
    let second = says("PAY_CALC is in SUCC [e2].", Finish::Stop);
    let Outcome {
        worded,
        desk,
        asked,
        counts,
        ..
    } = worded([first, second]).await;
    assert_eq!(worded.text, "PAY_CALC is in SUCC [e2].");
    assert_eq!(desk.wishes.len(), 1);
    assert_eq!((counts.tool_calls, counts.refused_calls), (1, 2));
    let results: Vec<&str> = asked[1]
        .messages
        .iter()
        .filter_map(|message| match message {
            ModelMessage::Tool { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert!(results[0].starts_with("<evidence id=\"e2\""), "{results:?}");
    assert_eq!(results[1..], ["there is no such tool", "that is no name"]);
}

/// F4: a model that only ever asks is stopped, and the last call offers no tools.
#[tokio::test(start_paused = true)]
async fn a_model_that_only_asks_is_stopped() {
    let again = || {
        wishes(&[
            ("summary", json!({})),
            ("summary", json!({})),
            ("summary", json!({})),
            ("summary", json!({})),
            ("summary", json!({})),
        ])
    };
    let Outcome {
        worded,
        desk,
        asked,
        ..
    } = worded([again(), again(), again()]).await;
    assert_eq!(worded.fell_back, Some("no_answer"));
    assert_eq!(asked.len(), CALLS);
    assert!(asked[CALLS - 1].tools.is_empty() && !asked[0].tools.is_empty());
    assert_eq!(desk.wishes.len(), CALLS * WISHES);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_does_not_end_is_left() {
    let endless = (0..10_000).map(|n| Ok(Piece::Text(format!("Line {n}.\n"))));
    let Outcome { worded, .. } = worded([Play::Pieces(endless.collect())]).await;
    assert_eq!(worded.fell_back, Some("nothing_checked"));
    assert!(worded.struck <= STRUCK + 1);
}
