//! What a log tells of the end of its run.
//!
//! Invariants:
//! - What was got over is not what the run died of: a line of which a later one says so names nothing,
//!   and one that much work followed is never certain.
//! - Of several causes the heaviest near the end counts; what speaks against it makes it less certain.
//! - The frame that the engine puts around a log, commands that a shell echoes and the frames of a stack
//!   name nothing.

use super::causes::Causes;
use super::signs::Shown;

/// How many ordinary lines may follow on a line that a run died of.
const LAST_LINES: usize = 50;
/// How many lines of work done may follow on it.
const WENT_ON: usize = 3;
/// How far before the line that says so lies what was got over.
const GOT_OVER: usize = 30;
/// How far apart lines of one failure may stand.
const TOGETHER: usize = 8;
/// What a return code that fits adds to a weight.
const CODE_FITS: u16 = 15;
/// What a missing return code adds where it speaks for a cause.
const NO_CODE: u16 = 60;
/// Causes that are this near in weight contest each other.
const CONTESTED: u16 = 10;
/// A text that is often a consequence must stand so near to the end to be certain.
const LIGHT_LAST_LINES: usize = 12;
/// From this weight on a text is no mere consequence.
const HEAVY: u16 = 80;
/// Below this weight a line confirms nothing.
const MAY_CONFIRM: u16 = 40;

/// How a run ended, by the engine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub(super) code: Option<i32>,
    /// It ended badly and left no return code.
    pub(super) without_code: bool,
}

/// The cause that a log names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The place of the cause.
    pub(super) cause: usize,
    /// The first line for it, from 0.
    pub(super) first: usize,
    /// The last one near the first.
    pub(super) last: usize,
    /// Whether nothing speaks against it.
    pub(super) certain: bool,
}

/// A line that names a cause.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    cause: usize,
    at: usize,
    weight: u16,
    at_the_end: bool,
    /// How many ordinary lines follow.
    after: usize,
    /// The program says itself that it is no error.
    soft: bool,
}

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Plain,
    Warning,
    Note,
}

/// The cause that the end of a log names.
pub(super) fn read(causes: &Causes, lines: &[String], ending: Ending) -> Option<Found> {
    let shown: Vec<Option<Shown>> = lines
        .iter()
        .map(|line| speaks(line).then(|| causes.signs().shown(line)))
        .collect();
    let candidates = candidates(causes, lines, &shown, ending);
    let best = best(&candidates)?;
    let near = |one: &&Candidate| one.cause == best.cause && one.at.abs_diff(best.at) <= TOGETHER;
    let own = || candidates.iter().filter(near);
    let first = own().map(|one| one.at).min().unwrap_or(best.at);
    let last = own().map(|one| one.at).max().unwrap_or(best.at);
    let sure = causes.get(best.cause).is_some_and(|known| known.sure);
    let loud = own().any(|one| !one.soft);
    let certain = sure
        && loud
        && best.at_the_end
        && (best.weight >= HEAVY || own().any(|one| one.after <= LIGHT_LAST_LINES))
        && best.weight >= MAY_CONFIRM
        && !contested(&candidates, best);
    Some(Found {
        cause: best.cause,
        first,
        last,
        certain,
    })
}

fn candidates(
    causes: &Causes,
    lines: &[String],
    shown: &[Option<Shown>],
    ending: Ending,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    let (mut after, mut went_on) = (0, 0);
    // The nearest later line that says that something was got over.
    let mut recovered: Option<usize> = None;
    for (at, (line, shown)) in lines.iter().zip(shown).enumerate().rev() {
        let Some(shown) = shown else { continue };
        if shown.recovered {
            recovered = Some(at);
        }
        let got_over = recovered.is_some_and(|by| by - at <= GOT_OVER);
        if !shown.causes.is_empty() && !got_over {
            let level = level(line);
            for &cause in &shown.causes {
                let Some(known) = causes.get(cause) else {
                    continue;
                };
                let fits = ending.code.is_some_and(|code| known.codes.contains(&code));
                let quiet = match level {
                    Level::Plain => 0,
                    Level::Warning => 5,
                    Level::Note => 15,
                };
                let weight = u16::from(known.weight)
                    + if fits { CODE_FITS } else { 0 }
                    + if known.no_code && ending.without_code {
                        NO_CODE
                    } else {
                        0
                    };
                found.push(Candidate {
                    cause,
                    at,
                    weight: if known.loud {
                        weight
                    } else {
                        weight.saturating_sub(quiet)
                    },
                    at_the_end: after <= LAST_LINES && went_on < WENT_ON,
                    after,
                    soft: level != Level::Plain && !known.loud,
                });
            }
        }
        after += 1;
        went_on += usize::from(shown.went_on);
    }
    found.reverse();
    found
}

/// The heaviest one near the end; of equal ones the first of the last few, which is where it began.
fn best(candidates: &[Candidate]) -> Option<Candidate> {
    let rank = |one: &Candidate| (one.at_the_end, one.weight);
    let top = candidates.iter().map(rank).max()?;
    let equal = || candidates.iter().filter(move |one| rank(one) == top);
    let last = equal().next_back()?;
    equal().find(|one| last.at - one.at <= TOGETHER).copied()
}

/// Whether another line speaks as loudly for another cause: a heavier one it cannot be, so one as heavy,
/// or one nearly as heavy that came before and may have led to this.
fn contested(candidates: &[Candidate], best: Candidate) -> bool {
    candidates.iter().any(|other| {
        other.at_the_end
            && other.cause != best.cause
            && other.at != best.at
            && (other.weight >= best.weight
                || other.at < best.at && other.weight + CONTESTED > best.weight)
    })
}

/// Whether a line is the program's own word.
fn speaks(line: &str) -> bool {
    let text = line.trim_start();
    let frame = line.starts_with("= ") || line.starts_with("====");
    let echo = text.starts_with("+ ") || text.starts_with("++ ") || text.starts_with("$ ");
    let stack = text.starts_with("at ") || text.starts_with("File \"") || is_rest_of_stack(text);
    !(text.is_empty() || frame || echo || stack)
}

/// `... 12 more`.
fn is_rest_of_stack(text: &str) -> bool {
    text.strip_prefix("... ")
        .and_then(|rest| rest.strip_suffix(" more"))
        .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The level that a line gives itself among its first words, in capitals or brackets.
fn level(line: &str) -> Level {
    let words = line.split_whitespace().take(6);
    for word in words {
        match word.trim_matches(|c: char| !c.is_ascii_alphanumeric()) {
            "ERROR" | "FATAL" | "SEVERE" | "CRITICAL" | "Error" | "ERR" => return Level::Plain,
            "WARN" | "WARNING" | "Warning" => return Level::Warning,
            "INFO" | "DEBUG" | "TRACE" | "NOTICE" | "Info" => return Level::Note,
            _ => {}
        }
    }
    Level::Plain
}

/// The exit status that the engine's trailer names.
pub(super) fn exit_status(lines: &[String]) -> Option<i32> {
    let trailer = lines.iter().rev().take(12);
    let mut status = trailer.filter_map(|line| line.strip_prefix("= Exit Status"));
    status
        .next()?
        .trim_start_matches([' ', ':'])
        .trim()
        .parse()
        .ok()
}
