//! One call of one model.
//!
//! 1. It is counted once, however it ends, when the caller leaves among them.
//! 2. What a server said of a failure is read to learn what it does not take, and told to nobody: it
//!    may repeat the prompt.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Response, StatusCode, header};
use resync_chat::{Finish, ModelError, ModelRequest, Piece};
use resync_kernel::ExposeSecret;
use sse_stream::SseByteStream;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::assembly::{Assembly, Whole};
use super::{Model, Shared, wire};

/// Bytes of one answer, at most: a piece of text is a few letters in some 300 bytes.
const MAX_BYTES: usize = 8 << 20;
/// Bytes of a refusal that are read.
const MAX_REFUSAL_BYTES: usize = 16 * 1024;
/// Refusals of one call that may each teach something.
const LESSONS: usize = 4;
/// How long the count of tokens is waited for when the model is done.
const COUNT_WAIT: Duration = Duration::from_millis(500);

/// Why the bytes ended.
#[derive(Debug, Error)]
enum BytesError {
    #[error(transparent)]
    Transport(reqwest::Error),
    #[error("more than {MAX_BYTES} bytes")]
    TooMany,
}

pub(super) struct Attempt<'a> {
    shared: &'a Shared,
    model: &'a Model,
    pieces: &'a mpsc::Sender<Piece>,
    deadline: Instant,
    begun: Instant,
    heard: bool,
    /// How it ended, for the counters.
    end: &'static str,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.shared.counts.ended(self.end);
    }
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        model: &'a Model,
        pieces: &'a mpsc::Sender<Piece>,
        deadline: Instant,
    ) -> Self {
        shared.counts.called(&model.name);
        Self {
            shared,
            model,
            pieces,
            deadline,
            begun: Instant::now(),
            heard: false,
            end: "given_up",
        }
    }

    /// Whether a piece was told.
    pub(super) const fn was_heard(&self) -> bool {
        self.heard
    }

    pub(super) async fn run(&mut self, request: &ModelRequest) -> Result<(), ModelError> {
        let done = self.done(request).await;
        self.end = match &done {
            Ok(()) => "ok",
            Err(error) => error.word(),
        };
        done
    }

    async fn done(&mut self, request: &ModelRequest) -> Result<(), ModelError> {
        let first_by = self.begun + self.shared.config.idle_timeout * 2;
        let first_by = first_by.min(self.deadline);
        let response = self.answered(request, first_by).await?;
        let whole = if is_json(&response) {
            self.at_once(response).await?
        } else {
            self.streamed(response, first_by).await?
        };
        self.tell_end(whole).await;
        Ok(())
    }

    /// A response with success, after what may have to be learned.
    async fn answered(&self, request: &ModelRequest, by: Instant) -> Result<Response, ModelError> {
        let mut lessons = 0;
        loop {
            let sent = timeout_at(by, self.send(request)).await;
            let response = sent.map_err(|_| self.late(by))?.map_err(unreachable)?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let may_teach = !matches!(
                status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
            );
            if may_teach && lessons < LESSONS {
                lessons += 1;
                let refusal = timeout_at(by, refusal(response)).await.unwrap_or_default();
                if self.model.learn(&refusal, !request.tools.is_empty()) {
                    continue;
                }
            }
            let passing = status.is_server_error()
                || matches!(
                    status,
                    StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                );
            let status = status.as_u16();
            return Err(if passing {
                ModelError::Busy { status }
            } else {
                ModelError::Refused { status }
            });
        }
    }

    async fn send(&self, request: &ModelRequest) -> Result<Response, reqwest::Error> {
        let config = &self.shared.config;
        let quirks = self.model.quirks();
        let body = wire::body(&self.model.name, request, config.max_tokens, quirks);
        let mut post = self.shared.client.post(self.model.url.clone()).json(&body);
        post = post.header(header::ACCEPT, "text/event-stream, application/json");
        match (&config.api_key, &config.api_version) {
            (Some(key), Some(_)) => post = post.header("api-key", key.expose_secret()),
            (Some(key), None) => post = post.bearer_auth(key.expose_secret()),
            (None, _) => {}
        }
        post.send().await
    }

    /// A completion in one body, from a server that does not stream.
    async fn at_once(&mut self, response: Response) -> Result<Whole, ModelError> {
        let body = timeout_at(self.deadline, read(response, MAX_BYTES)).await;
        let body = body.map_err(|_| ModelError::TimedOut)??;
        let body = String::from_utf8_lossy(&body);
        let mut assembly = Assembly::default();
        if let Some(text) = assembly.take(&body)? {
            self.tell(Piece::Text(text)).await;
        }
        assembly.end()
    }

    async fn streamed(
        &mut self,
        response: Response,
        first_by: Instant,
    ) -> Result<Whole, ModelError> {
        let mut left = MAX_BYTES;
        let bytes = response.bytes_stream().map(move |bytes| {
            let bytes: Bytes = bytes.map_err(BytesError::Transport)?;
            left = left.checked_sub(bytes.len()).ok_or(BytesError::TooMany)?;
            Ok(bytes)
        });
        // Some servers leave out the empty line behind their last event.
        let over = AtomicBool::new(false);
        let end = stream::once(async {
            over.store(true, Ordering::Relaxed);
            Ok::<_, BytesError>(Bytes::from_static(b"\n\n"))
        });
        let mut events = pin!(SseByteStream::new(bytes.chain(end)));
        let mut assembly = Assembly::default();
        let mut by = first_by;
        loop {
            let event = match timeout_at(by, events.next()).await {
                Ok(Some(Ok(event))) => event,
                Ok(None) => break,
                Err(_) | Ok(Some(Err(_))) if assembly.is_done() => break,
                Err(_) => return Err(self.late(by)),
                Ok(Some(Err(error))) => return Err(broken(&error)),
            };
            let failed = event.event.as_deref() == Some("error");
            let data = event.data.unwrap_or_default();
            let data = data.trim();
            if data == "[DONE]" {
                break;
            }
            if failed && !data.starts_with('{') {
                let what = "an error within the stream".to_owned();
                return Err(ModelError::Unreadable(what));
            }
            if data.is_empty() {
                continue;
            }
            match assembly.take(data) {
                Ok(None) => {}
                Ok(Some(text)) => self.tell(Piece::Text(text)).await,
                // Half an event is where the stream broke off.
                Err(ModelError::Unreadable(_)) if over.load(Ordering::Relaxed) => break,
                Err(error) => return Err(error),
            }
            by = Instant::now() + self.shared.config.idle_timeout;
            if assembly.is_done() {
                if assembly.is_counted() {
                    break;
                }
                by = Instant::now() + COUNT_WAIT;
            }
            by = by.min(self.deadline);
        }
        assembly.end()
    }

    async fn tell_end(&mut self, whole: Whole) {
        if whole.finish == Finish::Calls {
            self.tell(Piece::Calls(whole.calls)).await;
        }
        if let Some(usage) = whole.usage {
            self.shared.counts.used(&self.model.name, usage);
            self.tell(Piece::Usage(usage)).await;
        }
        self.tell(Piece::Finished(whole.finish)).await;
    }

    /// Tells a piece. A caller that does not listen has dropped this, too.
    async fn tell(&mut self, piece: Piece) {
        if !self.heard {
            self.heard = true;
            self.shared.counts.first_piece(self.begun.elapsed());
            let begun = Piece::Begun(self.model.name.clone());
            let _listens = self.pieces.send(begun).await;
        }
        let _listens = self.pieces.send(piece).await;
    }

    /// What it means that the time `by` is over.
    fn late(&self, by: Instant) -> ModelError {
        if by >= self.deadline {
            return ModelError::TimedOut;
        }
        let idle = self.shared.config.idle_timeout;
        let after = if self.heard { idle } else { idle * 2 };
        ModelError::Silent { after }
    }
}

fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json"))
}

/// What a server says of its refusal, as far as it can be read.
async fn refusal(response: Response) -> String {
    let body = read(response, MAX_REFUSAL_BYTES).await.unwrap_or_default();
    String::from_utf8_lossy(&body).into_owned()
}

async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, ModelError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > most {
            return Err(ModelError::Unreadable(format!("more than {most} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The address of an error may hold what is private.
fn unreachable(error: reqwest::Error) -> ModelError {
    ModelError::Unreachable(error.without_url().into())
}

fn broken(error: &sse_stream::Error) -> ModelError {
    match error {
        sse_stream::Error::Body(cause) => match cause.downcast_ref::<BytesError>() {
            Some(BytesError::TooMany) => ModelError::Unreadable(BytesError::TooMany.to_string()),
            // A connection that breaks is an answer that ends before its end.
            Some(BytesError::Transport(_)) | None => ModelError::CutOff,
        },
        sse_stream::Error::Utf8Parse(_) => ModelError::Unreadable("no UTF-8".to_owned()),
        _ => ModelError::Unreadable("no stream of events".to_owned()),
    }
}
