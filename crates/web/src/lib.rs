//! The operator's page and its assets, inside the binary.
//!
//! 1. One page at `/` and `/setup`, its files under `/assets/`; anything else is not ours and answers 404.
//! 2. Every answer carries the whole set of [`SECURITY_HEADERS`]; [`CSP`] lets nothing run or load
//!    that is not a file of ours, so text from a log, a document or a model stays inert (B6).
//! 3. The page asks only what [`API_CALLS`] lists (I-02).
//!
//! ```
//! use axum::Router;
//!
//! let pages: Router = resync_web::router();
//! assert!(resync_web::CSP.starts_with("default-src 'none'"));
//! assert!(resync_web::API_CALLS.contains(&("GET", "/api/v1/tws/summary")));
//! # let _ = pages;
//! ```

mod assets;
mod calls;
mod headers;
mod routes;

pub use calls::API_CALLS;
pub use headers::{CSP, SECURITY_HEADERS};
pub use routes::{ROUTES, router};
