//! What the use cases do when a port fails, and when their caller goes away.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mockall::predicate::{always, eq};
use resync_kernel::{
    BoxError, Clock as _, CountingIds, ExposeSecret as _, ManualClock, SecretString, UserId,
};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::*;
use crate::model::{
    Origin, PasswordHash, PasswordPolicy, Principal, Role, SessionId, TokenId, User, Username,
};
use crate::ports::*;
use crate::{AuthKeys, CsrfTokens, TokenConfig, TokenMinter, TokenVerifier};

mod logout;
mod users;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// Ports that fail the test when they are called without being told what to answer.
#[derive(Default)]
struct Mocks {
    users: MockUserRepository,
    sessions: MockSessionStore,
    lockout: MockLockoutStore,
    hasher: MockPasswordHasher,
    events: MockAuthEvents,
}

impl Mocks {
    fn ports(self) -> AuthPorts {
        let clock = Arc::new(ManualClock::default());
        AuthPorts {
            users: Arc::new(self.users),
            memory: crate::SessionMemory::off(clock.clone()),
            sessions: Arc::new(self.sessions),
            lockout: Arc::new(self.lockout),
            hasher: Arc::new(self.hasher),
            events: Arc::new(self.events),
            clock,
            ids: Arc::new(CountingIds::default()),
            tracker: TaskTracker::new(),
        }
    }

    fn login(self) -> LoginService {
        login(self.ports())
    }

    fn reserves(&mut self) {
        self.lockout
            .expect_reserve()
            .once()
            .returning(|attempt| Ok(Reservation { id: 1, attempt }));
    }

    fn settles(&mut self, outcome: Outcome) {
        self.lockout
            .expect_settle()
            .once()
            .with(always(), eq(outcome))
            .returning(|_, _| Ok(()));
    }

    fn finds(&mut self, user: Option<User>) {
        self.users
            .expect_find_by_username()
            .once()
            .returning(move |_| Ok(user.clone()));
    }

    fn verifies(&mut self, against: Option<PasswordHash>, fits: bool) {
        self.hasher
            .expect_verify()
            .once()
            .withf(move |_, stored| *stored == against)
            .returning(move |_, _| Ok(fits));
    }

    fn records(&mut self, kind: AuthEventKind) {
        let recorded =
            move |event: &AuthEvent| event.kind == kind && event.origin.address.is_some();
        self.events
            .expect_record()
            .once()
            .withf(recorded)
            .returning(|_| Ok(()));
    }

    fn does_not_record(&mut self) {
        self.events
            .expect_record()
            .returning(|_| Err(AuthEventsError("disk full".into())));
    }
}

fn keys() -> AuthKeys {
    AuthKeys::derive(&SecretString::from(
        "an example of thirty-two bytes or more",
    ))
    .unwrap()
}

fn login(ports: AuthPorts) -> LoginService {
    let keys = keys();
    let minter = TokenMinter::new(&keys, TokenConfig::default(), Arc::clone(&ports.clock)).unwrap();
    LoginService::new(ports, minter, CsrfTokens::new(&keys).unwrap())
}

fn sessions(ports: AuthPorts) -> SessionService {
    let clock = Arc::clone(&ports.clock);
    let verifier = TokenVerifier::new(&keys(), &TokenConfig::default(), clock).unwrap();
    SessionService::new(ports, verifier, SessionPolicy::default())
}

fn ana(role: Role) -> User {
    User {
        id: UserId(Uuid::from_u128(7)),
        username: Username::parse("ana").unwrap(),
        role,
        password_hash: PasswordHash::from_stored("stored".into()),
        session_version: 1,
        created_at: start(),
    }
}

fn start() -> DateTime<Utc> {
    ManualClock::default().now()
}

fn principal() -> Principal {
    Principal {
        user_id: ana(Role::Operator).id,
        username: ana(Role::Operator).username,
        role: Role::Operator,
        scopes: None,
        session_id: SessionId(Uuid::from_u128(1)),
        token_id: TokenId(Uuid::from_u128(2)),
        expires_at: start(),
    }
}

fn by() -> Origin {
    Origin::of(&principal()).at(ADDRESS)
}

async fn log_in(service: &LoginService, name: &str) -> Result<LoggedIn, LoginError> {
    service
        .log_in(name, SecretString::from("whatever it is"), ADDRESS)
        .await
}

fn down() -> BoxError {
    "down".into()
}

/// A7: whoever has no password costs the same one hash, against the dummy, and the same answer; and
/// what was typed as a name is not written down unless it is one.
#[tokio::test]
async fn unknown_impossible_and_machine_accounts_cost_one_dummy_hash() {
    for (name, user) in [
        ("nobody", None),
        ("no name at all!", None),
        ("ana", Some(ana(Role::Service))),
    ] {
        let mut mocks = Mocks::default();
        mocks.reserves();
        if Username::parse(name).is_ok() {
            mocks.finds(user.clone());
        }
        mocks.verifies(None, false);
        let user = user.map(|user| (user.id, user.username));
        mocks.records(AuthEventKind::LoginFailed { user });
        let refused = log_in(&mocks.login(), name).await;
        assert!(matches!(refused, Err(LoginError::BadCredentials)), "{name}");
    }
}

/// The limit holds for the right password too, and the refusal is recorded.
#[tokio::test]
async fn a_locked_attempt_is_not_looked_at() {
    let mut mocks = Mocks::default();
    let retry_after = Duration::from_mins(3);
    mocks
        .lockout
        .expect_reserve()
        .returning(move |_| Err(ReserveError::Locked { retry_after }));
    mocks.records(AuthEventKind::LockedOut);
    let refused = log_in(&mocks.login(), "ana").await;
    assert!(
        matches!(refused, Err(LoginError::Locked { retry_after: told }) if told == retry_after)
    );
}

/// What guards never fails open: without its lockout no password is looked at.
#[tokio::test]
async fn a_lockout_that_does_not_answer_lets_nobody_in() {
    let mut mocks = Mocks::default();
    mocks
        .lockout
        .expect_reserve()
        .returning(|_| Err(LockoutStoreError(down()).into()));
    let refused = log_in(&mocks.login(), "ana").await;
    assert!(matches!(refused, Err(LoginError::Unavailable(_))));
}

/// A full queue is the caller's to wait for, and costs no attempt.
#[tokio::test]
async fn hash_pool_overload_gives_the_attempt_back() {
    let mut mocks = Mocks::default();
    let retry_after = Duration::from_secs(8);
    mocks.reserves();
    mocks.finds(Some(ana(Role::Operator)));
    mocks
        .hasher
        .expect_verify()
        .returning(move |_, _| Err(HasherError::Overloaded { retry_after }));
    mocks.settles(Outcome::NotLooked);
    let refused = log_in(&mocks.login(), "ana").await;
    assert!(
        matches!(refused, Err(LoginError::Overloaded { retry_after: told }) if told == retry_after)
    );
}

#[tokio::test]
async fn a_user_store_that_does_not_answer_gives_the_attempt_back() {
    let mut mocks = Mocks::default();
    mocks.reserves();
    mocks
        .users
        .expect_find_by_username()
        .returning(|_| Err(UserRepositoryError::Unavailable(down())));
    mocks.settles(Outcome::NotLooked);
    let refused = log_in(&mocks.login(), "ana").await;
    assert!(matches!(refused, Err(LoginError::Unavailable(_))));
}

fn fits(mocks: &mut Mocks) {
    mocks.reserves();
    mocks.finds(Some(ana(Role::Operator)));
    mocks.verifies(Some(ana(Role::Operator).password_hash), true);
    mocks.settles(Outcome::Succeeded);
    mocks.hasher.expect_needs_rehash().return_const(false);
}

/// No silent success: a login that the audit log does not have is none, and its session ends.
#[tokio::test]
async fn a_login_without_its_audit_row_is_no_login() {
    let mut mocks = Mocks::default();
    fits(&mut mocks);
    mocks.sessions.expect_create().once().returning(|_| Ok(()));
    mocks.does_not_record();
    mocks
        .sessions
        .expect_revoke()
        .once()
        .returning(|_, _| Ok(true));
    let refused = log_in(&mocks.login(), "ana").await;
    assert!(matches!(refused, Err(LoginError::Unavailable(_))));
}

#[tokio::test]
async fn a_failed_login_without_its_audit_row_says_so() {
    let mut mocks = Mocks::default();
    mocks.reserves();
    mocks.finds(None);
    mocks.verifies(None, false);
    mocks.does_not_record();
    let refused = log_in(&mocks.login(), "ana").await;
    assert!(matches!(refused, Err(LoginError::Unavailable(_))));
}

#[tokio::test]
async fn a_login_without_its_session_is_no_login_and_not_recorded() {
    let mut mocks = Mocks::default();
    fits(&mut mocks);
    mocks
        .sessions
        .expect_create()
        .once()
        .returning(|_| Err(SessionStoreError::Unavailable(down())));
    let refused = log_in(&mocks.login(), "ana").await;
    assert!(matches!(refused, Err(LoginError::Unavailable(_))));
}

/// The old hash is as good as before, so a login does not hang on the new one.
#[tokio::test]
async fn a_failed_rehash_does_not_fail_the_login() {
    for overloaded in [true, false] {
        let mut mocks = Mocks::default();
        mocks.reserves();
        mocks.finds(Some(ana(Role::Operator)));
        mocks.verifies(Some(ana(Role::Operator).password_hash), true);
        mocks.settles(Outcome::Succeeded);
        mocks.hasher.expect_needs_rehash().once().return_const(true);
        mocks.hasher.expect_hash().once().returning(move |_| {
            if overloaded {
                return Err(HasherError::Overloaded {
                    retry_after: Duration::from_secs(1),
                });
            }
            Ok(PasswordHash::from_stored("renewed".into()))
        });
        mocks
            .users
            .expect_update_password_hash()
            .times(usize::from(!overloaded))
            .returning(|_, _, _| Err(UserRepositoryError::Unavailable(down())));
        mocks.sessions.expect_create().once().returning(|_| Ok(()));
        mocks.events.expect_record().once().returning(|_| Ok(()));
        assert!(log_in(&mocks.login(), "ana").await.is_ok());
    }
}

/// An attempt that cannot be given back stays counted; the user is in all the same.
#[tokio::test]
async fn a_settlement_that_fails_does_not_fail_the_login() {
    let mut mocks = Mocks::default();
    mocks.reserves();
    mocks.finds(Some(ana(Role::Operator)));
    mocks.verifies(Some(ana(Role::Operator).password_hash), true);
    mocks
        .lockout
        .expect_settle()
        .once()
        .returning(|_, _| Err(LockoutStoreError(down())));
    mocks.hasher.expect_needs_rehash().return_const(false);
    mocks.sessions.expect_create().once().returning(|_| Ok(()));
    mocks.events.expect_record().once().returning(|_| Ok(()));
    assert!(log_in(&mocks.login(), "ana").await.is_ok());
}

/// Records only when told to go on.
#[derive(Default)]
struct SlowEvents {
    begun: Notify,
    go_on: Notify,
    recorded: Mutex<Vec<AuthEventKind>>,
}

#[async_trait]
impl AuthEvents for SlowEvents {
    async fn record(&self, event: AuthEvent) -> Result<(), AuthEventsError> {
        self.begun.notify_one();
        self.go_on.notified().await;
        self.recorded.lock().unwrap().push(event.kind);
        Ok(())
    }
}

/// A client that hangs up while its login is stored leaves a session with its audit row.
#[tokio::test]
async fn dropping_the_login_future_leaves_no_session_without_its_row() {
    let mut mocks = Mocks::default();
    fits(&mut mocks);
    mocks.sessions.expect_create().once().returning(|_| Ok(()));
    let slow = Arc::new(SlowEvents::default());
    let ports = AuthPorts {
        events: Arc::clone(&slow) as _,
        ..mocks.ports()
    };
    let tracker = ports.tracker.clone();
    let service = login(ports);
    let mut caller = JoinSet::new();
    caller.spawn(async move { log_in(&service, "ana").await });
    slow.begun.notified().await;
    caller.shutdown().await;
    slow.go_on.notify_one();
    tracker.close();
    tracker.wait().await;
    assert!(matches!(
        slow.recorded.lock().unwrap()[..],
        [AuthEventKind::LoginSucceeded { .. }]
    ));
}

/// A guesser that hangs up as soon as its guess was looked at is in the audit log all the same.
#[tokio::test]
async fn dropping_the_login_future_hides_no_wrong_password() {
    let mut mocks = Mocks::default();
    mocks.reserves();
    mocks.finds(None);
    mocks.verifies(None, false);
    let slow = Arc::new(SlowEvents::default());
    let ports = AuthPorts {
        events: Arc::clone(&slow) as _,
        ..mocks.ports()
    };
    let tracker = ports.tracker.clone();
    let service = login(ports);
    let mut caller = JoinSet::new();
    caller.spawn(async move { log_in(&service, "nobody").await });
    slow.begun.notified().await;
    caller.shutdown().await;
    slow.go_on.notify_one();
    tracker.close();
    tracker.wait().await;
    assert_eq!(
        *slow.recorded.lock().unwrap(),
        [AuthEventKind::LoginFailed { user: None }]
    );
}

/// What cannot be asked is refused, and told apart from a bad token.
#[tokio::test]
async fn a_store_that_does_not_answer_proves_nobody() {
    let subject = crate::TokenSubject {
        user_id: principal().user_id,
        session_id: principal().session_id,
        token_id: principal().token_id,
        version: 1,
        role: Role::Operator,
    };
    let clock = Arc::new(ManualClock::default());
    let minter = TokenMinter::new(&keys(), TokenConfig::default(), clock).unwrap();
    let token = minter.mint(&subject).unwrap().token;
    let token = token.expose_secret();

    let mut mocks = Mocks::default();
    mocks
        .sessions
        .expect_find_active()
        .once()
        .returning(|_, _, _| Err(SessionStoreError::Unavailable(down())));
    let answer = sessions(mocks.ports()).authenticate(token).await;
    assert!(matches!(answer, Err(AuthenticateError::Unavailable(_))));

    let mut mocks = Mocks::default();
    mocks
        .sessions
        .expect_find_active()
        .once()
        .returning(|_, _, _| {
            let (principal, start) = (principal(), start());
            Ok(Some(crate::Session {
                id: principal.session_id,
                user_id: principal.user_id,
                token_id: principal.token_id,
                created_at: start,
                last_seen_at: start,
                expires_at: start + chrono::Duration::hours(8),
                address: None,
                agent: None,
            }))
        });
    mocks
        .users
        .expect_find_by_id()
        .once()
        .returning(|_| Err(UserRepositoryError::Unavailable(down())));
    let answer = sessions(mocks.ports()).authenticate(token).await;
    assert!(matches!(answer, Err(AuthenticateError::Unavailable(_))));
}

/// A text that is no token of ours costs no question to any store.
#[tokio::test]
async fn a_bad_token_asks_no_store() {
    let service = sessions(Mocks::default().ports());
    for text in ["", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
        let answer = service.authenticate(text).await;
        assert!(matches!(answer, Err(AuthenticateError::Invalid)));
    }
}
