//! Chat over a WebSocket.

mod connection;
mod registry;
mod streams;

use std::time::Duration;

use async_trait::async_trait;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use resync_auth::{For, Permission, RateClass, RateKey};
use resync_kernel::UserId;
use serde::Deserialize;
use uuid::Uuid;

use crate::chat;
use crate::edge::credential::Credential;
use crate::edge::guard::{Caller, Shown};
use crate::problem::Problem;
use crate::state::App;
use connection::{Conversation, Question, Resume, Timing, run};
pub(crate) use registry::Place;
pub use registry::Sockets;
pub use streams::Streams;
use streams::{Begin, Reader};

/// A socket's read buffer: sockets are many, and mostly silent.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// What may wait for a slow reader before its connection is dropped.
const MAX_WRITE_BUFFER_BYTES: usize = 256 * 1024;

/// The query of `ws/chat`. Others beside these are let through: older clients send some.
#[derive(Debug, Deserialize)]
struct SocketQuery {
    resume: Option<Uuid>,
    after: Option<usize>,
}

fn resume_of(query: Option<&str>) -> Result<Option<Resume>, Problem> {
    let query: SocketQuery = serde_urlencoded::from_str(query.unwrap_or("")).map_err(|_| {
        Problem::bad_request("resume is the id of a stream, and after the last number of it")
    })?;
    Ok(query.resume.map(|stream_id| Resume {
        stream_id,
        after: query.after.unwrap_or(0),
    }))
}

/// `GET ws/chat`
pub(crate) async fn upgrade(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let Caller(principal) = Caller::from_request_parts(&mut parts, &app).await?;
    let Shown(credential) = Shown::from_request_parts(&mut parts, &app).await?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app)
        .await
        .map_err(|_| {
            Problem::bad_request("this address opens a WebSocket; send the headers of an upgrade")
        })?;
    let resume = resume_of(parts.uri.query())?;
    let ws = &app.edge.ws;
    let upgrade = upgrade
        .max_message_size(ws.max_message_bytes)
        .max_frame_size(ws.max_message_bytes)
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES);
    let place = app.sockets.enter(
        principal.user_id,
        ws.max_connections_per_user,
        ws.max_connections,
    );
    let app = app.clone();
    Ok(upgrade
        .on_upgrade(move |socket| async move {
            let Some(place) = place else {
                refuse(socket, app.edge.ws.send_timeout).await;
                return;
            };
            let timing = Timing {
                idle_timeout: app.edge.ws.idle_timeout,
                send_timeout: app.edge.ws.send_timeout,
                session_check: app.edge.ws.session_check,
            };
            let shutdown = app.shutdown.clone();
            // The tracker waits for open sockets at shutdown.
            let tracker = app.tracker.clone();
            let user = principal.user_id;
            let conversation = Held {
                app,
                credential,
                user,
            };
            tracker
                .track_future(
                    async move { run(socket, &conversation, timing, resume, shutdown).await },
                )
                .await;
            drop(place);
        })
        .into_response())
}

/// Too many sockets: the client is told so and may come back later.
async fn refuse(mut socket: WebSocket, send_timeout: Duration) {
    let close = CloseFrame {
        code: 1013,
        reason: "Too many connections".into(),
    };
    // It is closed either way.
    let _closed =
        tokio::time::timeout(send_timeout, socket.send(Message::Close(Some(close)))).await;
}

/// A socket and what it was opened with: a session that ends, or a key that is revoked, ends it.
struct Held {
    app: App,
    credential: Credential,
    user: UserId,
}

#[async_trait]
impl Conversation for Held {
    async fn still_allowed(&self) -> Result<bool, Problem> {
        match self.credential.authenticate(&self.app, For::Change).await {
            Ok(principal) => Ok(principal.can(Permission::Chat)),
            Err(error) => match Problem::from(error) {
                problem if problem.status().is_server_error() => Err(problem),
                _ => Ok(false),
            },
        }
    }

    async fn answer(&self, question: Question) -> Result<Reader, Problem> {
        let app = &self.app;
        let principal = self.credential.authenticate(app, For::Change).await?;
        if !principal.can(Permission::Chat) {
            return Err(Problem::forbidden(
                "not-permitted",
                "Your role does not allow this",
            ));
        }
        app.limits
            .pass(RateClass::Chat, RateKey::of(&principal))
            .await?;
        let begin = Begin {
            id: app.ids.next(),
            answers: app.chat.clone(),
            ask: chat::question(&principal, question.content, question.session_id, None)?,
            stream: question.stream,
            shutdown: app.shutdown.clone(),
        };
        Ok(app.kept_streams.begin(begin, &app.tracker))
    }

    async fn resume(&self, resume: Resume) -> Result<Reader, Problem> {
        let reader = self
            .app
            .kept_streams
            .resume(self.user, resume.stream_id, resume.after);
        reader.ok_or_else(|| {
            Problem::not_found("unknown-stream", "That answer is not kept; see the history")
        })
    }
}
