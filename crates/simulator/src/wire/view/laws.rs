//! Both ways to write a view give the same bytes.

use serde::Serialize;

use super::{Scope, job, stream, tree};
use crate::{
    engine::{Engine, Setup},
    profile::Profile,
    wire::Role,
};

fn assert_alike(view: impl Serialize) {
    let straight = serde_json::to_string(&view).unwrap();
    assert_eq!(straight, tree(view).to_string());
}

/// A night in full swing, and the one after: every sort of dependency, status and flag is there.
#[test]
fn views_and_their_trees_have_the_same_bytes() {
    let mut engine = Engine::new(Setup {
        seed: 42,
        jobs: 2000,
        start: 1_772_501_400,
        profile: Profile::Bank,
        ids_survive: false,
        late_hold: false,
        confirm_strictly: false,
    });
    for _ in 0..2 {
        for key in engine.plan.jobs.keys() {
            assert_alike(job(&engine, key, Scope::WHOLE, Role::Operator));
        }
        for key in engine.plan.streams.keys() {
            let jobs = engine.plan.streams[key].jobs.iter().take(2);
            let jobs = jobs.map(|key| job(&engine, *key, Scope::WHOLE, Role::Viewer));
            let jobs = jobs.collect();
            assert_alike(stream(&engine, key, Scope::WHOLE, Role::Operator).with(jobs));
        }
        engine.advance_to(engine.plan.end + 3600);
    }
}
