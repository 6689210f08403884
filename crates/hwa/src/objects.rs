//! What is in the plan beside jobs: streams and workstations by id, resources, prompts, counts.
//!
//! Prompts have a list of their own only in later releases. It is asked for once; where it does not
//! exist, prompts are collected from the jobs and streams that wait for one.

mod definitions;
mod monitor;
mod submit;

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use resync_tws::model::{
    CountBy, Counted, Counts, JobStream, Prompt, PromptId, Resource, ResourceId, StreamId,
    Workstation, WorkstationId,
};
use resync_tws::ports::{GatewayError, ObjectGateway};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::HwaClient;
use crate::body::Json;
use crate::encode::segment;
use crate::oql::{Direction, Oql, OqlError, OqlQuery};
use crate::plan::{MAX_PAGE, filter_error};
use crate::transport::Call;
use crate::wire::{
    Place, Scalar, WirePrompt, WireResource, WireStream, WireWaiting, WireWorkstation,
};

/// Lists that are read to the end are not read for ever.
const MAX_PAGES: usize = 32;

/// Whether this engine has a list of prompts. Only a hint, found out by asking.
#[derive(Debug, Default)]
pub(crate) struct PromptList(AtomicU8);

impl PromptList {
    pub(crate) fn known(&self) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            answer => Some(answer == 1),
        }
    }

    fn learn(&self, exists: bool) {
        self.0.store(if exists { 1 } else { 2 }, Ordering::Relaxed);
    }
}

/// `/plan/job/count`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireCounts {
    count: Scalar,
    grouped_count: Option<BTreeMap<String, Scalar>>,
}

impl WireCounts {
    /// A group whose number cannot be read fails the whole: a zero in its place would be a lie.
    fn read(self, grouped: bool) -> Result<Counts, GatewayError> {
        let unread = |what: &str| GatewayError::Unreadable(format!("{what} is no number").into());
        let mut groups = BTreeMap::new();
        for (name, count) in self.grouped_count.unwrap_or_default() {
            let count = count.number().ok_or_else(|| unread("a group's count"))?;
            groups.insert(name, count);
        }
        let total = match self.count.number() {
            Some(total) => total,
            None if grouped && !groups.is_empty() => groups.values().sum(),
            None => return Err(unread("count")),
        };
        if grouped && groups.is_empty() && total > 0 {
            return Err(GatewayError::Unreadable("groupedCount is missing".into()));
        }
        Ok(Counts { total, groups })
    }
}

impl HwaClient {
    /// Every element of a list, page by page, each key once.
    pub(crate) async fn every<W, T, K>(
        &self,
        call: impl Fn() -> Call + Send,
        become_ours: fn(W, Place) -> Result<T, GatewayError>,
        key: fn(&T) -> K,
    ) -> Result<Vec<T>, GatewayError>
    where
        W: DeserializeOwned,
        T: Send,
        K: Hash + Eq + Send,
    {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        self.each(call, become_ours, |item| {
            if seen.insert(key(&item)) {
                all.push(item);
            }
        })
        .await?;
        Ok(all)
    }

    async fn each<W: DeserializeOwned, T: Send>(
        &self,
        call: impl Fn() -> Call + Send,
        become_ours: fn(W, Place) -> Result<T, GatewayError>,
        take: impl FnMut(T) + Send,
    ) -> Result<(), GatewayError> {
        let (mut take, mut offset) = (take, 0);
        for _ in 0..MAX_PAGES {
            let page = self.page(call(), offset, MAX_PAGE, become_ours).await?;
            page.items.into_iter().for_each(&mut take);
            match page.next_offset {
                Some(next) => offset = next,
                None => return Ok(()),
            }
        }
        Err(GatewayError::Unreadable("a list does not end".into()))
    }

    /// The prompts of their own list; `None` when this engine has none.
    async fn listed_prompts(&self) -> Result<Option<Vec<Prompt>>, GatewayError> {
        if self.prompt_list.known() == Some(false) {
            return Ok(None);
        }
        let read = self
            .every(
                || Call::get("/plan/prompt"),
                WirePrompt::read,
                |prompt| prompt.id.clone(),
            )
            .await;
        match read {
            Ok(prompts) => {
                self.prompt_list.learn(true);
                Ok(Some(prompts))
            }
            Err(GatewayError::Unsupported) => {
                self.prompt_list.learn(false);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The prompts that something waits for.
    async fn collected_prompts(&self) -> Result<Vec<Prompt>, GatewayError> {
        let oql = unresolved().map_err(filter_error)?;
        let mut prompts: BTreeMap<String, Prompt> = BTreeMap::new();
        for path in ["/plan/job", "/plan/jobstream"] {
            let call = || {
                let call = Call::get(path).header(
                    "scope",
                    HeaderValue::from_static("WHOLE_NO_JOB_DEFINITIONS"),
                );
                match &oql {
                    Some(oql) => call.query("oql", oql.clone()),
                    None => call,
                }
            };
            let become_ours = |waiting: WireWaiting, _: Place| Ok(waiting.read());
            self.each(call, become_ours, |found: Vec<Prompt>| {
                for prompt in found {
                    match prompts.get_mut(prompt.id.as_str()) {
                        Some(known) => {
                            let new = |label: &String| !known.waiting.contains(label);
                            let more: Vec<String> =
                                prompt.waiting.into_iter().filter(new).collect();
                            known.waiting.extend(more);
                        }
                        None => drop(prompts.insert(prompt.id.as_str().to_owned(), prompt)),
                    }
                }
            })
            .await?;
        }
        Ok(prompts.into_values().collect())
    }
}

fn unresolved() -> Result<Option<String>, OqlError> {
    OqlQuery::of(vec![Oql::is(
        "dependencies.dependencyStatus",
        "UNSATISFIED",
    )?])
    .order_by("name", Direction::Ascending)?
    .order_by("id", Direction::Ascending)?
    .text()
}

#[async_trait]
impl ObjectGateway for HwaClient {
    async fn stream(&self, id: &StreamId) -> Result<Option<JobStream>, GatewayError> {
        let call = segment(id.as_str()).map(|id| Call::get(format!("/plan/jobstream/{id}")));
        match self.one::<WireStream>(call).await? {
            Some(wire) => wire.read(Place::Whole("jobstream")).map(Some),
            None => Ok(None),
        }
    }

    async fn workstation(&self, id: &WorkstationId) -> Result<Option<Workstation>, GatewayError> {
        let call = segment(id.as_str()).map(|id| Call::get(format!("/plan/workstation/{id}")));
        match self.one::<WireWorkstation>(call).await? {
            Some(wire) => wire.read(Place::Whole("workstation")).map(Some),
            None => Ok(None),
        }
    }

    async fn resources(&self) -> Result<Vec<Resource>, GatewayError> {
        self.every(
            || Call::get("/plan/resource"),
            WireResource::read,
            |resource| resource.id.clone(),
        )
        .await
    }

    async fn resource(&self, id: &ResourceId) -> Result<Option<Resource>, GatewayError> {
        let call = segment(id.as_str()).map(|id| Call::get(format!("/plan/resource/{id}")));
        match self.one::<WireResource>(call).await? {
            Some(wire) => wire.read(Place::Whole("resource")).map(Some),
            None => Ok(None),
        }
    }

    async fn prompts(&self) -> Result<Vec<Prompt>, GatewayError> {
        match self.listed_prompts().await? {
            Some(prompts) => Ok(prompts),
            None => self.collected_prompts().await,
        }
    }

    async fn prompt(&self, id: &PromptId) -> Result<Option<Prompt>, GatewayError> {
        // Where there is a list, there is no promise of a single read; the list holds few.
        let prompts = self.prompts().await?;
        Ok(prompts.into_iter().find(|prompt| prompt.id == *id))
    }

    async fn count(&self, what: Counted, by: Option<CountBy>) -> Result<Counts, GatewayError> {
        // The filter is required, and this one is everything.
        let (path, every) = match what {
            Counted::Jobs => ("/plan/job/count", "/@/@#/@/@.@"),
            Counted::Streams => ("/plan/jobstream/count", "/@/@#/@/@"),
        };
        let mut call = Call::get(path).query("plan_filter", every.to_owned());
        if let Some(by) = by {
            let grouping = match by {
                CountBy::Status => "status",
                CountBy::Workstation => "workstation",
                CountBy::Folder => "folder",
            };
            call = call.query("grouping_filters", grouping.to_owned());
        }
        self.transport
            .read(call, Json::<WireCounts>::new)
            .await
            .map_err(|failure| failure.into_error(GatewayError::Unsupported))?
            .read(by.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, grouped: bool) -> Result<Counts, GatewayError> {
        serde_json::from_str::<WireCounts>(json)
            .unwrap()
            .read(grouped)
    }

    #[test]
    fn a_count_that_cannot_be_read_is_an_error_and_never_a_zero() {
        let counts = read(
            r#"{"count":"3","groupedCount":{"EXEC":1,"HOLD":"2"}}"#,
            true,
        )
        .unwrap();
        assert_eq!((counts.total, counts.groups.len()), (3, 2));
        assert_eq!(
            read(r#"{"groupedCount":{"EXEC":4}}"#, true).unwrap().total,
            4
        );
        assert_eq!(read(r#"{"count":0}"#, true).unwrap().total, 0);
        for (json, grouped) in [
            ("{}", false),
            (r#"{"count":null}"#, false),
            (r#"{"count":"many"}"#, false),
            (r#"{"count":-1}"#, false),
            (r#"{"count":5}"#, true),
            (r#"{"count":5,"groupedCount":{"EXEC":"x"}}"#, true),
            (r#"{"count":5,"groupedCount":{"EXEC":null}}"#, true),
        ] {
            assert!(read(json, grouped).is_err(), "{json}");
        }
    }
}
