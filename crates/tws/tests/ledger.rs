//! Any order of proposals, confirmations, waits and changes, against the promises of an action.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use resync_kernel::SecretString;
use resync_tws::model::{Action, Job, JobStatus};
use resync_tws::{ConfirmError, ConfirmRequest};

use crate::fixture::{World, actor, confirmation, ended, token, waiting};

const JOBS: [&str; 2] = ["a", "b"];
const ACTIONS: [Action; 3] = [Action::RERUN, Action::Hold, Action::Cancel];

#[derive(Debug, Clone)]
enum Step {
    Propose {
        job: usize,
        action: usize,
    },
    /// The owner, another user, or the owner in another session confirms the n-th proposal.
    Confirm {
        proposal: usize,
        who: usize,
    },
    /// As `Confirm` by the owner, but for another job or action than was proposed.
    Misuse {
        proposal: usize,
        job: usize,
        action: usize,
    },
    Wait {
        seconds: u64,
    },
    /// The job changes behind our back.
    Change {
        job: usize,
        waits: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..2_usize, 0..3_usize).prop_map(|(job, action)| Step::Propose { job, action }),
        4 => (0..8_usize, 0..3_usize).prop_map(|(proposal, who)| Step::Confirm { proposal, who }),
        1 => (0..8_usize, 0..2_usize, 0..3_usize)
            .prop_map(|(proposal, job, action)| Step::Misuse { proposal, job, action }),
        1 => (1..200_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (0..2_usize, any::<bool>()).prop_map(|(job, waits)| Step::Change { job, waits }),
    ]
}

struct Made {
    job: usize,
    action: usize,
    token: SecretString,
    at: u64,
}

fn fresh(job: usize, waits: bool) -> Job {
    if waits {
        waiting(JOBS[job])
    } else {
        ended(JOBS[job], JobStatus::Abend, 12)
    }
}

async fn story(steps: Vec<Step>) {
    let world = World::new(vec![fresh(0, false), fresh(1, true)]);
    let mut made: Vec<Made> = Vec::new();
    let mut used: HashMap<usize, usize> = HashMap::new();
    let mut now = 0;
    for step in steps {
        let sent = world.engine.acted().len();
        let mut may_send = false;
        match step {
            Step::Propose { job, action } => {
                if let Ok(proposal) = world.propose(JOBS[job], ACTIONS[action]).await {
                    made.push(Made {
                        job,
                        action,
                        token: token(proposal),
                        at: now,
                    });
                }
            }
            Step::Confirm { proposal, who } => {
                let Some(of) = made.get(proposal) else {
                    continue;
                };
                let who_acts = [actor(1, "s1"), actor(2, "s1"), actor(1, "s2")];
                let request = ConfirmRequest {
                    actor: who_acts[who].clone(),
                    ..confirmation(JOBS[of.job], ACTIONS[of.action], &of.token)
                };
                let result = world.actions.confirm(request).await;
                if who != 0 {
                    assert!(
                        matches!(result, Err(ConfirmError::UnknownProposal)),
                        "{result:?}"
                    );
                } else if used.contains_key(&proposal) {
                    assert!(matches!(result, Err(ConfirmError::Used)), "{result:?}");
                } else if now - of.at >= 300 {
                    assert!(matches!(result, Err(ConfirmError::Expired)), "{result:?}");
                } else if result.is_ok() {
                    may_send = true;
                    *used.entry(proposal).or_insert(0) += 1;
                }
            }
            Step::Misuse {
                proposal,
                job,
                action,
            } => {
                let Some(of) = made.get(proposal) else {
                    continue;
                };
                if (job, action) == (of.job, of.action) {
                    continue;
                }
                let request = confirmation(JOBS[job], ACTIONS[action], &of.token);
                let result = world.actions.confirm(request).await;
                assert!(
                    matches!(result, Err(ConfirmError::UnknownProposal)),
                    "{result:?}"
                );
            }
            Step::Wait { seconds } => {
                world.clock.advance(Duration::from_secs(seconds));
                now += seconds;
            }
            Step::Change { job, waits } => world.engine.put(fresh(job, waits)),
        }
        let sent = world.engine.acted().len() - sent;
        assert_eq!(
            sent,
            usize::from(may_send),
            "a call without a redeemed proposal"
        );
    }
    assert!(
        used.values().all(|&times| times == 1),
        "a proposal was used twice"
    );
    let calls = world.engine.acted().len();
    assert_eq!(calls, used.len());
    assert_eq!(
        world.rows().await.len(),
        calls * 2,
        "one intent and one outcome a call"
    );
    assert!(world.audit.verify().await.unwrap().valid);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// I-08: no call goes out without a proposal that its own user redeemed, in its time, once.
    /// I-09: each call leaves one intent and one outcome.
    #[test]
    fn no_call_goes_out_without_a_redeemed_proposal(
        steps in proptest::collection::vec(step(), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(story(steps));
    }
}
