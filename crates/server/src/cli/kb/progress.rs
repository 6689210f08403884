//! How far a command is, on stderr: a line that is drawn over on a terminal, a line a file elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::output::note;

/// The progress of some files.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Whether somebody sees the bar.
    seen: bool,
    stages: BTreeMap<String, usize>,
}

impl Progress {
    /// Of that many files; nothing is drawn where nobody sees it.
    pub(super) fn of(files: usize) -> Self {
        let seen = std::io::stderr().is_terminal();
        let target = if seen {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(u64::try_from(files).ok(), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        if seen {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self {
            bar,
            seen,
            stages: BTreeMap::new(),
        }
    }

    /// Which file is in which stage now.
    pub(super) fn stages(&mut self, of: &BTreeMap<String, String>) {
        self.stages.clear();
        for stage in of.values() {
            *self.stages.entry(stage.clone()).or_default() += 1;
        }
        let counts: Vec<String> = self
            .stages
            .iter()
            .map(|(stage, count)| format!("{stage} {count}"))
            .collect();
        self.bar.set_message(counts.join(" · "));
    }

    /// One file is done; the line says what came of it.
    pub(super) fn done(&self, line: &str) {
        self.bar.inc(1);
        if self.seen {
            self.bar.println(line);
        } else {
            note(line);
        }
    }

    /// All is done, or given up.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
