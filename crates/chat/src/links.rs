//! Where a cited place opens in the operator's page.
//!
//! Invariant: every part that comes from elsewhere is percent-encoded, so no name of a job or a
//! document leads to another address.

use std::fmt::Write;

use crate::answer::{Place, SessionId};

/// Addresses of the page, absolute under the server's public URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageLinks {
    base: String,
}

impl PageLinks {
    /// Links under `base`, such as `https://resync.example`; a slash at its end does not count.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    /// The page itself, where proposals are looked at and confirmed.
    #[must_use]
    pub fn home(&self) -> String {
        format!("{}/", self.base)
    }

    /// The lines of the log, or the section of the document.
    #[must_use]
    pub fn of(&self, place: &Place) -> String {
        match place {
            Place::Log {
                engine,
                job_id,
                run,
                from_line,
                to_line,
            } => {
                let lines = lines((*from_line).into(), (*to_line).into());
                let parts = [
                    "job",
                    job_id.as_str(),
                    "engine",
                    engine.as_str(),
                    "run",
                    run.as_str(),
                    &lines,
                ];
                self.under(&parts)
            }
            Place::Document {
                document_id, span, ..
            } => {
                let lines = lines(span.start_line, span.end_line);
                self.under(&["document", &document_id.to_string(), &lines])
            }
        }
    }

    /// The job of an action.
    #[must_use]
    pub fn job(&self, engine: &str, job_id: &str) -> String {
        self.under(&["job", job_id, "engine", engine])
    }

    /// The conversation, as its Markdown.
    #[must_use]
    pub fn export(&self, session: SessionId) -> String {
        format!("{}/api/v1/chat/sessions/{session}/export", self.base)
    }

    fn under(&self, parts: &[&str]) -> String {
        let mut link = format!("{}/#", self.base);
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                link.push('/');
            }
            encode(part, &mut link);
        }
        link
    }
}

fn lines(from: u64, to: u64) -> String {
    if to > from {
        format!("L{from}-L{to}")
    } else {
        format!("L{from}")
    }
}

/// RFC 3986: what is not unreserved goes as `%XX`.
fn encode(part: &str, into: &mut String) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            into.push(char::from(byte));
        } else {
            // Writing into a String does not fail.
            let _written = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use resync_tws::model::{EngineName, JobId, RunId};

    use super::*;

    #[test]
    fn a_name_from_elsewhere_stays_within_its_part() {
        let links = PageLinks::new("https://resync.example/");
        assert_eq!(
            links.job("prod", "a/b)[x](ç"),
            "https://resync.example/#job/a%2Fb%29%5Bx%5D%28%C3%A7/engine/prod"
        );
    }

    #[test]
    fn lines_of_a_log_open_in_their_run() {
        let place = Place::Log {
            engine: EngineName::parse("prod").unwrap(),
            job_id: JobId::parse("41").unwrap(),
            run: RunId::parse("7").unwrap(),
            from_line: 3,
            to_line: 5,
        };
        let link = PageLinks::new("http://127.0.0.1:8080").of(&place);
        assert_eq!(
            link,
            "http://127.0.0.1:8080/#job/41/engine/prod/run/7/L3-L5"
        );
    }
}
