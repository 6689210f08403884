//! The bundled embedding models: taking in text, and one question.
//!
//! `cargo bench -p resync-benches --bench embed`; `-- --smoke` embeds a few texts and checks what
//! came out.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use resync_embed::{BundledEmbedder, BundledModel};
use resync_kernel::BoxError;
use resync_rag::{Embedder, EmbeddingKind};
use rustix::time::{ClockId, clock_gettime};

/// A chunk of the knowledge base, in characters.
const CHUNK: usize = 1200;
const CHUNKS: usize = 40;
const QUESTIONS: usize = 200;
/// Chunks a second and core that taking in a document needs.
const GOAL_CHUNKS: f64 = 4.2;
/// A question's vector, at the median.
const GOAL_QUESTION: Duration = Duration::from_millis(10);

/// Runbooks, half of them in Portuguese.
const TEXTS: [&str; 4] = [
    include_str!("../../crates/server/demo/runbooks/finapp01-file-system-full.md"),
    include_str!("../../crates/server/demo/runbooks/pay-monthly-conta-bloqueada.md"),
    include_str!("../../crates/server/demo/runbooks/sftp-host-key-changed.md"),
    include_str!("../../crates/server/demo/runbooks/fin-eod-bal-diferenca.md"),
];
const ASKED: [&str; 4] = [
    "Why did FIN_EOD_BAL abend tonight?",
    "Por que o job PAY_EXTRACT terminou com ORA-28000?",
    "no space left on device on FINAPP01",
    "quem está de plantão para o certificado vencido",
];

/// CPU time of this process, which a busy machine stretches less than the clock on the wall.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// Different texts of the length of a chunk.
fn chunks(count: usize) -> Vec<String> {
    let text: Vec<char> = TEXTS.join("\n").chars().collect();
    (0..count)
        .map(|index| {
            let text = text.iter().cycle().skip(index * 97);
            text.take(CHUNK).collect()
        })
        .collect()
}

async fn measure(
    name: &str,
    model: BundledModel,
    chunks: Vec<String>,
    questions: usize,
) -> Result<bool, BoxError> {
    let embedder = BundledEmbedder::new(model);
    let start = Instant::now();
    let first = vec![String::from("warm")];
    embedder.embed(EmbeddingKind::Query, first).await?;
    let load = start.elapsed();

    let count = chunks.len();
    let start = cpu();
    let vectors = embedder.embed(EmbeddingKind::Passage, chunks).await?;
    let chunk = cpu().saturating_sub(start) / u32::try_from(count)?;
    let right = vectors.iter().all(|vector| {
        let length: f32 = vector.iter().map(|x| x * x).sum();
        (length - 1.0).abs() < 1e-3
    });
    if !right || vectors.len() != count {
        return Err("a vector is missing or has another length than 1".into());
    }

    let mut waits = Vec::new();
    let start = cpu();
    for question in ASKED.iter().cycle().take(questions) {
        let question = vec![(*question).to_owned()];
        let start = Instant::now();
        embedder.embed(EmbeddingKind::Query, question).await?;
        waits.push(start.elapsed());
    }
    let own = cpu().saturating_sub(start) / u32::try_from(questions)?;
    waits.sort_unstable();
    let at = |share: usize| waits.get(waits.len() * share / 100).copied();
    let (half, most) = (at(50).unwrap_or_default(), at(99).unwrap_or_default());
    let rate = chunk.as_secs_f64().recip();
    println!(
        "{name}: first text after {load:.0?}; a chunk {chunk:.2?} of CPU, {rate:.1} a second and core \
         (goal {GOAL_CHUNKS}); a question {half:.2?} at the median, {most:.2?} at the 99th (goal {GOAL_QUESTION:.0?}), {own:.2?} of CPU"
    );
    Ok(rate >= GOAL_CHUNKS && half <= GOAL_QUESTION)
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let (count, questions) = if smoke { (2, 4) } else { (CHUNKS, QUESTIONS) };
    let mut reached = true;
    for (name, model) in [
        ("both models", BundledModel::MultilingualAndEnglish),
        ("USE-multilingual alone", BundledModel::Multilingual),
    ] {
        reached &= measure(name, model, chunks(count), questions).await?;
    }
    if smoke {
        println!("embed: every text has its vector");
    }
    Ok(if smoke || reached {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
