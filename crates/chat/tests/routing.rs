//! How well messages are understood, measured on a table.

use resync_chat::{Context, Intent, Language, Router, Vocabulary};
use resync_tws::model::{ActionKind, JobStatus};

use crate::plan::vocabulary;

const TUNED: &str = include_str!("utterances.tsv");
const HELD_OUT: &str = include_str!("held_out.tsv");
/// At least this share of each table is understood; the README names the figures.
const TUNED_SHARE: f64 = 1.0;
const HELD_OUT_SHARE: f64 = 0.85;

fn names_of(routing: &resync_chat::Routing) -> Vec<String> {
    let jobs = routing.entities.jobs.iter().map(|job| job.name.clone());
    let unknown = routing
        .entities
        .unknown
        .iter()
        .map(|unknown| unknown.text.clone());
    let actions = routing
        .entities
        .actions
        .iter()
        .map(|action| action.as_str().to_owned());
    jobs.chain(unknown)
        .chain(actions)
        .chain(routing.entities.streams.clone())
        .chain(routing.entities.workstations.clone())
        .chain(routing.entities.patterns.clone())
        .chain(routing.entities.message_ids.clone())
        .collect()
}

/// What is wrong with the routing of one line, if anything.
fn wrong(router: &Router, names: &Vocabulary, line: &str) -> Option<String> {
    let mut columns = line.split('\t');
    let (intent, name, text) = (columns.next()?, columns.next()?, columns.next()?);
    let routing = router.route(text, Some(names), &Context::default());
    let is = routing.intent.as_str();
    let intent_fits = match intent.strip_prefix('!') {
        Some(_) => !routing.intent.is_action() && routing.entities.actions.is_empty(),
        None => is == intent,
    };
    let found = names_of(&routing);
    let name_fits = name == "-" || found.iter().any(|found| found == name);
    (!intent_fits || !name_fits).then(|| {
        format!(
            "{text:?}: {is} {found:?}, wanted {intent} {name}; {:?}",
            routing.evidence
        )
    })
}

fn share_of(table: &'static str, least: f64) -> usize {
    let (router, names) = (Router::default(), vocabulary());
    let wrong: Vec<String> = lines(table)
        .filter_map(|line| wrong(&router, &names, line))
        .collect();
    let total = lines(table).count();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred lines")]
    let accuracy = 1.0 - wrong.len() as f64 / total as f64;
    assert!(
        accuracy >= least,
        "{accuracy:.3} of {total}\n{}",
        wrong.join("\n")
    );
    total
}

fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with('#'))
}

#[test]
fn the_table_of_messages_is_understood() {
    assert!(share_of(TUNED, TUNED_SHARE) >= 120);
}

#[test]
fn messages_that_nothing_was_tuned_to_are_understood() {
    assert!(share_of(HELD_OUT, HELD_OUT_SHARE) >= 35);
}

/// I-08: of the messages that negate or only ask about a command, not one prepares an action.
#[test]
fn no_negated_command_is_an_action() {
    let (router, names) = (Router::default(), vocabulary());
    for line in [TUNED, HELD_OUT]
        .into_iter()
        .flat_map(lines)
        .filter(|line| line.starts_with('!'))
    {
        assert_eq!(wrong(&router, &names, line), None);
    }
}

#[test]
fn routing_is_the_same_every_time() {
    let (router, names) = (Router::default(), vocabulary());
    for line in lines(TUNED) {
        let first = router.route(line, Some(&names), &Context::default());
        assert_eq!(router.route(line, Some(&names), &Context::default()), first);
    }
}

#[test]
fn entities_come_in_normal_form() {
    let (router, names) = (Router::default(), vocabulary());
    let text = "o fin_gl_post falhou na lx_prd01 ontem à noite com rc=12 e ORA-00060?";
    let routing = router.route(text, Some(&names), &Context::default());
    assert_eq!(routing.language, Language::Portuguese);
    let found: Vec<_> = routing.entities.by_type().into_iter().collect();
    let wanted = [
        ("job", "FIN_GL_POST"),
        ("message_code", "ORA-00060"),
        ("rc", "12"),
        ("status", "FAIL"),
        ("time_window", "last_night"),
        ("workstation", "LX_PRD01"),
    ];
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(kind, value)| ((*kind).to_owned(), vec![(*value).to_owned()]))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_name_that_is_nearly_one_of_the_plan_is_offered_and_not_taken() {
    let (router, names) = (Router::default(), vocabulary());
    let routing = router.route(
        "why did FIN_GL_PSOT fail?",
        Some(&names),
        &Context::default(),
    );
    assert_eq!(routing.intent, Intent::JobDiagnose);
    assert!(routing.entities.jobs.is_empty());
    assert_eq!(routing.entities.unknown[0].alike[0], "FIN_GL_POST");
}

#[test]
fn a_job_that_is_named_like_a_message_is_a_job() {
    let jobs = [crate::plan::job(
        "LX_PRD01",
        "HOUSE",
        "ABC1234E",
        JobStatus::Abend,
    )];
    let names = Vocabulary::new(&jobs, []);
    let routing =
        Router::default().route("why did ABC1234E fail?", Some(&names), &Context::default());
    assert_eq!(routing.intent, Intent::JobDiagnose);
    assert_eq!(routing.entities.jobs[0].name, "ABC1234E");
    assert!(routing.entities.message_ids.is_empty());
}

/// A large plan is no reason to be slow: the names are looked up, and only a name that is not there
/// is compared with all others.
#[test]
fn a_plan_of_many_jobs_is_routed() {
    let jobs: Vec<_> = (0..20_000)
        .map(|n| {
            crate::plan::job(
                "LX_PRD01",
                &format!("STREAM_{}", n / 50),
                &format!("JOB_{n:05}"),
                JobStatus::Succ,
            )
        })
        .collect();
    let names = Vocabulary::new(&jobs, []);
    let router = Router::default();
    let routing = router.route("status of job_00042", Some(&names), &Context::default());
    assert_eq!(routing.entities.jobs[0].name, "JOB_00042");
    let routing = router.route("status of JOB_0004Z", Some(&names), &Context::default());
    assert_eq!(routing.entities.unknown[0].alike.len(), 3);
}

#[test]
fn without_the_plan_a_name_stands_as_written() {
    let router = Router::default();
    let routing = router.route("why did XYZ_LOAD fail?", None, &Context::default());
    assert_eq!(routing.intent, Intent::JobDiagnose);
    assert_eq!(routing.entities.jobs[0].name, "XYZ_LOAD");
    assert!(routing.entities.jobs[0].candidates.is_empty());
}

#[test]
fn two_commands_are_both_seen() {
    let (router, names) = (Router::default(), vocabulary());
    let routing = router.route(
        "hold PAY_CALC and cancel it",
        Some(&names),
        &Context::default(),
    );
    assert_eq!(routing.entities.actions.len(), 2);
    assert!(routing.entities.actions.contains(&ActionKind::Hold));
}

proptest::proptest! {
    /// Whatever is typed, routing ends and its confidence is a share.
    #[test]
    fn any_text_is_routed(text in "\\PC{0,200}") {
        let routing = Router::default().route(&text, Some(&vocabulary()), &Context::default());
        proptest::prop_assert!((0.0..=1.0).contains(&routing.confidence));
    }
}
