//! Misbehaviour on request.
//!
//! 1. The first rule that matches decides; the others do not see the request.
//! 2. A rule counts what matched its method, path, object, user and window; `nth`, `first`, `after`
//!    and `probability` look at that count, and chance is a function of seed, rule and count.
//! 3. Rules on connections (`refuse`, `accept_close`) see connections only, all others requests.

mod effect;

pub use effect::{Effect, ErrorBody, RetryAfter};

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::Instant;

use crate::{dice::Dice, names::Secs, oql::like};

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
    /// Name, path or id of the object that the path names by its id; `@` any run, `?` one
    /// character. Requests that name no object do not match.
    #[serde(default)]
    pub object: Option<String>,
    /// Only requests of this user; for wrong passwords, of who they say they are.
    #[serde(default)]
    pub user: Option<String>,
    /// Only from this virtual time on.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    /// Only before this virtual time.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// Only after this many matches have passed unharmed.
    #[serde(default)]
    pub after: Option<u64>,
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
            object: None,
            user: None,
            from: None,
            until: None,
            after: None,
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

    /// Only requests for this object: name, path or id, with `@` and `?` as wildcards.
    #[must_use]
    pub fn on_object(mut self, object: &str) -> Self {
        self.object = Some(object.to_owned());
        self
    }

    /// Only requests of this user.
    #[must_use]
    pub fn by_user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Only within this span of virtual time.
    #[must_use]
    pub fn between(mut self, from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        (self.from, self.until) = (Some(from), Some(until));
        self
    }

    /// Only once this many requests that fit have passed.
    #[must_use]
    pub fn after(mut self, passed: u64) -> Self {
        self.after = Some(passed);
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

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) method: &'a str,
    /// Below `/twsd/api/v2`.
    pub(crate) path: &'a str,
    /// Name, path and id of the object that the path names.
    pub(crate) object: &'a [String],
    /// Who it says it is, right or wrong.
    pub(crate) user: Option<&'a str>,
    /// Virtual time.
    pub(crate) at: Secs,
    /// Whether it comes with a bearer token.
    pub(crate) bearer: bool,
}

/// One rule with what it has seen.
#[derive(Debug)]
struct Watched {
    rule: Rule,
    count: u64,
    /// Tokens and when they were counted, for each user.
    buckets: HashMap<String, (f64, Instant)>,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Watched>);

impl Faults {
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let mut faults = Self::default();
        for rule in rules {
            faults.add(rule.clone());
        }
        faults
    }

    pub(crate) fn add(&mut self, rule: Rule) {
        self.0.push(Watched {
            rule,
            count: 0,
            buckets: HashMap::new(),
        });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The rules and how often each has matched.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&Rule, u64)> {
        self.0.iter().map(|watched| (&watched.rule, watched.count))
    }

    /// How many wrong passwords a user has, when a rule counts them.
    pub(crate) fn forgiven(&self) -> Option<u32> {
        self.0.iter().find_map(|watched| match watched.rule.effect {
            Effect::LockOut { tries } => Some(tries),
            _ => None,
        })
    }

    /// What happens to a connection that was just accepted.
    pub(crate) fn on_connect(&mut self, seed: u64, at: Secs) -> Option<Effect> {
        let mut rules = self.0.iter_mut();
        rules.find_map(|watched| {
            let rule = &watched.rule;
            (rule.effect.is_on_connections() && rule.is_in_window(at))
                .then(|| watched.turn(seed))
                .flatten()
                .map(|_| watched.rule.effect.clone())
        })
    }

    /// What happens to a request; the dice belong to the rule and its count.
    pub(crate) fn decide(&mut self, seed: u64, subject: &Subject<'_>) -> Option<(Effect, Dice)> {
        for watched in &mut self.0 {
            let rule = &watched.rule;
            let passive = matches!(rule.effect, Effect::LockOut { .. });
            if passive || rule.effect.is_on_connections() || !rule.fits(subject) {
                continue;
            }
            if let Effect::TokenExpired { at } = &rule.effect
                && (!subject.bearer || at.is_some_and(|at| subject.at < at.timestamp()))
            {
                continue;
            }
            let Some(dice) = watched.turn(seed) else {
                continue;
            };
            if let Effect::RateLimit { burst, per_second } = watched.rule.effect {
                let user = subject.user.unwrap_or_default();
                if watched.take(user, f64::from(burst), per_second) {
                    continue;
                }
            }
            return Some((watched.rule.effect.clone(), dice));
        }
        None
    }
}

impl Rule {
    fn is_in_window(&self, at: Secs) -> bool {
        self.from.is_none_or(|from| at >= from.timestamp())
            && self.until.is_none_or(|until| at < until.timestamp())
    }

    fn fits(&self, subject: &Subject<'_>) -> bool {
        let object = |wanted: &str| subject.object.iter().any(|name| like(name, wanted));
        self.is_in_window(subject.at)
            && self
                .method
                .as_deref()
                .is_none_or(|wanted| wanted == subject.method)
            && self
                .path
                .as_deref()
                .is_none_or(|pattern| fits(subject.path, pattern))
            && self
                .user
                .as_deref()
                .is_none_or(|wanted| subject.user == Some(wanted))
            && self.object.as_deref().is_none_or(object)
    }
}

impl Watched {
    /// Counts a match; the dice when it is the rule's turn.
    fn turn(&mut self, seed: u64) -> Option<Dice> {
        self.count += 1;
        let (rule, count) = (&self.rule, self.count);
        let number = u32::try_from(count).unwrap_or(u32::MAX);
        let object = format!("{}{:?}", rule.name, rule.path);
        let mut dice = Dice::new(seed, "fault", &object, number);
        let now = rule.nth.is_none_or(|nth| nth == count)
            && rule.first.is_none_or(|first| count <= first)
            && rule.after.is_none_or(|passed| count > passed)
            && rule.probability.is_none_or(|chance| dice.chance(chance));
        now.then_some(dice)
    }

    /// Takes a token out of the user's bucket, if there is one.
    fn take(&mut self, user: &str, burst: f64, per_second: f64) -> bool {
        let now = Instant::now();
        let bucket = self.buckets.entry(user.to_owned()).or_insert((burst, now));
        let grown = now.duration_since(bucket.1).as_secs_f64() * per_second;
        *bucket = ((bucket.0 + grown).min(burst), now);
        let full = bucket.0 >= 1.0;
        if full {
            bucket.0 -= 1.0;
        }
        full
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

    fn get(path: &str) -> Subject<'_> {
        Subject {
            method: "GET",
            path,
            object: &[],
            user: Some("operator"),
            at: 0,
            bearer: false,
        }
    }

    #[test]
    fn object_user_window_and_count_narrow_a_rule() {
        let (at, later) = (crate::names::instant(100), crate::names::instant(200));
        let rule = Rule::new(Effect::Close)
            .on_object("FIN_@")
            .by_user("operator")
            .between(at, later)
            .after(1);
        let mut faults = Faults::new(&[rule]);
        let names = ["FIN_GL_POST".to_owned()];
        let subject = Subject {
            object: &names,
            at: 150,
            ..get("/plan/job/1")
        };
        let mut hit = |subject: &Subject<'_>| faults.decide(1, subject).is_some();
        assert!(!hit(&Subject { at: 99, ..subject }) && !hit(&Subject { at: 200, ..subject }));
        assert!(!hit(&Subject {
            object: &[],
            ..subject
        }));
        assert!(!hit(&Subject {
            user: Some("viewer"),
            ..subject
        }));
        assert!(!hit(&subject), "the first match passes");
        assert!(hit(&subject));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_emptied_by_its_user_and_fills_with_time() {
        let rule = Rule::new(Effect::RateLimit {
            burst: 2,
            per_second: 0.5,
        });
        let mut faults = Faults::new(&[rule]);
        let mut limited = |user| {
            let subject = Subject {
                user: Some(user),
                ..get("/x")
            };
            faults.decide(1, &subject).is_some()
        };
        assert_eq!(
            [limited("a"), limited("a"), limited("a")],
            [false, false, true]
        );
        assert!(!limited("b"));
        tokio::time::advance(std::time::Duration::from_secs(2)).await;
        assert_eq!([limited("a"), limited("a")], [false, true]);
    }

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
        let mut next = |path: &str| faults.decide(1, &get(path)).map(|(effect, _)| effect);
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
                .map(|_| faults.decide(seed, &get("/x")).is_some())
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
