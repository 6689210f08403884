//! What this domain needs from the world.

mod api_keys;
mod events;
mod hasher;
mod lockout;
mod sessions;
mod users;

pub use api_keys::*;
pub use events::*;
pub use hasher::*;
pub use lockout::*;
pub use sessions::*;
pub use users::*;
