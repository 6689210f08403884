//! P1-03: a thousand keys against a model that a page can hold.
//!
//! The model keeps, for each key, the value and the time of its last fetch. Each step is settled
//! before the next, so the model knows what every read must give.

use std::collections::HashMap;

use proptest::prelude::*;
use tokio::time::Duration;

use super::{Fault, Key, Rig, Scope, WINDOWS};
use crate::Freshness;

#[derive(Debug, Clone)]
enum Step {
    /// Read this key; a fetch succeeds or fails.
    Read(u16, bool),
    /// This many callers read this key at once.
    Crowd(u16, usize),
    Advance(u64),
    Invalidate(u16),
    InvalidateScope(u8),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || prop_oneof![3 => 0_u16..8, 1 => 0_u16..1_000];
    prop_oneof![
        8 => (name(), prop::bool::weighted(0.8)).prop_map(|(name, ok)| Step::Read(name, ok)),
        2 => (name(), 2_usize..6).prop_map(|(name, callers)| Step::Crowd(name, callers)),
        3 => (1_u64..12_000).prop_map(Step::Advance),
        1 => name().prop_map(Step::Invalidate),
        1 => (0_u8..4).prop_map(Step::InvalidateScope),
        1 => Just(Step::Sweep),
    ]
}

fn key(name: u16) -> Key {
    let engine = u8::try_from(name % 4).unwrap();
    // Names that hold each other's separators: a key is its parts, not their concatenation.
    Key {
        engine,
        category: 1,
        name: format!("J/{}:{}", name / 2, name % 2),
    }
}

#[derive(Default)]
struct Model {
    now_ms: u64,
    /// Value, time of the fetch, time of the last failed refresh.
    entries: HashMap<u16, (u64, u64, Option<u64>)>,
    fetches: usize,
}

impl Model {
    /// What a read gives, and what it does to the entry; `next` is the value a fetch brings.
    fn read(&mut self, name: u16, next: Result<u64, Fault>) -> Result<(u64, Freshness), Fault> {
        if let Some((value, fetched, failed)) = self.entries.get_mut(&name) {
            let age = self.now_ms - *fetched;
            if age < 10_000 {
                return Ok((*value, Freshness::Fresh));
            }
            if age < 30_000 {
                let served = *value;
                if failed.is_none_or(|failed| self.now_ms >= failed + 1_000) {
                    self.fetches += 1;
                    match next {
                        Ok(next) => (*value, *fetched, *failed) = (next, self.now_ms, None),
                        Err(_) => *failed = Some(self.now_ms),
                    }
                }
                return Ok((served, Freshness::Stale));
            }
        }
        self.fetches += 1;
        let value = next?;
        self.entries.insert(name, (value, self.now_ms, None));
        Ok((value, Freshness::Fetched))
    }
}

async fn run(steps: Vec<Step>) {
    let (rig, mut model) = (Rig::new(), Model::default());
    for (at, step) in steps.into_iter().enumerate() {
        let value = at as u64;
        match step {
            Step::Read(name, ok) => {
                let outcome = if ok { Ok(value) } else { Err(Fault::Down) };
                let fetch = rig.fetch(Duration::from_secs(1), outcome.clone());
                let read = rig.cache.get_or_fetch(&key(name), WINDOWS, fetch).await;
                rig.settle().await;
                let read = read.map(|answer| (*answer.value(), answer.freshness()));
                assert_eq!(read, model.read(name, outcome), "step {at}");
            }
            Step::Crowd(name, callers) => {
                let mut crowd = tokio::task::JoinSet::new();
                for _ in 0..callers {
                    let rig = rig.clone();
                    let fetch = rig.slow(value);
                    crowd.spawn(async move {
                        *rig.cache
                            .get_or_fetch(&key(name), WINDOWS, fetch)
                            .await
                            .unwrap()
                            .value()
                    });
                }
                let values = crowd.join_all().await;
                rig.settle().await;
                let (expected, _) = model.read(name, Ok(value)).unwrap();
                assert_eq!(values, vec![expected; callers], "step {at}");
            }
            Step::Advance(ms) => {
                rig.clock.advance(Duration::from_millis(ms));
                model.now_ms += ms;
            }
            Step::Invalidate(name) => {
                let was_there = model.entries.remove(&name).is_some();
                // An expired entry may have been swept or not; one that is served was there.
                assert!(was_there || !rig.cache.invalidate(&key(name)));
                rig.cache.invalidate(&key(name));
            }
            Step::InvalidateScope(engine) => {
                rig.cache.invalidate_scope(&Scope::Engine(engine));
                model.entries.retain(|name, _| key(*name).engine != engine);
            }
            Step::Sweep => {
                rig.cache.sweep();
                let now = model.now_ms;
                model
                    .entries
                    .retain(|_, (_, fetched, _)| now - *fetched < 30_000);
                assert_eq!(rig.cache.stats().entries, model.entries.len(), "step {at}");
            }
        }
        assert_eq!(rig.fetches(), model.fetches, "step {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// P1-03, I-07: values, freshness and the number of fetches are the model's at every step.
    #[test]
    fn a_thousand_keys_behave_as_the_model(steps in prop::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(steps));
    }

    /// Two keys are one only if all their parts are, separators or not.
    #[test]
    fn cache_key_no_collision(one in "[A/:.#]{0,4}", other in "[A/:.#]{0,4}", engine in 0_u8..2) {
        let of = |engine, name: &str| Key { engine, category: 1, name: name.into() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new();
            let (first, second) = (of(0, &one), of(engine, &other));
            rig.cache.get_or_fetch(&first, WINDOWS, rig.quick(1)).await.unwrap();
            assert_eq!(rig.cache.get(&second).is_some(), first == second);
        });
    }
}
