//! What every request passes on its way in and every answer on its way out.

pub mod client_address;
pub mod cookies;
pub mod extract;
pub mod finish;
pub mod guard;
pub mod origin;
pub mod request_id;
mod waiting;
