//! The child process in which files are read: bytes on stdin, one framed answer on stdout.
//!
//! Invariants:
//! - Limits come before the first byte: 512 MiB of address space, 10 s of processor time, no file
//!   written, no further process or thread, no more open files, no core dump, low priority.
//! - It ends with whoever started it.
//! - The answer is one frame or it is none: the length of the head as four bytes (big endian), the head
//!   as JSON, then the text's bytes, as many as the head says.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use resync_rag::{Extracted, Media};
use rustix::process::{Resource, Rlimit, Signal, setpriority_process, setrlimit};
use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::markdown::MAX_TEXT_BYTES;
use crate::refusal::Refusal;
use crate::{docx, html, json, pdf, records};

/// The address space of a worker, in bytes.
pub(crate) const MAX_MEMORY: u64 = 512 * 1024 * 1024;
/// The processor time of a worker, in seconds.
pub(crate) const MAX_CPU_SECONDS: u64 = 10;
/// The longest head of an answer, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 300;
/// A low priority, but not so low that a busy machine leaves it nothing of its time by the clock.
const NICE: i32 = 5;

/// The text of a file, on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) text: String,
    pub(crate) media: Media,
    pub(crate) title: Option<String>,
    pub(crate) format: String,
}

impl Read {
    pub(crate) fn markdown(format: &str, title: Option<String>, text: String) -> Self {
        Self {
            text,
            media: Media::Markdown,
            title,
            format: format.to_owned(),
        }
    }

    pub(crate) fn text(format: &str, text: String) -> Self {
        Self {
            text,
            media: Media::Text,
            title: None,
            format: format.to_owned(),
        }
    }
}

/// The head of an answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Head {
    /// The text follows.
    Read {
        media: String,
        title: Option<String>,
        format: String,
        bytes: usize,
    },
    /// Nothing follows.
    Refused(Refusal),
}

/// The formats by the names that [`Extracted::format`] may have.
const FORMATS: [&str; 8] = [
    "PDF", "DOCX", "HTML", "CSV", "OpenAPI", "JSON", "Markdown", "text",
];

impl Head {
    /// What it says together with the text that followed it, or `None` when it says nothing that a
    /// worker of ours says.
    pub(crate) fn into_extracted(self, text: String) -> Option<Result<Extracted, Refusal>> {
        match self {
            Self::Refused(refusal) => Some(Err(refusal)),
            Self::Read {
                media,
                title,
                format,
                ..
            } => {
                let format = FORMATS.into_iter().find(|known| *known == format)?;
                let media = Media::parse(&media)?;
                Some(Ok(Extracted {
                    text,
                    media,
                    title,
                    format,
                    encoding: None,
                }))
            }
        }
    }
}

/// Runs a worker: `arguments` is the kind of the file as [`FileExtractor`](crate::FileExtractor) found
/// it. It is the whole work of the process, which must have no other thread: call it first.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments;
    let kind = arguments
        .next()
        .and_then(|word| Kind::parse(word.to_str()?));
    let (Some(kind), None) = (kind, arguments.next()) else {
        return ExitCode::from(2);
    };
    match limit().and_then(|()| answer(kind)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn limit() -> io::Result<()> {
    if address_space().is_some_and(|bytes| bytes > MAX_MEMORY / 2) {
        // What was reserved before the limit is beyond it; see `WorkerCommand::env`.
        return Err(io::Error::other("too much address space is taken already"));
    }
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let hard = |resource, most: u64| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)
    };
    hard(Resource::As, MAX_MEMORY)?;
    hard(Resource::Fsize, 0)?;
    hard(Resource::Nofile, 3)?;
    hard(Resource::Core, 0)?;
    hard(Resource::Nproc, 0)?;
    // The first limit ends it by a signal that says why.
    let cpu = Rlimit {
        current: Some(MAX_CPU_SECONDS),
        maximum: Some(MAX_CPU_SECONDS + 1),
    };
    setrlimit(Resource::Cpu, cpu)?;
    setpriority_process(None, NICE)?;
    Ok(())
}

/// The address space that this process has, in bytes, where the system tells.
fn address_space() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    kib.checked_mul(1024)
}

fn answer(kind: Kind) -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let (head, text) = match checked(kind, bytes) {
        Ok(read) => {
            let head = Head::Read {
                media: read.media.as_str().to_owned(),
                title: read.title,
                format: read.format,
                bytes: read.text.len(),
            };
            (head, read.text)
        }
        Err(refusal) => (Head::Refused(refusal), String::new()),
    };
    let head = serde_json::to_vec(&head).map_err(io::Error::other)?;
    let length = u32::try_from(head.len()).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&head)?;
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn checked(kind: Kind, bytes: Vec<u8>) -> Result<Read, Refusal> {
    let mut read = read(kind, bytes)?;
    if read.text.trim().is_empty() {
        return Err(Refusal::unreadable("there is no text in it"));
    }
    if read.text.contains('\0') {
        read.text = read.text.replace('\0', "\u{fffd}");
    }
    if read.text.len() > MAX_TEXT_BYTES {
        return Err(Refusal::unreadable("its text is too long"));
    }
    read.title = read
        .title
        .map(|title| {
            resync_rag::text::visible(&title)
                .chars()
                .take(MAX_TITLE_CHARS)
                .collect()
        })
        .filter(|title: &String| !title.is_empty());
    Ok(read)
}

/// The text of `bytes`, which are of that kind.
pub(crate) fn read(kind: Kind, bytes: Vec<u8>) -> Result<Read, Refusal> {
    match kind {
        Kind::Package => docx::read(bytes),
        Kind::Pdf => pdf::read(&bytes),
        Kind::Markdown | Kind::Text | Kind::Csv | Kind::Html | Kind::Json | Kind::Yaml => {
            let text = String::from_utf8(bytes)
                .map_err(|_| Refusal::unreadable("its text cannot be decoded"))?;
            match kind {
                Kind::Csv => records::read(&text),
                Kind::Html => html::read(&text),
                Kind::Json => json::read(&text),
                Kind::Yaml => json::read_yaml(&text),
                Kind::Markdown => Ok(Read::markdown("Markdown", None, text)),
                _ => Ok(Read::text("text", text)),
            }
        }
    }
}
