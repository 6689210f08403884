//! The least that an evaluation must reach.
//!
//! The file is TOML: a table for each group, `all`, a language or a kind, with the least `recall_1`,
//! `recall_5`, `recall_10`, `mrr` and `ndcg_10`; and `judged` with `precision`, `recall` and `refused`.
//!
//! Invariant: a group that the file names and the report lacks fails, as nothing was measured.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use super::report::Report;

/// The least figures, by group.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Thresholds {
    #[serde(default)]
    judged: LeastJudged,
    #[serde(flatten)]
    groups: BTreeMap<String, Least>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Least {
    recall_1: Option<f64>,
    recall_5: Option<f64>,
    recall_10: Option<f64>,
    mrr: Option<f64>,
    ndcg_10: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeastJudged {
    precision: Option<f64>,
    recall: Option<f64>,
    refused: Option<f64>,
}

/// Thresholds cannot be used.
#[derive(Debug, Error)]
#[error("the thresholds cannot be read")]
pub struct ThresholdsError(#[from] toml::de::Error);

impl Thresholds {
    /// The thresholds of a TOML file's text.
    ///
    /// # Errors
    /// [`ThresholdsError`] with the place of the mistake.
    pub fn parse(text: &str) -> Result<Self, ThresholdsError> {
        Ok(toml::from_str(text)?)
    }

    /// What `report` fails, a sentence each; nothing when it passes.
    #[must_use]
    pub fn failures(&self, report: &Report) -> Vec<String> {
        let mut failures = Vec::new();
        let groups: BTreeMap<_, _> = report.groups().into_iter().collect();
        for (name, least) in &self.groups {
            let Some(m) = groups.get(name) else {
                failures.push(format!("{name}: no question was asked"));
                continue;
            };
            for (figure, value, least) in [
                ("recall@1", m.recall_1, least.recall_1),
                ("recall@5", m.recall_5, least.recall_5),
                ("recall@10", m.recall_10, least.recall_10),
                ("MRR", m.mrr, least.mrr),
                ("nDCG@10", m.ndcg_10, least.ndcg_10),
            ] {
                check(name, figure, value, least, &mut failures);
            }
        }
        let judged = report.judged;
        for (figure, value, least) in [
            ("precision", judged.precision, self.judged.precision),
            ("recall", judged.recall, self.judged.recall),
            ("refused", judged.refused, self.judged.refused),
        ] {
            check("judged", figure, value, least, &mut failures);
        }
        failures
    }
}

fn check(group: &str, figure: &str, value: f64, least: Option<f64>, failures: &mut Vec<String>) {
    if let Some(least) = least.filter(|least| value < *least) {
        failures.push(format!(
            "{group}: {figure} is {value:.3}, less than {least:.3}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_below_its_least_and_a_group_without_questions_fail() {
        let text = "[all]\nrecall_5 = 0.8\n[pt]\nmrr = 0.1\n[judged]\nrefused = 0.5\n";
        let mut report = Report::default();
        report.all.recall_5 = 0.79;
        report.judged.refused = 0.5;
        let failures = Thresholds::parse(text).unwrap().failures(&report);
        assert_eq!(
            failures,
            [
                "all: recall@5 is 0.790, less than 0.800",
                "pt: no question was asked"
            ]
        );
    }

    #[test]
    fn an_unknown_figure_is_refused() {
        assert!(Thresholds::parse("[all]\nrecall_7 = 0.8\n").is_err());
    }
}
