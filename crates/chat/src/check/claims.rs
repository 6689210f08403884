//! What a text claims that can be checked: numbers, shares, times, durations, names, marks of sources.
//!
//! Invariant: the same reading is used for the text of an answer and for the words of its evidence, so
//! a claim that was copied from the evidence reads the same there.

use std::ops::Range;

use crate::text::fold;

/// A claim, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) at: Range<usize>,
    pub(super) what: What,
}

/// The sorts of claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// `[e1]`.
    Mark(String),
    /// A number; `1,234` has two readings.
    Number(Vec<String>),
    /// A number behind the word "line".
    Line(String),
    /// A share of a hundred.
    Percent(Vec<String>),
    /// A time of day, `HH:MM` or `HH:MM:SS`.
    Time(String),
    /// A day, `YYYY-MM-DD`, or `MM-DD` where no year was said.
    Day(String),
    /// Seconds, and the seconds of the smallest unit that was said.
    Duration(u64, u64),
    /// A name, an id, a state, an address: folded to lower case.
    Name(String),
}

/// A word and where it stands.
struct Word<'a> {
    at: Range<usize>,
    raw: &'a str,
    low: String,
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || "_-.#/@:,%+$'’\u{a0}\u{202f}".contains(c)
}

/// The words of `text`, with the marks that names, numbers and times are written with.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        // A hard blank belongs to a number that is written in groups, and else parts words.
        let hard = matches!(c, '\u{a0}' | '\u{202f}');
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let groups = hard
            && digit(text.get(..at).and_then(|before| before.chars().next_back()))
            && digit(
                text.get(at + c.len_utf8()..)
                    .and_then(|rest| rest.chars().next()),
            );
        if is_part(c) && (!hard || groups) {
            start.get_or_insert(at);
        } else if let Some(from) = start.take() {
            push(text, from..at, &mut found);
        }
    }
    found
}

fn push<'a>(text: &'a str, at: Range<usize>, found: &mut Vec<Word<'a>>) {
    let Some(raw) = text.get(at.clone()) else {
        return;
    };
    let left = raw.trim_start_matches(|c: char| !c.is_alphanumeric());
    let kept = left.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%');
    if kept.contains(char::is_alphanumeric) {
        let from = at.start + (raw.len() - left.len());
        found.push(Word {
            at: from..from + kept.len(),
            raw: kept,
            low: fold(kept),
        });
    }
}

/// The claims of `text`, in its order.
pub(super) fn claims(text: &str) -> Vec<Claim> {
    let (text, mut found) = marks(text);
    let words = words(&text);
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let taken = duration(&words, at, &mut found)
            .or_else(|| day_in_words(&words, at, &mut found))
            .unwrap_or_else(|| {
                single(word, line_before(&words, at, &text), &mut found);
                1
            });
        at += taken.max(1);
    }
    found.sort_by_key(|claim| claim.at.start);
    found
}

/// Takes the marks of sources out of the text, and the numbers of a list's items, leaving blanks of
/// the same length.
fn marks(text: &str) -> (String, Vec<Claim>) {
    let mut found = Vec::new();
    let mut bytes = text.as_bytes().to_vec();
    let mut blank = |range: Range<usize>| {
        if let Some(part) = bytes.get_mut(range) {
            part.fill(b' ');
        }
    };
    let mut from = 0;
    while let Some(open) = text.get(from..).and_then(|rest| rest.find('[')) {
        let open = from + open;
        from = open + 1;
        let Some(inner) = text.get(from..).and_then(|rest| rest.split_once(']')) else {
            break;
        };
        let parts: Vec<&str> = inner.0.split(',').map(str::trim).collect();
        if inner.0.len() <= 60 && parts.iter().all(|part| is_mark(part)) {
            let at = open..from + inner.0.len() + 1;
            let mark = |part: &&str| Claim {
                at: at.clone(),
                what: What::Mark((*part).to_owned()),
            };
            found.extend(parts.iter().map(mark));
            blank(at);
        }
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_start_matches([' ', '\t', '>', '-']);
        let digits = body.len() - body.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let ends = body.get(digits..).unwrap_or("");
        if (1..=3).contains(&digits) && (ends.starts_with(". ") || ends.starts_with(") ")) {
            let at = start + (line.len() - body.len());
            blank(at..at + digits);
        }
        start += line.len();
    }
    // Blanks over whole characters leave the text one of UTF-8.
    (String::from_utf8(bytes).unwrap_or_default(), found)
}

fn is_mark(part: &str) -> bool {
    let digits = part.strip_prefix(['e', 'c']).unwrap_or("");
    (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A duration that begins at this word, `1 h 30 min`, `90s`, `two hours`; how many words it has.
fn duration(words: &[Word<'_>], at: usize, found: &mut Vec<Claim>) -> Option<usize> {
    let mut total = 0_u64;
    let mut smallest = 0;
    let (mut next, mut end) = (at, 0);
    while let Some(word) = words.get(next) {
        // "1 hour and 5 minutes".
        let joined = next > at && matches!(word.low.as_str(), "and" | "e");
        let from = if joined { next + 1 } else { next };
        let Some((amount, unit, taken)) = amount(words, from) else {
            break;
        };
        if next > at && unit >= smallest {
            break;
        }
        total = total.saturating_add(amount);
        smallest = unit;
        next = from + taken;
        end = words.get(next - 1).map_or(end, |word| word.at.end);
    }
    let start = words.get(at)?.at.start;
    (next > at).then(|| {
        found.push(Claim {
            at: start..end,
            what: What::Duration(total, smallest),
        });
        next - at
    })
}

/// A number and a unit of time: its seconds, the seconds of the unit, how many words.
fn amount(words: &[Word<'_>], at: usize) -> Option<(u64, u64, usize)> {
    let word = words.get(at)?;
    let digits = word.low.len()
        - word
            .low
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .len();
    let (number, rest) = word.low.split_at(digits);
    let by_word = number_word(&word.low);
    let spelled = by_word.is_some();
    let number: u64 = by_word.or_else(|| number.parse().ok())?;
    if !rest.is_empty() && !spelled {
        // `10h30` is ten hours and a half, or half past ten: what it is shows its evidence.
        let seconds = unit(rest)?;
        return Some((number.checked_mul(seconds)?, seconds, 1));
    }
    let seconds = unit(&words.get(at + 1)?.low)?;
    Some((number.checked_mul(seconds)?, seconds, 2))
}

fn unit(word: &str) -> Option<u64> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" | "seg" | "segundo" | "segundos" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" | "minuto" | "minutos" => 60,
        "h" | "hr" | "hrs" | "hour" | "hours" | "hora" | "horas" => 3_600,
        "d" | "day" | "days" | "dia" | "dias" => 86_400,
        "week" | "weeks" | "semana" | "semanas" => 604_800,
        _ => return None,
    })
}

/// `2 March 2026`, `March 2`, `2 de março`.
fn day_in_words(words: &[Word<'_>], at: usize, found: &mut Vec<Claim>) -> Option<usize> {
    let word = |n: usize| words.get(at + n).map(|word| word.low.as_str());
    let (day, named, mut taken) = match (word(0)?, word(1)?) {
        (day, "de" | "of") => (day, word(2)?, 3),
        (first, second) if month(first).is_some() => (second, first, 2),
        (day, named) => (day, named, 2),
    };
    let month = month(named)?;
    let suffix = ["st", "nd", "rd", "th"];
    let day = suffix
        .iter()
        .find_map(|end| day.strip_suffix(end))
        .unwrap_or(day);
    let day: u32 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let of = usize::from(word(taken) == Some("de"));
    let year =
        word(taken + of).filter(|year| year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()));
    let said = if let Some(year) = year {
        taken += of + 1;
        format!("{year}-{month:02}-{day:02}")
    } else {
        format!("{month:02}-{day:02}")
    };
    let at = words.get(at)?.at.start..words.get(at + taken - 1)?.at.end;
    found.push(Claim {
        at,
        what: What::Day(said),
    });
    Some(taken)
}

fn month(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january jan janeiro",
        "february feb fevereiro fev",
        "march mar marco",
        "april apr abril abr",
        "may maio mai",
        "june jun junho",
        "july jul julho",
        "august aug agosto ago",
        "september sep sept setembro set",
        "october oct outubro out",
        "november nov novembro",
        "december dec dezembro dez",
    ];
    let at = MONTHS
        .iter()
        .position(|names| names.split(' ').any(|name| name == word))?;
    u32::try_from(at + 1).ok()
}

/// Whether the number at this word is one of a line: "line 40", "lines 40 to 44", "linhas 40-44".
fn line_before(words: &[Word<'_>], at: usize, text: &str) -> bool {
    let low = |back: usize| at.checked_sub(back).and_then(|at| words.get(at));
    let is_line = |word: Option<&Word<'_>>| {
        word.is_some_and(|w| matches!(w.low.as_str(), "line" | "lines" | "linha" | "linhas"))
    };
    let numeric = |word: Option<&Word<'_>>| {
        word.is_some_and(|w| w.low.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
    };
    if is_line(low(1)) {
        return true;
    }
    let joined = low(1).is_some_and(|w| matches!(w.low.as_str(), "to" | "and" | "a" | "ate" | "e"));
    let dash = || {
        let (Some(before), Some(here)) = (low(1), words.get(at)) else {
            return false;
        };
        let between = text.get(before.at.end..here.at.start);
        between.is_some_and(|between| matches!(between.trim(), "–" | "-"))
    };
    (joined && numeric(low(2)) && is_line(low(3))) || (dash() && numeric(low(1)) && is_line(low(2)))
}

/// The claims of one word.
fn single(word: &Word<'_>, line: bool, found: &mut Vec<Claim>) {
    let claim = |what| Claim {
        at: word.at.clone(),
        what,
    };
    if let Some(number) = number_word(&word.low) {
        found.push(claim(What::Number(vec![number.to_string()])));
        return;
    }
    if VAGUE.split_whitespace().any(|vague| vague == word.low) {
        found.push(claim(What::Name(word.low.clone())));
        return;
    }
    if !word.raw.contains(|c: char| c.is_ascii_digit()) {
        if is_name(word.raw) {
            found.push(claim(What::Name(word.low.clone())));
        }
        return;
    }
    if let Some(what) = numeric(word.raw, line) {
        found.extend(what.into_iter().map(claim));
        return;
    }
    // `40-44`, `10:00/12:00`, `ABEND/12`: each part for itself, when each is a number or a plain word.
    let parts: Vec<&str> = word.raw.split(['-', '/']).collect();
    let all: Option<Vec<Vec<What>>> = parts.iter().map(|part| numeric(part, line)).collect();
    match all {
        Some(all) if parts.len() > 1 => found.extend(all.into_iter().flatten().map(claim)),
        _ => found.push(claim(What::Name(word.low.clone()))),
    }
}

/// A word that is a number, a share, a time or a day as a whole.
fn numeric(raw: &str, line: bool) -> Option<Vec<What>> {
    let raw = raw.trim_start_matches(['-', '+']);
    if let Some(share) = raw.strip_suffix('%') {
        return Some(vec![What::Percent(readings(share)?)]);
    }
    if let Some((day, time)) = raw.split_once(['T', 't'])
        && let Some(day) = day_of(day)
    {
        let time = time.trim_end_matches(['Z', 'z']);
        let time = time.split(['.', '+']).next().unwrap_or(time);
        return Some(vec![What::Day(day), What::Time(time_of(time)?)]);
    }
    if let Some(day) = day_of(raw) {
        return Some(vec![What::Day(day)]);
    }
    if let Some(time) = time_of(raw) {
        return Some(vec![What::Time(time)]);
    }
    let readings = readings(raw)?;
    if line && let [number] = readings.as_slice() {
        return Some(vec![What::Line(number.clone())]);
    }
    Some(vec![What::Number(readings)])
}

fn small(text: &str, max: u32) -> Option<u32> {
    let fits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| fits && *number <= max)
}

/// `9:05`, `09:05:10`, `9h05`.
fn time_of(raw: &str) -> Option<String> {
    let mut parts = raw.split(':');
    if let Some((hour, minute)) = raw.split_once(['h', 'H'])
        && minute.len() == 2
    {
        return Some(format!("{:02}:{:02}", small(hour, 24)?, small(minute, 59)?));
    }
    let (hour, minute) = (small(parts.next()?, 24)?, small(parts.next()?, 59)?);
    match (parts.next(), parts.next()) {
        (None, _) => Some(format!("{hour:02}:{minute:02}")),
        (Some(second), None) => Some(format!("{hour:02}:{minute:02}:{:02}", small(second, 60)?)),
        _ => None,
    }
}

/// `2026-03-02`, and `02/03/2026` and `02/03` with the day first.
fn day_of(raw: &str) -> Option<String> {
    let dashed: Vec<&str> = raw.split('-').collect();
    if let [year, month, day] = dashed.as_slice()
        && year.len() == 4
        && year.bytes().all(|b| b.is_ascii_digit())
    {
        return Some(format!(
            "{year}-{:02}-{:02}",
            small(month, 12)?,
            small(day, 31)?
        ));
    }
    let slashed: Vec<&str> = raw.split('/').collect();
    match slashed.as_slice() {
        [day, month] => Some(format!("{:02}-{:02}", small(month, 12)?, small(day, 31)?)),
        [day, month, year] if year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()) => Some(
            format!("{year}-{:02}-{:02}", small(month, 12)?, small(day, 31)?),
        ),
        _ => None,
    }
}

/// The numbers that these digits can mean: a sign between them parts thousands, or the fraction.
fn readings(raw: &str) -> Option<Vec<String>> {
    let raw: String = raw
        .chars()
        .filter(|c| !matches!(c, '\u{a0}' | '\u{202f}'))
        .collect();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = raw.split(['.', ',']).collect();
    if !parts.iter().all(|part| digits(part)) {
        return None;
    }
    let mut found = Vec::new();
    let (first, rest) = parts.split_first()?;
    if rest.is_empty() || (first.len() <= 3 && rest.iter().all(|part| part.len() == 3)) {
        found.push(plain(&parts.concat(), ""));
    }
    if let Some((fraction, whole)) = rest.split_last() {
        let whole: String = std::iter::once(first).chain(whole).copied().collect();
        found.push(plain(&whole, fraction));
    }
    Some(found)
}

/// Without needless zeros.
fn plain(whole: &str, fraction: &str) -> String {
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    }
}

/// A number that is spelled. "One" and "um" are articles and pronouns, so they count for nothing.
fn number_word(low: &str) -> Option<u64> {
    Some(match low {
        "zero" => 0,
        "two" | "dois" | "duas" => 2,
        "three" | "tres" => 3,
        "four" | "quatro" => 4,
        "five" | "cinco" => 5,
        "six" | "seis" => 6,
        "seven" | "sete" => 7,
        "eight" | "oito" => 8,
        "nine" | "nove" => 9,
        "ten" | "dez" => 10,
        "eleven" | "onze" => 11,
        "twelve" | "doze" | "dozen" | "duzia" => 12,
        "fifteen" | "quinze" => 15,
        "twenty" | "vinte" => 20,
        "thirty" | "trinta" => 30,
        "forty" | "quarenta" => 40,
        "fifty" | "cinquenta" => 50,
        "hundred" | "cem" => 100,
        "thousand" | "mil" => 1_000,
        "million" | "milhao" => 1_000_000,
        _ => return None,
    })
}

/// Words for amounts and shares that someone would have to work out: right only as a quote.
const VAGUE: &str = "dozens hundreds thousands millions half twice double doubled triple majority \
dezenas centenas milhares milhoes metade dobro dobrou triplo maioria";

/// Words in capitals that are no names.
const PLAIN: &str = "JOB JOBS JCL RUNBOOK WORKSTATION STREAM HTTP HTTPS SFTP JSON LDAP NOTE NOTA HTML \
IMPORTANT IMPORTANTE WARNING ATENÇÃO AVISO CAUTION RESYNC OBS";

/// Whether a word without digits stands for a thing: it has a name's marks, or is written in capitals.
fn is_name(raw: &str) -> bool {
    if raw.contains(['_', '#', '@']) || raw.contains("://") || raw.starts_with("www.") {
        return true;
    }
    let letters = || raw.chars().filter(|c| c.is_alphabetic());
    // States have three letters or more; `UTC` and `SQL` have three, too, and are no names.
    letters().count() >= 4
        && letters().all(char::is_uppercase)
        && !PLAIN.split_whitespace().any(|plain| plain == raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(text: &str) -> Vec<What> {
        claims(text).into_iter().map(|claim| claim.what).collect()
    }

    fn number(readings: &[&str]) -> What {
        What::Number(readings.iter().map(|&r| r.to_owned()).collect())
    }

    #[test]
    fn numbers_are_read_with_either_sign_of_thousands() {
        assert_eq!(whats("1,234 jobs"), [number(&["1234", "1.234"])]);
        assert_eq!(whats("1.234.567"), [number(&["1234567", "1234.567"])]);
        assert_eq!(whats("1\u{a0}234"), [number(&["1234"])]);
        assert_eq!(whats("3.50 and 007."), [number(&["3.5"]), number(&["7"])]);
        assert_eq!(whats("two jobs, três"), [number(&["2"]), number(&["3"])]);
        assert_eq!(whats("one job, um job"), []);
        assert_eq!(whats("12%"), [What::Percent(vec!["12".to_owned()])]);
    }

    #[test]
    fn times_days_and_durations_are_no_numbers() {
        let time = |t: &str| What::Time(t.to_owned());
        let day = |t: &str| What::Day(t.to_owned());
        assert_eq!(
            whats("at 9:05, 09:05:10 or 9h05"),
            [time("09:05"), time("09:05:10"), time("09:05")]
        );
        assert_eq!(whats("10:00-12:00"), [time("10:00"), time("12:00")]);
        assert_eq!(
            whats("2026-03-02T01:10:00Z"),
            [day("2026-03-02"), time("01:10:00")]
        );
        assert_eq!(
            whats("02/03/2026, 02/03"),
            [day("2026-03-02"), day("03-02")]
        );
        assert_eq!(
            whats("2 March 2026; March 2; 2 de março"),
            [day("2026-03-02"), day("03-02"), day("03-02")]
        );
        assert_eq!(whats("1 h 30 min"), [What::Duration(5_400, 60)]);
        assert_eq!(whats("1 hour and 5 minutes"), [What::Duration(3_900, 60)]);
        assert_eq!(
            whats("90s, two hours"),
            [What::Duration(90, 1), What::Duration(7_200, 3_600)]
        );
        assert_eq!(
            whats("5 min and 3 jobs"),
            [What::Duration(300, 60), number(&["3"])]
        );
    }

    #[test]
    fn marks_lists_and_lines_are_told_apart() {
        let mark = |m: &str| What::Mark(m.to_owned());
        assert_eq!(
            whats("It failed [e1], [e2, c3]."),
            [mark("e1"), mark("e2"), mark("c3")]
        );
        assert_eq!(whats("[note 5]"), [number(&["5"])]);
        assert_eq!(whats("1. Wait.\n2) Rerun.\n> 3. Look."), []);
        let line = |n: &str| What::Line(n.to_owned());
        assert_eq!(whats("lines 40 to 44"), [line("40"), line("44")]);
        assert_eq!(whats("linhas 40-44"), [line("40"), line("44")]);
        assert_eq!(whats("line 7: rc 12"), [line("7"), number(&["12"])]);
    }

    #[test]
    fn names_are_what_looks_like_one() {
        let name = |n: &str| What::Name(n.to_owned());
        assert_eq!(
            whats("LX_PRD01#FIN_EOD.FIN_GL_POST is in ABEND: ORA-00060"),
            [
                name("lx_prd01#fin_eod.fin_gl_post"),
                name("abend"),
                name("ora-00060")
            ]
        );
        assert_eq!(whats("the JOB ended at once, UTC"), []);
        assert_eq!(
            whats("see https://evil.example"),
            [name("https://evil.example")]
        );
        assert_eq!(whats("half of them"), [name("half")]);
        assert_eq!(whats("**SUCC**"), [name("succ")]);
    }
}
