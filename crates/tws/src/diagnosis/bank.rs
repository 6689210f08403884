//! The bank of logs in `tests/logs`: each case says what must come out of it.
//!
//! A case begins with a header `#: key=value …` and goes on to the next one; other lines that begin with
//! `# ` before the first case are remarks. Keys: `cause` (codes with `|` between; `-` for none), `verdict`,
//! `lines` (`3-5`, within the case, which the evidence must hold), `rc` (`-` for none), `state`,
//! `not` (a code that must not be named).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::model::Run;
use crate::test_support::{job, run};

/// One log and what is asked of it.
struct Case {
    place: String,
    head: BTreeMap<String, String>,
    lines: Vec<String>,
}

impl Case {
    fn get(&self, key: &str) -> Option<&str> {
        self.head.get(key).map(String::as_str)
    }

    fn diagnosis(&self) -> Diagnosis {
        let code = match self.get("rc") {
            None => Some(1),
            Some("-") => None,
            Some(code) => Some(code.parse().unwrap()),
        };
        let state = JobStatus::read(self.get("state").unwrap_or("ABEND"));
        let last = Run {
            status: state.clone(),
            return_code: code,
            ..run("run-1")
        };
        let job = Job {
            runs: vec![last],
            ..job("A", state.clone())
        };
        let view = JobView {
            job: Arc::new(job),
            state,
            why_waiting: None,
        };
        let log = LogView {
            job_id: crate::model::JobId::parse("A").unwrap(),
            run: RunId::parse("run-1").unwrap(),
            from_line: 1,
            lines: self.lines.clone(),
            truncated: false,
            redacted: 0,
            matches: None,
            searched_lines: None,
            search_complete: None,
        };
        diagnose(&Facts {
            causes: &Causes::built_in(),
            view: &view,
            log: Ok(&log),
            victims: Ok(0),
            failed_roots: Vec::new(),
            failed_before: Vec::new(),
            past: None,
        })
    }

    /// Whether the cause is one of those that the header allows.
    fn is_right(&self, found: &Diagnosis) -> bool {
        let code = found.cause.as_ref().map_or("-", |cause| &*cause.code);
        self.get("cause")
            .is_none_or(|wanted| wanted.split('|').any(|wanted| wanted == code))
    }

    /// What is wrong with a diagnosis, by the header.
    fn faults(&self, found: &Diagnosis) -> String {
        let mut faults = Vec::new();
        let code = found.cause.as_ref().map_or("-", |cause| &*cause.code);
        if !self.is_right(found) {
            faults.push(format!("named {code}"));
        }
        if self.get("not") == Some(code) {
            faults.push(format!("named {code}, which it must not"));
        }
        let verdict = format!("{:?}", found.verdict).to_lowercase();
        if self.get("verdict").is_some_and(|wanted| wanted != verdict) {
            faults.push(format!("verdict {verdict}"));
        }
        if let Some(lines) = self.get("lines") {
            let (from, to) = lines.split_once('-').unwrap_or((lines, lines));
            let (from, to): (u32, u32) = (from.parse().unwrap(), to.parse().unwrap());
            let holds = |one: &Evidence| {
                one.kind == EvidenceKind::Log
                    && one.from_line.is_some_and(|at| at <= from && from <= at + 1)
                    && one.to_line.is_some_and(|at| at >= to && to + 1 >= at)
            };
            if !found.evidence.iter().any(holds) {
                let shown: Vec<_> = found
                    .evidence
                    .iter()
                    .map(|e| (e.from_line, e.to_line))
                    .collect();
                faults.push(format!("evidence {shown:?}"));
            }
        }
        faults.join(", ")
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/logs")
        .join(name)
}

fn cases(folder: &Path) -> Vec<Case> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    files.sort();
    let mut cases: Vec<Case> = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut inside = false;
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(head) = line.strip_prefix("#: ") {
                inside = true;
                let pairs = head
                    .split_whitespace()
                    .map(|pair| pair.split_once('=').unwrap());
                cases.push(Case {
                    place: format!("{}:{number}", file.file_name().unwrap().display()),
                    head: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
                    lines: Vec::new(),
                });
            } else if inside {
                cases.last_mut().unwrap().lines.push(line.to_owned());
            }
        }
    }
    cases
}

/// Each cause that a log can name has a log of its own in which it is the root among noise, and a near miss.
#[test]
fn every_cause_has_its_logs_and_they_are_read_right() {
    let cases = cases(&folder(""));
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let faults = case.faults(&case.diagnosis());
            (!faults.is_empty()).then(|| format!("{} {:?}: {faults}", case.place, case.head))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    let (mut roots, mut misses) = (Vec::new(), Vec::new());
    for case in &cases {
        roots.extend(case.get("cause").filter(|_| case.get("not").is_none()));
        misses.extend(case.get("not"));
    }
    for code in Causes::built_in().codes_with_signs() {
        assert!(roots.contains(&code), "{code} has no log of its own");
        assert!(misses.contains(&code), "{code} has no near miss");
    }
}

/// Logs that were written before the signs, in the words of other products: at least nine of ten are read
/// right, and nothing is called confirmed that is wrong.
#[test]
fn logs_that_nobody_tuned_for_are_read_right() {
    let cases = cases(&folder("held_out"));
    let (mut right, mut wrong, mut sure) = (0, Vec::new(), Vec::new());
    for case in &cases {
        let found = case.diagnosis();
        if case.is_right(&found) {
            right += 1;
            continue;
        }
        let code = found.cause.as_ref().map_or("-", |cause| &*cause.code);
        let line = format!(
            "{} wants {:?}, got {code} {:?}",
            case.place,
            case.get("cause"),
            found.verdict
        );
        if found.verdict == Verdict::Confirmed {
            sure.push(line.clone());
        }
        wrong.push(line);
    }
    let told = format!("{right} of {}\n{}", cases.len(), wrong.join("\n"));
    println!("held out: {told}");
    assert!(cases.len() >= 60, "{told}");
    assert!(
        sure.is_empty(),
        "confirmed and wrong:\n{}\nin all {told}",
        sure.join("\n")
    );
    assert!(right * 10 >= cases.len() * 9, "{told}");
}

/// A log of 10,000 lines is read in less than 20 ms by an optimised build; this tells how long it takes.
#[test]
fn a_log_of_ten_thousand_lines_is_read() {
    let mut lines: Vec<String> = (0..9_990)
        .map(|n| format!("22:45:{:02}.902 post INFO  batch {n:04}/0900 of /data/in/part-{n}.csv posted, {} rows, 0 rejected", n % 60, n * 17))
        .collect();
    lines.push("ORA-00060: deadlock detected while waiting for resource".to_owned());
    let causes = Causes::built_in();
    let ending = Ending {
        code: Some(12),
        without_code: false,
    };
    reading::read(&causes, &lines, ending);
    let begun = std::time::Instant::now();
    let found = reading::read(&causes, &lines, ending).unwrap();
    println!("10,000 lines in {:?}", begun.elapsed());
    assert_eq!(found.first, 9_990);
    assert!(found.certain);
}
