//! What every request passes on its way in and every answer on its way out.

pub mod client_address;
pub mod cookies;
pub(crate) mod cors;
pub(crate) mod credential;
pub mod extract;
pub mod finish;
pub mod guard;
pub mod limit;
pub mod origin;
pub mod request_id;
pub mod trace;
pub mod trail;
mod waiting;

pub use finish::Edge;
