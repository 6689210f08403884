//! The knowledge base on a file: one that is full, and one of an earlier version.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use resync_kernel::{Clock, ManualClock, SystemIds, UserId};
use resync_rag::contract::{document, read_text, worker};
use resync_rag::{
    DocumentId, DocumentRepository, Embedder, EmbedderError, EmbeddingKind, EmbeddingModel,
    Glossary, KnowledgeConfig, KnowledgeParts, KnowledgeService, NewUpload, PlainText, Reindexed,
    SearchQuery, Stage, UploadError, VectorRepository,
};
use resync_sqlite::rag::SqliteDocumentRepository;
use resync_sqlite::{SqliteDatabase, SqliteError};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

/// More than any write of a test.
const ROOM: u32 = 100_000;

struct Base {
    database: SqliteDatabase,
    store: Arc<SqliteDocumentRepository>,
    clock: Arc<ManualClock>,
}

impl Base {
    async fn open(folder: &Path) -> Self {
        let database = SqliteDatabase::open(folder.join("resync.db"))
            .await
            .unwrap();
        Self {
            store: Arc::new(SqliteDocumentRepository::new(database.clone())),
            database,
            clock: Arc::default(),
        }
    }

    /// A process on the store.
    fn service(&self) -> KnowledgeService {
        KnowledgeService::new(KnowledgeParts {
            documents: self.store.clone(),
            vectors: self.store.clone(),
            extractor: Arc::new(PlainText),
            embedder: Some(Arc::new(Model::default())),
            nearest: None,
            reranker: None,
            glossary: Glossary::built_in(),
            clock: self.clock.clone(),
            ids: Arc::new(SystemIds),
            tasks: tokio_util::task::TaskTracker::new(),
            config: KnowledgeConfig::default(),
        })
    }

    /// The file may have so many pages more than it has, as if the disk had no more room.
    async fn leave_room(&self, more: u32) {
        let done = self.database.write(move |tx| {
            Box::pin(async move {
                let pages: u32 = sqlx::query_scalar("PRAGMA page_count")
                    .fetch_one(&mut *tx)
                    .await?;
                let most = pages.saturating_add(more);
                let pragma = format!("PRAGMA max_page_count = {most}");
                sqlx::query(sqlx::AssertSqlSafe(pragma)).execute(tx).await?;
                Ok::<_, SqliteError>(())
            })
        });
        done.await.unwrap();
    }
}

async fn found(knowledge: &KnowledgeService) -> usize {
    let found = knowledge.search(SearchQuery::new("disk full")).await;
    found.unwrap().items.len()
}

fn long_text() -> String {
    "# Disk full\n\nWhen the disk is full, call the storage team at once.\n\n".repeat(4000)
}

fn upload(text: &str) -> NewUpload {
    NewUpload::new("disk.md", text, UserId(Uuid::from_u128(7)))
}

/// A document as a process left it in `stage`, with a text of its own.
async fn left_in(base: &Base, n: u128, stage: &Stage) -> DocumentId {
    let mut document = document(n);
    "disk.md".clone_into(&mut document.source);
    let (id, dead, store) = (document.id, worker(99), &base.store);
    let text = format!("# Number {n}\n\n{}", long_text());
    store.insert(&document, text.as_bytes()).await.unwrap();
    let (now, until) = (base.clock.now(), base.clock.now() + TimeDelta::minutes(1));
    assert!(store.claim(id, dead, now, until).await.unwrap());
    if *stage != Stage::Received {
        assert!(store.put_text(id, dead, &read_text(&text)).await.unwrap());
    }
    if *stage == Stage::Chunks {
        let media = read_text(&text).media;
        let cut = resync_rag::chunk(id, &text, media, 1200, 100_000).unwrap();
        assert!(store.put_chunks(id, dead, &cut).await.unwrap());
    }
    base.clock.advance(Duration::from_mins(2));
    id
}

/// What does not fit is refused whole, and taken when there is room again.
#[tokio::test]
async fn an_upload_to_a_full_disk_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let base = Base::open(folder.path()).await;
    let knowledge = base.service();
    base.leave_room(10).await;
    let refused = knowledge.upload(upload(&long_text())).await.unwrap_err();
    assert!(matches!(refused, UploadError::NoRoom(_)), "{refused:?}");
    assert_eq!(knowledge.stats().await.unwrap().documents, 0);
    assert_eq!(found(&knowledge).await, 0);
    base.leave_room(ROOM).await;
    let id = knowledge.upload(upload(&long_text())).await.unwrap().id;
    knowledge.settled(id).await;
    let stage = knowledge.get(id).await.unwrap().unwrap().stage;
    assert_eq!(stage, Stage::Ready);
    assert!(found(&knowledge).await > 0);
}

/// A stage that has no room waits and says so, shows nothing, loses nothing, and goes on when there is.
#[tokio::test]
async fn a_document_waits_in_each_stage_while_the_disk_is_full() {
    for (n, stage) in (1..).zip([Stage::Received, Stage::Text, Stage::Chunks]) {
        let folder = tempfile::tempdir().unwrap();
        let base = Base::open(folder.path()).await;
        let id = left_in(&base, n, &stage).await;
        base.leave_room(2).await;
        let knowledge = base.service();
        knowledge.load().await.unwrap();
        let waiting = async {
            loop {
                let now = knowledge.get(id).await.unwrap().unwrap();
                if let Some(why) = now.waiting {
                    return (now.stage, why);
                }
                tokio::task::yield_now().await;
            }
        };
        let (still, why) = tokio::time::timeout(Duration::from_mins(1), waiting)
            .await
            .unwrap();
        assert_eq!(still, stage);
        assert!(why.contains("no room left"), "{stage:?}: {why}");
        assert_eq!(found(&knowledge).await, 0, "{stage:?}");

        base.leave_room(ROOM).await;
        base.clock.advance(Duration::from_mins(10));
        let waits = knowledge.work_off(&[id], Duration::from_mins(1)).await;
        assert_eq!(waits.unwrap(), [], "{stage:?}");
        knowledge.settled(id).await;
        let ready = knowledge.get(id).await.unwrap().unwrap();
        assert_eq!(ready.stage, Stage::Ready, "{stage:?}");
        assert_eq!(ready.vectors, ready.chunks, "{stage:?}");
        assert!(found(&knowledge).await > 0, "{stage:?}");
    }
}

/// A file in which only the migrations before versions of documents have run.
async fn old_file(folder: &Path) -> SqliteConnection {
    let old = folder.join("old");
    std::fs::create_dir(&old).unwrap();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/sqlite");
    for entry in std::fs::read_dir(all).unwrap() {
        let file = entry.unwrap();
        let name = file.file_name().into_string().unwrap();
        if !("0203".."0300").contains(&name.as_str()) {
            std::fs::copy(file.path(), old.join(name)).unwrap();
        }
    }
    let url = format!("sqlite://{}?mode=rwc", folder.join("resync.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let migrations = sqlx::migrate::Migrator::new(old).await.unwrap();
    migrations.run(&mut connection).await.unwrap();
    connection
}

/// What was found before an update is found after it, with vectors once these are made, and what was
/// under way goes on.
#[tokio::test]
async fn a_file_of_an_earlier_version_keeps_its_documents_searchable() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = old_file(folder.path()).await;
    let text = "# Disk full\n\nWhen the disk is full, call.\n";
    for (n, stage) in [(1_u128, "ready"), (2, "received")] {
        let id = Uuid::from_u128(n);
        sqlx::query(
            "INSERT INTO documents (id, source, title, tags, bytes_sha256, media, chars, chunks, stage,
                 created_at_ms, created_by)
             VALUES (?, 'disk.md', 'Disk full', '[]', ?, 'markdown', 42, ?, ?, 0, ?)",
        )
        .bind(id)
        .bind(format!("{n:064}"))
        .bind(i32::from(stage == "ready"))
        .bind(stage)
        .bind(id)
        .execute(&mut old)
        .await
        .unwrap();
        sqlx::query("INSERT INTO document_texts (document_id, text) VALUES (?, ?)")
            .bind(id)
            .bind(text)
            .execute(&mut old)
            .await
            .unwrap();
    }
    sqlx::query(
        "INSERT INTO chunks (document_id, ordinal, heading_path, text, start_char, end_char, start_line,
             end_line)
         VALUES (?, 0, '[\"Disk full\"]', ?, 0, 41, 1, 3)",
    )
    .bind(Uuid::from_u128(1))
    .bind(text.trim_end())
    .execute(&mut old)
    .await
    .unwrap();
    old.close().await.unwrap();

    let base = Base::open(folder.path()).await;
    let (first, second) = (
        DocumentId(Uuid::from_u128(1)),
        DocumentId(Uuid::from_u128(2)),
    );
    let knowledge = base.service();
    let hits = knowledge.search(SearchQuery::new("disco cheio")).await;
    assert_eq!(hits.unwrap().items[0].document_id, first);
    let waits = knowledge.work_off(&[second], Duration::from_mins(1)).await;
    assert_eq!(waits.unwrap(), []);
    let mut told = Vec::new();
    let cut = knowledge.reindex(|document, outcome, _| told.push((document.id, outcome.clone())));
    cut.await.unwrap();
    // The old chunks know of no section, and have no vectors.
    assert_eq!(told, [(first, Reindexed::Cut), (second, Reindexed::Same)]);
    let model = Model::default().0;
    for id in [first, second] {
        assert_eq!(base.store.embedded(id, &model).await.unwrap(), 1);
        let section = knowledge.section(id, 20, 21).await.unwrap().unwrap();
        assert_eq!(section.text, text.trim_end());
    }
}

/// A model whose vectors need room.
struct Model(EmbeddingModel);

impl Default for Model {
    fn default() -> Self {
        Self(EmbeddingModel {
            id: "wide".to_owned(),
            dimensions: 1024,
        })
    }
}

#[async_trait]
impl Embedder for Model {
    fn model(&self) -> &EmbeddingModel {
        &self.0
    }

    async fn embed(
        &self,
        _: EmbeddingKind,
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>, EmbedderError> {
        Ok(vec![vec![1.0 / 32.0; 1024]; texts.len()])
    }
}
