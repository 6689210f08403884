//! What the runs before tell of a failure: when the job last ended well, how often it failed of late,
//! what is different now.
//!
//! Invariants:
//! - Only runs that were seen are counted, and since when they were is told.
//! - A history that cannot be read is missing, not empty.

use chrono::{DateTime, Utc};

use super::{Diagnosis, EvidenceKind, Facts, Past, PastRuns, Transience, told};
use crate::history::{PastRun, RunStatistics};
use crate::model::Run;
use crate::text::Text;

/// How many earlier runs are looked at.
pub(crate) const LOOKED_AT: usize = 20;
/// So many runs in a row that end alike are no accident.
const NO_ACCIDENT: usize = 3;

pub(super) fn compare(found: &mut Diagnosis, facts: &Facts<'_>) {
    let past = match &facts.past {
        None => return,
        Some(Ok(past)) => past,
        Some(Err(_)) => {
            found.missing.push(Text::new(
                "The history of runs could not be read.",
                "O histórico de execuções não pôde ser lido.",
            ));
            return;
        }
    };
    let Some(run) = found.job.latest_run().cloned() else {
        return;
    };
    let past = of(past, &run);
    found
        .evidence
        .push(told(EvidenceKind::History, None, sentence(&past)));
    if past.same_in_a_row >= NO_ACCIDENT {
        let n = past.same_in_a_row;
        found.next_steps.push(Text::new(
            format!("A plain rerun has not helped so far: {n} runs in a row ended like this one."),
            format!(
                "Reexecutar não ajudou até agora: {n} execuções seguidas terminaram como esta."
            ),
        ));
        if found.transience == Transience::Transient {
            found.transience = Transience::Unknown;
        }
    }
    found.past = Some(past);
}

/// The figures of the runs before `run`.
fn of(past: &PastRuns, run: &Run) -> Past {
    let earlier = past.runs.iter().filter(|other| other.run != run.id);
    let earlier: Vec<PastRun> = earlier.take(LOOKED_AT).cloned().collect();
    let alike = |other: &&PastRun| !other.good && other.return_code == run.return_code;
    let figures = RunStatistics::of(&earlier);
    let between = run
        .started_at
        .zip(run.ended_at)
        .and_then(|(start, end)| u64::try_from((end - start).num_seconds()).ok());
    Past {
        runs: figures.count,
        failed: figures.count - figures.good,
        same_in_a_row: 1 + earlier.iter().take_while(alike).count(),
        usual_seconds: figures.median_seconds,
        last_good: figures.last_good,
        seconds: run.elapsed_seconds.or(between),
        observed_since: past.observed_since,
    }
}

fn sentence(past: &Past) -> Text {
    let Some(good) = &past.last_good else {
        return match past.observed_since {
            Some(since) => Text::new(
                format!("No good run of it was seen since {}.", moment(since)),
                format!(
                    "Nenhuma execução boa dele foi vista desde {}.",
                    moment(since)
                ),
            ),
            None => Text::new(
                "No good run of it was seen.",
                "Nenhuma execução boa dele foi vista.",
            ),
        };
    };
    let (at, failed, runs) = (moment(good.ended_at), past.failed, past.runs);
    let spell = |before: &str, seconds: Option<u64>| {
        seconds.map_or_else(String::new, |took| format!("{before} {}", duration(took)))
    };
    let (en, now_en) = (
        spell(", after", good.seconds),
        spell("; this run took", past.seconds),
    );
    let (pt, now_pt) = (
        spell(", após", good.seconds),
        spell("; esta execução durou", past.seconds),
    );
    Text::new(
        format!(
            "It last ended well on {at}{en}{now_en}. Of the {runs} runs before, {failed} failed."
        ),
        format!(
            "Terminou bem pela última vez em {at}{pt}{now_pt}. Das {runs} execuções anteriores, {failed} falharam."
        ),
    )
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `1 h 02 min`, `4 min 12 s`, `9 s`: the same in each language.
fn duration(seconds: u64) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (h, m) {
        (0, 0) => format!("{s} s"),
        (0, m) => format!("{m} min {s:02} s"),
        (h, m) => format!("{h} h {m:02} min"),
    }
}
