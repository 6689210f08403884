//! Figures of an evaluation.
//!
//! Invariant: a figure is over the questions of its group alone; groups without questions are not in
//! the report.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::golden::{GoldenQuestion, Kind, QuestionLanguage};

/// How well a group of questions with answers was served; each figure is 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// Questions of the group.
    pub questions: u32,
    /// The share with an answer in the first place.
    pub recall_1: f64,
    /// The share with an answer among the first five.
    pub recall_5: f64,
    /// The share with an answer among the first ten.
    pub recall_10: f64,
    /// Mean of one over the place of the first answer, 0 beyond ten.
    pub mrr: f64,
    /// Mean of what the first ten are worth, falling with the logarithm of the place, against the
    /// best order there could be.
    pub ndcg_10: f64,
}

/// How well "there is an answer" and "there is none" were told apart; each share is 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Judged {
    /// Of the questions called answerable, those that have an answer.
    pub precision: f64,
    /// Of the questions with an answer, those called answerable.
    pub recall: f64,
    /// Of the questions without an answer, those called so.
    pub refused: f64,
    /// Questions without an answer.
    pub without_answer: u32,
}

/// A question whose answer was not among the first five, or that was judged wrongly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// The question's id.
    pub id: String,
    /// The question.
    pub question: String,
    /// The place of its answer, from 1, if it was among the first ten.
    pub rank: Option<usize>,
    /// Whether it was called answerable.
    pub answerable: bool,
    /// What stood first, as file and heading.
    pub first: Option<String>,
}

/// The figures of a golden set.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// All questions with answers.
    pub all: Metrics,
    /// By language of the question.
    pub by_language: BTreeMap<QuestionLanguage, Metrics>,
    /// By kind.
    pub by_kind: BTreeMap<Kind, Metrics>,
    /// Answerable or not.
    pub judged: Judged,
    /// Median time of a search in milliseconds.
    pub p50_ms: f64,
    /// What went wrong.
    pub misses: Vec<Miss>,
}

/// What one question came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcome {
    /// The place of the first answer, from 1, within ten.
    pub(super) rank: Option<usize>,
    pub(super) ndcg: f64,
    pub(super) answerable: bool,
    pub(super) first: Option<String>,
    pub(super) ms: f64,
}

#[derive(Default)]
struct Sum {
    questions: u32,
    at: [u32; 3],
    mrr: f64,
    ndcg: f64,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.questions += 1;
        for (count, k) in self.at.iter_mut().zip([1, 5, 10]) {
            *count += u32::from(outcome.rank.is_some_and(|rank| rank <= k));
        }
        let place = outcome.rank.and_then(|rank| u32::try_from(rank).ok());
        self.mrr += place.map_or(0.0, |place| 1.0 / f64::from(place));
        self.ndcg += outcome.ndcg;
    }

    fn metrics(&self) -> Metrics {
        let of = |value: f64| round(value / f64::from(self.questions.max(1)));
        let [one, five, ten] = self.at.map(|count| of(f64::from(count)));
        Metrics {
            questions: self.questions,
            recall_1: one,
            recall_5: five,
            recall_10: ten,
            mrr: of(self.mrr),
            ndcg_10: of(self.ndcg),
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

impl Report {
    pub(super) fn of(results: &[(&GoldenQuestion, Outcome)]) -> Self {
        let mut all = Sum::default();
        let mut by_language: BTreeMap<_, Sum> = BTreeMap::new();
        let mut by_kind: BTreeMap<_, Sum> = BTreeMap::new();
        let (mut called, mut rightly, mut with, mut refused, mut without) = (0, 0, 0, 0, 0);
        let mut misses = Vec::new();
        for (question, outcome) in results {
            let has_answer = question.kind != Kind::NoAnswer;
            called += u32::from(outcome.answerable);
            if has_answer {
                all.add(outcome);
                by_language
                    .entry(question.language)
                    .or_default()
                    .add(outcome);
                by_kind.entry(question.kind).or_default().add(outcome);
                with += 1;
                rightly += u32::from(outcome.answerable);
            } else {
                without += 1;
                refused += u32::from(!outcome.answerable);
            }
            let found = outcome.rank.is_some_and(|rank| rank <= 5);
            if outcome.answerable != has_answer || (has_answer && !found) {
                misses.push(Miss {
                    id: question.id.clone(),
                    question: question.question.clone(),
                    rank: outcome.rank,
                    answerable: outcome.answerable,
                    first: outcome.first.clone(),
                });
            }
        }
        let share = |part: u32, of: u32| {
            if of == 0 {
                1.0
            } else {
                round(f64::from(part) / f64::from(of))
            }
        };
        let mut times: Vec<f64> = results.iter().map(|(_, outcome)| outcome.ms).collect();
        times.sort_by(f64::total_cmp);
        Self {
            all: all.metrics(),
            by_language: each(&by_language),
            by_kind: each(&by_kind),
            judged: Judged {
                precision: share(rightly, called),
                recall: share(rightly, with),
                refused: share(refused, without),
                without_answer: without,
            },
            p50_ms: times.get(times.len() / 2).copied().map_or(0.0, round),
            misses,
        }
    }

    /// The groups by name, all questions first.
    #[must_use]
    pub fn groups(&self) -> Vec<(String, Metrics)> {
        let mut groups = vec![("all".to_owned(), self.all)];
        let languages = self.by_language.iter();
        groups.extend(languages.map(|(name, metrics)| (name.to_string(), *metrics)));
        let kinds = self.by_kind.iter();
        groups.extend(kinds.map(|(name, metrics)| (name.to_string(), *metrics)));
        groups
    }
}

fn each<K: Ord + Copy>(sums: &BTreeMap<K, Sum>) -> BTreeMap<K, Metrics> {
    sums.iter()
        .map(|(key, sum)| (*key, sum.metrics()))
        .collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16}{:>10}{:>8}{:>8}{:>8}{:>8}{:>8}",
            "", "questions", "r@1", "r@5", "r@10", "mrr", "ndcg10"
        )?;
        for (name, m) in self.groups() {
            writeln!(
                f,
                "{name:<16}{:>10}{:>8.3}{:>8.3}{:>8.3}{:>8.3}{:>8.3}",
                m.questions, m.recall_1, m.recall_5, m.recall_10, m.mrr, m.ndcg_10
            )?;
        }
        writeln!(
            f,
            "answerable: precision {:.3}, recall {:.3}; {} without an answer, {:.3} refused; {:.1} ms",
            self.judged.precision,
            self.judged.recall,
            self.judged.without_answer,
            self.judged.refused,
            self.p50_ms,
        )
    }
}

/// A table in Markdown of reports side by side, each with its name: recall at one, five and ten by
/// group, then the shares of questions with and without an answer that were called so.
#[must_use]
pub fn compare(reports: &[(&str, &Report)]) -> String {
    let line = |first: String, cell: &dyn Fn(&str, &Report) -> String| {
        let cells = reports.iter().map(|(name, report)| cell(name, report));
        let cells: Vec<String> = [first].into_iter().chain(cells).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut table = line("group | questions".to_owned(), &|name, _| name.to_owned());
    table += &line("--- | ---".to_owned(), &|_, _| "---".to_owned());
    let groups = reports.first().map(|(_, report)| report.groups());
    for (at, (group, metrics)) in groups.into_iter().flatten().enumerate() {
        table += &line(format!("{group} | {}", metrics.questions), &|_, report| {
            let metrics = report.groups().get(at).map(|(_, metrics)| *metrics);
            let m = metrics.unwrap_or_default();
            format!("{:.2} {:.2} {:.2}", m.recall_1, m.recall_5, m.recall_10)
        });
    }
    table += &line("called right |".to_owned(), &|_, report| {
        format!("{:.2} {:.2}", report.judged.recall, report.judged.refused)
    });
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::golden;

    #[test]
    fn figures_are_over_the_questions_of_their_group() {
        let set = golden(
            r#"{"id":"a","question":"q","language":"en","kind":"howto","expected":[{"source":"x"}]}
{"id":"b","question":"q","language":"pt","kind":"howto","expected":[{"source":"x"}]}
{"id":"c","question":"q","language":"pt","kind":"no_answer"}"#,
        )
        .unwrap();
        let outcome = |rank: Option<usize>, answerable| Outcome {
            rank,
            ndcg: f64::from(u8::from(rank == Some(1))),
            answerable,
            ..Outcome::default()
        };
        let outcomes = [
            outcome(Some(1), true),
            outcome(Some(7), false),
            outcome(None, true),
        ];
        let report = Report::of(&set.iter().zip(outcomes).collect::<Vec<_>>());
        assert_eq!(report.all.questions, 2);
        assert!((report.all.recall_1 - 0.5).abs() < 1e-9);
        assert!((report.all.recall_5 - 0.5).abs() < 1e-9);
        assert!((report.all.recall_10 - 1.0).abs() < 1e-9);
        assert!((report.all.mrr - f64::midpoint(1.0, 1.0 / 7.0)).abs() < 1e-3);
        assert!((report.by_language[&QuestionLanguage::Pt].recall_10 - 1.0).abs() < 1e-9);
        let judged = report.judged;
        assert_eq!(
            (judged.precision, judged.recall, judged.refused),
            (0.5, 0.5, 0.0)
        );
        assert_eq!(report.misses.len(), 2);
        assert!(compare(&[("x", &report)]).contains("| all | 2 | 0.50 0.50 1.00 |"));
    }
}
