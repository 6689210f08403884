//! The port's adapter: looks at the file, and has a worker read it.
//!
//! Invariants:
//! - At most as many workers run at once as there are processors; others wait.
//! - A worker lives no longer than the call: it is killed when the call is dropped and after 15 s.
//! - Whatever a worker does or says, the answer is a text within bounds or a reason for people.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use resync_rag::{ExtractError, Extracted, Media, TextExtractor};
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use crate::kind::{Kind, Looked, check, look};
use crate::markdown::MAX_TEXT_BYTES;
use crate::refusal::Refusal;
use crate::worker::{Head, MAX_CPU_SECONDS, MAX_HEAD, MAX_MEMORY};

/// How long a worker may take by the clock on the wall.
const MAX_WALL: Duration = Duration::from_secs(15);
/// How much of a worker's complaints is looked at, in bytes.
const MAX_COMPLAINT: u64 = 4096;

/// How a worker is started; the kind of the file is appended as the last argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl WorkerCommand {
    /// The program at `program`, which calls [`worker::main`](crate::worker::main).
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// With a further argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With a variable of the environment, which has no other. An allocator that reserves address space
    /// at its start may be told so to take less: a worker that has more than 256 MiB before it begins
    /// refuses to run, as its limit would not hold.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn start(&self, kind: Kind) -> io::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            .arg(kind.word())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

/// Reads Markdown, text, HTML, JSON, `OpenAPI`, CSV, DOCX and PDF. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FileExtractor {
    worker: Option<WorkerCommand>,
    places: Arc<Semaphore>,
}

impl FileExtractor {
    /// With workers started by `worker`; without, Markdown and text alone are read and anything else
    /// is [`ExtractError::Unavailable`]. Starts nothing.
    #[must_use]
    pub fn new(worker: Option<WorkerCommand>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            worker,
            places: Arc::new(Semaphore::new(processors)),
        }
    }

    async fn apart(&self, kind: Kind, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
        let no_worker = || unavailable(io::Error::other("no program to read it is known"));
        let worker = self.worker.as_ref().ok_or_else(no_worker)?;
        let _place = self.places.acquire().await.map_err(unavailable)?;
        let child = worker.start(kind).map_err(unavailable)?;
        tokio::time::timeout(MAX_WALL, converse(child, kind, bytes))
            .await
            .unwrap_or_else(|_| Err(too_slow().into()))
    }
}

#[async_trait]
impl TextExtractor for FileExtractor {
    fn check(&self, file_name: &str, bytes: &[u8]) -> Result<(), ExtractError> {
        Ok(check(file_name, bytes)?)
    }

    #[tracing::instrument(name = "extract.read", skip_all, fields(file.bytes = bytes.len()))]
    async fn extract(&self, file_name: &str, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
        let (name, span) = (file_name.to_owned(), tracing::Span::current());
        let looking = move || span.in_scope(|| look(&name, bytes));
        let looked = tokio::task::spawn_blocking(looking).await;
        let Looked {
            kind,
            bytes,
            encoding,
        } = looked.map_err(unavailable)??;
        if kind.is_plain() {
            let text = String::from_utf8(bytes).map_err(unavailable)?;
            return Ok(Extracted {
                encoding,
                ..plain(kind, text)
            });
        }
        let read = self.apart(kind, bytes).await?;
        Ok(Extracted { encoding, ..read })
    }
}

/// Markdown and text are stored as they are, but for a front matter.
fn plain(kind: Kind, text: String) -> Extracted {
    let media = if kind == Kind::Markdown {
        Media::Markdown
    } else {
        Media::Text
    };
    let front = if kind == Kind::Markdown {
        front_matter(&text)
    } else {
        None
    };
    let (text, title) = match front {
        Some((rest, title)) => (rest.to_owned(), title),
        None => (text, None),
    };
    Extracted {
        text,
        media,
        title,
        format: kind.name(),
        encoding: None,
    }
}

/// What follows the front matter, and the title that it states. Left in, it would be read as a heading.
fn front_matter(text: &str) -> Option<(&str, Option<String>)> {
    const MAX_LINES: usize = 200;
    let rest = text.strip_prefix("---\n")?;
    let mut title = None;
    let mut at = 0;
    for line in rest.split_inclusive('\n').take(MAX_LINES) {
        at += line.len();
        if matches!(line.trim_end(), "---" | "...") {
            let body = rest.get(at..)?;
            return (!body.trim().is_empty()).then_some((body, title));
        }
        let listed = line.starts_with([' ', '\t', '-', '#']) || line.trim().is_empty();
        let (key, value) = line.split_once(':').unwrap_or_default();
        if !listed && (key.is_empty() || key.contains(' ')) {
            return None;
        }
        if key.eq_ignore_ascii_case("title") {
            let value = value.trim().trim_matches(['"', '\'']).trim();
            title = (!value.is_empty()).then(|| value.to_owned());
        }
    }
    None
}

/// Gives the worker the file and takes its answer.
///
/// Cancel safe: the worker is killed with the child that is dropped.
async fn converse(mut child: Child, kind: Kind, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    let (Some(mut input), Some(mut output), Some(complaints)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(unavailable(io::Error::other("the worker has no pipes")));
    };
    let writing = async move {
        // A worker that ended before it had read all says why below.
        let written = input.write_all(&bytes).await;
        drop((input, bytes));
        written.is_ok()
    };
    let complaining = async move {
        let mut said = Vec::new();
        let read = complaints.take(MAX_COMPLAINT).read_to_end(&mut said).await;
        read.map(|_| said).unwrap_or_default()
    };
    let (_, answer, said) = tokio::join!(writing, frame(&mut output), complaining);
    let status = child.wait().await.map_err(unavailable)?;
    match answer {
        Ok((head, text)) if status.success() => match head.into_extracted(text) {
            Some(read) => Ok(read?),
            None => Err(unavailable(io::Error::other(
                "the worker's answer is of no kind",
            ))),
        },
        _ => Err(ended(kind, status, &said)),
    }
}

/// Reads one frame, see [`worker`](crate::worker).
async fn frame(output: &mut (impl AsyncRead + Unpin)) -> io::Result<(Head, String)> {
    let beyond = || io::Error::other("the answer is beyond its bounds");
    let length = usize::try_from(output.read_u32().await?).map_err(io::Error::other)?;
    if length > MAX_HEAD {
        return Err(beyond());
    }
    let mut head = vec![0; length];
    output.read_exact(&mut head).await?;
    let head: Head = serde_json::from_slice(&head)?;
    let bytes = match &head {
        Head::Read { bytes, .. } => *bytes,
        Head::Refused(_) => 0,
    };
    if bytes > MAX_TEXT_BYTES {
        return Err(beyond());
    }
    let mut text = vec![0; bytes];
    output.read_exact(&mut text).await?;
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    Ok((head, text))
}

/// What the end of a worker means that gave no answer.
fn ended(kind: Kind, status: ExitStatus, said: &[u8]) -> ExtractError {
    let signal = status.signal();
    let said = String::from_utf8_lossy(said);
    tracing::info!(file.kind = kind.word(), %status, "a worker gave no answer");
    let is = |signals: &[Signal]| signals.iter().any(|one| signal == Some(one.as_raw()));
    let refusal = if is(&[Signal::XCPU]) {
        too_slow()
    } else if is(&[Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP]) {
        // Not by us: the machine is short of memory, or someone ends everything.
        return unavailable(io::Error::other("the worker was ended from outside"));
    } else if said.contains("memory allocation") || said.contains("capacity overflow") {
        let mib = MAX_MEMORY / (1024 * 1024);
        Refusal::unreadable(format!("reading it needs more than {mib} MiB of memory"))
    } else if said.contains("overflowed its stack") || is(&[Signal::SEGV]) {
        Refusal::too_deep()
    } else if signal.is_some() || status.code() == Some(101) {
        let name = kind.name();
        Refusal::unreadable(format!("it is damaged, or no {name} file that can be read"))
    } else {
        return unavailable(io::Error::other(format!("the worker ended with {status}")));
    };
    refusal.into()
}

fn too_slow() -> Refusal {
    Refusal::unreadable(format!(
        "reading it takes longer than {MAX_CPU_SECONDS} seconds; split it into smaller files"
    ))
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> ExtractError {
    ExtractError::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_matter_gives_its_title_and_is_no_heading() {
        let text = "---\ntitle: \"Night shift\"\ntags:\n  - ops\n---\n# Steps\n".to_owned();
        let read = plain(Kind::Markdown, text);
        assert_eq!(
            (read.text.as_str(), read.title.as_deref()),
            ("# Steps\n", Some("Night shift"))
        );
        for other in [
            "---\nno pair here\n---\nx",
            "---\na: b\n",
            "a: b\n---\n",
            "---\na: b\n---\n",
        ] {
            assert_eq!(plain(Kind::Markdown, other.to_owned()).text, other);
        }
    }

    #[tokio::test]
    async fn a_frame_beyond_its_bounds_is_refused() {
        for bytes in [
            &b"\xff\xff\xff\xff"[..],
            b"\0\0\0\x02{}",
            b"\0\0\0\x09",
            b"",
        ] {
            assert!(frame(&mut { bytes }).await.is_err());
        }
        let head = format!(
            r#"{{"Read":{{"media":"text","title":null,"format":"text","bytes":{}}}}}"#,
            MAX_TEXT_BYTES + 1
        );
        let mut bytes = u32::try_from(head.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(head.as_bytes());
        let refused = frame(&mut bytes.as_slice()).await.unwrap_err();
        assert!(refused.to_string().contains("bounds"));
    }
}
