//! The accounts, to administrators.
//!
//! - Reading takes the permission `users.manage`, by a session or an API key; changing takes somebody
//!   who signed in, so that a key that was found opens nothing that outlives it.
//! - The last administrator cannot go, whoever asks (409 `last-administrator`).

pub(crate) mod credentials;
pub(crate) mod users;
