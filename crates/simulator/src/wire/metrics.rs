//! `/metrics` at the server's root: `OpenMetrics` text.

use std::{collections::BTreeMap, fmt::Write as _};

use super::status::common_status;
use crate::{engine::Engine, model::Status};

/// Jobs by status, workstations by state, critical jobs by risk.
pub(crate) fn metrics(engine: &Engine) -> String {
    let mut text = String::new();
    let mut jobs: BTreeMap<&str, u64> = BTreeMap::new();
    let mut risks: BTreeMap<&str, u64> = BTreeMap::new();
    for job in engine.plan.jobs.rows() {
        let status = common_status(job.status(), job.priority == 0, job.canceled);
        *jobs.entry(status).or_default() += 1;
        if job.model.critical {
            let late = engine.is_late(job);
            let near = job.deadline.is_some_and(|deadline| {
                deadline - engine.now() < job.model.estimated && !job.is_over()
            });
            let risk = match (job.status(), late, near) {
                (Status::Succ, false, _) => "none",
                (_, true, _) | (Status::Abend | Status::Fail, ..) => "high",
                (_, false, true) => "potential",
                _ => "none",
            };
            *risks.entry(risk).or_default() += 1;
        }
    }
    family(
        &mut text,
        "application_wa_JobsByStatus_jobs",
        "Jobs of the plan by common status",
    );
    for (status, count) in jobs {
        line(
            &mut text,
            "application_wa_JobsByStatus_jobs",
            &[("status", status)],
            count,
        );
    }
    family(
        &mut text,
        "application_wa_WorkstationLinked",
        "1 when the workstation is linked",
    );
    for station in engine.catalogue.stations.rows() {
        let labels = [("workstation", station.name.as_str())];
        let value = u64::from(station.linked);
        line(
            &mut text,
            "application_wa_WorkstationLinked",
            &labels,
            value,
        );
    }
    family(
        &mut text,
        "application_wa_WorkstationRunning",
        "1 when jobs can start there",
    );
    for station in engine.catalogue.stations.rows() {
        let labels = [("workstation", station.name.as_str())];
        let value = u64::from(station.running);
        line(
            &mut text,
            "application_wa_WorkstationRunning",
            &labels,
            value,
        );
    }
    family(
        &mut text,
        "application_wa_CriticalJobs_jobs",
        "Critical jobs by risk level",
    );
    for (risk, count) in risks {
        line(
            &mut text,
            "application_wa_CriticalJobs_jobs",
            &[("risk", risk)],
            count,
        );
    }
    text.push_str("# EOF\n");
    text
}

fn family(text: &mut String, name: &str, help: &str) {
    // Writing to a string does not fail.
    let _infallible = write!(text, "# TYPE {name} gauge\n# HELP {name} {help}\n");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    let labels = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\""));
    let labels = labels.collect::<Vec<_>>().join(",");
    let _infallible = writeln!(text, "{name}{{{labels}}} {value}");
}
