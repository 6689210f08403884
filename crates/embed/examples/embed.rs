//! Reads passages, one a line as JSON, and writes their vectors, one a line as JSON:
//! `echo '"disco cheio"' | cargo run --release -p resync-embed --example embed`.

use std::io::BufRead;

use resync_embed::{BundledEmbedder, BundledModel};
use resync_rag::{Embedder, EmbeddingKind};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut texts = Vec::new();
    for line in std::io::stdin().lock().lines() {
        texts.push(serde_json::from_str(&line?)?);
    }
    let embedder = BundledEmbedder::new(BundledModel::MultilingualAndEnglish);
    for vector in embedder.embed(EmbeddingKind::Passage, texts).await? {
        println!("{}", serde_json::to_string(&vector)?);
    }
    Ok(())
}
