//! Job logs: lines with numbers, so that a citation can name them.

use serde::Serialize;

use super::RunId;

/// Which lines to read, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineRange {
    /// The first line, 1 or more.
    pub from: u32,
    /// How many lines at most.
    pub count: u32,
}

impl LineRange {
    /// The most lines of one answer.
    pub const MAX_COUNT: u32 = 2_000;

    /// A range within the bounds: `from` at least 1, `count` 1 to [`LineRange::MAX_COUNT`].
    #[must_use]
    pub fn clamped(from: u32, count: u32) -> Self {
        Self {
            from: from.max(1),
            count: count.clamp(1, Self::MAX_COUNT),
        }
    }

    /// The last line of the range.
    #[must_use]
    pub fn last(self) -> u32 {
        self.from.saturating_add(self.count).saturating_sub(1)
    }
}

/// Some lines of the log of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogText {
    /// The run.
    pub run: RunId,
    /// The number of the first of `lines`, from 1.
    pub from_line: u32,
    /// The lines, without their ends. Bytes that are no UTF-8 were replaced.
    pub lines: Vec<String>,
    /// Whether the log was cut: by the range, or by the limit on its size.
    pub truncated: bool,
}
