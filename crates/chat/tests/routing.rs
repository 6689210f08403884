//! How well messages are understood, measured on labelled ones.

use std::collections::{BTreeMap, BTreeSet};

use resync_chat::{
    Analysis, Context, Intent, KnownJob, Language, Pending, Router, Standing, Vocabulary,
};
use resync_tws::model::{ActionKind, JobId, JobStatus};

use crate::plan::vocabulary;

const PLAN: &str = include_str!("utterances/plan.tsv");
const TUNED: &str = include_str!("utterances/tuned.tsv");
const OLD: &str = include_str!("utterances/old.tsv");
const HELD_OUT: &str = include_str!("utterances/held_out.tsv");

fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}

/// The names that the labelled messages speak of.
fn plan() -> Vocabulary {
    let mut jobs = Vec::new();
    let (mut workstations, mut engines) = (Vec::new(), Vec::new());
    for line in lines(PLAN) {
        let columns: Vec<&str> = line.split('\t').collect();
        match columns.as_slice() {
            ["job", name, stream, workstation, state] => {
                let status = JobStatus::read(state);
                jobs.push(crate::plan::job(workstation, stream, name, status));
            }
            ["workstation", name] => workstations.push(*name),
            ["engine", name] => engines.push(*name),
            ["job_stream", _] => {}
            _ => panic!("{line}"),
        }
    }
    Vocabulary::new(&jobs, workstations).with_engines(engines)
}

/// A labelled message.
struct Utterance {
    language: &'static str,
    kind: &'static str,
    intents: Vec<&'static str>,
    entities: BTreeMap<String, BTreeSet<String>>,
    also: Vec<&'static str>,
    context: Context,
    text: &'static str,
}

fn utterance(line: &'static str, names: &Vocabulary) -> Utterance {
    let columns: Vec<&str> = line.splitn(7, '\t').collect();
    let [language, kind, intents, entities, also, context, text] = columns.as_slice() else {
        panic!("{line}");
    };
    let entities = entities.split(';').filter(|part| *part != "-");
    let entities = entities
        .map(|part| {
            let (kind, values) = part.split_once('=').unwrap();
            let values = values.split(',').map(str::to_owned).collect();
            (kind.to_owned(), values)
        })
        .collect();
    Utterance {
        language,
        kind,
        intents: intents.split('|').collect(),
        entities,
        also: also.split(',').filter(|also| *also != "-").collect(),
        context: context_of(context, names),
        text,
    }
}

fn context_of(label: &str, names: &Vocabulary) -> Context {
    let mut context = Context::default();
    for part in label.split(';') {
        match part.split_once('=') {
            Some(("job", name)) => {
                let known = names.jobs(name).first();
                context.job = Some(KnownJob {
                    id: known.map_or_else(|| JobId::parse(name).unwrap(), |job| job.id.clone()),
                    name: name.to_owned(),
                    label: known.map_or_else(|| name.to_owned(), |job| job.label.clone()),
                    standing: known.map_or(Standing::Other, |job| job.phase.into()),
                });
            }
            Some(("pending", intent)) => {
                let intent = serde_json::from_value(intent.into()).unwrap();
                context.pending = Some(Pending {
                    intent,
                    action: intent.action(),
                });
            }
            _ => assert_eq!(part, "-"),
        }
    }
    context
}

/// What a table came to.
#[derive(Debug, Default)]
struct Score {
    /// Messages and those whose intent is right, by language.
    intents: BTreeMap<&'static str, (u32, u32)>,
    kinds: BTreeMap<&'static str, (u32, u32)>,
    /// Names that are right, too many, missing.
    names: (u32, u32, u32),
    /// All entities that are right, too many, missing.
    entities: (u32, u32, u32),
    /// Messages whose further intents are right.
    also: u32,
    /// Wanted and read intents of the wrong ones.
    confused: BTreeMap<(&'static str, String, &'static str), u32>,
    /// An action was read where none was asked.
    unsafe_readings: u32,
    /// An injection was not recognised, or an ordinary message was taken for one.
    missed_injections: u32,
    false_alarms: u32,
    wrong: Vec<String>,
}

const NAMES: [&str; 4] = ["job", "job_stream", "workstation", "engine"];

fn score(table: &'static str) -> Score {
    let (router, names) = (Router::default(), plan());
    let mut score = Score::default();
    for line in lines(table) {
        let wanted = utterance(line, &names);
        let analysis: Analysis = router
            .route(wanted.text, Some(&names), &wanted.context)
            .into();
        score.add(&wanted, &analysis);
    }
    score
}

impl Score {
    fn add(&mut self, wanted: &Utterance, is: &Analysis) {
        let right = wanted.intents.contains(&is.intent.as_str());
        for (counts, key) in [
            (&mut self.intents, wanted.language),
            (&mut self.kinds, wanted.kind),
        ] {
            let (all, good) = counts.entry(key).or_default();
            *all += 1;
            *good += u32::from(right);
        }
        let mut exact = true;
        let kinds: BTreeSet<&String> = wanted.entities.keys().chain(is.entities.keys()).collect();
        for kind in kinds {
            let none = BTreeSet::new();
            let expected = wanted.entities.get(kind).unwrap_or(&none);
            let found: BTreeSet<String> = is
                .entities
                .get(kind)
                .into_iter()
                .flatten()
                .cloned()
                .collect();
            let count = |values: std::collections::btree_set::Intersection<'_, String>| {
                u32::try_from(values.count()).unwrap()
            };
            let good = count(expected.intersection(&found));
            let many = u32::try_from(found.len()).unwrap() - good;
            let missing = u32::try_from(expected.len()).unwrap() - good;
            exact &= many == 0 && missing == 0;
            let mut tallies = vec![&mut self.entities];
            if NAMES.contains(&kind.as_str()) {
                tallies.push(&mut self.names);
            }
            for tally in tallies {
                tally.0 += good;
                tally.1 += many;
                tally.2 += missing;
            }
        }
        let further: BTreeSet<&str> = is.also.iter().map(|intent| intent.as_str()).collect();
        let also = further == wanted.also.iter().copied().collect();
        self.also += u32::from(also);
        let reads_action = is.intent.is_action() || is.also.iter().any(|intent| intent.is_action());
        let asks_action = wanted
            .intents
            .iter()
            .chain(&wanted.also)
            .any(|intent| intent.starts_with("action_"));
        self.unsafe_readings += u32::from(reads_action && !asks_action);
        let injection = wanted.intents.contains(&"prompt_injection");
        let recognised = is.intent == Intent::PromptInjection;
        self.missed_injections += u32::from(injection && !recognised);
        self.false_alarms += u32::from(!injection && recognised);
        if !right {
            let key = (
                wanted.language,
                wanted.intents.join("|"),
                is.intent.as_str(),
            );
            *self.confused.entry(key).or_default() += 1;
        }
        if !right || !exact || !also {
            let what = if right { "" } else { "INTENT " };
            let number: u32 = self.intents.values().map(|(all, _)| all).sum();
            self.wrong.push(format!(
                "{number} {what}{} {:?}: {} {:?} also {further:?}, wanted {} {:?} also {:?}; {:?}",
                wanted.kind,
                wanted.text,
                is.intent.as_str(),
                is.entities,
                wanted.intents.join("|"),
                wanted.entities,
                wanted.also,
                is.evidence
            ));
        }
    }

    fn accuracy(&self, language: &str) -> f64 {
        let (all, good) = self.intents[language];
        f64::from(good) / f64::from(all)
    }

    fn report(&self) -> String {
        let kinds: Vec<String> = self
            .kinds
            .iter()
            .map(|(kind, (all, good))| format!("{kind} {good}/{all}"))
            .collect();
        let all: u32 = self.intents.values().map(|(all, _)| all).sum();
        format!(
            "intents: en {:.3}, pt {:.3}; by kind: {}; F1 of names {:.3}, of all entities {:.3}; \
             further intents {}/{all}; unsafe {}; injections missed {}, false alarms {}; confused {:?}",
            self.accuracy("en"),
            self.accuracy("pt"),
            kinds.join(", "),
            f1(self.names),
            f1(self.entities),
            self.also,
            self.unsafe_readings,
            self.missed_injections,
            self.false_alarms,
            self.confused
        )
    }
}

fn f1((good, many, missing): (u32, u32, u32)) -> f64 {
    2.0 * f64::from(good) / f64::from(2 * good + many + missing)
}

/// The least that each table must come to; the README tells the figures.
struct Least {
    intents: f64,
    names: f64,
    injections_missed: u32,
    false_alarms: u32,
}

/// No action where none was asked for, whatever the table, and no fewer understood than `least`.
fn assert_at_least(score: &Score, least: &Least) {
    println!("{}", score.report());
    assert_eq!(score.unsafe_readings, 0, "{}", score.report());
    assert!(score.accuracy("en") >= least.intents, "{}", score.report());
    assert!(score.accuracy("pt") >= least.intents, "{}", score.report());
    assert!(f1(score.names) >= least.names, "{}", score.report());
    assert!(
        score.missed_injections <= least.injections_missed,
        "{}",
        score.report()
    );
    assert!(
        score.false_alarms <= least.false_alarms,
        "{}",
        score.report()
    );
}

#[test]
fn messages_that_the_rules_were_made_on_are_understood() {
    let score = score(TUNED);
    println!("{}", score.wrong.join("\n"));
    let least = Least {
        intents: 0.985,
        names: 0.995,
        injections_missed: 0,
        false_alarms: 0,
    };
    assert_at_least(&score, &least);
}

/// Nobody has read these while writing rules: what is wrong is told by intent, never by sentence.
#[test]
fn messages_that_nothing_was_tuned_to_are_understood() {
    let least = Least {
        intents: 0.885,
        names: 0.99,
        injections_missed: 8,
        false_alarms: 0,
    };
    assert_at_least(&score(HELD_OUT), &least);
}

/// What is wrong with the routing of one line of the old table, if anything.
fn old_wrong(router: &Router, names: &Vocabulary, line: &str) -> Option<String> {
    let mut columns = line.split('\t');
    let (intent, name, text) = (columns.next()?, columns.next()?, columns.next()?);
    let routing = router.route(text, Some(names), &Context::default());
    let is = routing.open.unwrap_or(routing.intent);
    let intent_fits = match intent.strip_prefix('!') {
        Some(_) => !is.is_action() && routing.entities.actions.is_empty(),
        None => intent.split('|').any(|wanted| wanted == is.as_str()),
    };
    let jobs = routing.entities.jobs.iter().map(|job| job.name.clone());
    let unknown = routing
        .entities
        .unknown
        .iter()
        .map(|name| name.text.clone());
    let actions = routing
        .entities
        .actions
        .iter()
        .map(|action| action.as_str().to_owned());
    let found: Vec<String> = jobs
        .chain(unknown)
        .chain(actions)
        .chain(routing.entities.streams.clone())
        .chain(routing.entities.workstations.clone())
        .chain(routing.entities.patterns.clone())
        .chain(routing.entities.message_ids.clone())
        .collect();
    let name_fits = name == "-" || found.iter().any(|found| found == name);
    (!intent_fits || !name_fits).then(|| {
        format!(
            "{text:?}: {} {found:?}, wanted {intent} {name}; {:?}",
            is.as_str(),
            routing.evidence
        )
    })
}

#[test]
fn messages_of_earlier_rules_are_still_understood() {
    let (router, names) = (Router::default(), vocabulary());
    let wrong: Vec<String> = lines(OLD)
        .filter_map(|line| old_wrong(&router, &names, line))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(lines(OLD).count() >= 280);
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
    let found: Vec<_> = routing.by_type().into_iter().collect();
    let wanted = [
        ("job", "FIN_GL_POST"),
        ("message_code", "ORA-00060"),
        ("rc", "12"),
        ("status", "ABEND"),
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
    assert_eq!(routing.intent, Intent::Clarify);
    assert_eq!(routing.open, Some(Intent::JobDiagnose));
    assert!(routing.entities.jobs.is_empty());
    assert_eq!(routing.clarify[0], "FIN_GL_POST");
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

/// The worst that a message of the greatest length can be: nothing in it makes routing work by the
/// square of its length.
#[test]
fn a_message_of_the_greatest_length_is_routed() {
    let (router, names) = (Router::default(), vocabulary());
    let unknown: String = (0..500)
        .map(|n| ["X_", &n.to_string(), " "].concat())
        .collect();
    for text in [
        "why ".repeat(1_000),
        "i ".repeat(2_000),
        "ignroe alll ".repeat(300),
        unknown,
    ] {
        let routing = router.route(&text, Some(&names), &Context::default());
        assert_eq!(
            router.route(&text, Some(&names), &Context::default()),
            routing
        );
    }
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
        static ROUTER: std::sync::LazyLock<(Router, Vocabulary)> =
            std::sync::LazyLock::new(|| (Router::default(), vocabulary()));
        let (router, names) = &*ROUTER;
        let routing = router.route(&text, Some(names), &Context::default());
        proptest::prop_assert!((0.0..=1.0).contains(&routing.confidence));
    }
}
