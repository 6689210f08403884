//! Why a job does not run, in one sentence.
//!
//! Invariant: each part of the sentence is a fact that the engine told: its substatus, a dependency
//! that is not met, or how the workstation stands. Where it told nothing there is no sentence.
//!
//! Order: cancelled or held, then the substatus, then the dependencies, then the workstation's link,
//! limit and fence.

use crate::model::{Dependency, DependencyKind, Job, JobStatus, LinkState, Workstation};
use crate::text::Text;

/// How many dependencies a sentence names.
const NAMED: usize = 3;

/// The sentence, or `None` when the job ended or runs, or no fact tells.
pub(super) fn why_waiting(job: &Job, workstation: Option<&Workstation>) -> Option<Text> {
    let state = job.state();
    if state.has_ended()
        || matches!(
            state,
            JobStatus::Exec | JobStatus::SuccPending | JobStatus::AbendPending
        )
    {
        return None;
    }
    match state {
        JobStatus::CanclPending => {
            return Some(Text::new(
                "It will be cancelled when its dependencies are met.",
                "Será cancelado quando suas dependências forem atendidas.",
            ));
        }
        JobStatus::Pend => {
            return Some(Text::new(
                "It has ended and waits for a person to confirm how.",
                "Terminou e espera que alguém confirme como.",
            ));
        }
        _ => {}
    }
    if job.priority == Some(0) {
        return Some(Text::new(
            "It is held: its priority is 0.",
            "Está retido: sua prioridade é 0.",
        ));
    }
    let substatus = job.substatus.as_deref().unwrap_or("");
    let by_substatus = match substatus {
        "READY_WAITING_FOR_AGENT" => Some(agent(workstation)),
        "READY_WAITING_FOR_LIMIT" => Some(limit(job, workstation)),
        "READY_WAITING_FOR_RESOURCES" => Some(Text::new(
            "It is ready and waits for a resource.",
            "Está pronto e espera um recurso.",
        )),
        "READY_WAITING_FOR_USER_INTERVENTION" => Some(Text::new(
            "It is ready and waits for a person to step in.",
            "Está pronto e espera a intervenção de alguém.",
        )),
        "HOLD_WAITING_FOR_TIME" => Some(time(job)),
        _ if waits_by_stream(job) => Some(Text::new(
            "It waits for a predecessor of its job stream.",
            "Espera um predecessor de seu job stream.",
        )),
        _ => None,
    };
    by_substatus
        .or_else(|| dependencies(job))
        .or_else(|| by_hold(substatus))
        .or_else(|| by_workstation(job, workstation))
}

/// Whether the engine says that it waits for a predecessor, and none of its own dependencies is one that
/// may be unmet: then it is one of its stream, which a job does not list.
pub(crate) fn waits_by_stream(job: &Job) -> bool {
    let predecessor = |d: &Dependency| {
        let kind = matches!(
            d.kind,
            DependencyKind::Job { .. }
                | DependencyKind::Stream { .. }
                | DependencyKind::Other { .. }
        );
        kind && d.satisfied != Some(true)
    };
    job.substatus.as_deref() == Some("HOLD_WAITING_FOR_PREDECESSOR")
        && !job.dependencies.is_empty()
        && !job.dependencies.iter().any(predecessor)
}

fn time(job: &Job) -> Text {
    match job.earliest_start.map(|at| at.format("%Y-%m-%d %H:%M UTC")) {
        Some(at) => Text::new(
            format!("It waits for its start time, {at}."),
            format!("Espera sua hora de início, {at}."),
        ),
        None => Text::new("It waits for its start time.", "Espera sua hora de início."),
    }
}

/// What the substatus alone tells when no dependency was listed.
fn by_hold(substatus: &str) -> Option<Text> {
    let (en, pt) = match substatus {
        "HOLD_WAITING_FOR_PREDECESSOR" => ("a predecessor", "um predecessor"),
        "HOLD_WAITING_FOR_PROMPT" => ("the answer to a prompt", "a resposta a um prompt"),
        "HOLD_WAITING_FOR_FILE" => ("a file", "um arquivo"),
        "HOLD_WAITING_FOR_INPUT" => ("an input", "uma entrada"),
        "HOLD_UNEXPECTED_PREDECESSOR_CONDITION" => (
            "a condition on a predecessor that was not met",
            "uma condição de um predecessor que não foi atendida",
        ),
        _ => return None,
    };
    Some(Text::new(
        format!("It waits for {en}."),
        format!("Espera {pt}."),
    ))
}

fn dependencies(job: &Job) -> Option<Text> {
    let unmet: Vec<&Dependency> = job
        .dependencies
        .iter()
        .filter(|d| d.satisfied == Some(false))
        .collect();
    if unmet.is_empty() {
        let count = job.unresolved_dependencies.filter(|&count| count > 0)?;
        return Some(Text::new(
            format!(
                "It waits for {count} {}.",
                if count == 1 {
                    "dependency"
                } else {
                    "dependencies"
                }
            ),
            format!(
                "Espera {count} {}.",
                if count == 1 {
                    "dependência"
                } else {
                    "dependências"
                }
            ),
        ));
    }
    let named: Vec<Text> = unmet
        .iter()
        .take(NAMED)
        .map(|d| describe(&d.kind))
        .collect();
    let more = unmet.len() - named.len();
    let join = |pick: fn(&Text) -> &str, and: &str, rest: String| {
        let mut parts: Vec<String> = named.iter().map(|text| pick(text).to_owned()).collect();
        if more > 0 {
            parts.push(rest);
        }
        match parts.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, head)) => format!("{} {and} {last}", head.join(", ")),
            None => String::new(),
        }
    };
    Some(Text::new(
        format!(
            "It waits for {}.",
            join(|t| &t.en, "and", format!("{more} more"))
        ),
        format!("Espera {}.", join(|t| &t.pt, "e", format!("mais {more}"))),
    ))
}

fn describe(kind: &DependencyKind) -> Text {
    let named = |en: &str, pt: &str, name: Option<&str>, unnamed: (&str, &str)| match name {
        Some(name) => Text::new(format!("{en} {name}"), format!("{pt} {name}")),
        None => Text::new(unnamed.0, unnamed.1),
    };
    match kind {
        DependencyKind::Job {
            name,
            stream,
            workstation,
            ..
        } => {
            let label = name.as_ref().map(|name| match (workstation, stream) {
                (Some(workstation), Some(stream)) => format!("{workstation}#{stream}.{name}"),
                (None, Some(stream)) => format!("{stream}.{name}"),
                _ => name.clone(),
            });
            named(
                "the job",
                "o job",
                label.as_deref(),
                ("another job", "outro job"),
            )
        }
        DependencyKind::Stream {
            name, workstation, ..
        } => {
            let label = name.as_ref().map(|name| match workstation {
                Some(workstation) => format!("{workstation}#{name}"),
                None => name.clone(),
            });
            let unnamed = ("another job stream", "outro job stream");
            named("the job stream", "o job stream", label.as_deref(), unnamed)
        }
        DependencyKind::File { name, workstation } => {
            let label = name.as_ref().map(|name| match workstation {
                Some(workstation) => format!("{name} ({workstation})"),
                None => name.clone(),
            });
            named(
                "the file",
                "o arquivo",
                label.as_deref(),
                ("a file", "um arquivo"),
            )
        }
        DependencyKind::Resource { name, .. } => named(
            "the resource",
            "o recurso",
            name.as_deref(),
            ("a resource", "um recurso"),
        ),
        DependencyKind::Prompt { name, status, .. } => {
            let asked = status.as_deref() == Some("ANSWERED_NO");
            if asked {
                let unnamed = (
                    "a prompt that was answered no",
                    "um prompt respondido com não",
                );
                return named(
                    "the prompt, answered no,",
                    "o prompt, respondido com não,",
                    name.as_deref(),
                    unnamed,
                );
            }
            let unnamed = ("the answer to a prompt", "a resposta a um prompt");
            named(
                "the answer to the prompt",
                "a resposta ao prompt",
                name.as_deref(),
                unnamed,
            )
        }
        DependencyKind::Other { kind } => Text::new(
            format!("a dependency of type {kind}"),
            format!("uma dependência do tipo {kind}"),
        ),
    }
}

fn agent(workstation: Option<&Workstation>) -> Text {
    match workstation.filter(|station| station.is_off()) {
        Some(station) => off(station),
        None => Text::new(
            "It is ready and waits for the agent.",
            "Está pronto e espera o agente.",
        ),
    }
}

fn off(station: &Workstation) -> Text {
    let name = &station.name;
    if station.link == LinkState::Unlinked {
        Text::new(
            format!("It waits for its workstation {name}, which is not linked."),
            format!("Espera sua workstation {name}, que não está conectada."),
        )
    } else {
        Text::new(
            format!("It waits for its workstation {name}, whose job manager is down."),
            format!("Espera sua workstation {name}, cujo gerenciador de jobs está parado."),
        )
    }
}

fn limit(job: &Job, workstation: Option<&Workstation>) -> Text {
    match workstation.and_then(|station| Some((&station.name, station.limit?))) {
        Some((name, limit)) => Text::new(
            format!("It is ready and waits for a free place: the limit of {name} is {limit}."),
            format!("Está pronto e espera uma vaga: o limite de {name} é {limit}."),
        ),
        None => Text::new(
            match &job.workstation {
                Some(name) => format!("It is ready and waits for a free place on {name}."),
                None => "It is ready and waits for a free place.".to_owned(),
            },
            match &job.workstation {
                Some(name) => format!("Está pronto e espera uma vaga em {name}."),
                None => "Está pronto e espera uma vaga.".to_owned(),
            },
        ),
    }
}

fn by_workstation(job: &Job, workstation: Option<&Workstation>) -> Option<Text> {
    let station = workstation?;
    if station.is_off() {
        return Some(off(station));
    }
    let (name, priority) = (&station.name, job.priority?);
    if let Some(fence) = station.fence.filter(|&fence| u32::from(priority) <= fence) {
        return Some(Text::new(
            format!("Its priority {priority} is not above the fence of {name}, which is {fence}."),
            format!("Sua prioridade {priority} não está acima da fence de {name}, que é {fence}."),
        ));
    }
    // High and go priorities start in spite of a limit of 0.
    (station.limit == Some(0) && priority < 100).then(|| {
        Text::new(
            format!(
                "The limit of its workstation {name} is 0, so only jobs of high priority start."
            ),
            format!("O limite da sua workstation {name} é 0; só jobs de alta prioridade iniciam."),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WorkstationId;
    use crate::test_support::job;

    fn station(link: LinkState, fence: u32, limit: u32) -> Workstation {
        Workstation {
            id: WorkstationId::parse("w1").unwrap(),
            name: "FINDB01".to_owned(),
            folder: None,
            kind: None,
            os: None,
            limit: Some(limit),
            fence: Some(fence),
            link,
            jobman_up: None,
            ignored: false,
        }
    }

    fn waits_for(kind: DependencyKind, satisfied: Option<bool>) -> Dependency {
        Dependency {
            id: None,
            satisfied,
            kind,
        }
    }

    fn predecessor(name: &str) -> DependencyKind {
        DependencyKind::Job {
            job_id: None,
            name: Some(name.to_owned()),
            stream: Some("FIN_EOD".to_owned()),
            workstation: None,
        }
    }

    #[test]
    fn a_job_that_ended_or_runs_waits_for_nothing() {
        for status in [
            JobStatus::Succ,
            JobStatus::Abend,
            JobStatus::Exec,
            JobStatus::Cancl,
        ] {
            assert_eq!(why_waiting(&job("A", status), None), None);
        }
    }

    #[test]
    fn no_fact_gives_no_sentence() {
        assert_eq!(why_waiting(&job("A", JobStatus::Hold), None), None);
        let fine = station(LinkState::Linked, 0, 10);
        let mut ready = job("A", JobStatus::Ready);
        ready.priority = Some(10);
        assert_eq!(why_waiting(&ready, Some(&fine)), None);
    }

    #[test]
    fn the_dependencies_that_are_not_met_are_named_and_the_others_are_not() {
        let mut job = job("A", JobStatus::Hold);
        job.priority = Some(10);
        job.substatus = Some("HOLD_WAITING_FOR_PREDECESSOR".to_owned());
        job.dependencies = vec![
            waits_for(predecessor("GL_POST"), Some(false)),
            waits_for(predecessor("GL_DONE"), Some(true)),
            waits_for(predecessor("GL_UNSAID"), None),
            waits_for(
                DependencyKind::File {
                    name: Some("/mft/in/A.dat".to_owned()),
                    workstation: None,
                },
                Some(false),
            ),
        ];
        let text = why_waiting(&job, None).unwrap();
        assert_eq!(
            text.en,
            "It waits for the job FIN_EOD.GL_POST and the file /mft/in/A.dat."
        );
        assert_eq!(
            text.pt,
            "Espera o job FIN_EOD.GL_POST e o arquivo /mft/in/A.dat."
        );
        job.dependencies = (0..5)
            .map(|n| waits_for(predecessor(&format!("P{n}")), Some(false)))
            .collect();
        assert!(
            why_waiting(&job, None)
                .unwrap()
                .en
                .ends_with("FIN_EOD.P2 and 2 more.")
        );
    }

    #[test]
    fn a_held_job_says_so_before_anything_else() {
        let mut job = job("A", JobStatus::Hold);
        job.priority = Some(0);
        job.dependencies = vec![waits_for(predecessor("GL_POST"), Some(false))];
        assert_eq!(
            why_waiting(&job, None).unwrap().en,
            "It is held: its priority is 0."
        );
    }

    #[test]
    fn the_workstation_tells_what_the_job_does_not() {
        let mut job = job("A", JobStatus::Ready);
        job.priority = Some(10);
        let cases = [
            (station(LinkState::Unlinked, 0, 10), "which is not linked"),
            (
                station(LinkState::Linked, 10, 10),
                "not above the fence of FINDB01, which is 10",
            ),
            (
                station(LinkState::Linked, 0, 0),
                "The limit of its workstation FINDB01 is 0",
            ),
        ];
        for (station, expected) in cases {
            let text = why_waiting(&job, Some(&station)).unwrap();
            assert!(text.en.contains(expected), "{}", text.en);
        }
    }
}
