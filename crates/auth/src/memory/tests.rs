use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use resync_kernel::ManualClock;
use uuid::Uuid;

use super::*;
use crate::model::{Role, TokenId, Username};

const MINUTE: Duration = Duration::from_mins(1);
const ALMOST: Duration = Duration::from_millis(59_999);

#[derive(Default)]
struct Feed {
    away: AtomicBool,
    generation: AtomicU64,
}

impl SessionFeed for Feed {
    fn generation(&self) -> Option<u64> {
        let here = !self.away.load(Ordering::SeqCst);
        here.then(|| self.generation.load(Ordering::SeqCst))
    }
}

struct World {
    clock: Arc<ManualClock>,
    feed: Arc<Feed>,
    memory: SessionMemory,
}

fn world() -> World {
    let (clock, feed) = (Arc::new(ManualClock::default()), Arc::new(Feed::default()));
    let memory = SessionMemory::new(Arc::clone(&feed) as _, Arc::clone(&clock) as _);
    World {
        clock,
        feed,
        memory,
    }
}

fn principal(session: u128, user: u128, expires_at: DateTime<Utc>) -> Principal {
    Principal {
        user_id: UserId(Uuid::from_u128(user)),
        username: Username::parse("ana").unwrap(),
        role: Role::Operator,
        scopes: None,
        session_id: SessionId(Uuid::from_u128(session)),
        token_id: TokenId(Uuid::from_u128(session)),
        expires_at,
    }
}

impl World {
    fn found(&self, session: u128, user: u128) -> Found {
        let now = self.clock.now();
        Found {
            principal: principal(session, user, now + Duration::from_hours(8)),
            not_before: now - Duration::from_secs(5),
            last_used: now,
            idle: Some(Duration::from_hours(1)),
        }
    }

    fn remember(&self, session: u128, user: u128) {
        let found = self.found(session, user);
        self.memory
            .remember(digest(session), found, self.memory.before());
    }

    fn knows(&self, session: u128) -> bool {
        self.memory
            .recall(digest(session), self.clock.now())
            .is_some()
    }

    fn last_good(&self, session: u128) -> bool {
        self.memory
            .last_good(digest(session), self.clock.now())
            .is_some()
    }
}

fn digest(session: u128) -> Digest {
    Digest::of(&session.to_string())
}

#[test]
fn what_was_forgotten_is_not_remembered_by_a_reader_of_before() {
    let world = world();
    for forget in [
        (|world| world.memory.forget_session(SessionId(Uuid::from_u128(1)))) as fn(&World),
        |world| world.memory.forget_user(UserId(Uuid::from_u128(7))),
    ] {
        let before = world.memory.before();
        forget(&world);
        world.memory.remember(digest(1), world.found(1, 7), before);
        assert!(!world.knows(1) && !world.last_good(1));
        world.remember(1, 7);
        world.remember(2, 8);
        assert!(world.knows(1));
        forget(&world);
        assert!(!world.knows(1) && !world.last_good(1));
        assert!(world.knows(2), "only who is meant is forgotten");
    }
}

/// C4: threads read and remember while others forget; whoever looks after the forgetting finds nothing.
#[test]
fn forgetting_wins_over_any_number_of_readers() {
    let world = world();
    for round in 0..200 {
        let store = AtomicBool::new(true);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let before = world.memory.before();
                    if store.load(Ordering::SeqCst) {
                        let found = world.found(1, 7);
                        world.memory.remember(digest(1), found, before);
                    }
                });
            }
            store.store(false, Ordering::SeqCst);
            world.memory.forget_session(SessionId(Uuid::from_u128(1)));
            assert!(!world.knows(1), "round {round}");
        });
        assert!(!world.knows(1), "round {round}");
    }
}

#[test]
fn nothing_is_remembered_while_changes_are_not_followed() {
    let world = world();
    world.remember(1, 7);
    world.feed.away.store(true, Ordering::SeqCst);
    assert!(!world.knows(1));
    world.remember(2, 7);
    world.feed.away.store(false, Ordering::SeqCst);
    assert!(world.knows(1), "nothing happened meanwhile");
    assert!(!world.knows(2), "nobody knows what happened meanwhile");
    let before = world.memory.before();
    world.feed.generation.fetch_add(1, Ordering::SeqCst);
    world.memory.remember(digest(3), world.found(3, 7), before);
    assert!(!world.knows(1) && !world.knows(3));
    assert!(
        world.last_good(1),
        "the last answer stays an answer for reading"
    );
}

#[test]
fn an_entry_is_good_for_a_minute_at_most() {
    let world = world();
    world.remember(1, 7);
    world.clock.advance(ALMOST);
    assert!(world.knows(1) && world.last_good(1));
    world.clock.advance(Duration::from_millis(1));
    assert!(!world.knows(1) && !world.last_good(1));

    world.remember(2, 7);
    let start = world.clock.now();
    for (hours, known) in [(-1, false), (8, false), (1, true), (2, false), (0, true)] {
        world.clock.set_wall(start + chrono::Duration::hours(hours));
        assert_eq!(world.knows(2), known, "{hours} h");
    }
}

#[test]
fn a_use_is_noted_by_one_caller_a_minute() {
    let world = world();
    world.remember(1, 7);
    let now = world.clock.now();
    let entry = world.memory.recall(digest(1), now).unwrap();
    assert!(!entry.claims_note(now + ALMOST, MINUTE));
    let claims = (0..16).filter(|_| entry.claims_note(now + MINUTE, MINUTE));
    assert_eq!(claims.count(), 1);
    assert!(!entry.claims_note(now, MINUTE), "a clock that went back");
}

#[test]
fn the_memory_is_bounded() {
    let world = world();
    let most = u128::try_from(SHARDS * MAX_ENTRIES_A_SHARD).unwrap();
    for session in 0..most + 5000 {
        world.remember(session, session);
    }
    let known = (0..most + 5000).filter(|session| world.knows(*session));
    assert!(known.count() <= SHARDS * MAX_ENTRIES_A_SHARD);
    world.clock.advance(MINUTE);
    for session in 0..100 {
        world.remember(session, session);
    }
    assert!((0..100).all(|session| world.knows(session)));
}

#[test]
fn no_text_of_a_credential_is_kept() {
    let world = world();
    world.remember(123_456_789, 7);
    let text = format!("{:?}", world.memory);
    assert!(text.contains("entries: 1") && !text.contains("123456789"));
    let digests: HashSet<_> = ["a", "b", "a"].map(Digest::of).into();
    assert_eq!(digests.len(), 2);
}
