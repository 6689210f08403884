//! The nearest of 100,000 vectors by pgvector: our port beside the same SQL in `psql`, and how many of the
//! truly nearest it finds. Runs beside the services: `scripts/services cargo bench -p resync-benches
//! --bench postgres [-- --smoke]`.
#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command, ExitCode};
use std::time::Instant;

use resync_kernel::{BoxError, IdGenerator, SystemIds};
use resync_postgres::rag::PgVectorSearch;
use resync_postgres::{PgConfig, PgDatabase};
use resync_rag::{DocumentId, EmbeddingModel, NearestQuery, VectorSearch};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

const DIMENSIONS: usize = 256;
/// Chunks a document.
const CHUNKS: usize = 100;
const ANSWERS: usize = 10;

struct Plan {
    documents: usize,
    clusters: usize,
    questions: usize,
    rounds: usize,
}

const FULL: Plan = Plan {
    documents: 1_000,
    clusters: 500,
    questions: 200,
    rounds: 5,
};
const SMOKE: Plan = Plan {
    documents: 20,
    clusters: 20,
    questions: 20,
    rounds: 1,
};

/// Numbers from −1 to 1 that are the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let [high, low, ..] = self.0.to_be_bytes();
        f32::from(i16::from_be_bytes([high, low])) / 32_768.0
    }

    /// A direction near `centre`.
    fn near(&mut self, centre: &[f32], spread: f32) -> Vec<f32> {
        let moved: Vec<f32> = centre.iter().map(|n| n + spread * self.next()).collect();
        let length = moved.iter().map(|n| n * n).sum::<f32>().sqrt();
        moved.iter().map(|n| n / length).collect()
    }
}

/// A stored vector and where it is.
struct Stored {
    document: Uuid,
    ordinal: u32,
    collection: &'static str,
    vector: Vec<f32>,
}

/// Which documents a question is about.
const COLLECTIONS: [Option<&str>; 3] = [None, Some("tenth"), Some("hundredth")];

const fn collection(document: usize) -> &'static str {
    match document {
        n if n % 100 == 0 => "hundredth",
        n if n % 10 == 1 => "tenth",
        _ => "rest",
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bench's services are named by its environment"
)]
fn from_environment(name: &str) -> Result<String, BoxError> {
    std::env::var(name).map_err(|_| format!("{name} is not set; run it by scripts/services").into())
}

/// Stores documents as an upload leaves them, by plain SQL, for uploading is not what is measured; by a
/// connection without a limit on the time of a statement.
async fn fill(
    store: &mut PgConnection,
    plan: &Plan,
    noise: &mut Noise,
    centres: &[Vec<f32>],
) -> Result<Vec<Stored>, BoxError> {
    let (model,): (i32,) = sqlx::query_as("SELECT embedding_model('bench', $1)")
        .bind(i32::try_from(DIMENSIONS)?)
        .fetch_one(&mut *store)
        .await?;
    let mut all = Vec::new();
    for number in 0..plan.documents {
        let document = SystemIds.next();
        let chunks = i32::try_from(CHUNKS)?;
        sqlx::query(
            "WITH document AS (
                 INSERT INTO documents (id, source, title, collection, tags, version, bytes_sha256, bytes,
                     media, chars, chunks, vectors, stage, created_at_ms, created_by)
                 VALUES ($1, 'bench', 'bench', $2, '{}', 1, lpad($3::text, 64, '0'), 1, 'text', 1, $4, $4,
                     'ready', 0, $1)
             )
             INSERT INTO chunks SELECT $1, n, '[]', 'x', 0, 1, 1, 1, '', 0, 1, 1, 1
             FROM generate_series(0, $4 - 1) AS n",
        )
        .bind(document)
        .bind(collection(number))
        .bind(i64::try_from(number)?)
        .bind(chunks)
        .execute(&mut *store)
        .await?;
        let vectors: Vec<Vec<f32>> = centres
            .iter()
            .cycle()
            .skip(number * 7)
            .step_by(3)
            .take(CHUNKS)
            .map(|centre| noise.near(centre, 0.08))
            .collect();
        sqlx::query(
            "INSERT INTO chunk_vectors (document_id, ordinal, model_id, vector)
             SELECT $1, n, $2, ($3::real[])[n * $4 + 1 : (n + 1) * $4]
             FROM generate_series(0, $5 - 1) AS n",
        )
        .bind(document)
        .bind(model)
        .bind(vectors.concat())
        .bind(i32::try_from(DIMENSIONS)?)
        .bind(chunks)
        .execute(&mut *store)
        .await?;
        all.extend((0..).zip(vectors).map(|(ordinal, vector)| Stored {
            document,
            ordinal,
            collection: collection(number),
            vector,
        }));
    }
    sqlx::query("ANALYZE").execute(&mut *store).await?;
    Ok(all)
}

/// The truly nearest, one by one.
fn exact(all: &[Stored], question: &[f32], only: Option<&str>) -> BTreeSet<(DocumentId, u32)> {
    let mut near: Vec<(f32, &Stored)> = all
        .iter()
        .filter(|one| only.is_none_or(|only| only == one.collection))
        .map(|one| {
            let cosine: f32 = one.vector.iter().zip(question).map(|(a, b)| a * b).sum();
            (-cosine, one)
        })
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    near.into_iter()
        .take(ANSWERS)
        .map(|(_, one)| (DocumentId(one.document), one.ordinal))
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The same statements in `psql`; the time of each transaction in milliseconds, as it says it.
fn in_psql(url: &str, questions: &[Vec<f32>], only: Option<&str>) -> Result<Vec<f64>, BoxError> {
    let filter = only.map_or_else(String::new, |only| format!("AND d.collection = '{only}'"));
    let mut script = "\\timing on\n\\o /dev/null\n".to_owned();
    for question in questions {
        let numbers: Vec<String> = question.iter().map(f32::to_string).collect();
        let numbers = numbers.join(",");
        writeln!(
            script,
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY\\; SET LOCAL hnsw.ef_search = 128\\; \
             SET LOCAL hnsw.iterative_scan = strict_order\\; \
             SELECT v.document_id, v.ordinal, \
                 (v.embedding::halfvec({DIMENSIONS})) <=> ('{{{numbers}}}'::real[]::halfvec({DIMENSIONS})) \
                 AS distance \
             FROM chunk_vectors AS v JOIN documents AS d ON d.id = v.document_id \
             WHERE v.model_id = 1 AND d.stage = 'ready' {filter} ORDER BY distance LIMIT 26\\; COMMIT;"
        )?;
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("questions.sql");
    std::fs::write(&file, script)?;
    let program = format!("{}/psql", from_environment("RESYNC_TEST_POSTGRES_BIN")?);
    let output = Command::new(program)
        .args([url, "-v", "ON_ERROR_STOP=1", "-q", "-f"])
        .arg(&file)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let times = String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| {
            line.strip_prefix("Time: ")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .collect();
    Ok(times)
}

struct Figures {
    only: &'static str,
    ours: f64,
    psql: f64,
    recall: f64,
}

async fn measure(url: &str, database: &PgDatabase, plan: &Plan) -> Result<Vec<Figures>, BoxError> {
    let mut noise = Noise(11);
    let centres: Vec<Vec<f32>> = (0..plan.clusters)
        .map(|_| noise.near(&[0.0; DIMENSIONS], 1.0))
        .collect();
    let began = Instant::now();
    let mut store = PgConnection::connect(url).await?;
    let all = fill(&mut store, plan, &mut noise, &centres).await?;
    store.close().await?;
    println!(
        "{} vectors of {DIMENSIONS} dimensions stored and indexed in {:.0} s\n",
        all.len(),
        began.elapsed().as_secs_f64()
    );
    let questions: Vec<Vec<f32>> = centres
        .iter()
        .cycle()
        .take(plan.questions)
        .map(|centre| noise.near(centre, 0.08))
        .collect();
    let search = PgVectorSearch::new(database.clone());
    let mut figures = Vec::new();
    for only in COLLECTIONS {
        let (mut ours, mut psql, mut found) = (Vec::new(), Vec::new(), 0);
        for round in 0..=plan.rounds {
            let mut took = Vec::new();
            for question in &questions {
                let query = NearestQuery {
                    model: EmbeddingModel {
                        id: "bench".to_owned(),
                        dimensions: u32::try_from(DIMENSIONS)?,
                    },
                    vector: question.clone(),
                    collection: only.map(str::to_owned),
                    limit: ANSWERS,
                };
                let began = Instant::now();
                let answer = search.nearest(query).await?;
                took.push(began.elapsed().as_secs_f64() * 1e3);
                if round == 0 {
                    let truly = exact(&all, question, only);
                    let hits = answer
                        .iter()
                        .filter(|one| truly.contains(&(one.document, one.ordinal)));
                    found += hits.count();
                }
            }
            let (url, asked) = (url.to_owned(), questions.clone());
            let theirs = tokio::task::spawn_blocking(move || in_psql(&url, &asked, only)).await??;
            // The first round warms both up.
            if round > 0 {
                ours.push(median(took));
                psql.push(median(theirs));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let recall = found as f64 / (ANSWERS * questions.len()) as f64;
        figures.push(Figures {
            only: only.unwrap_or("all"),
            ours: median(ours),
            psql: median(psql),
            recall,
        });
    }
    Ok(figures)
}

/// Prints the table; whether recall and then time reached their goals.
fn print(figures: &[Figures]) -> (bool, bool) {
    println!(
        "{:<12}{:>12}{:>12}{:>10}{:>12}",
        "collection", "ours ms", "psql ms", "ratio", "recall@10"
    );
    let (mut found, mut fast) = (true, true);
    for one in figures {
        let ratio = one.ours / one.psql;
        println!(
            "{:<12}{:>12.2}{:>12.2}{ratio:>10.2}{:>12.4}",
            one.only, one.ours, one.psql, one.recall
        );
        found &= one.recall >= 0.98;
        fast &= ratio <= 1.3;
    }
    println!("\ngoals: recall >= 0.98, ratio <= 1.3");
    (found, fast)
}

async fn run(plan: &Plan) -> Result<(bool, bool), BoxError> {
    let server = from_environment("RESYNC_TEST_POSTGRES_URL")?;
    let name = format!("bench_{}", SystemIds.next().simple());
    let mut admin = PgConnection::connect(&server).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut admin)
        .await?;
    let (host, _) = server
        .rsplit_once('/')
        .ok_or("the address names no database")?;
    let url = format!("{host}/{name}");
    let database = PgDatabase::open(&PgConfig::new(url.as_str().into())).await?;
    database.migrate().await?;
    let figures = measure(&url, &database, plan).await;
    database.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .execute(&mut admin)
        .await?;
    admin.close().await?;
    Ok(print(&figures?))
}

fn main() -> Result<ExitCode, BoxError> {
    let smoke = std::env::args().any(|arg| arg == "--smoke");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (found, fast) = runtime.block_on(run(if smoke { &SMOKE } else { &FULL }))?;
    Ok(if found && (fast || smoke) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
