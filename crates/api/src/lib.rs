//! HTTP: REST, WebSocket, and the one mapping from errors to problems.
//!
//! - The route table is data ([`routes::table`]): method, path, guard, and what the OpenAPI document
//!   says of it. No handler runs before its guard (P0-01, I-01).
//! - [`problem`] alone turns errors into answers; `openai` gives them that API's shape under `/v1/`.
//! - [`serve::serve`] is our own accept loop, with the timers that `axum::serve` lacks.
//! - Nothing here is a global; everything a handler needs is in [`state::App`], built once by the server.

mod admin;
mod audit;
mod auth;
mod cache;
mod chat;
pub mod edge;
mod mcp;
pub mod metrics;
mod openai;
pub mod openapi;
mod page;
pub mod problem;
mod rag;
pub mod routes;
pub mod serve;
pub mod state;
mod system;
pub mod tws;
pub mod ws;

pub use admin::users::UserDto;
pub use auth::api_keys::ApiKeyDto;
pub use rag::{DocumentDto, HitDto};
