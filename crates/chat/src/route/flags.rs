//! What the rules ask of a message beside its words.

use super::decision::Read;
use super::entities::Entities;
use super::rules::Symbol;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct About {
    /// It names a job, or something written like one.
    pub(super) names_job: bool,
    /// It says "it", and names no job.
    pub(super) pronoun: bool,
    /// It means the job that was spoken of before.
    pub(super) refers: bool,
}

impl About {
    pub(super) fn of(read: &Read<'_>, entities: &Entities) -> Self {
        let words = &read.message.words;
        let names_job = !entities.jobs.is_empty() || words.iter().any(|word| word == "<job>");
        let names_other = !entities.streams.is_empty() || !entities.patterns.is_empty();
        let pronoun = !names_job && !names_other && read.says("its");
        let follows = read.at(0, "follow").is_some() || read.at(0, "join").is_some();
        let long = words.len();
        let brief = long <= 3 || (follows && long <= 6);
        let others =
            names_other || !entities.workstations.is_empty() || !entities.engines.is_empty();
        let plural = read.says("many") || read.says("jobs_word") || read.says("plan");
        let refers = read.context.job.is_some()
            && !names_job
            && !names_other
            && (pronoun || !plural)
            && (pronoun || (brief && !others));
        Self {
            names_job,
            pronoun,
            refers,
        }
    }
}

/// The flags that hold for the words from `from` up to `to`, or for one clause.
pub(super) fn flags(
    read: &Read<'_>,
    entities: &Entities,
    about: About,
    from: usize,
    to: usize,
    clause: Option<usize>,
) -> Vec<Symbol> {
    let words = read.message.words.get(from..to).unwrap_or(&[]);
    let has = |word: &str| words.iter().any(|known| known == word);
    let says = |class: &str| {
        let class = read.rules.class(class);
        (from..to).any(|at| read.spans.longest(at, class).is_some())
    };
    let part = clause.is_some();
    let whole = !part;
    let commands = read.commands;
    let of_clause = |list: bool| match clause {
        None => list,
        Some(clause) => {
            list && commands
                .deeds
                .get(clause)
                .is_some_and(|deeds| !deeds.is_empty())
        }
    };
    // A clause without a name is about the job of the others, unless it speaks of something else.
    let elsewhere = ["plan", "ws_word", "jobs_word", "many"]
        .iter()
        .any(|class| says(class))
        || has("<ws>")
        || has("<stream>");
    let inherits = part && about.names_job && !elsewhere;
    let job = has("<job>") || about.refers || inherits;
    let status = says_value(read, from, to, false);
    let link = says_value(read, from, to, true);
    let bare = words
        .iter()
        .enumerate()
        .all(|(at, word)| word.starts_with('<') || read.at(from + at, "filler").is_some());
    let understood = (from..to).any(|at| !read.spans.at(at).is_empty());
    let given = commands
        .given
        .iter()
        .any(|given| clause.is_none_or(|clause| clause == given.clause));
    let asked = (from..to).any(|at| read.message.asked.get(at) == Some(&true));
    let all = [
        ("job", job),
        ("ref", about.pronoun && (whole || says("its"))),
        ("stream", has("<stream>")),
        ("ws", has("<ws>")),
        ("engine", has("<engine>")),
        ("pattern", has("<pattern>")),
        ("msg", has("<msg>")),
        ("rc", whole && !entities.return_codes.is_empty()),
        ("time", whole && !entities.windows.is_empty()),
        ("status", status),
        ("link", link),
        ("question", asked),
        ("short", words.len() <= 3),
        (
            "bare",
            bare && words.iter().any(|word| word.starts_with('<')),
        ),
        ("given", given),
        ("asked", of_clause(!commands.asked.is_empty())),
        ("negated", of_clause(!commands.negated.is_empty())),
        ("reported", of_clause(!commands.reported.is_empty())),
        ("gibberish", !understood),
    ];
    all.into_iter()
        .filter(|(_, holds)| *holds)
        .filter_map(|(name, _)| read.rules.flag(name))
        .collect()
}

/// Whether a state of jobs, or of workstations, is named.
fn says_value(read: &Read<'_>, from: usize, to: usize, link: bool) -> bool {
    let values = read.rules.statuses().iter();
    values
        .filter(|value| matches!(value.value.as_str(), "LINKED" | "UNLINKED") == link)
        .any(|value| (from..to).any(|at| read.spans.longest(at, Some(value.symbol)).is_some()))
}
