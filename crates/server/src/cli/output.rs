//! What the commands print, and how they end: data on stdout, notes on stderr, exit codes as the design says.

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use serde::Serialize;

/// The run did what it should.
pub(super) const OK: u8 = 0;
/// It did not.
pub(super) const FAILURE: u8 = 1;
/// What was typed does not hold; `clap` ends with it, too.
pub(super) const USAGE: u8 = 2;
/// The configuration is wrong.
pub(super) const CONFIGURATION: u8 = 3;
/// What was named does not exist.
pub(super) const NOT_FOUND: u8 = 4;
/// A rule does not allow it.
pub(super) const DENIED: u8 = 5;
/// An engine, or what else the answer needed, did not answer.
pub(super) const UNREACHABLE: u8 = 6;
/// What is there already is in its way.
pub(super) const CONFLICT: u8 = 7;
/// It has to be confirmed.
pub(super) const UNCONFIRMED: u8 = 8;

/// Why a command ends otherwise than well: the code and one line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

/// As JSON, for programs.
pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::new(FAILURE, error.to_string()))
}

/// Rows under their headings, in columns as wide as what is in them.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |cells: &[String; N]| {
        let padded = cells.iter().zip(widths);
        let padded: Vec<_> = padded
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let headings = line(&headings.map(str::to_uppercase));
    let rows = rows.iter().map(line);
    std::iter::once(headings)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What came of a command: what it prints and the code it ends with, or why it did not do it.
pub(super) type Done = Result<(u8, String), Failure>;

/// Prints what came of a command and ends with its code.
pub(super) fn end(done: Done) -> ExitCode {
    match done {
        Ok((OK, text)) => print(&text),
        Ok((code, text)) => {
            print(&text);
            ExitCode::from(code)
        }
        Err(failure) => fail(failure.code, &failure.text),
    }
}

/// Something to know, on stderr.
pub(super) fn note(text: &str) {
    // Where nobody can be told, the data and the code still say it.
    let _told = writeln!(io::stderr().lock(), "{text}");
}

/// Data on stdout.
pub(crate) fn print(text: &str) -> ExitCode {
    print_to(&mut io::stdout().lock(), text)
}

/// A reader that went away is no failure of ours, a disk that is full is one.
fn print_to(out: &mut impl io::Write, text: &str) -> ExitCode {
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(OK),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(OK),
        Err(error) => fail(FAILURE, &format!("the output cannot be written: {error}")),
    }
}

/// One line on stderr and the code that says what kind of mistake it was.
pub(crate) fn fail(code: u8, text: &str) -> ExitCode {
    // Where nobody can be told, the code still says it.
    let _told = writeln!(io::stderr().lock(), "resync: {text}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails each write in its own way.
    struct Broken(ErrorKind);

    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one() {
        let code = |kind| format!("{:?}", print_to(&mut Broken(kind), "text"));
        let expected = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(ErrorKind::BrokenPipe), expected(OK));
        assert_eq!(code(ErrorKind::StorageFull), expected(FAILURE));
    }

    #[test]
    fn a_table_is_as_wide_as_what_is_in_it() {
        let rows = [
            ["ana".to_owned(), "viewer".to_owned()],
            ["joão.é".to_owned(), "admin".to_owned()],
        ];
        assert_eq!(
            table(["name", "role"], &rows),
            "NAME    ROLE\nana     viewer\njoão.é  admin"
        );
        assert_eq!(table(["name"], &[]), "NAME");
    }
}
