//! How answers travel between replicas that share entries.
//!
//! Invariants:
//! - What one replica fetched is, on another, the same value with the same bytes and entity tag
//!   (`what_was_packed_is_the_same_elsewhere`).
//! - Replicas of different versions read nothing of each other: the version is in each name.
//! - An entry is void once any scope that it is within is invalidated, and it is within each combination of
//!   its engine, category and key (`a_key_is_within_each_scope_that_holds_it`).
//! - What is worked out of a plan, and how this process gets on with an engine, is each replica's own.
//! - Secrets were taken out of logs before: what is shared is what callers are shown.

use std::io::{Read, Write};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use resync_sync::{Codec, Fetched, Pack, SharedKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::cache::{Answer, PlanValue};
use super::snapshot::off_the_workers;
use super::{
    JobDefinitionPage, JobPage, JobView, LogView, PlanKey, PlanScope, PromptList, ReadError,
    ResourceList, Snapshot, StreamDefinitionPage, StreamPage, StreamView, WorkstationList,
};
use crate::model::{Capabilities, Counts, Job, JobStream, Workstation};

/// Changes with what an entry holds: replicas of another version neither read nor write the same ones.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "/1");
/// The most that one entry may be when it is unpacked: a plan of a hundred thousand jobs.
const MOST_UNPACKED: u64 = 256 << 20;

impl PlanKey {
    /// What the entry is found by where replicas share it.
    pub(crate) fn shared(&self) -> SharedKey {
        let scope = |parts: u8| {
            let scope = PlanScope {
                engine: (parts & 1 != 0).then(|| self.engine.clone()),
                category: (parts & 2 != 0).then(|| self.category()),
                key: (parts & 4 != 0).then(|| self.to_string()),
            };
            scope.text()
        };
        SharedKey {
            name: format!("{VERSION}:{}:{:?}", self.engine, self.what),
            scopes: (0..8).map(scope).collect(),
        }
    }
}

impl PlanScope {
    /// The scope as replicas tell it each other.
    pub(crate) fn text(&self) -> String {
        // A struct of texts always is JSON; the empty text would be read as everything.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What was told; everything, when it cannot be read.
    pub(crate) fn told(text: Option<&str>) -> Self {
        let scope = text.and_then(|text| serde_json::from_str(text).ok());
        scope.unwrap_or_default()
    }
}

/// An answer that other replicas may use.
pub(crate) trait Travels: Answer {
    /// What packs the answer later; cheap.
    fn pack(fetched: &Fetched<PlanValue>) -> Option<Pack>;
    /// The answer of unpacked bytes.
    fn unpack(bytes: Vec<u8>, revisions: &AtomicU64) -> Option<Fetched<PlanValue>>;
}

/// Takes answers of type `T` to other replicas and back.
pub(crate) struct PlanCodec<T> {
    pub(crate) revisions: Arc<AtomicU64>,
    pub(crate) answer: PhantomData<fn() -> T>,
}

#[async_trait]
impl<T: Travels> Codec<PlanValue> for PlanCodec<T> {
    fn pack(&self, fetched: &Fetched<PlanValue>) -> Option<Pack> {
        T::pack(fetched)
    }

    async fn unpack(&self, bytes: Bytes) -> Option<Fetched<PlanValue>> {
        let revisions = Arc::clone(&self.revisions);
        // A large plan must not hold up the answers of others.
        let unpacked = off_the_workers(move || T::unpack(inflate(&bytes)?, &revisions)).await;
        unpacked.ok().flatten()
    }
}

/// The answer's own JSON is what travels.
fn pack_bytes(fetched: &Fetched<PlanValue>) -> Pack {
    let bytes = fetched.bytes.clone();
    Box::new(move || deflate(&bytes))
}

fn unpack_bytes<T: Answer + DeserializeOwned>(bytes: Vec<u8>) -> Option<Fetched<PlanValue>> {
    let value: T = serde_json::from_slice(&bytes).ok()?;
    Some(Fetched {
        value: Arc::new(value).wrap(),
        bytes: bytes.into(),
        age: Duration::ZERO,
    })
}

macro_rules! travels {
    ($($type:ty),* $(,)?) => {$(
        impl Travels for $type {
            fn pack(fetched: &Fetched<PlanValue>) -> Option<Pack> {
                Some(pack_bytes(fetched))
            }

            fn unpack(bytes: Vec<u8>, _: &AtomicU64) -> Option<Fetched<PlanValue>> {
                unpack_bytes::<Self>(bytes)
            }
        }
    )*};
}

travels! {
    Capabilities, Counts, JobDefinitionPage, JobPage, JobView, LogView, PromptList, ResourceList,
    StreamDefinitionPage, StreamPage, StreamView, WorkstationList,
}

/// A plan is what the engine said; graph and summary are made of it anew.
#[derive(Serialize)]
struct PackedPlan<'a> {
    jobs: &'a [Arc<Job>],
    streams: &'a [JobStream],
    workstations: &'a [Workstation],
}

#[derive(Deserialize)]
struct UnpackedPlan {
    jobs: Vec<Job>,
    streams: Vec<JobStream>,
    workstations: Vec<Workstation>,
}

impl Travels for Snapshot {
    fn pack(fetched: &Fetched<PlanValue>) -> Option<Pack> {
        let snapshot = Self::unwrap(&fetched.value)?;
        Some(Box::new(move || {
            let plan = PackedPlan {
                jobs: &snapshot.jobs,
                streams: &snapshot.streams,
                workstations: &snapshot.workstations,
            };
            deflate(&serde_json::to_vec(&plan).ok()?)
        }))
    }

    fn unpack(bytes: Vec<u8>, revisions: &AtomicU64) -> Option<Fetched<PlanValue>> {
        let plan: UnpackedPlan = serde_json::from_slice(&bytes).ok()?;
        let snapshot = Self::of(plan.jobs, plan.streams, plan.workstations);
        snapshot
            .numbered(revisions.fetch_add(1, Ordering::Relaxed))
            .fetched()
            .ok()
    }
}

impl Snapshot {
    /// The snapshot as an entry; its bytes are those of the summary.
    pub(super) fn fetched(self) -> Result<Fetched<PlanValue>, ReadError> {
        let bytes = serde_json::to_vec(&*self.summary).map_err(|_| ReadError::Unwritable)?;
        Ok(Fetched {
            value: Arc::new(self).wrap(),
            bytes: bytes.into(),
            age: Duration::ZERO,
        })
    }
}

/// A plan's text is a tenth of its size then.
fn deflate(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut decoder = DeflateDecoder::new(bytes).take(MOST_UNPACKED + 1);
    let read = decoder.read_to_end(&mut unpacked).ok()?;
    (u64::try_from(read).ok()? <= MOST_UNPACKED).then_some(unpacked)
}

#[cfg(test)]
mod tests {
    use resync_sync::CacheKey;

    use super::*;
    use crate::model::{
        Dependency, DependencyKind, EngineName, JobId, JobStatus, LinkState, StreamId,
        WorkstationId,
    };
    use crate::plan::{Category, Question};
    use crate::test_support::{job, run};

    fn key(what: Question) -> PlanKey {
        PlanKey {
            engine: EngineName::parse("PROD").unwrap(),
            what,
        }
    }

    /// Every kind of dependency, and a status that we do not know.
    fn jobs() -> Vec<Job> {
        let kinds = [
            DependencyKind::Job {
                job_id: Some(JobId::parse("x").unwrap()),
                name: Some("X".to_owned()),
                stream: None,
                workstation: None,
            },
            DependencyKind::Stream {
                stream_id: None,
                name: Some("S".to_owned()),
                workstation: None,
            },
            DependencyKind::File {
                name: Some("/tmp/é".to_owned()),
                workstation: None,
            },
            DependencyKind::Resource {
                name: None,
                quantity: Some(2),
            },
            DependencyKind::Prompt {
                name: Some("P".to_owned()),
                text: Some("Go on?".to_owned()),
                status: Some("ASKED".to_owned()),
            },
            DependencyKind::Other {
                kind: "JOINED".to_owned(),
            },
        ];
        let dependencies = kinds.map(|kind| Dependency {
            id: Some("d".to_owned()),
            satisfied: Some(false),
            kind,
        });
        let waits = Job {
            dependencies: dependencies.into(),
            runs: vec![run("r1")],
            priority: Some(10),
            ..job("WAITS", JobStatus::Hold)
        };
        vec![waits, job("X", JobStatus::read("QUEUED_NEW"))]
    }

    fn stations() -> Vec<Workstation> {
        vec![Workstation {
            id: WorkstationId::parse("w").unwrap(),
            name: "W".to_owned(),
            folder: None,
            kind: None,
            os: None,
            limit: Some(10),
            fence: None,
            link: LinkState::Unlinked,
            jobman_up: Some(false),
            ignored: false,
        }]
    }

    fn streams() -> Vec<JobStream> {
        vec![JobStream {
            id: StreamId::parse("s").unwrap(),
            name: "S".to_owned(),
            folder: Some("/".to_owned()),
            workstation: None,
            status: JobStatus::Stuck,
            scheduled_at: chrono::DateTime::from_timestamp(1_772_409_600, 123_000_000),
            deadline: None,
            priority: None,
            limit: None,
        }]
    }

    async fn travelled<T: Travels>(fetched: &Fetched<PlanValue>) -> (Arc<T>, Bytes) {
        let codec = PlanCodec::<T> {
            revisions: Arc::new(AtomicU64::new(7)),
            answer: PhantomData,
        };
        let packed = codec.pack(fetched).unwrap()().unwrap();
        let there = codec.unpack(packed).await.unwrap();
        (T::unwrap(&there.value).unwrap(), there.bytes)
    }

    #[tokio::test]
    async fn what_was_packed_is_the_same_elsewhere() {
        let here = Snapshot::of(jobs(), streams(), stations())
            .fetched()
            .unwrap();
        let (there, bytes) = travelled::<Snapshot>(&here).await;
        assert_eq!(bytes, here.bytes);
        let of = |jobs: &[Arc<Job>]| jobs.iter().map(|job| Job::clone(job)).collect::<Vec<_>>();
        assert_eq!(of(&there.jobs), jobs());
        assert_eq!(
            (&there.streams, &there.workstations),
            (&streams(), &stations())
        );
        assert_eq!(there.revision, 7, "a number of the replica's own");

        let page = JobPage {
            items: jobs().into_iter().map(Arc::new).collect(),
            next_cursor: None,
            total: Some(2),
        };
        let here = Fetched {
            bytes: serde_json::to_vec(&page).unwrap().into(),
            value: Arc::new(page.clone()).wrap(),
            age: Duration::ZERO,
        };
        let (there, bytes) = travelled::<JobPage>(&here).await;
        assert_eq!((&*there, bytes), (&page, here.bytes));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_no_answer() {
        let codec = PlanCodec::<JobPage> {
            revisions: Arc::default(),
            answer: PhantomData,
        };
        let garbage = [&b""[..], b"\xff\xff", b"{}"].map(Bytes::from_static);
        let no_page = deflate(b"{\"items\": 1}").unwrap();
        for bytes in garbage.into_iter().chain([no_page]) {
            assert!(codec.unpack(bytes.clone()).await.is_none(), "{bytes:?}");
        }
        let bomb = deflate(&vec![0; usize::try_from(MOST_UNPACKED).unwrap() + 1]).unwrap();
        assert!(codec.unpack(bomb).await.is_none());
    }

    #[test]
    fn a_key_is_within_each_scope_that_holds_it() {
        let key = key(Question::Job(JobId::parse("j").unwrap()));
        let shared = key.shared();
        for text in &shared.scopes {
            let scope = PlanScope::told(Some(text));
            assert!(key.is_within(&scope), "{text}");
            assert_eq!(scope.text(), *text);
        }
        let everything = PlanScope::default().text();
        assert!(shared.scopes.contains(&everything));
        let others = [
            PlanScope {
                engine: EngineName::parse("TEST").ok(),
                ..PlanScope::default()
            },
            PlanScope {
                category: Some(Category::Graph),
                ..PlanScope::default()
            },
            PlanScope {
                key: Some("job/k".to_owned()),
                ..PlanScope::default()
            },
        ];
        for other in others {
            assert!(!shared.scopes.contains(&other.text()), "{other:?}");
        }
        assert_eq!(PlanScope::told(Some("?")), PlanScope::default());
    }

    /// I-04
    #[test]
    fn two_questions_have_two_names() {
        let names = [
            Question::Snapshot,
            Question::Workstations,
            Question::Job(JobId::parse("a").unwrap()),
            Question::Job(JobId::parse("b").unwrap()),
            Question::Streams {
                offset: 1,
                limit: 2,
            },
            Question::Streams {
                offset: 2,
                limit: 1,
            },
        ]
        .map(|what| key(what).shared().name);
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }
}
