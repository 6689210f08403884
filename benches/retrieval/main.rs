//! A search by words and meaning beside its two halves: bare tantivy, and the scan of vectors.
//!
//! `cargo bench -p resync-benches --bench retrieval [-- --smoke]`. 100,000 chunks of 120 words drawn by
//! Zipf's law, questions of four words of one chunk, vectors of 384 numbers in clusters; what makes
//! vectors of questions has them ready. `--smoke` takes 2,000 chunks and checks what is not timing.

mod peers;
mod text;

use std::alloc::System;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use resync_kernel::{ManualClock, SystemIds, UserId};
use resync_rag::{
    Embedder, EmbeddingModel, ExactVectorSearch, Glossary, KnowledgeConfig, KnowledgeParts,
    KnowledgeService, NearestQuery, NewUpload, PlainText, SearchQuery, Stage,
};
use resync_sqlite::SqliteDatabase;
use resync_sqlite::rag::SqliteDocumentRepository;
use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::peers::{BareTantivy, exact};
use crate::text::{ReadyVectors, World};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type AnyError = Box<dyn std::error::Error>;

/// Numbers in a vector.
const DIMENSIONS: usize = 384;
/// Chunks of one document.
const IN_DOCUMENT: usize = 500;

fn main() -> ExitCode {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(smoke)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(smoke: bool) -> Result<bool, AnyError> {
    let (chunks, asked) = if smoke { (2_000, 40) } else { (100_000, 300) };
    let world = Arc::new(World::of(chunks));
    let embedder = Arc::new(ReadyVectors::of(&world));
    let folder = tempfile::tempdir()?;
    let begun = Instant::now();
    {
        let knowledge = knowledge(&embedder, folder.path()).await?;
        take_in(&knowledge, &world).await?;
    }
    println!(
        "{chunks} chunks taken in: {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    // A service that has taken nothing in holds the index alone.
    let (before, begun) = (held(), Instant::now());
    let knowledge = knowledge(&embedder, folder.path()).await?;
    knowledge.search(SearchQuery::new("one")).await?;
    let megabytes = ratio(held() - before, 1_000_000);
    println!(
        "index built from the store: {:.1} s, {megabytes:.0} MB",
        begun.elapsed().as_secs_f64()
    );
    let begun = Instant::now();
    let scan = ExactVectorSearch::new(embedder.model().clone());
    for (number, vectors) in (1..).zip(world.vectors.chunks(IN_DOCUMENT)) {
        scan.put(
            resync_rag::DocumentId(Uuid::from_u128(number)),
            None,
            vectors,
        );
    }
    println!("vectors put: {:.2} s", begun.elapsed().as_secs_f64());
    let peers = Peers {
        bare: BareTantivy::of(&world.texts)?,
        model: embedder.model().clone(),
        scan,
    };
    let (times, recall) = ask(&world, &knowledge, &peers, asked).await?;
    let raw = chunks * DIMENSIONS * 4;
    let whole = times.hybrid.p50().0;
    let (wall, work) = times.hybrid.to(&times.halves);
    let rows = [
        ("recall@10 of the scan", recall, 0.99, true),
        (
            "scan to exact scan, p50",
            times.scan.to(&times.exact).0,
            0.15,
            false,
        ),
        ("search to bare halves, p50", wall, 1.2, false),
        ("the same by CPU time", work, 1.2, false),
        (
            "memory of vectors to their numbers",
            ratio(peers.scan.bytes(), raw),
            1.3,
            false,
        ),
        ("memory of the index, MB", megabytes, 400.0, false),
        ("search, p50 in ms", whole / 1e3, 40.0, false),
    ];
    for (name, times) in [
        ("search", &times.hybrid),
        ("bare halves", &times.halves),
        ("scan", &times.scan),
        ("exact scan", &times.exact),
    ] {
        let (wall, work) = times.p50();
        println!("{name:<12} p50 {wall:>7.0} us, CPU {work:>7.0} us");
    }
    Ok(told(&rows, smoke))
}

/// What a search is measured against.
struct Peers {
    bare: BareTantivy,
    scan: ExactVectorSearch,
    model: EmbeddingModel,
}

#[derive(Default)]
struct Measured {
    hybrid: Times,
    halves: Times,
    scan: Times,
    exact: Times,
}

/// Asks `asked` questions everywhere. The times, and the share of the truly nearest that the scan found.
async fn ask(
    world: &World,
    knowledge: &KnowledgeService,
    peers: &Peers,
    asked: u64,
) -> Result<(Measured, f64), AnyError> {
    let mut times = Measured::default();
    let (mut same, mut of) = (0_usize, 0_usize);
    for number in 0..asked {
        let (question, vector) = world.question(number);
        let query = NearestQuery {
            model: peers.model.clone(),
            vector: vector.clone(),
            collection: None,
            limit: 10,
        };
        let (both, only) = (Begun::now(), Begun::now());
        let near = black_box(peers.scan.scan(&query));
        times.scan.add(only);
        black_box(peers.bare.search(&question)?);
        times.halves.add(both);
        let begun = Begun::now();
        let right = black_box(exact(&world.vectors, &vector, 10));
        times.exact.add(begun);
        let begun = Begun::now();
        let found = knowledge
            .search(SearchQuery {
                k: 10,
                ..SearchQuery::new(&question)
            })
            .await?;
        times.hybrid.add(begun);
        if found.items.is_empty() {
            return Err(format!("nothing was found for {question:?}").into());
        }
        for at in right {
            let place = (
                Uuid::from_u128((at / IN_DOCUMENT + 1) as u128),
                at % IN_DOCUMENT,
            );
            same += usize::from(
                near.iter()
                    .any(|n| (n.document.0, n.ordinal as usize) == place),
            );
            of += 1;
        }
    }
    Ok((times, ratio(same, of)))
}

/// Prints each figure beside its goal; false when one that counts misses it.
fn told(rows: &[(&str, f64, f64, bool)], smoke: bool) -> bool {
    let mut kept = true;
    for &(name, value, goal, least) in rows {
        let good = if least { value >= goal } else { value <= goal };
        let sign = if least { ">=" } else { "<=" };
        println!(
            "{name:<36} {value:>7.3}  goal {sign} {goal}{}",
            if good { "" } else { "  MISSED" }
        );
        // Times of a short run on a busy machine say nothing; the rest must hold in it, too.
        let counts = !smoke || name.starts_with("recall");
        kept &= good || !counts;
    }
    kept
}

/// What this process has asked for and not given back, in bytes.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

async fn knowledge(
    embedder: &Arc<ReadyVectors>,
    folder: &Path,
) -> Result<KnowledgeService, AnyError> {
    let database = SqliteDatabase::open(folder.join("bench.db")).await?;
    let store = Arc::new(SqliteDocumentRepository::new(database));
    Ok(KnowledgeService::new(KnowledgeParts {
        documents: store.clone(),
        vectors: store,
        extractor: Arc::new(PlainText),
        embedder: Some(embedder.clone()),
        nearest: None,
        reranker: None,
        glossary: Glossary::built_in(),
        clock: Arc::new(ManualClock::default()),
        ids: Arc::new(SystemIds),
        tasks: TaskTracker::new(),
        config: KnowledgeConfig::default(),
    }))
}

async fn take_in(knowledge: &KnowledgeService, world: &World) -> Result<(), AnyError> {
    for (number, texts) in world.texts.chunks(IN_DOCUMENT).enumerate() {
        let name = format!("{number}.txt");
        let upload = NewUpload::new(&name, texts.join("\n\n"), UserId(Uuid::nil()));
        let id = knowledge.upload(upload).await?.id;
        knowledge.settled(id).await;
        let document = knowledge.get(id).await?;
        if document.is_none_or(|document| document.stage != Stage::Ready) {
            return Err(format!("{name} is not ready").into());
        }
    }
    Ok(())
}

/// How long something took each time, by the clock and by what this process worked meanwhile.
#[derive(Default)]
struct Times {
    wall: Vec<Duration>,
    work: Vec<Duration>,
}

#[derive(Clone, Copy)]
struct Begun {
    at: Instant,
    worked: Duration,
}

impl Begun {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            worked: worked(),
        }
    }
}

impl Times {
    fn add(&mut self, begun: Begun) {
        self.wall.push(begun.at.elapsed());
        self.work.push(worked().saturating_sub(begun.worked));
    }

    /// The medians of both, in microseconds.
    fn p50(&self) -> (f64, f64) {
        (p50(&self.wall), p50(&self.work))
    }

    /// Both medians as multiples of those of `other`.
    fn to(&self, other: &Self) -> (f64, f64) {
        let ((wall, work), (its_wall, its_work)) = (self.p50(), other.p50());
        (wall / its_wall, work / its_work)
    }
}

/// CPU time of the process.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
    seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

fn p50(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

fn ratio(part: usize, of: usize) -> f64 {
    let float = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    float(part) / float(of.max(1))
}
