use chrono::DateTime;
use resync_tws::model::{EngineName, JobId, RunId};

use super::*;
use crate::evidence::EvidenceKind;

/// What a log, a job and a count told.
fn evidence() -> Vec<Evidence> {
    let engine = EngineName::parse("prod").unwrap();
    let bare = |id: &str, kind, question: &str| Evidence {
        id: id.to_owned(),
        kind,
        source: EvidenceSource::Engine {
            engine: engine.clone(),
            question: question.to_owned(),
        },
        fetched_at: DateTime::from_timestamp(1_772_409_600, 0).unwrap(),
        age_ms: 20_400,
        stale: false,
        span: None,
        facts: Vec::new(),
        text: None,
        cut: false,
    };
    let ended = DateTime::from_timestamp(1_772_409_600 - 47 * 60, 0).unwrap();
    let label = "LX_PRD01#FIN_EOD.FIN_GL_POST";
    vec![
        Evidence {
            facts: vec![
                EvidenceFact::words("state", "ABEND").of(label),
                EvidenceFact::number("return code", -12).of(label),
                EvidenceFact::time("ended", ended).of(label),
                EvidenceFact::number("took", 725).in_unit("s").of(label),
            ],
            ..bare("e1", EvidenceKind::Job, "job")
        },
        Evidence {
            span: Some(Place::Log {
                engine: engine.clone(),
                job_id: JobId::parse("id-1").unwrap(),
                run: RunId::parse("run-1").unwrap(),
                from_line: 40,
                to_line: 44,
            }),
            text: Some(
                "at 01:13:09 ORA-00060: deadlock\nretry in 10 minutes, disk 95% full".to_owned(),
            ),
            ..bare("e2", EvidenceKind::Log, "log")
        },
        Evidence {
            facts: vec![EvidenceFact::count("jobs in the plan", 2_047, "jobs")],
            ..bare("e3", EvidenceKind::Summary, "snapshot")
        },
    ]
}

fn faults(text: &str) -> Vec<Fault> {
    let broken = numbers_and_citations(text, &evidence());
    broken.into_iter().map(|broken| broken.fault).collect()
}

#[track_caller]
fn stands(text: &str) {
    assert_eq!(faults(text), [], "{text}");
}

#[track_caller]
fn breaks(text: &str) {
    assert!(!faults(text).is_empty(), "{text}");
}

#[test]
fn a_number_stands_however_its_thousands_are_parted() {
    for text in [
        "2,047 jobs",
        "2.047 jobs",
        "2047 jobs",
        "2\u{a0}047 jobs",
        "rc -12",
        "code 12 [e1]",
    ] {
        stands(text);
    }
    for text in [
        "2,048 jobs",
        "204 jobs",
        "7 jobs",
        "two jobs",
        "duas falhas",
        "a dozen and 3",
    ] {
        breaks(text);
    }
}

/// What follows from two facts was told by nobody.
#[test]
fn a_share_stands_only_where_a_share_was_told() {
    stands("The disk is 95% full [e2].");
    for text in [
        "12% of the jobs",
        "half of the jobs failed",
        "metade dos jobs",
        "95 jobs",
    ] {
        breaks(text);
    }
}

#[test]
fn a_time_stands_when_it_was_told_and_no_other_does() {
    for text in [
        "ended 2026-03-01 23:13 UTC",
        "ended at 23:13:00 on 1 March",
        "terminou em 01/03/2026 às 23h13",
        "the lock came at 01:13",
    ] {
        stands(text);
    }
    for text in [
        "ended at 23:14",
        "on 2026-03-04",
        "em 5 de março",
        "at 13:01",
    ] {
        breaks(text);
    }
}

#[test]
fn a_duration_stands_to_the_unit_that_is_said() {
    for text in [
        "took 725 s",
        "took 12 minutes",
        "levou 12 min 5 s",
        "wait 10 minutes",
        "20 s old",
    ] {
        stands(text);
    }
    for text in ["took 724 s", "took 20 minutes", "wait two hours", "3 days"] {
        breaks(text);
    }
}

#[test]
fn a_name_an_id_and_a_state_stand_as_they_were_told() {
    for text in [
        "FIN_GL_POST is in ABEND",
        "LX_PRD01#FIN_EOD.FIN_GL_POST on prod",
        "FIN_EOD.FIN_GL_POST",
        "ORA-00060 is a deadlock",
        "fin_gl_post",
    ] {
        stands(text);
    }
    for text in [
        "FIN_GL_LOAD failed too",
        "it is in SUCC",
        "ORA-00061",
        "PAYROLL waits",
        "see https://evil.example/x",
        "write to dba@example.com",
    ] {
        breaks(text);
    }
}

#[test]
fn a_line_stands_within_the_lines_that_were_read() {
    stands("lines 40 to 44 [e2]");
    stands("na linha 42");
    breaks("line 45");
    breaks("42 jobs");
}

#[test]
fn a_citation_of_nothing_breaks_its_sentence_and_no_other() {
    let text = "It failed [e1]. It will pass. [e9] Wait 10 minutes.";
    let broken = numbers_and_citations(text, &evidence());
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0].fault, Fault::Citation("e9".to_owned()));
    assert_eq!(broken[0].sentence, "It will pass. [e9]");
    breaks("As told [e1, e4].");
    stands("As told [e1, e2].");
}

#[test]
fn a_quote_is_word_for_word() {
    stands("> retry in 10 minutes, disk 95%…");
    breaks("> retry in 10 minutes now");
    let quote = "> One. Two.\n";
    assert_eq!(sentences(quote).len(), 1);
}

#[test]
fn sentences_are_all_of_the_text() {
    let text = "A is 1.5. Why? [e1] B!\n1. Wait. Then\n> 2. Go.";
    let parts: Vec<&str> = sentences(text).into_iter().map(|at| &text[at]).collect();
    assert_eq!(parts.concat(), text);
    assert_eq!(
        parts,
        [
            "A is 1.5.",
            " Why? [e1]",
            " B!\n",
            "1. Wait.",
            " Then\n",
            "> 2. Go."
        ]
    );
}

proptest::proptest! {
    /// Whatever the text, its sentences are all of it, and without evidence no number stands.
    #[test]
    fn any_text_can_be_checked(text in "\\PC{0,120}", number in 2_u32..100_000) {
        let parts: Vec<&str> = sentences(&text).into_iter().map(|at| &text[at]).collect();
        proptest::prop_assert_eq!(parts.concat(), text.clone());
        let said = format!("{text} \n{number} jobs");
        proptest::prop_assert!(!numbers_and_citations(&said, &[]).is_empty());
    }
}
