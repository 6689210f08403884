//! `resync kb add`: files in, and what became of each.
//!
//! Invariants:
//! - A file that is refused stops no other; the command fails at its end when one did.
//! - What was accepted is stored: a command that is interrupted leaves it to the server, or to the next
//!   command, and says so.
//! - What waits, for a model that is away or because a process died, is tried again for some time, and
//!   then said.
//! - Each document that is new, or is tried anew, leaves a row in the audit.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use futures_util::StreamExt as _;
use resync_kernel::{UserId, error_chain};
use resync_rag::{Document, DocumentId, Language, NewUpload, Stage, UploadError};
use resync_tws::ports::{AuditAction, AuditOutcome};
use serde::Serialize;
use serde_json::json;

use super::files::{self, Named};
use super::progress::Progress;
use crate::cli::accounts::origin;
use crate::cli::output::{self, Done, FAILURE, Failure, NOT_FOUND, OK, table};
use crate::wiring::Knowledge;

/// Files that are under way at the same time.
const AT_ONCE: usize = 4;
/// How often it is looked how far a document is.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// The largest file that is read at all; the configured limit is told by the service.
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// What to take in.
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Files, folders with all that is in them, patterns in quotes, or `-` for stdin.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// The collection to file them under, 1 to 64 characters.
    #[arg(long)]
    collection: Option<String>,
    /// A label, 1 to 64 characters; repeat it for more.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// The language they are written in.
    #[arg(long, value_parser = language())]
    language: Option<Language>,
    /// Of folders only files like this, such as `*.md`; repeat it for more.
    #[arg(long = "glob", value_name = "PATTERN")]
    globs: Vec<String>,
    /// What stdin is known as; its extension tells kinds of text apart.
    #[arg(long, value_name = "NAME", default_value = "stdin.txt")]
    stdin_name: String,
    /// Seconds that it goes on with documents that wait, such as for a model that is away.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=86_400))]
    wait: u64,
}

fn language() -> impl clap::builder::TypedValueParser<Value = Language> {
    PossibleValuesParser::new(["en", "pt"])
        .try_map(|word| Language::parse(&word).ok_or("not a language"))
}

/// What became of a file.
#[derive(Debug, Clone, Serialize)]
struct Outcome {
    path: String,
    /// `added`, `unchanged`, `failed` or `pending`.
    #[serde(rename = "outcome")]
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunks: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Outcome {
    fn of(path: &str, what: &'static str, document: &Document) -> Self {
        Self {
            path: path.to_owned(),
            what,
            id: Some(document.id.to_string()),
            stage: Some(document.stage.as_str()),
            version: Some(document.version),
            format: document.format.clone(),
            chunks: Some(document.chunks),
            reason: document.stage.reason().map(str::to_owned),
        }
    }

    /// What became of a document that was to be taken in.
    fn now(path: &str, document: &Document) -> Self {
        match document.stage {
            Stage::Ready => Self::of(path, "added", document),
            Stage::Failed { .. } => Self::of(path, "failed", document),
            Stage::Received | Stage::Text | Stage::Chunks | Stage::Vectors => {
                let mut outcome = Self::of(path, "pending", document);
                outcome.reason.clone_from(&document.waiting);
                outcome
            }
        }
    }

    fn failed(path: &str, reason: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            what: "failed",
            id: None,
            stage: None,
            version: None,
            format: None,
            chunks: None,
            reason: Some(reason.into()),
        }
    }

    fn line(&self) -> String {
        let more = match (&self.reason, self.chunks) {
            (Some(reason), _) => format!(": {reason}"),
            (None, Some(chunks)) if self.what == "added" => format!(" ({chunks} chunks)"),
            _ => String::new(),
        };
        format!("{} {}{more}", self.what, self.path)
    }
}

/// Takes the files in.
pub(super) async fn run(knowledge: &Knowledge, args: AddArgs, json: bool) -> Done {
    let files = files::named(&args.paths, &args.globs, &args.stdin_name)?;
    if files.is_empty() {
        return Err(Failure::new(
            NOT_FOUND,
            "there is no such file in these folders",
        ));
    }
    let adding = Adding {
        knowledge,
        args: &args,
        progress: Mutex::new(Progress::of(files.len())),
        stages: Mutex::default(),
    };
    let mut outcomes = Vec::new();
    let mut interrupted = false;
    {
        let mut work = futures_util::stream::iter(&files)
            .map(|file| adding.one(file))
            .buffer_unordered(AT_ONCE);
        let stop = tokio::signal::ctrl_c();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => {
                    interrupted = true;
                    break;
                }
                outcome = work.next() => match outcome {
                    Some(outcome) => outcomes.push(outcome?),
                    None => break,
                },
            }
        }
    }
    adding.bar(|progress| progress.end());
    if !interrupted {
        adding.work_off(&mut outcomes).await?;
    }
    outcomes.sort_by(|a: &Outcome, b| a.path.cmp(&b.path));
    let done: Vec<&str> = outcomes
        .iter()
        .map(|outcome| outcome.path.as_str())
        .collect();
    let left = files
        .iter()
        .filter(|file| !done.contains(&file.label.as_str()))
        .count();
    if interrupted {
        output::note(&format!(
            "interrupted: {left} files are not done; what was accepted of them goes on in the server"
        ));
    }
    report(&outcomes, left, json)
}

struct Adding<'a> {
    knowledge: &'a Knowledge,
    args: &'a AddArgs,
    progress: Mutex<Progress>,
    /// Which file is in which stage, of those under way.
    stages: Mutex<BTreeMap<String, String>>,
}

impl Adding<'_> {
    fn bar(&self, draw: impl FnOnce(&mut Progress)) {
        draw(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn stage(&self, label: &str, stage: Option<&str>) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        match stage {
            Some(stage) => stages.insert(label.to_owned(), stage.to_owned()),
            None => stages.remove(label),
        };
        self.bar(|progress| progress.stages(&stages));
    }

    /// Takes one file in; an error is one of the store, which the others would meet, too.
    async fn one(&self, file: &Named) -> Result<Outcome, Failure> {
        self.stage(&file.label, Some("reading"));
        let outcome = self.taken_in(file).await;
        self.stage(&file.label, None);
        if let Ok(outcome) = &outcome {
            self.bar(|progress| progress.done(&outcome.line()));
        }
        outcome
    }

    async fn taken_in(&self, file: &Named) -> Result<Outcome, Failure> {
        let label = file.label.as_str();
        let bytes = match read(file).await {
            Ok(bytes) => bytes,
            Err(reason) => return Ok(Outcome::failed(label, reason)),
        };
        let document = match self.uploaded(label, bytes).await {
            Ok(document) => document,
            Err(UploadError::Unavailable(source)) => {
                return Err(Failure::new(FAILURE, error_chain(source.as_ref())));
            }
            Err(error) => return Ok(Outcome::failed(label, error_chain(&error))),
        };
        // What is new has still to be read.
        if document.stage == Stage::Ready {
            return Ok(Outcome::of(label, "unchanged", &document));
        }
        self.record(&document).await?;
        let id = document.id;
        loop {
            let Some(now) = self.knowledge.service.get(id).await? else {
                return Ok(Outcome::failed(label, "it was removed meanwhile"));
            };
            self.stage(label, Some(now.stage.as_str()));
            if now.stage.is_final() || now.waiting.is_some() {
                return Ok(Outcome::now(label, &now));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Goes on with what waits, and says what still does.
    async fn work_off(&self, outcomes: &mut [Outcome]) -> Result<(), Failure> {
        let pending: Vec<DocumentId> = outcomes
            .iter()
            .filter(|outcome| outcome.what == "pending")
            .filter_map(|outcome| outcome.id.as_ref()?.parse().ok())
            .collect();
        if !pending.is_empty() {
            output::note(&format!(
                "{} documents wait; they are tried again",
                pending.len()
            ));
        }
        let patience = Duration::from_secs(self.args.wait);
        let working = self.knowledge.service.work_off(&pending, patience);
        let waiting = tokio::select! {
            waiting = working => waiting?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        let others = waiting
            .iter()
            .filter(|one| !pending.contains(&one.id))
            .count();
        if others > 0 {
            output::note(&format!(
                "{others} documents that were added earlier still wait"
            ));
        }
        for outcome in outcomes
            .iter_mut()
            .filter(|outcome| outcome.what == "pending")
        {
            let id = outcome.id.as_ref().and_then(|id| id.parse().ok());
            let Some(id) = id else { continue };
            let now = self.knowledge.service.get(id).await?;
            *outcome = match now {
                None => Outcome::failed(&outcome.path, "it was removed meanwhile"),
                Some(now) => Outcome::now(&outcome.path, &now),
            };
        }
        Ok(())
    }

    /// Stores the file, and waits while as many as are allowed are under way.
    async fn uploaded(&self, label: &str, bytes: Vec<u8>) -> Result<Document, UploadError> {
        let mut upload = NewUpload::new(label, bytes, UserId(uuid::Uuid::nil()));
        upload.collection.clone_from(&self.args.collection);
        upload.tags.clone_from(&self.args.tags);
        upload.language = self.args.language;
        upload.path = Some(label.to_owned());
        loop {
            match self.knowledge.service.upload(upload.clone()).await {
                Err(UploadError::Busy) => tokio::time::sleep(LOOK_EVERY).await,
                other => return other,
            }
        }
    }

    /// As the API does for an upload.
    async fn record(&self, document: &Document) -> Result<(), Failure> {
        let target = format!("{} ({})", document.source, document.id);
        audited(self.knowledge, AuditAction::KnowledgeAdded, target).await
    }
}

/// Writes a row that somebody at this machine's command line did it.
pub(super) async fn audited(
    knowledge: &Knowledge,
    action: AuditAction,
    target: String,
) -> Result<(), Failure> {
    let actor = origin().actor.to_string();
    let mut row = knowledge
        .audit
        .event(actor, action, AuditOutcome::Succeeded);
    row.target = Some(target);
    let recorded = knowledge.audit.record(row).await;
    recorded.map_err(|error| Failure::new(FAILURE, error_chain(&error)))?;
    Ok(())
}

/// The bytes of a file, or why there are none.
async fn read(file: &Named) -> Result<Vec<u8>, String> {
    let place = file.place.clone();
    let reading = tokio::task::spawn_blocking(move || match place {
        Some(place) => {
            let file = std::fs::File::open(place)?;
            if file.metadata()?.len() > MOST_BYTES {
                return Err(std::io::Error::other("the file is too large"));
            }
            all_of(file)
        }
        None => all_of(std::io::stdin().lock()),
    });
    match reading.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn all_of(from: impl std::io::Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn report(outcomes: &[Outcome], left: usize, json: bool) -> Done {
    let count = |word: &str| {
        outcomes
            .iter()
            .filter(|outcome| outcome.what == word)
            .count()
    };
    let (added, unchanged, failed) = (count("added"), count("unchanged"), count("failed"));
    let pending = count("pending") + left;
    let code = if failed + left > 0 { FAILURE } else { OK };
    if json {
        let all = json!({
            "items": outcomes,
            "added": added,
            "unchanged": unchanged,
            "failed": failed,
            "pending": pending,
        });
        return Ok((code, output::json(&all)?));
    }
    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            [
                outcome.what.to_owned(),
                outcome.path.clone(),
                dash(outcome.format.clone()),
                dash(outcome.chunks.map(|chunks| chunks.to_string())),
                dash(outcome.id.clone()),
                outcome.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let rows = table(
        ["outcome", "path", "format", "chunks", "id", "reason"],
        &rows,
    );
    let sum = format!("{added} added, {unchanged} unchanged, {failed} failed, {pending} pending");
    Ok((code, format!("{rows}\n{sum}")))
}
