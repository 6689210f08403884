//! The rows of the chat, and of its interfaces for other programs.

use axum::http::Method;
use resync_auth::{Permission as P, RateClass};

use super::{CURSOR, Get, LIMIT, Route};
use crate::edge::guard::Guard;
use crate::{chat, mcp, openai, ws};

/// Questions, conversations and the WebSocket.
pub(super) fn talk() -> Vec<Route> {
    use Guard::Socket;
    let get = |path, guard, summary| Get(path, guard, summary);
    let can = Guard::Permission;
    vec![
        Route::new(
            Method::POST,
            "/api/v1/chat",
            can(P::Chat),
            "Ask; with Accept: text/event-stream the answer comes as events",
            chat::ask,
        )
        .class(RateClass::Chat)
        .takes::<chat::ChatRequest>(),
        Route::new(
            Method::POST,
            "/api/v1/chat/analyze",
            can(P::Chat),
            "How a question is understood",
            chat::analyze,
        )
        .class(RateClass::Chat)
        .takes::<chat::AnalyzeRequest>(),
        get(
            "/api/v1/chat/sessions",
            can(P::Chat),
            "One's own conversations",
        )
        .by(chat::sessions)
        .query(&[LIMIT, CURSOR]),
        Route::new(
            Method::PATCH,
            "/api/v1/chat/sessions/{id}",
            can(P::Chat),
            "Name a conversation of one's own",
            chat::sessions::rename,
        )
        .takes::<chat::sessions::RenameRequest>(),
        Route::new(
            Method::DELETE,
            "/api/v1/chat/sessions/{id}",
            can(P::Chat),
            "Delete a conversation of one's own, with all that belongs to it",
            chat::sessions::delete,
        )
        .gives::<chat::ForgetAnswer>(200),
        get(
            "/api/v1/chat/sessions/{id}/export",
            can(P::Chat),
            "A conversation of one's own as a Markdown file",
        )
        .by(chat::sessions::export),
        Route::new(
            Method::POST,
            "/api/v1/chat/feedback",
            can(P::Chat),
            "Say whether an answer was of use, and why",
            chat::sessions::feedback,
        )
        .takes::<chat::sessions::FeedbackRequest>(),
        get(
            "/api/v1/chat/history",
            can(P::Chat),
            "What was said in a conversation of one's own",
        )
        .by(chat::history)
        .query(&[("session_id", "The conversation."), LIMIT, CURSOR]),
        Route::new(
            Method::DELETE,
            "/api/v1/chat/history",
            can(P::Chat),
            "Forget a conversation of one's own",
            chat::forget,
        )
        .query(&[("session_id", "The conversation.")])
        .gives::<chat::ForgetAnswer>(200),
        get("/api/v1/ws/chat", Socket(P::Chat), "Ask over a WebSocket")
            .by(ws::upgrade)
            .query(&[
                ("resume", "The `stream_id` of an answer to read on with."),
                ("after", "The last `seq` of it that was read."),
            ])
            .status(101),
        get(
            "/ws/{agent_id}",
            Socket(P::Chat),
            "The same, at the address of older clients",
        )
        .by(ws::upgrade)
        .status(101),
    ]
}

/// What other programs expect of a chat: OpenAI's interface, and the Model Context Protocol.
pub(super) fn interfaces() -> Vec<Route> {
    let get = |path, guard, summary| Get(path, guard, summary);
    let can = Guard::Permission;
    vec![
        Route::new(
            Method::POST,
            "/v1/chat/completions",
            can(P::Chat),
            "Ask, in the shape of OpenAI's API",
            openai::complete,
        )
        .class(RateClass::Chat)
        .takes::<openai::CompletionRequest>(),
        get(
            "/v1/models",
            can(P::Chat),
            "The models of OpenAI's API: with and without a language model",
        )
        .by(openai::models),
        get("/v1/models/{id}", can(P::Chat), "One of them").by(openai::model),
        Route::new(
            Method::POST,
            "/mcp",
            Guard::Authenticated,
            "The Model Context Protocol: one message in, its answer out",
            mcp::message,
        ),
    ]
}
