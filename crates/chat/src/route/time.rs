//! Spans of time in a question, in normal form.
//!
//! They are recognised, not resolved: `today` depends on the engine's zone, which routing does not
//! know. The words for them are in the rules; numbers and clocks are read here.

use super::entities::push;
use super::reading::Token;

/// Adds the spans that are told with numbers.
pub(super) fn windows(tokens: &[Token], found: &mut Vec<String>) {
    let words: Vec<&str> = tokens.iter().map(|token| token.word.as_str()).collect();
    counted(&words, found);
    clocks(&words, found);
}

/// A number in digits or as a word.
fn number(word: &str) -> Option<u32> {
    let words = [
        ("one", 1),
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("six", 6),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("twelve", 12),
        ("fifteen", 15),
        ("twenty", 20),
        ("thirty", 30),
        ("um", 1),
        ("uma", 1),
        ("duas", 2),
        ("dois", 2),
        ("tres", 3),
        ("quatro", 4),
        ("cinco", 5),
        ("seis", 6),
        ("sete", 7),
        ("oito", 8),
        ("nove", 9),
        ("dez", 10),
        ("doze", 12),
        ("quinze", 15),
        ("vinte", 20),
        ("trinta", 30),
    ];
    let known = words.iter().find(|(name, _)| *name == word);
    known.map(|(_, value)| *value).or_else(|| {
        (word.len() <= 3 && word.bytes().all(|b| b.is_ascii_digit()))
            .then(|| word.parse().ok())
            .flatten()
    })
}

/// `h` or `d` of a unit of time, and how many of them it is.
fn unit(word: &str) -> Option<(char, u32)> {
    Some(match word {
        "h" | "hour" | "hours" | "hora" | "horas" | "hrs" | "hr" | "hs" => ('h', 1),
        "d" | "day" | "days" | "dia" | "dias" | "night" | "nights" | "noite" | "noites" => ('d', 1),
        "week" | "weeks" | "semana" | "semanas" => ('d', 7),
        "month" | "months" | "mes" | "meses" => ('d', 30),
        _ => return None,
    })
}

const LAST: [&str; 10] = [
    "last", "past", "previous", "ultimas", "ultimos", "ultima", "ultimo", "within", "passadas",
    "passados",
];

/// `last 2 hours`, `últimas 24h`, `past 7 days`, `last hour`, `two weeks ago` is none.
fn counted(words: &[&str], found: &mut Vec<String>) {
    for (at, word) in words.iter().enumerate() {
        if !LAST.contains(word) {
            continue;
        }
        let next = words.get(at + 1).copied().unwrap_or("");
        let after = words.get(at + 2).copied().unwrap_or("");
        // `last hour` is one; the words of the rules say what `last night` and `last week` are.
        if matches!(next, "hour" | "hora") {
            push(found, "last_1h");
            continue;
        }
        let digits = next.bytes().take_while(u8::is_ascii_digit).count();
        let (count, of) = match next.split_at_checked(digits) {
            Some((count, suffix)) if digits > 0 && !suffix.is_empty() => (number(count), suffix),
            _ => (number(next), after),
        };
        if let (Some(count), Some((unit, times))) = (count, unit(of)) {
            push(
                found,
                &format!("last_{}{unit}", count.saturating_mul(times)),
            );
        }
    }
}

/// A clock time at a word: the time, how many words it has, and whether its form is a clock's beyond
/// doubt. `22` alone is one only where a time is expected.
fn clock(words: &[&str], at: usize) -> Option<(String, usize, bool)> {
    let word = *words.get(at)?;
    let next = words.get(at + 1).copied().unwrap_or("");
    let after = words.get(at + 2).copied().unwrap_or("");
    match word {
        "midnight" | "meia-noite" => return Some(("00:00".to_owned(), 1, true)),
        "noon" | "midday" | "meio-dia" => return Some(("12:00".to_owned(), 1, true)),
        "meia" if next == "noite" => return Some(("00:00".to_owned(), 2, true)),
        "meio" if next == "dia" => return Some(("12:00".to_owned(), 2, true)),
        _ => {}
    }
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=2).contains(&digits) {
        return None;
    }
    let (hours, rest) = word.split_at_checked(digits)?;
    let hours: u32 = hours.parse().ok()?;
    let marked = rest.starts_with([':', 'h', '.']);
    let rest = rest.strip_prefix([':', 'h', '.']).unwrap_or(rest);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (minutes, suffix) = rest.split_at_checked(digits)?;
    let minutes: u32 = match minutes.len() {
        0 => 0,
        2 if marked => minutes.parse().ok()?,
        _ => return None,
    };
    let mut length = 1;
    let mut sure = marked;
    let suffix = match suffix {
        "" | "h" | "hs" | "hrs" | "min" | "m" | "00" => {
            sure |= !suffix.is_empty();
            if matches!(next, "am" | "pm" | "a.m" | "p.m") {
                length += 1;
                next
            } else if matches!(next, "h" | "hs" | "hrs" | "horas" | "hora" | "oclock") {
                length += 1;
                sure = true;
                daytime(after, words.get(at + 3).copied().unwrap_or(""), &mut length)
            } else {
                daytime(next, after, &mut length)
            }
        }
        "am" | "pm" | "a.m" | "p.m" => suffix,
        _ => return None,
    };
    let afternoon = matches!(
        suffix,
        "pm" | "p.m" | "tarde" | "noite" | "evening" | "afternoon"
    );
    let hours = match (afternoon, hours) {
        (true, 1..=11) => hours + 12,
        (false, 12) if matches!(suffix, "am" | "a.m" | "madrugada") => 0,
        _ => hours,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    sure |= !suffix.is_empty();
    Some((format!("{hours:02}:{minutes:02}"), length, sure))
}

/// `da noite`, `da manhã` behind an hour.
fn daytime<'a>(joins: &str, word: &'a str, length: &mut usize) -> &'a str {
    let joined = matches!(joins, "da" | "de" | "a" | "in" | "at");
    if joined && matches!(word, "manha" | "tarde" | "noite" | "madrugada") {
        *length += 2;
        word
    } else {
        ""
    }
}

const SINCE: [&str; 7] = [
    "since", "after", "from", "desde", "depois", "apos", "partir",
];
const BEFORE: [&str; 8] = [
    "before", "until", "till", "by", "antes", "ate", "to", "before.",
];
const AT: [&str; 8] = ["at", "as", "a", "around", "at.", "umas", "da", "das"];

/// Words that may stand between `depois` and the time.
const LINKS: [&str; 12] = [
    "das", "da", "de", "as", "a", "do", "dos", "the", "about", "umas", "ao", "o",
];

/// `02:30`, `22:00-23:30`, `since 6:00`, `antes das 18h`, `between 6:30pm and 8pm`, `2026-03-02`.
fn clocks(words: &[&str], found: &mut Vec<String>) {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if let Some(date) = date(word) {
            push(found, &date);
            at += 1;
            continue;
        }
        if let Some(range) = range(word) {
            push(found, &range);
            at += 1;
            continue;
        }
        let Some((time, length, sure)) = clock(words, at) else {
            at += 1;
            continue;
        };
        let lead = lead(words, at);
        let is = |list: &[&str]| lead.is_some_and(|lead| list.contains(&lead));
        let between = is(&["between", "entre"]);
        let opens_range = between || is(&["from", "de", "das", "da", "desde"]) || sure;
        let joint = words.get(at + length).copied().unwrap_or("");
        let is_range = matches!(joint, "to" | "until" | "till" | "ate" | "as" | "a" | "-")
            || (between && matches!(joint, "and" | "e"));
        if opens_range && is_range {
            let mut second = at + length + 1;
            while words.get(second).is_some_and(|word| LINKS.contains(word)) {
                second += 1;
            }
            if let Some((end, more, _)) = clock(words, second) {
                push(found, &format!("{time}-{end}"));
                at = second + more;
                continue;
            }
        }
        let onwards = words.get(at + length..at + length + 2);
        if is(&SINCE) || onwards == Some(&["em", "diante"]) || joint == "onwards" {
            push(found, &format!("since {time}"));
        } else if is(&BEFORE) {
            push(found, &format!("before {time}"));
        } else {
            let told = lead.is_some_and(|lead| AT.contains(&lead)) && has_at(words, at);
            if told || (sure && !is_duration(words, at)) {
                push(found, &time);
            }
        }
        at += length;
    }
}

/// Whether `at` or `às` stands right before: only then a bare number is a time.
fn has_at(words: &[&str], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|at| words.get(at))
        .is_some_and(|word| matches!(*word, "at" | "as"))
}

/// `2h` behind `há` or `for` is a length of time, not a time of day.
fn is_duration(words: &[&str], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| words.get(at)).copied();
    before.is_some_and(|word| {
        matches!(
            word,
            "ha" | "for" | "faz" | "last" | "past" | "ultimas" | "em" | "in" | "por" | "took"
        )
    })
}

/// The word that says how a time at `at` is meant.
fn lead<'a>(words: &[&'a str], at: usize) -> Option<&'a str> {
    let mut before = words.get(..at)?.iter().rev().take(3);
    let first = before.next()?;
    if !LINKS.contains(first) || matches!(*first, "from") {
        return Some(first);
    }
    match before.next() {
        Some(second) if SINCE.contains(second) || BEFORE.contains(second) => Some(second),
        Some(second) if *second == "entre" || *second == "between" => Some(second),
        Some(second) if LINKS.contains(second) => {
            let third = before.next();
            third
                .filter(|word| SINCE.contains(word) || BEFORE.contains(word))
                .copied()
                .or(Some(first))
        }
        _ => Some(first),
    }
}

/// `22:00-23:30`, `18h30-20h`.
fn range(word: &str) -> Option<String> {
    let (from, to) = word.split_once('-')?;
    let (from, _, sure) = clock(&[from], 0)?;
    let (to, _, also) = clock(&[to], 0)?;
    (sure && also).then(|| format!("{from}-{to}"))
}

/// `2026-03-02`, `02/03/2026` in the order of day, month, year.
fn date(word: &str) -> Option<String> {
    let parsed = match word.len() {
        10 if word.contains('-') => chrono::NaiveDate::parse_from_str(word, "%Y-%m-%d"),
        8..=10 if word.contains('/') => chrono::NaiveDate::parse_from_str(word, "%d/%m/%Y"),
        _ => return None,
    };
    parsed.ok().map(|date| date.format("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::reading::tokens;

    fn read(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        windows(&tokens(text), &mut found);
        found
    }

    #[test]
    fn spans_come_in_normal_form() {
        for (text, wanted) in [
            ("jobs das últimas 2 horas", vec!["last_2h"]),
            ("failures in the last 24h", vec!["last_24h"]),
            ("in the last hour", vec!["last_1h"]),
            ("past 7 days", vec!["last_7d"]),
            ("nas últimas duas semanas", vec!["last_14d"]),
            ("last thirty days", vec!["last_30d"]),
            ("since 6:30", vec!["since 06:30"]),
            ("since 10pm", vec!["since 22:00"]),
            ("depois das 22h", vec!["since 22:00"]),
            ("a partir das 6 da manhã", vec!["since 06:00"]),
            ("desde as 20h", vec!["since 20:00"]),
            ("before 6am", vec!["before 06:00"]),
            ("antes das 18h00", vec!["before 18:00"]),
            ("até as 7", vec!["before 07:00"]),
            ("between 22:00-23:30", vec!["22:00-23:30"]),
            ("between 6:30pm and 8pm", vec!["18:30-20:00"]),
            ("from 22:00 to 23:00", vec!["22:00-23:00"]),
            ("entre 18h30 e 20h", vec!["18:30-20:00"]),
            ("das 22h às 6h", vec!["22:00-06:00"]),
            ("at 3pm", vec!["15:00"]),
            ("às 15h", vec!["15:00"]),
            ("as 8 da noite", vec!["20:00"]),
            ("since midnight", vec!["since 00:00"]),
            ("antes da meia-noite", vec!["before 00:00"]),
            ("on 2026-03-02", vec!["2026-03-02"]),
            ("em 02/03/2026", vec!["2026-03-02"]),
            ("rc 12:99", vec![]),
            ("rodando há 2h", vec![]),
            ("DWH_CUST01 with rc 12", vec![]),
            ("the last 5 runs", vec![]),
            ("10 jobs", vec![]),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }
}
