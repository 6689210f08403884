//! What holds for any plan, whatever operators do: random commands, and the laws after each step.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{By, Command, Engine, Outcome, RerunDetails, Setup};
use crate::{
    model::{Status, StreamStatus, Target},
    table::{JobKey, Key, PromptKey, StationKey, StreamKey},
};

/// 20:00 in Rome: the night begins.
pub(super) const EVENING: i64 = 1_772_478_000;

pub(super) fn engine(seed: u64, jobs: usize, start: i64) -> Engine {
    Engine::new(Setup {
        seed,
        jobs,
        start,
        profile: crate::Profile::Bank,
        ids_survive: false,
        late_hold: false,
        confirm_strictly: false,
    })
}

pub(super) fn find(engine: &Engine, name: &str) -> JobKey {
    let mut jobs = engine.plan.jobs.iter();
    jobs.find(|(_, job)| *job.model.name == *name)
        .map(|(key, _)| key)
        .unwrap()
}

pub(super) fn pass(engine: &mut Engine, seconds: i64) {
    engine.advance_to(engine.now() + seconds);
}

pub(super) fn act(engine: &mut Engine, command: Command) -> Result<(), String> {
    engine
        .accept(command, By::default())
        .map_err(|refusal| refusal.0)
}

/// The laws of one moment.
fn check(engine: &Engine) {
    let mut busy: HashMap<StationKey, u32> = HashMap::new();
    for job in engine.plan.jobs.rows() {
        let status = job.status();
        if status.is_active() {
            *busy.entry(job.model.station).or_default() += 1;
            let blocked = job.links.iter().any(crate::model::Link::blocks);
            assert!(!blocked, "{} runs with an unmet dependency", job.path());
        }
        let numbers: Vec<u32> = job.runs().map(|run| run.number).collect();
        assert!(
            numbers.is_sorted_by(|a, b| a < b),
            "{}: runs {numbers:?}",
            job.path()
        );
        assert_eq!(
            job.queued.is_some(),
            status == Status::Ready && !job.canceled,
            "{} {status:?}",
            job.path()
        );
        assert!(job.run.started.is_none() || job.run.submitted.is_some());
        assert!(
            status != Status::Fail || job.run.code.is_none(),
            "{} FAIL with a code",
            job.path()
        );
    }
    for status in Status::ALL {
        let jobs = engine.plan.jobs.rows().iter();
        let counted = jobs.filter(|job| job.status() == status).count();
        assert_eq!(
            engine.index.count(status),
            counted,
            "the index of {status:?}"
        );
    }
    for (key, station) in engine.catalogue.stations.iter() {
        let counted = busy.get(&key).copied().unwrap_or(0);
        assert_eq!(
            station.busy, counted,
            "{} counts its slots wrong",
            station.name
        );
    }
    for resource in engine.catalogue.resources.rows() {
        let held: u32 = resource.holders.iter().map(|(_, quantity)| quantity).sum();
        assert_eq!(held, resource.used, "{} counts wrong", resource.name);
        for (holder, _) in &resource.holders {
            assert!(engine.plan.jobs[*holder].status().is_active());
        }
    }
    for stream in engine.plan.streams.rows() {
        let jobs = || stream.jobs.iter().map(|job| &engine.plan.jobs[*job]);
        match stream.status {
            StreamStatus::Stuck => {
                assert!(jobs().any(|job| job.status().is_bad() || job.status() == Status::Suppr));
                assert!(!jobs().any(|job| job.status().is_active()));
            }
            StreamStatus::Succ | StreamStatus::Abend => {
                assert!(
                    jobs().all(crate::model::Job::is_over),
                    "{} has ended too soon",
                    stream.path
                );
            }
            _ => {}
        }
        if let Some(limit) = stream.limit {
            let active = jobs().filter(|job| job.status().is_active()).count();
            assert!(
                active <= limit as usize,
                "{} is above its limit",
                stream.path
            );
        }
    }
}

/// Limits and quantities hold as long as nobody lowers them and no priority is high.
fn check_bounds(engine: &Engine) {
    for station in engine.catalogue.stations.rows() {
        let high = station.name == "MDM"; // FINAL runs with GO
        assert!(
            high || station.busy <= station.limit,
            "{} is above its limit",
            station.name
        );
    }
    for resource in engine.catalogue.resources.rows() {
        assert!(
            resource.used <= resource.quantity,
            "{} is overdrawn",
            resource.name
        );
    }
}

fn command(engine: &Engine, kind: u8, pick: u32, number: u32) -> Command {
    let job = JobKey::new(pick % u32::try_from(engine.plan.jobs.len()).unwrap());
    let stream = StreamKey::new(pick % u32::try_from(engine.plan.streams.len()).unwrap());
    let station = StationKey::new(pick % u32::try_from(engine.catalogue.stations.len()).unwrap());
    let prompts = u32::try_from(engine.plan.prompts.len()).unwrap();
    match kind {
        0 => Command::Hold(job),
        1 => Command::Release(job),
        2 => Command::ReleaseAll(job),
        3 => Command::Kill(job),
        4 => Command::Cancel(job),
        5 => Command::CancelPending(job),
        6 => Command::Confirm(job, number.is_multiple_of(2)),
        7 => Command::Priority(job, number % 100),
        8 => Command::Rerun(job, RerunDetails::default()),
        9 => Command::HoldStream(stream),
        10 => Command::ReleaseStream(stream),
        11 => Command::CancelStream(stream),
        12 => Command::Link(station, number.is_multiple_of(2)),
        13 if prompts > 0 => {
            Command::Reply(PromptKey::new(pick % prompts), number.is_multiple_of(2))
        }
        _ => Command::Start(station, !number.is_multiple_of(3)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_came_from_outside_replays_to_the_same_plan(
        seed in 0_u64..50,
        steps in prop::collection::vec((0_u8..15, 0_u32..100_000, 0_u32..1000, 1_i64..7200), 1..40),
    ) {
        let mut engine = engine(seed, 120, EVENING);
        for (kind, pick, number, seconds) in steps {
            let command = command(&engine, kind, pick, number);
            let _refused = act(&mut engine, command);
            pass(&mut engine, seconds);
        }
        let mut again = Engine::begin(engine.setup);
        let fed = again.feed(engine.inputs(), 0, engine.now());
        prop_assert_eq!(fed, engine.inputs().len());
        prop_assert_eq!(again.truth(), engine.truth());
        prop_assert_eq!(again.journal().collect::<Vec<_>>(), engine.journal().collect::<Vec<_>>());
    }

    #[test]
    fn whatever_operators_do_the_laws_hold(
        seed in 0_u64..50,
        steps in prop::collection::vec((0_u8..15, 0_u32..100_000, 0_u32..1000, 1_i64..2400), 1..60),
    ) {
        let mut engine = engine(seed, 150, EVENING);
        check(&engine);
        for (kind, pick, number, seconds) in steps {
            let command = command(&engine, kind, pick, number);
            let _refused = act(&mut engine, command);
            pass(&mut engine, seconds);
            check(&engine);
            check_bounds(&engine);
        }
        let state = engine.state();
        let counts = state["jobs"].as_object().unwrap().values();
        let sum: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
        prop_assert_eq!(Some(sum), state["jobCount"].as_u64());
    }
}

#[test]
fn three_nights_leave_the_laws_whole_and_the_plan_no_larger() {
    let mut engine = engine(42, 2000, EVENING);
    let mut sizes = Vec::new();
    for _ in 0..72 {
        pass(&mut engine, 3600);
        check(&engine);
        check_bounds(&engine);
        sizes.push((engine.plan.run_number, engine.plan.jobs.len()));
    }
    assert_eq!(engine.plan.run_number, 4);
    let largest = sizes.iter().map(|(_, jobs)| *jobs).max().unwrap();
    assert!((2000..3000).contains(&largest), "{largest} jobs in a plan");
}

#[test]
fn later_nights_have_incidents_that_tie_failures_together() {
    let mut engine = engine(42, 2000, EVENING);
    let mut tied = 0;
    for _ in 0..4 {
        let next = engine.plan.end + 300;
        engine.advance_to(next);
        let night = engine.plan.end - 3600;
        engine.advance_to(night);
        let truth = engine.truth();
        let incidents = truth["incidents"].as_array().unwrap();
        assert!((1..=3).contains(&incidents.len()), "{incidents:?}");
        let hit = incidents
            .iter()
            .map(|row| row["jobs"].as_array().unwrap().len());
        tied += hit.filter(|jobs| *jobs >= 2).count();
    }
    assert!(tied >= 2, "{tied} incidents hit more than one job");
}

#[test]
fn a_quiet_night_has_no_failure_and_a_helped_one_gets_its_rerun() {
    let with = |profile| {
        let bank = engine(42, 600, EVENING);
        Engine::new(Setup {
            profile,
            ..bank.setup
        })
    };
    let mut quiet = with(crate::Profile::Quiet);
    pass(&mut quiet, 15 * 3600);
    let truth = quiet.truth();
    assert_eq!(truth["failures"], serde_json::json!([]));
    let mut helped = with(crate::Profile::Helped);
    let post = find(&helped, "FIN_GL_POST");
    pass(&mut helped, 3 * 3600 + 30 * 60); // 23:30
    let job = &helped.plan.jobs[post];
    assert_eq!(job.run.number, 2);
    let waited = job.run.submitted.unwrap() - job.earlier[0].ended.unwrap();
    assert!((24 * 60..27 * 60).contains(&waited), "after {waited} s");
    let mut small = with(crate::Profile::Small);
    pass(&mut small, 6 * 3600);
    let job = &small.plan.jobs[find(&small, "SHOP_INVOICE_RUN")];
    assert_eq!((job.status(), job.run.code), (Status::Abend, Some(8)));
}

#[test]
fn the_night_at_half_past_two_is_the_one_that_was_told() {
    let engine = engine(42, 2000, 1_772_501_400);
    let job = |name| &engine.plan.jobs[find(&engine, name)];
    let post = job("FIN_GL_POST");
    assert_eq!((post.status(), post.run.code), (Status::Abend, Some(12)));
    assert_eq!(engine.plan.streams[post.stream].status, StreamStatus::Stuck);
    let net = job("PAY_NET_CALC");
    assert_eq!((net.status(), net.run.code), (Status::Abend, Some(8)));
    let backup = job("BKP_DB_FINDB01");
    assert_eq!((backup.status(), backup.run.code), (Status::Succ, Some(4)));
    let clearing = job("CARD_RECV_CLEARING");
    assert!(
        clearing.run.submitted.unwrap() >= EVENING + 22 * 60,
        "the file came at 20:22"
    );
    let victims = engine.victims(find(&engine, "FIN_GL_POST")).len();
    assert!(victims > 150, "{victims} victims");
    let lost = engine
        .catalogue
        .stations
        .iter()
        .find(|(_, s)| s.name == "DWHETL03")
        .unwrap()
        .0;
    assert!(!engine.is_able(lost));
    let count = |status| {
        engine
            .plan
            .jobs
            .rows()
            .iter()
            .filter(|j| j.status() == status)
            .count()
    };
    let waiting = engine.plan.jobs.rows().iter();
    let waiting = waiting.filter(|j| j.model.station == lost && j.status() == Status::Ready);
    assert!(waiting.count() >= 4, "nobody waits for the agent");
    assert!(count(Status::Exec) >= 10 && count(Status::Hold) > 400 && count(Status::Succ) > 900);
    assert!(
        engine
            .plan
            .jobs
            .rows()
            .iter()
            .any(|j| j.priority == 0 && j.status() == Status::Hold)
    );
    assert!(
        engine
            .plan
            .prompts
            .rows()
            .iter()
            .any(|p| p.state == crate::model::Answer::Asked)
    );
}

#[test]
fn a_rerun_of_the_ledger_post_succeeds_and_frees_the_night() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let post = find(&engine, "FIN_GL_POST");
    let stream = engine.plan.jobs[post].stream;
    pass(&mut engine, 3600);
    assert_eq!(
        engine.plan.streams[stream].status,
        StreamStatus::Stuck,
        "it stays so by itself"
    );
    act(&mut engine, Command::Rerun(post, RerunDetails::default())).unwrap();
    assert_eq!(
        engine.plan.jobs[post].run.number, 1,
        "the answer comes before the effect"
    );
    pass(&mut engine, 30);
    assert_eq!(engine.plan.jobs[post].status(), Status::Exec);
    assert_eq!(engine.plan.streams[stream].status, StreamStatus::Exec);
    pass(&mut engine, 4 * 3600);
    assert_eq!(engine.plan.jobs[post].status(), Status::Succ);
    assert_eq!(
        engine.plan.jobs[find(&engine, "FIN_CLOSE_DAY")].status(),
        Status::Succ
    );
    assert!(engine.victims(post).is_empty());
}

#[test]
fn a_rerun_of_the_payroll_fails_the_same_way() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let net = find(&engine, "PAY_NET_CALC");
    act(&mut engine, Command::Rerun(net, RerunDetails::default())).unwrap();
    pass(&mut engine, 3600);
    let job = &engine.plan.jobs[net];
    assert_eq!(
        (job.run.number, job.status(), job.run.code),
        (2, Status::Abend, Some(8))
    );
    engine.script("PAY_NET_CALC", Outcome::succeeds());
    act(&mut engine, Command::Rerun(net, RerunDetails::default())).unwrap();
    pass(&mut engine, 2 * 3600);
    assert_eq!(
        engine.plan.jobs[net].status(),
        Status::Succ,
        "unlocked by script"
    );
}

#[test]
fn each_action_is_refused_where_the_table_says_so() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let by_status = |engine: &Engine, status: Status| {
        let mut jobs = engine.plan.jobs.iter();
        jobs.find(|(_, job)| {
            job.status() == status
                && !job.canceled
                && job.priority > 0
                && !job.repeats
                && job.model.every.is_none()
        })
        .unwrap()
        .0
    };
    let details = RerunDetails::default();
    for (status, hold, kill, cancel, release_all, rerun, succ) in [
        (Status::Hold, true, false, true, true, false, true),
        (Status::Ready, true, false, true, false, false, true),
        (Status::Exec, false, true, true, false, false, true),
        (Status::Succ, false, false, false, false, true, false),
        (Status::Abend, false, false, false, false, true, true),
    ] {
        let job = by_status(&engine, status);
        for (command, allowed) in [
            (Command::Hold(job), hold),
            (Command::Kill(job), kill),
            (Command::Cancel(job), cancel),
            (Command::CancelPending(job), cancel),
            (Command::ReleaseAll(job), release_all),
            (Command::Rerun(job, details.clone()), rerun),
            (Command::Confirm(job, true), succ),
            (Command::Release(job), false),
            (Command::Priority(job, 50), cancel),
            (Command::Priority(job, 102), false),
        ] {
            let accepted = engine.check(&command).is_ok();
            assert_eq!(accepted, allowed, "{command:?} in {status:?}");
        }
    }
    let held = engine
        .plan
        .jobs
        .iter()
        .find(|(_, job)| job.priority == 0)
        .unwrap()
        .0;
    act(&mut engine, Command::Release(held)).unwrap();
    pass(&mut engine, 1);
    assert!(engine.plan.jobs[held].priority > 0);
}

#[test]
fn a_killed_job_abends_late_and_without_a_code() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let running = engine
        .plan
        .jobs
        .iter()
        .find(|(_, job)| job.status() == Status::Exec && job.model.estimated > 3600);
    let (key, _) = running.unwrap();
    act(&mut engine, Command::Kill(key)).unwrap();
    pass(&mut engine, 1);
    assert_eq!(engine.plan.jobs[key].status(), Status::Exec);
    pass(&mut engine, 8);
    let job = &engine.plan.jobs[key];
    assert_eq!(
        (job.status(), job.run.code, job.run.killed),
        (Status::Abend, None, true)
    );
}

#[test]
fn cancelling_frees_successors_and_a_reply_frees_its_job() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let net = find(&engine, "PAY_NET_CALC");
    // Ended jobs are not cancelled: the failed one is confirmed instead.
    assert!(act(&mut engine, Command::Cancel(net)).is_err());
    act(&mut engine, Command::Confirm(net, true)).unwrap();
    let approve = find(&engine, "PAY_APPROVE_TOTALS");
    let prompt = engine.plan.jobs[approve]
        .links
        .iter()
        .find_map(|link| match link.target {
            Target::Prompt(prompt) => Some(prompt),
            _ => None,
        });
    act(&mut engine, Command::Reply(prompt.unwrap(), true)).unwrap();
    assert!(
        act(&mut engine, Command::Reply(prompt.unwrap(), true)).is_ok(),
        "not yet answered"
    );
    pass(&mut engine, 1800);
    assert!(
        act(&mut engine, Command::Reply(prompt.unwrap(), true)).is_err(),
        "answered once"
    );
    assert_eq!(engine.plan.jobs[approve].status(), Status::Succ);
    let file = find(&engine, "PAY_SEPA_FILE");
    assert!(
        !engine.plan.jobs[file].status().waits(),
        "both predecessors are out of the way"
    );
    let waiting = find(&engine, "REG_COLLECT");
    let close = find(&engine, "FIN_CLOSE_DAY");
    act(&mut engine, Command::Cancel(close)).unwrap();
    pass(&mut engine, 3600);
    assert!(
        !engine.plan.jobs[waiting].status().waits(),
        "cancelled predecessors free"
    );
}

#[test]
fn linking_the_lost_agent_starts_what_waits_for_it() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let lost = engine
        .catalogue
        .stations
        .iter()
        .find(|(_, s)| s.name == "DWHETL03")
        .unwrap()
        .0;
    let job = find(&engine, "DWH_STAGE_CARDS");
    assert_eq!(engine.plan.jobs[job].status(), Status::Ready);
    act(&mut engine, Command::Link(lost, true)).unwrap();
    pass(&mut engine, 30);
    assert_eq!(engine.plan.jobs[job].status(), Status::Exec);
}

#[test]
fn the_day_edge_carries_what_is_unfinished_under_new_ids() {
    let mut engine = engine(42, 2000, 1_772_501_400);
    let post = &engine.plan.jobs[find(&engine, "FIN_GL_POST")];
    let (id, persistent, sched) = (
        post.id,
        post.persistent_id,
        engine.plan.streams[post.stream].sched,
    );
    let end = engine.plan.end;
    engine.advance_to(end + 300);
    assert_eq!(engine.plan.run_number, 2);
    assert!(!engine.index.jobs.contains_key(&id));
    let carried = engine
        .plan
        .jobs
        .rows()
        .iter()
        .find(|job| job.persistent_id == persistent);
    let carried = carried.unwrap();
    let stream = &engine.plan.streams[carried.stream];
    assert_eq!(
        (carried.status(), stream.status),
        (Status::Abend, StreamStatus::Stuck)
    );
    assert_eq!((stream.sched, stream.carried), (sched, 1));
    let kept = engine.plan.streams.rows().iter().filter(|s| s.carried > 0);
    assert!(kept.clone().all(|stream| !stream.status.has_ended()
        || stream.canceled
        || stream.ended.is_some_and(|ended| ended >= end)));
    assert!(kept.count() < 60);
}

#[test]
fn reads_are_refused_for_a_short_while_at_the_edge() {
    let mut engine = engine(42, 100, 1_772_501_400);
    let end = engine.plan.end;
    let mut refused = 0;
    for second in 0..400 {
        engine.advance_to(end + second);
        refused += i32::from(engine.is_switching());
    }
    assert!((30..=90).contains(&refused), "{refused} s");
}

#[test]
fn one_step_and_many_steps_come_to_the_same_plan() {
    let (mut one, mut many) = (engine(7, 300, EVENING), engine(7, 300, EVENING));
    pass(&mut one, 36_000);
    for _ in 0..3600 {
        pass(&mut many, 10);
    }
    assert_eq!(one.truth(), many.truth());
    assert_eq!(
        one.journal().collect::<Vec<_>>(),
        many.journal().collect::<Vec<_>>()
    );
}

#[test]
fn a_larger_plan_leaves_the_fate_of_the_smaller_one_alone() {
    let (small, large) = (engine(42, 600, EVENING), engine(42, 700, EVENING));
    let durations = |engine: &Engine| {
        let jobs = engine.plan.jobs.rows().iter();
        let ran = jobs.filter_map(|job| {
            job.earlier.is_empty().then_some(())?;
            Some((job.path().to_string(), job.run.fate?.duration))
        });
        ran.collect::<HashMap<_, _>>()
    };
    let (small, large) = (durations(&small), durations(&large));
    assert!(small.len() > 30);
    let common = small.iter().filter(|(path, _)| large.contains_key(*path));
    for (path, duration) in common {
        assert_eq!(large[path], *duration, "{path}");
    }
}
