//! Confirmation tokens: 256 random bits that are worth something only together with everything that
//! the person saw.
//!
//! Invariants:
//! - A token proves user, session, engine, target, action with its parameters, the target's state and the
//!   time of expiry at once: with any of them changed it is unknown.
//! - The store holds a code and not the token; a code is compared in constant time.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use resync_kernel::{EntropyError, ExposeSecret, SecretString, random_token};
use sha2::Sha256;
use thiserror::Error;
use uuid::Uuid;

use crate::action::ActionActor;
use crate::ports::{ProposalId, StoredProposal};

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;

/// The key that binds tokens, and those before it, under which a proposal that is open may still be
/// confirmed.
#[derive(Clone)]
pub struct ConfirmationKey {
    current: [u8; 32],
    previous: Vec<[u8; 32]>,
}

/// The system gave no randomness for a token.
#[derive(Debug, Error)]
#[error("no token could be made")]
pub struct EntropyMissing(#[from] EntropyError);

impl ConfirmationKey {
    /// A key of these bytes, derived for this purpose alone.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            current: key,
            previous: Vec::new(),
        }
    }

    /// The same key, which knows what was bound under `previous`, too. Nothing new is bound under those.
    #[must_use]
    pub fn with_previous(self, previous: impl IntoIterator<Item = [u8; 32]>) -> Self {
        Self {
            previous: previous.into_iter().collect(),
            ..self
        }
    }

    fn all(&self) -> impl Iterator<Item = &[u8; 32]> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

impl fmt::Debug for ConfirmationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfirmationKey(..)")
    }
}

/// A new token of that proposal.
pub(super) fn mint(id: ProposalId) -> Result<SecretString, EntropyMissing> {
    let secret = random_token(TOKEN_BYTES)?;
    Ok(format!("{}.{secret}", id.0.simple()).into())
}

/// The proposal that a token names, without any proof.
pub(super) fn proposal_of(token: &SecretString) -> Option<ProposalId> {
    let (id, secret) = token.expose_secret().split_once('.')?;
    // 32 bytes in base64 are 43 characters; anything else is not one of ours.
    let shaped = id.len() == 32 && secret.len() == 43;
    shaped
        .then(|| Uuid::try_parse(id).ok().map(ProposalId))
        .flatten()
}

/// The code that a token, its actor and its proposal prove together.
fn mac(
    key: &[u8; 32],
    token: &SecretString,
    actor: &ActionActor,
    proposal: &StoredProposal,
) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    let action = serde_json::to_string(&proposal.action).ok()?;
    let target = serde_json::to_string(&proposal.target).ok()?;
    let expires = proposal.expires_at.timestamp_millis().to_string();
    let user = actor.user.to_string();
    let parts = [
        token.expose_secret(),
        &user,
        &actor.session,
        proposal.engine.as_str(),
        &target,
        proposal.run.as_ref().map_or("", |run| run.as_str()),
        &action,
        &proposal.fingerprint,
        &proposal.reason,
        proposal.ticket.as_deref().unwrap_or(""),
        &expires,
    ];
    for part in parts {
        // With its length before each part, no two lists of parts are the same bytes.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    Some(mac)
}

/// The code to store, in hex; the proposal's own `mac` is not looked at.
pub(super) fn seal(
    key: &ConfirmationKey,
    token: &SecretString,
    actor: &ActionActor,
    proposal: &StoredProposal,
) -> Option<String> {
    Some(hex::encode(
        mac(&key.current, token, actor, proposal)?
            .finalize()
            .into_bytes(),
    ))
}

/// Whether the token, presented by this actor, is that of the proposal.
pub(super) fn proves(
    key: &ConfirmationKey,
    token: &SecretString,
    actor: &ActionActor,
    proposal: &StoredProposal,
) -> bool {
    let Ok(expected) = hex::decode(&proposal.mac) else {
        return false;
    };
    key.all().any(|key| {
        mac(key, token, actor, proposal).is_some_and(|mac| mac.verify_slice(&expected).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, EngineName, JobId, Priority, StreamId, Target};
    use chrono::{DateTime, Utc};
    use resync_kernel::UserId;

    fn actor(user: u128, session: &str) -> ActionActor {
        ActionActor {
            user: UserId(Uuid::from_u128(user)),
            username: "maria".to_owned(),
            session: session.to_owned(),
        }
    }

    fn proposal() -> StoredProposal {
        StoredProposal {
            id: ProposalId(Uuid::from_u128(7)),
            user: UserId(Uuid::from_u128(1)),
            mac: String::new(),
            engine: EngineName::parse("prod").unwrap(),
            target: JobId::parse("job-1").unwrap().into(),
            label: "A".to_owned(),
            run: None,
            action: Action::Priority {
                priority: Priority::new(50).unwrap(),
            },
            fingerprint: "abc".to_owned(),
            reason: "because".to_owned(),
            ticket: None,
            expires_at: DateTime::<Utc>::from_timestamp(300, 0).unwrap(),
            used: false,
        }
    }

    /// I-08: a token is bound to all of what the person saw.
    #[test]
    fn a_token_proves_nothing_when_any_part_is_another() {
        let key = ConfirmationKey::new([7; 32]);
        let mut stored = proposal();
        let token = mint(stored.id).unwrap();
        stored.mac = seal(&key, &token, &actor(1, "s1"), &stored).unwrap();
        assert!(proves(&key, &token, &actor(1, "s1"), &stored));
        assert_eq!(proposal_of(&token), Some(stored.id));

        let other_token = mint(stored.id).unwrap();
        assert!(!proves(&key, &other_token, &actor(1, "s1"), &stored));
        assert!(!proves(&key, &token, &actor(2, "s1"), &stored));
        assert!(!proves(&key, &token, &actor(1, "s2"), &stored));
        assert!(!proves(
            &ConfirmationKey::new([8; 32]),
            &token,
            &actor(1, "s1"),
            &stored
        ));
        let edits: [fn(&mut StoredProposal); 8] = [
            |p| p.engine = EngineName::parse("test").unwrap(),
            |p| p.target = JobId::parse("job-2").unwrap().into(),
            |p| p.target = Target::Stream(StreamId::parse("job-1").unwrap()),
            |p| {
                p.action = Action::Priority {
                    priority: Priority::new(51).unwrap(),
                }
            },
            |p| p.fingerprint = "abd".to_owned(),
            |p| p.reason = "other".to_owned(),
            |p| p.ticket = Some("INC-1".to_owned()),
            |p| p.expires_at += chrono::Duration::seconds(1),
        ];
        for edit in edits {
            let mut changed = stored.clone();
            edit(&mut changed);
            assert!(
                !proves(&key, &token, &actor(1, "s1"), &changed),
                "{changed:?}"
            );
        }
    }

    /// A change of the secret leaves open proposals open, for as long as the one before is listed.
    #[test]
    fn a_token_of_a_previous_key_is_known_and_none_is_made_under_it() {
        let (old, older) = ([7; 32], [6; 32]);
        let rotated = ConfirmationKey::new([8; 32]).with_previous([old, older]);
        let mut stored = proposal();
        let token = mint(stored.id).unwrap();
        for key in [old, older] {
            stored.mac =
                seal(&ConfirmationKey::new(key), &token, &actor(1, "s1"), &stored).unwrap();
            assert!(proves(&rotated, &token, &actor(1, "s1"), &stored));
            assert!(!proves(&rotated, &token, &actor(2, "s1"), &stored));
        }
        let unlisted = ConfirmationKey::new([8; 32]).with_previous([old]);
        assert!(!proves(&unlisted, &token, &actor(1, "s1"), &stored));
        stored.mac = seal(&rotated, &token, &actor(1, "s1"), &stored).unwrap();
        let current = ConfirmationKey::new([8; 32]);
        assert!(proves(&current, &token, &actor(1, "s1"), &stored));
    }

    #[test]
    fn debug_prints_neither_key_nor_token() {
        let key = ConfirmationKey::new([7; 32]);
        assert_eq!(format!("{key:?}"), "ConfirmationKey(..)");
        let token = mint(ProposalId(Uuid::from_u128(7))).unwrap();
        assert!(!format!("{token:?}").contains(token.expose_secret()));
    }

    #[test]
    fn garbage_names_no_proposal() {
        for text in [
            "",
            ".",
            "abc",
            "00000000000000000000000000000007.short",
            "é.é",
        ] {
            assert_eq!(proposal_of(&text.to_owned().into()), None, "{text:?}");
        }
    }
}
