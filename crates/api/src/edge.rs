//! What every request passes on its way in and every answer on its way out.

pub mod extract;
pub mod finish;
pub mod request_id;
