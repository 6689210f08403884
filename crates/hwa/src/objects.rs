//! What is in the plan beside jobs: streams and workstations by id, resources, prompts, counts.
//!
//! Invariant: a list that is read to its end is read within [`MAX_PAGES`], and one that goes on behind
//! them is never taken for a whole one.

mod definitions;
mod monitor;
mod prompts;
mod submit;

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use async_trait::async_trait;
use resync_tws::model::{
    CountBy, Counted, Counts, JobStream, Prompt, PromptId, Prompts, Resource, ResourceId, StreamId,
    Workstation, WorkstationId,
};
use resync_tws::ports::{GatewayError, ObjectGateway};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(crate) use self::prompts::PromptReads;
use crate::HwaClient;
use crate::body::Json;
use crate::encode::segment;
use crate::plan::MAX_PAGE;
use crate::transport::Call;
use crate::wire::{Place, Scalar, WireResource, WireStream, WireWorkstation};

/// Lists that are read to the end are not read for ever.
const MAX_PAGES: usize = 32;

/// Whether a list was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    End,
    /// It goes on behind what was read.
    Cut,
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
    ///
    /// # Errors
    /// Also when the list does not end.
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
        match self.first(call, become_ours, key).await? {
            (all, Reached::End) => Ok(all),
            (_, Reached::Cut) => Err(GatewayError::Unreadable("a list does not end".into())),
        }
    }

    /// The elements of a list as far as it is read, each key once.
    async fn first<W, T, K>(
        &self,
        call: impl Fn() -> Call + Send,
        become_ours: fn(W, Place) -> Result<T, GatewayError>,
        key: fn(&T) -> K,
    ) -> Result<(Vec<T>, Reached), GatewayError>
    where
        W: DeserializeOwned,
        T: Send,
        K: Hash + Eq + Send,
    {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        let take = |item| {
            if seen.insert(key(&item)) {
                all.push(item);
            }
        };
        let reached = self.each(call, become_ours, take).await?;
        Ok((all, reached))
    }

    async fn each<W: DeserializeOwned, T: Send>(
        &self,
        call: impl Fn() -> Call + Send,
        become_ours: fn(W, Place) -> Result<T, GatewayError>,
        take: impl FnMut(T) + Send,
    ) -> Result<Reached, GatewayError> {
        let (mut take, mut offset) = (take, 0);
        for _ in 0..MAX_PAGES {
            let page = self.page(call(), offset, MAX_PAGE, become_ours).await?;
            page.items.into_iter().for_each(&mut take);
            match page.next_offset {
                Some(next) => offset = next,
                None => return Ok(Reached::End),
            }
        }
        Ok(Reached::Cut)
    }
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

    async fn prompts(&self) -> Result<Prompts, GatewayError> {
        self.every_prompt().await
    }

    async fn prompt(&self, id: &PromptId) -> Result<Option<Prompt>, GatewayError> {
        self.one_prompt(id).await
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
