//! What was fetched before an invalidation is not seen after it.

use tokio::time::Duration;

use super::{Key, Rig, Scope, WINDOWS, key};
use crate::Freshness;

fn at(engine: u8, category: u8, name: &str) -> Key {
    Key {
        engine,
        category,
        name: name.into(),
    }
}

/// I-10: the old fetch serves those who wait for it and writes nothing; who comes after the
/// invalidation does not join it.
#[tokio::test(start_paused = true)]
async fn an_old_fetch_does_not_write_after_an_invalidation() {
    let invalidations: [fn(&Rig); 3] = [
        |rig| {
            rig.cache.invalidate(&key("A"));
        },
        |rig| {
            rig.cache.invalidate_scope(&Scope::Engine(1));
        },
        |rig| {
            rig.cache.clear();
        },
    ];
    for invalidate in invalidations {
        let rig = Rig::new();
        let before = rig.tracker.spawn({
            let rig = rig.clone();
            let fetch = rig.slow(1);
            async move {
                rig.cache
                    .get_or_fetch(&key("A"), WINDOWS, fetch)
                    .await
                    .unwrap()
            }
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        invalidate(&rig);
        let after = rig
            .cache
            .get_or_fetch(&key("A"), WINDOWS, rig.slow(2))
            .await
            .unwrap();
        assert_eq!((*after.value(), after.freshness()), (2, Freshness::Fetched));
        assert_eq!(*before.await.unwrap().value(), 1);
        rig.settle().await;
        assert_eq!(
            *rig.cache.get(&key("A")).unwrap().value(),
            2,
            "the old fetch wrote"
        );
        assert_eq!(rig.fetches(), 2);
    }
}

/// The same when nobody comes after: the key stays absent.
#[tokio::test(start_paused = true)]
async fn an_invalidated_fetch_leaves_nothing() {
    let rig = Rig::new();
    let wanted = key("A");
    let call = rig.cache.get_or_fetch(&wanted, WINDOWS, rig.slow(1));
    let (answer, ()) = tokio::join!(call, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!rig.cache.invalidate(&wanted), "there is no entry yet");
    });
    assert_eq!(*answer.unwrap().value(), 1);
    rig.settle().await;
    assert!(rig.cache.get(&wanted).is_none());
}

/// A refresh begun before an invalidation does not bring the old value back.
#[tokio::test(start_paused = true)]
async fn an_old_refresh_does_not_write_after_an_invalidation() {
    let rig = Rig::new();
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, rig.quick(1))
        .await
        .unwrap();
    rig.clock.advance(Duration::from_secs(15));
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, rig.slow(2))
        .await
        .unwrap();
    assert!(rig.cache.invalidate(&key("A")));
    rig.settle().await;
    assert!(rig.cache.get(&key("A")).is_none());
}

/// I-04: an engine, a category, or a category of an engine is invalidated apart from the rest.
#[tokio::test(start_paused = true)]
async fn two_engines_are_invalidated_apart() {
    let all = [at(1, 1, "A"), at(1, 2, "A"), at(2, 1, "A"), at(2, 2, "A")];
    for (scope, left) in [
        (Scope::Engine(1), vec![&all[2], &all[3]]),
        (Scope::Category(2), vec![&all[0], &all[2]]),
        (Scope::Both(2, 1), vec![&all[0], &all[1], &all[3]]),
    ] {
        let rig = Rig::new();
        for key in &all {
            rig.cache
                .get_or_fetch(key, WINDOWS, rig.quick(1))
                .await
                .unwrap();
        }
        assert_eq!(rig.cache.invalidate_scope(&scope), all.len() - left.len());
        let held: Vec<_> = all
            .iter()
            .filter(|key| rig.cache.get(key).is_some())
            .collect();
        assert_eq!(held, left);
        rig.settle().await;
    }
}

/// The name in two engines is two keys.
#[tokio::test(start_paused = true)]
async fn the_same_job_of_two_engines_is_two_entries() {
    let rig = Rig::new();
    rig.cache
        .get_or_fetch(&at(1, 1, "A"), WINDOWS, rig.quick(1))
        .await
        .unwrap();
    rig.cache
        .get_or_fetch(&at(2, 1, "A"), WINDOWS, rig.quick(2))
        .await
        .unwrap();
    assert_eq!(*rig.cache.get(&at(1, 1, "A")).unwrap().value(), 1);
    assert_eq!(*rig.cache.get(&at(2, 1, "A")).unwrap().value(), 2);
}

/// An answer that was handed out stays what it was.
#[tokio::test(start_paused = true)]
async fn an_answer_outlives_its_entry() {
    let rig = Rig::new();
    let answer = rig
        .cache
        .get_or_fetch(&key("A"), WINDOWS, rig.quick(1))
        .await
        .unwrap();
    rig.cache.invalidate(&key("A"));
    rig.cache
        .get_or_fetch(&key("A"), WINDOWS, rig.quick(2))
        .await
        .unwrap();
    assert_eq!(
        (*answer.value(), answer.bytes().as_ref()),
        (1, b"1".as_slice())
    );
}
