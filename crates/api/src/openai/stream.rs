//! An answer in OpenAI's chunks: the role, the text as it comes, what stands behind it, `stop`, the
//! usage when it is asked for, and `[DONE]`.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::response::sse::Event;
use futures_util::{Stream, stream};
use resync_chat::{Answer, ChatEvent};
use serde_json::{Value, json};

use super::{error_body, shape};
use crate::chat::telling::{Telling, Told};
use crate::problem::Problem;
use crate::state::App;
use crate::ws::Place;

/// Makes the chunks of one answer.
pub(super) struct Chunks {
    app: App,
    model: &'static str,
    include_usage: bool,
    created: i64,
    id: String,
}

impl Chunks {
    pub(super) fn new(app: &App, model: &'static str, include_usage: bool) -> Self {
        Self {
            created: app.clock.now().timestamp(),
            app: app.clone(),
            model,
            include_usage,
            id: String::new(),
        }
    }

    fn chunk(&self, choices: &Value, usage: Value) -> String {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let (true, Some(chunk)) = (self.include_usage, chunk.as_object_mut()) {
            chunk.insert("usage".to_owned(), usage);
        }
        chunk.to_string()
    }

    fn delta(&self, delta: &Value, finish: Option<&str>) -> String {
        let choices =
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        self.chunk(&choices, Value::Null)
    }

    fn last(&self, answer: &Answer) -> Vec<String> {
        let behind = shape::behind(answer, &self.app);
        let annotations = shape::annotations(answer, &self.app);
        let mut chunks = vec![
            self.delta(
                &json!({"content": behind, "annotations": annotations}),
                None,
            ),
            self.delta(&json!({}), Some("stop")),
        ];
        if self.include_usage {
            chunks.push(self.chunk(&json!([]), shape::usage(answer)));
        }
        chunks.push("[DONE]".to_owned());
        chunks
    }
}

struct State {
    first: Option<ChatEvent>,
    telling: Telling,
    /// Given back when the stream ends or its client goes.
    _place: Place,
    chunks: Chunks,
    ready: VecDeque<String>,
    done: bool,
}

impl State {
    /// The texts that an event is worth; none for what this shape does not have.
    fn take(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::StreamStart { message_id, .. } => {
                self.chunks.id = shape::id_of(message_id);
                let role = json!({"role": "assistant", "content": ""});
                self.ready.push_back(self.chunks.delta(&role, None));
            }
            ChatEvent::Stream { delta } => {
                let text = self.chunks.delta(&json!({"content": delta}), None);
                self.ready.push_back(text);
            }
            ChatEvent::Message { answer, .. } => {
                self.ready.extend(self.chunks.last(&answer));
                self.done = true;
            }
            ChatEvent::Step { .. } | ChatEvent::Citation { .. } | ChatEvent::Proposal { .. } => {}
        }
    }

    fn fail(&mut self, problem: &Problem) {
        self.ready.push_back(error_body(&problem.0, "").to_string());
        self.done = true;
    }
}

pub(super) fn events(
    first: ChatEvent,
    telling: Telling,
    place: Place,
    chunks: Chunks,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let state = State {
        first: Some(first),
        telling,
        _place: place,
        chunks,
        ready: VecDeque::new(),
        done: false,
    };
    stream::unfold(state, |mut state| async move {
        loop {
            if let Some(text) = state.ready.pop_front() {
                return Some((Ok(Event::default().data(text)), state));
            }
            if state.done {
                return None;
            }
            let told = match state.first.take() {
                Some(event) => Some(Told::Event(event)),
                None => state.telling.next().await,
            };
            match told {
                Some(Told::Event(event)) => state.take(event),
                Some(Told::Failed(problem)) => state.fail(&problem),
                None => state.fail(&Problem::internal()),
            }
        }
    })
}
