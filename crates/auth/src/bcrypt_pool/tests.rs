use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::*;

fn pool(cost: u32, workers: usize, queue: usize) -> BcryptPool {
    let of = |n| NonZeroUsize::new(n).unwrap();
    BcryptPool::start(BcryptConfig {
        cost,
        workers: of(workers),
        queue: of(queue),
    })
    .unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn cost_of(hash: &PasswordHash) -> u32 {
    hash.expose()
        .parse::<bcrypt::HashParts>()
        .unwrap()
        .get_cost()
}

#[tokio::test]
async fn a_password_fits_its_own_hash_only() {
    let pool = pool(4, 1, 8);
    let hash = pool.hash(&secret("correct horse battery")).await.unwrap();
    assert!(hash.expose().starts_with("$2b$04$"));
    let verify = async |text: &str| {
        pool.verify(&secret(text), Some(hash.clone()))
            .await
            .unwrap()
    };
    assert!(verify("correct horse battery").await);
    assert!(!verify("correct horse batterY").await);
    assert!(!verify("").await);
    assert_ne!(
        pool.hash(&secret("correct horse battery")).await.unwrap(),
        hash,
        "its own salt"
    );
}

/// A hash of the reference implementation fits, so hashes can be taken along.
#[tokio::test]
async fn known_hashes_of_others_fit() {
    let pool = pool(4, 1, 8);
    let known = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let known = PasswordHash::from_stored(known.into());
    assert!(
        pool.verify(&secret("U*U"), Some(known.clone()))
            .await
            .unwrap()
    );
    assert!(!pool.verify(&secret("U*V"), Some(known)).await.unwrap());
}

/// P1-01: what bcrypt would not see is refused, never cut.
#[tokio::test]
async fn a_password_that_would_be_cut_or_misread_is_refused() {
    let pool = pool(4, 1, 8);
    let longest = "x".repeat(72);
    let hash = pool.hash(&secret(&longest)).await.unwrap();
    assert!(
        pool.verify(&secret(&longest), Some(hash.clone()))
            .await
            .unwrap()
    );
    let shorter = secret(&"x".repeat(71));
    assert!(!pool.verify(&shorter, Some(hash.clone())).await.unwrap());
    for bad in ["x".repeat(73), "ç".repeat(37), "nul\0inside".into()] {
        let bad = secret(&bad);
        assert!(matches!(
            pool.hash(&bad).await,
            Err(HasherError::Unhashable)
        ));
        let answer = pool.verify(&bad, Some(hash.clone())).await;
        assert!(matches!(answer, Err(HasherError::Unhashable)));
        assert!(matches!(
            pool.verify(&bad, None).await,
            Err(HasherError::Unhashable)
        ));
    }
}

/// P1-01, A7: an unknown user costs what a known one costs, in the same queue.
#[tokio::test]
async fn dummy_hash_cost_equals_real() {
    for cost in [4, 5, 12] {
        assert_eq!(cost_of(&pool(cost, 1, 1).dummy), cost);
    }
    let (one, other) = (pool(4, 1, 8), pool(4, 1, 8));
    assert_eq!(
        cost_of(&one.hash(&secret("whatever it is")).await.unwrap()),
        cost_of(&one.dummy)
    );
    assert_ne!(one.dummy, other.dummy);
    assert!(!one.verify(&secret("whatever it is"), None).await.unwrap());
}

/// P1-01: only a hash of less work is renewed.
#[tokio::test]
async fn an_old_cost_needs_a_rehash() {
    let (cheap, dear) = (pool(4, 1, 8), pool(5, 1, 8));
    let (old, new) = (
        cheap.hash(&secret("whatever it is")).await.unwrap(),
        dear.hash(&secret("whatever it is")).await.unwrap(),
    );
    assert!(dear.needs_rehash(&old));
    assert!(!dear.needs_rehash(&new));
    assert!(!cheap.needs_rehash(&new));
    assert!(!dear.needs_rehash(&PasswordHash::from_stored("no hash".into())));
}

#[tokio::test]
async fn a_stored_text_that_is_no_hash_is_an_error_and_fits_nothing() {
    let pool = pool(4, 1, 8);
    for text in [
        "",
        "plain",
        "$2b$04$short",
        "$2b$99$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ] {
        let answer = pool
            .verify(
                &secret("plain"),
                Some(PasswordHash::from_stored(text.into())),
            )
            .await;
        assert!(matches!(answer, Err(HasherError::Unavailable(_))), "{text}");
    }
}

#[test]
fn a_cost_that_bcrypt_lacks_is_refused() {
    let one = NonZeroUsize::MIN;
    for cost in [0, 3, 32] {
        let made = BcryptPool::start(BcryptConfig {
            cost,
            workers: one,
            queue: one,
        });
        assert!(matches!(made, Err(BcryptPoolError::Cost(refused)) if refused == cost));
    }
}

/// P0-03, A1: 50 verifies at once do not stall the one thread of a runtime.
///
/// The ticker is a turn of that thread's own loop. Were a verify computed on the thread, a turn would
/// take as long as a hash, and there would be some fifty turns in all; off the thread there are
/// thousands, however busy the machine is.
#[tokio::test]
async fn hashing_does_not_block_runtime() {
    let pool = Arc::new(pool(8, 2, 64));
    let hash = pool.hash(&secret("correct horse battery")).await.unwrap();
    let mut verifies = JoinSet::new();
    for _ in 0..50 {
        let (pool, hash) = (Arc::clone(&pool), hash.clone());
        verifies.spawn(async move {
            pool.verify(&secret("correct horse battery"), Some(hash))
                .await
                .unwrap()
        });
    }
    let start = Instant::now();
    let mut turns = 0_u64;
    let mut fits = 0;
    while fits < 50 {
        tokio::select! {
            biased;
            Some(answer) = verifies.join_next() => fits += usize::from(answer.unwrap()),
            () = tokio::task::yield_now() => turns += 1,
        }
    }
    let took = start.elapsed();
    assert!(turns > 500, "the thread had {turns} turns in {took:?}");
}

/// P0-03: the queue is bounded; who does not fit is told when to come back.
#[tokio::test]
async fn hash_pool_overload_is_refused_with_a_time() {
    let pool = Arc::new(pool(10, 1, 2));
    let mut logins = JoinSet::new();
    for _ in 0..20 {
        let pool = Arc::clone(&pool);
        logins.spawn(async move { pool.verify(&secret("whatever it is"), None).await });
    }
    let (mut served, mut refused) = (0, 0);
    while let Some(answer) = logins.join_next().await {
        match answer.unwrap() {
            Ok(false) => served += 1,
            Err(HasherError::Overloaded { retry_after }) => {
                assert!(retry_after >= Duration::from_secs(1));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(served + refused, 20);
    assert!(
        served >= 2 && refused > 0,
        "{served} served, {refused} refused"
    );
}

#[test]
fn the_time_to_wait_grows_with_queue_and_cost() {
    assert_eq!(pool(12, 2, 1).time_for(64), Duration::from_secs(8));
    assert_eq!(pool(13, 2, 1).time_for(64), Duration::from_secs(16));
    assert_eq!(pool(12, 8, 1).time_for(64), Duration::from_secs(2));
    assert_eq!(pool(4, 2, 1).time_for(64), Duration::from_secs(1));
    assert!(pool(31, 1, 1).time_for(usize::MAX) > Duration::from_hours(1));
}

#[test]
fn debug_of_the_error_shows_no_password() {
    let error = HasherError::Unhashable;
    assert_eq!(format!("{error:?}"), "Unhashable");
}
