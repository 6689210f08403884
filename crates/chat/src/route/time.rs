//! Spans of time in a question, in normal form.
//!
//! They are recognised, not resolved: `today` depends on the engine's zone, which routing does not
//! know.

use super::lexicon::WINDOWS;
use crate::text::fold;

/// The spans named in `text`, whose words are `joined` with single blanks and blanks around.
pub(super) fn windows(text: &str, joined: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = joined.to_owned();
    for (value, phrases) in WINDOWS {
        for phrase in phrases.split('|') {
            let padded = format!(" {phrase} ");
            if rest.contains(&padded) {
                // "last night" must not be read again as "night".
                rest = rest.replace(&padded, " . ");
                add(&mut found, (*value).to_owned());
            }
        }
    }
    counted(joined, &mut found);
    clock(&fold(text), &mut found);
    found
}

fn add(found: &mut Vec<String>, value: String) {
    if !found.contains(&value) {
        found.push(value);
    }
}

/// `last 2 hours`, `últimas 24h`, `past 7 days`.
fn counted(joined: &str, found: &mut Vec<String>) {
    let words: Vec<&str> = joined.split_whitespace().collect();
    for window in words.windows(2) {
        let [before, number] = window else { continue };
        if !["last", "past", "ultimas", "ultimos", "ultima", "ultimo"].contains(before) {
            continue;
        }
        let at = words.iter().position(|word| std::ptr::eq(*word, *number));
        let unit = at.and_then(|at| words.get(at + 1)).copied().unwrap_or("");
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        if digits.is_empty() || digits.len() > 3 {
            continue;
        }
        let suffix = number.strip_prefix(&digits).unwrap_or("");
        let unit = if suffix.is_empty() { unit } else { suffix };
        match unit {
            "h" | "hour" | "hours" | "hora" | "horas" | "hrs" => {
                add(found, format!("last_{digits}h"));
            }
            "d" | "day" | "days" | "dia" | "dias" => add(found, format!("last_{digits}d")),
            _ => {}
        }
    }
}

/// `02:30`, `22:00-23:30`, `since 6:00`, `antes das 18:00`, `2026-03-02`.
fn clock(folded: &str, found: &mut Vec<String>) {
    let mut previous: Vec<&str> = Vec::new();
    for raw in folded.split_whitespace() {
        let word = raw.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_date(word) {
            add(found, word.to_owned());
        } else if let Some((from, to)) = word.split_once('-') {
            if let (Some(from), Some(to)) = (hour(from), hour(to)) {
                add(found, format!("{from}-{to}"));
            }
        } else if let Some(time) = hour(word) {
            let near = previous.iter().rev().take(2);
            let is = |words: &[&str]| near.clone().any(|word| words.contains(word));
            if is(&["since", "after", "desde", "depois", "apos"]) {
                add(found, format!("since {time}"));
            } else if is(&["before", "until", "by", "antes", "ate"]) {
                add(found, format!("before {time}"));
            } else {
                add(found, time);
            }
        }
        previous.push(word);
    }
}

fn is_date(word: &str) -> bool {
    chrono::NaiveDate::parse_from_str(word, "%Y-%m-%d").is_ok() && word.len() == 10
}

fn hour(word: &str) -> Option<String> {
    let (hours, minutes) = word.split_once(':').or_else(|| word.split_once('h'))?;
    let hours: u32 = hours.parse().ok().filter(|hours| *hours < 24)?;
    if minutes.len() != 2 {
        return None;
    }
    let minutes: u32 = minutes.parse().ok().filter(|minutes| *minutes < 60)?;
    Some(format!("{hours:02}:{minutes:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tokens;

    fn read(text: &str) -> Vec<String> {
        let words: Vec<_> = tokens(text).into_iter().map(|token| token.word).collect();
        windows(text, &format!(" {} ", words.join(" ")))
    }

    #[test]
    fn spans_come_in_normal_form() {
        for (text, wanted) in [
            ("what failed last night?", vec!["last_night"]),
            ("o que falhou ontem à noite", vec!["last_night"]),
            ("o que falhou ontem", vec!["yesterday"]),
            ("jobs das últimas 2 horas", vec!["last_2h"]),
            ("failures in the last 24h", vec!["last_24h"]),
            ("past 7 days", vec!["last_7d"]),
            ("since 6:30", vec!["since 06:30"]),
            ("antes das 18h00", vec!["before 18:00"]),
            ("between 22:00-23:30", vec!["22:00-23:30"]),
            ("on 2026-03-02", vec!["2026-03-02"]),
            ("rc 12:99", vec![]),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }
}
