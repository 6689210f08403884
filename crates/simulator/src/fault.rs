//! Misbehaviour on request.
//!
//! 1. The first rule that matches decides; the others do not see the request.
//! 2. A rule counts what matched its method and path; `nth`, `first` and `probability` look at that
//!    count, and chance is a function of seed, rule and count.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::dice::Dice;

/// When to misbehave, and how.
///
/// ```
/// use resync_simulator::{Effect, Rule};
///
/// let rule = Rule::new(Effect::Close).on_path("/plan/job/run/*/joblog").nth(2);
/// assert_eq!(rule.nth, Some(2));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// For people; chance depends on it too.
    #[serde(default)]
    pub name: String,
    /// `GET`, `PUT`; any when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Path below `/twsd/api/v2`; `*` stands for one segment, `**` at the end for any rest. Any
    /// path when absent.
    #[serde(default)]
    pub path: Option<String>,
    /// Only the n-th match, from 1.
    #[serde(default)]
    pub nth: Option<u64>,
    /// Only the first n matches.
    #[serde(default)]
    pub first: Option<u64>,
    /// From 0 to 1; always when absent.
    #[serde(default)]
    pub probability: Option<f64>,
    /// What happens.
    pub effect: Effect,
}

impl Rule {
    /// A rule that every request matches.
    #[must_use]
    pub fn new(effect: Effect) -> Self {
        Self {
            name: String::new(),
            method: None,
            path: None,
            nth: None,
            first: None,
            probability: None,
            effect,
        }
    }

    /// Only requests whose path below `/twsd/api/v2` fits.
    #[must_use]
    pub fn on_path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    /// Only requests with this method.
    #[must_use]
    pub fn on_method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only the n-th request that fits, from 1.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// Only the first n requests that fit.
    #[must_use]
    pub fn first(mut self, first: u64) -> Self {
        self.first = Some(first);
        self
    }

    /// Only by this chance, from 0 to 1.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = Some(probability);
        self
    }
}

/// What a rule does to an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The answer is right and late, by real milliseconds.
    Latency {
        /// At least this long.
        ms: u64,
        /// Up to this long, evenly; exactly `ms` when absent.
        #[serde(default)]
        up_to_ms: Option<u64>,
    },
    /// Another status; the request reaches nobody.
    Status {
        /// From 400 to 599.
        code: u16,
        /// The header `Retry-After`.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// The body that goes with it.
        #[serde(default)]
        body: ErrorBody,
    },
    /// The connection is accepted, the request read, and the connection closed.
    Close,
    /// The request is read and nothing ever comes back.
    Never,
    /// The action is done; then comes this status, or the connection is closed.
    AfterCommit {
        /// `None`: the connection is closed.
        #[serde(default)]
        code: Option<u16>,
    },
    /// The body is no JSON, with the right type and length.
    MalformedJson,
    /// The connection is closed after this many bytes of the body.
    Cut {
        /// Bytes that still arrive.
        bytes: usize,
    },
    /// The body is right, its `Content-Type` is not.
    ContentType {
        /// The header's value.
        value: String,
    },
    /// A login page with status 200.
    Html,
    /// A byte in the middle of the body is no UTF-8.
    InvalidUtf8,
    /// Blanks after the body's beginning, so that it is at least this long.
    Filler {
        /// Bytes to send in all.
        bytes: usize,
    },
}

/// The value of `Retry-After`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// A date, or garbage.
    Text(String),
}

/// The body of an error that a rule makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// No body at all.
    None,
    /// The engine's own shape.
    #[default]
    VendorJson,
    /// `application/problem+json`.
    Problem,
    /// The application server's error page.
    LibertyHtml,
    /// The engine's shape, cut in the middle of the text.
    TruncatedJson,
}

/// A file of rules that could not be read.
#[derive(Debug, Error)]
#[error("the fault rules do not parse")]
pub struct FaultFileError(#[from] toml::de::Error);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(default)]
    rule: Vec<Rule>,
}

/// Reads rules from TOML: `[[rule]]` tables.
///
/// # Errors
/// When the text is no TOML or a rule has unknown fields.
pub fn rules_from_toml(text: &str) -> Result<Vec<Rule>, FaultFileError> {
    Ok(toml::from_str::<RuleFile>(text)?.rule)
}

/// The rules in force, each with the number of requests that matched it.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Rule, u64)>);

impl Faults {
    pub(crate) fn new(rules: &[Rule]) -> Self {
        Self(rules.iter().map(|rule| (rule.clone(), 0)).collect())
    }

    pub(crate) fn add(&mut self, rule: Rule) {
        self.0.push((rule, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to a request; the dice belong to the rule and its count.
    pub(crate) fn decide(&mut self, seed: u64, method: &str, path: &str) -> Option<(Effect, Dice)> {
        for (rule, count) in &mut self.0 {
            let fits = rule.method.as_deref().is_none_or(|wanted| wanted == method)
                && rule
                    .path
                    .as_deref()
                    .is_none_or(|pattern| fits(path, pattern));
            if !fits {
                continue;
            }
            *count += 1;
            let number = u32::try_from(*count).unwrap_or(u32::MAX);
            let object = format!("{}{:?}", rule.name, rule.path);
            let mut dice = Dice::new(seed, "fault", &object, number);
            let now = rule.nth.is_none_or(|nth| nth == *count)
                && rule.first.is_none_or(|first| *count <= first)
                && rule.probability.is_none_or(|chance| dice.chance(chance));
            if now {
                return Some((rule.effect.clone(), dice));
            }
        }
        None
    }
}

fn fits(path: &str, pattern: &str) -> bool {
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        match (wanted, segments.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        assert!(fits("/plan/job/run/7/joblog", "/plan/job/run/*/joblog"));
        assert!(fits("/plan/job/7/action/hold", "/plan/**"));
        assert!(!fits("/plan/job/7/action/hold", "/plan/job/*"));
        assert!(!fits("/plan/job", "/plan/job/*"));
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_counts() {
        let mut faults = Faults::new(&[
            Rule::new(Effect::Close).on_path("/plan/job").nth(2),
            Rule::new(Effect::Html).on_method("GET").first(1),
        ]);
        let mut next = |path: &str| faults.decide(1, "GET", path).map(|(effect, _)| effect);
        assert_eq!(next("/plan/job"), Some(Effect::Html));
        assert_eq!(next("/plan/job"), Some(Effect::Close));
        assert_eq!(next("/plan/job"), None);
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let rule = Rule::new(Effect::Close).with_probability(0.3);
        let hits = |seed| {
            let mut faults = Faults::new(std::slice::from_ref(&rule));
            (0..200)
                .map(|_| faults.decide(seed, "GET", "/x").is_some())
                .collect::<Vec<_>>()
        };
        assert_eq!(hits(1), hits(1));
        assert_ne!(hits(1), hits(2));
        let count = hits(1).into_iter().filter(|hit| *hit).count();
        assert!((35..85).contains(&count), "{count} of 200");
    }

    #[test]
    fn rules_are_read_from_toml() {
        let text = r#"
            [[rule]]
            name = "log storm"
            path = "/plan/job/run/*/joblog"
            probability = 0.10
            effect = { kind = "status", code = 503, retry_after = 5, body = "liberty_html" }
        "#;
        let rules = rules_from_toml(text).unwrap();
        let expected = Effect::Status {
            code: 503,
            retry_after: Some(RetryAfter::Seconds(5)),
            body: ErrorBody::LibertyHtml,
        };
        assert_eq!(rules[0].effect, expected);
        assert!(rules_from_toml("[[rule]]\neffect = { kind = \"nonsense\" }").is_err());
    }
}
