//! What this domain needs from the world.

mod events;
mod hasher;
mod lockout;
mod sessions;
mod users;

pub use events::*;
pub use hasher::*;
pub use lockout::*;
pub use sessions::*;
pub use users::*;
