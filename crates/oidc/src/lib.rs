//! The client of a company's `OpenID` Connect provider: authorization code with PKCE.
//!
//! Invariants:
//! - Over https alone, but for the loopback; no redirect is followed, no body is read beyond its cap, no
//!   call takes longer than its timeout.
//! - An identity comes from a token that the provider signed for us, for this sign-in, now: see
//!   `token.rs`. What the token's own header says decides nothing but which key is tried.
//! - An unknown key fetches the keys anew at most once in ten seconds, so nobody makes us a flood.
//!
//! `HS256` and `none` are no algorithms here: a client's secret signs nothing that we believe.

mod http;
mod provider;
mod token;

pub use provider::{OidcConfigError, OidcProvider, OidcProviderConfig};
