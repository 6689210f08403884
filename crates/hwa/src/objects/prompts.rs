//! Prompts: from a list of their own, which only later releases have, else from what waits for them.
//!
//! Invariants:
//! - Reading is bounded. What lies behind its end is said to be unknown: a list is marked as cut, and a
//!   prompt that may lie there is an error, not `None`.
//! - A look at one prompt reads that prompt: from the list by its id, or from the job or stream that was
//!   last seen to wait for it. Only when that says nothing of it all are read.
//! - What an engine was found to know is a hint: it saves calls and decides no answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderValue;
use resync_tws::model::{Prompt, PromptId, Prompts};
use resync_tws::ports::GatewayError;

use super::Reached;
use crate::HwaClient;
use crate::encode::segment;
use crate::oql::{Direction, Op, Oql, OqlError, OqlQuery, Value};
use crate::plan::{MAX_PAGE, filter_error};
use crate::transport::Call;
use crate::wire::{Place, Waiting, WirePrompt, WireWaiting};

/// Of how many prompts it is kept who waits for them.
const MOST_HOLDERS: usize = 10_000;

/// Something about an engine that is found out by asking.
#[derive(Debug, Default)]
pub(crate) struct Found(AtomicU8);

impl Found {
    pub(crate) fn known(&self) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            answer => Some(answer == 1),
        }
    }

    pub(crate) fn learn(&self, yes: bool) {
        self.0.store(if yes { 1 } else { 2 }, Ordering::Relaxed);
    }
}

/// What was found out about the prompts of an engine.
#[derive(Debug, Default)]
pub(crate) struct PromptReads {
    /// Whether it has a list of prompts.
    pub(crate) list: Found,
    /// Whether it filters jobs, and streams, by how many prompts they wait for.
    counts: [Found; 2],
    /// Who was last seen to wait for a prompt. Replaced whole by each collection; a few lines without
    /// `await` hold it.
    holders: Mutex<HashMap<PromptId, Holder>>,
}

impl PromptReads {
    fn holders(&self) -> MutexGuard<'_, HashMap<PromptId, Holder>> {
        // Nothing panics under it, so a poisoned one still holds whole data.
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self, sort: Sort) -> &Found {
        let [jobs, streams] = &self.counts;
        match sort {
            Sort::Job => jobs,
            Sort::Stream => streams,
        }
    }
}

/// A job or a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Job,
    Stream,
}

impl Sort {
    fn path(self) -> &'static str {
        match self {
            Self::Job => "/plan/job",
            Self::Stream => "/plan/jobstream",
        }
    }
}

/// Who waits for a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    sort: Sort,
    id: String,
}

/// Prompts while they are collected.
#[derive(Debug, Default)]
struct Collected {
    prompts: BTreeMap<String, Prompt>,
    /// Which label was counted for which prompt: pages may overlap.
    counted: HashSet<(PromptId, String)>,
    holders: HashMap<PromptId, Holder>,
    truncated: bool,
}

impl Collected {
    /// Takes what one waits for; whether it waits for any prompt.
    fn take(&mut self, sort: Sort, waiting: Waiting) -> bool {
        let any = !waiting.prompts.is_empty();
        for mut prompt in waiting.prompts {
            if let Some(id) = &waiting.id
                && self.holders.len() < MOST_HOLDERS
            {
                let holder = || Holder {
                    sort,
                    id: id.clone(),
                };
                self.holders.entry(prompt.id.clone()).or_insert_with(holder);
            }
            let labels = std::mem::take(&mut prompt.waiting);
            prompt.waiting_count = 0;
            let id = prompt.id.clone();
            let kept = self.prompts.entry(id.to_string()).or_insert(prompt);
            for label in labels {
                if self.counted.insert((id.clone(), label.clone())) {
                    kept.add_waiting(label);
                }
            }
        }
        any
    }
}

impl HwaClient {
    pub(super) async fn every_prompt(&self) -> Result<Prompts, GatewayError> {
        match self.listed_prompts().await? {
            Some(prompts) => Ok(prompts),
            None => self.collected_prompts().await,
        }
    }

    pub(super) async fn one_prompt(&self, id: &PromptId) -> Result<Option<Prompt>, GatewayError> {
        if let Some(answer) = self.listed_prompt(id).await? {
            return Ok(answer);
        }
        if let Some(prompt) = self.held_prompt(id).await? {
            return Ok(Some(prompt));
        }
        let read = self.every_prompt().await?;
        match read.items.into_iter().find(|prompt| prompt.id == *id) {
            None if read.truncated => Err(GatewayError::Unreadable(
                "more waits for prompts than can be read, and this one may be among it".into(),
            )),
            found => Ok(found),
        }
    }

    /// The prompts of their own list; `None` when this engine has none.
    async fn listed_prompts(&self) -> Result<Option<Prompts>, GatewayError> {
        if self.prompts.list.known() == Some(false) {
            return Ok(None);
        }
        let read = self
            .first(
                || Call::get("/plan/prompt"),
                WirePrompt::read,
                |prompt| prompt.id.clone(),
            )
            .await;
        match read {
            Ok((items, reached)) => {
                self.prompts.list.learn(true);
                Ok(Some(Prompts {
                    items,
                    truncated: reached == Reached::Cut,
                }))
            }
            Err(GatewayError::Unsupported) => {
                self.prompts.list.learn(false);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The prompt of that id from the list; nothing when the list cannot be asked for one, which is not
    /// the same as no such prompt.
    async fn listed_prompt(&self, id: &PromptId) -> Result<Option<Option<Prompt>>, GatewayError> {
        // Which fields of a prompt can be filtered by is in no document, and an id may hold what no
        // query can.
        let filter = Oql::is("id", id.as_str()).and_then(|part| OqlQuery::of(vec![part]).text());
        let (Ok(Some(filter)), None | Some(true)) = (filter, self.prompts.list.known()) else {
            return Ok(None);
        };
        let call = Call::get("/plan/prompt").query("oql", filter);
        let page = match self.page(call, 0, MAX_PAGE, WirePrompt::read).await {
            Ok(page) => page,
            Err(GatewayError::Unsupported) => {
                self.prompts.list.learn(false);
                return Ok(None);
            }
            Err(GatewayError::Rejected(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        self.prompts.list.learn(true);
        let (came, mut items) = (page.came, page.items.into_iter());
        let found = items.find(|prompt| prompt.id == *id);
        // Others in its place show that the filter was not looked at: then its absence says nothing.
        Ok((found.is_some() || came == 0).then_some(found))
    }

    /// The prompt by the one that was last seen to wait for it.
    async fn held_prompt(&self, id: &PromptId) -> Result<Option<Prompt>, GatewayError> {
        let holder = self.prompts.holders().get(id).cloned();
        let Some(holder) = holder else {
            return Ok(None);
        };
        let path = holder.sort.path();
        let call = segment(&holder.id).map(|holder| Call::get(format!("{path}/{holder}")));
        let found = self.one::<WireWaiting>(call).await?.and_then(|waiting| {
            let mut prompts = waiting.read().prompts.into_iter();
            prompts.find(|prompt| prompt.id == *id)
        });
        if found.is_none() {
            // It was released, or the plan is another: somebody else may wait for the prompt.
            self.prompts.holders().remove(id);
        }
        Ok(found)
    }

    /// The prompts that something waits for.
    async fn collected_prompts(&self) -> Result<Prompts, GatewayError> {
        let mut found = Collected::default();
        for sort in [Sort::Job, Sort::Stream] {
            self.collect(sort, &mut found).await?;
        }
        *self.prompts.holders() = found.holders;
        Ok(Prompts {
            items: found.prompts.into_values().collect(),
            truncated: found.truncated,
        })
    }

    async fn collect(&self, sort: Sort, found: &mut Collected) -> Result<(), GatewayError> {
        let counts = self.prompts.counts(sort);
        if counts.known() != Some(false) {
            match self.gather(sort, with_prompts(sort), found).await {
                // An engine that does not count them finds none; so none is believed only of one that
                // has counted.
                Ok(any) if any || counts.known() == Some(true) => {
                    counts.learn(true);
                    return Ok(());
                }
                Ok(_) => {}
                Err(GatewayError::Rejected(_)) => counts.learn(false),
                Err(error) => return Err(error),
            }
        }
        self.gather(sort, unresolved(), found).await.map(drop)
    }

    /// Collects from those that match; whether any of them waits for a prompt.
    async fn gather(
        &self,
        sort: Sort,
        which: Result<Vec<Oql>, OqlError>,
        found: &mut Collected,
    ) -> Result<bool, GatewayError> {
        let oql = which
            .and_then(|parts| {
                OqlQuery::of(parts)
                    .order_by("name", Direction::Ascending)?
                    .order_by("id", Direction::Ascending)?
                    .text()
            })
            .map_err(filter_error)?;
        let call = || {
            let call = Call::get(sort.path()).header(
                "scope",
                HeaderValue::from_static("WHOLE_NO_JOB_DEFINITIONS"),
            );
            match &oql {
                Some(oql) => call.query("oql", oql.clone()),
                None => call,
            }
        };
        let become_ours = |waiting: WireWaiting, _: Place| Ok(waiting.read());
        let mut any = false;
        let take = |waiting| any |= found.take(sort, waiting);
        let reached = self.each(call, become_ours, take).await?;
        found.truncated |= reached == Reached::Cut;
        Ok(any)
    }
}

fn unresolved() -> Result<Vec<Oql>, OqlError> {
    let unmet = Oql::is("dependencies.dependencyStatus", "UNSATISFIED")?;
    Ok(vec![unmet])
}

/// Those alone that wait for a prompt. A job that asks how to recover is counted by no document.
fn with_prompts(sort: Sort) -> Result<Vec<Oql>, OqlError> {
    let some = Oql::test(
        "dependenciesStats.numberOfPromptDependencies",
        Op::NotEqual,
        Value::int(0),
    )?;
    let mut unmet = unresolved()?;
    unmet.insert(0, some);
    if sort == Sort::Stream {
        return Ok(unmet);
    }
    let asks = Oql::all([
        Oql::any_of(
            "jobDefinition.recoveryOption",
            ["CONTINUE_PROMPT", "RERUN_PROMPT"],
        )?,
        Oql::any_of("jobruns.compositeStatus.status", ["ABEND", "FAIL"])?,
    ])?;
    Ok(vec![Oql::any([Oql::all(unmet)?, asks])?])
}
