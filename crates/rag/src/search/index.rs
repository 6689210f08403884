//! The BM25 index in memory.
//!
//! Invariants:
//! - Searches see committed states only, each whole: a document is in it with all its chunks or
//!   not at all.
//! - A change that was given up half way is rolled back before the next one.
//! - Equal indexes answer equally: segments with deleted chunks are merged at once, so that word
//!   statistics count living chunks only, and equal scores are ordered by document, then ordinal.

use std::sync::{Arc, PoisonError, RwLock};

use tantivy::collector::TopDocs;
use tantivy::indexer::NoMergePolicy;
use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, Query, TermQuery,
};
use tantivy::schema::{
    Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value,
};
use tantivy::{IndexReader, ReloadPolicy, Searcher, TantivyDocument, Term};
use thiserror::Error;

use crate::model::{Chunk, Document, DocumentId, Span};
use crate::search::analysis::words;
use crate::search::hit::SearchHit;
use crate::search::judge::{above, explanation, inverse_frequency, is_answerable, terms_of};
use crate::search::plan::{Concept, Way};

/// What a word in a heading or title is worth against one in the text.
const HEADING_BOOST: f32 = 1.4;
/// How much of the weaker of text and heading counts beside the stronger.
const BOTH: f32 = 0.4;
/// The writer's buffer, in bytes; the least that the library takes.
const WRITER_BYTES: usize = 15_000_000;
/// More segments than this are merged into one.
const MAX_SEGMENTS: usize = 8;
/// The index failed.
#[derive(Debug, Error)]
pub(crate) enum IndexError {
    /// The library failed.
    #[error("the search index failed")]
    Library(#[from] tantivy::TantivyError),
    /// A stored chunk cannot be read back.
    #[error("the search index holds an unreadable chunk")]
    Unreadable,
}

/// The hits, and whether they can answer.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) hits: Vec<SearchHit>,
    pub(crate) answerable: bool,
}

#[derive(Debug, Clone, Copy)]
struct Fields {
    document: Field,
    ordinal: Field,
    collection: Field,
    source: Field,
    title: Field,
    path: Field,
    text: Field,
    span: Field,
    body_terms: Field,
    heading_terms: Field,
}

/// The side that searches; clones are one index.
#[derive(Clone)]
pub(crate) struct Index {
    library: tantivy::Index,
    fields: Fields,
    /// The committed state. Guards a clone and a store of a handle.
    current: Arc<RwLock<Option<Searcher>>>,
}

/// The side that changes; there is one, behind the service's lock. Its methods block.
pub(crate) struct IndexWriter {
    index: Index,
    open: Option<(tantivy::IndexWriter, IndexReader)>,
    /// Whether there are changes since the last commit.
    dirty: bool,
}

impl Index {
    pub(crate) fn new() -> Self {
        let mut schema = Schema::builder();
        let terms = TextOptions::default().set_indexing_options(
            TextFieldIndexing::default()
                .set_tokenizer("whitespace")
                .set_index_option(IndexRecordOption::WithFreqs),
        );
        let fields = Fields {
            document: schema.add_text_field("document", STRING | STORED),
            ordinal: schema.add_u64_field("ordinal", STORED),
            collection: schema.add_text_field("collection", STRING),
            source: schema.add_text_field("source", STORED),
            title: schema.add_text_field("title", STORED),
            path: schema.add_text_field("path", STORED),
            text: schema.add_text_field("text", STORED),
            span: schema.add_u64_field("span", STORED),
            body_terms: schema.add_text_field("body_terms", terms.clone()),
            heading_terms: schema.add_text_field("heading_terms", terms),
        };
        let library = tantivy::Index::create_in_ram(schema.build());
        Self {
            library,
            fields,
            current: Arc::default(),
        }
    }

    pub(crate) fn writer(&self) -> IndexWriter {
        IndexWriter {
            index: self.clone(),
            open: None,
            dirty: false,
        }
    }

    /// The number of chunks in the committed state.
    pub(crate) fn chunks(&self) -> u64 {
        self.searcher().map_or(0, |searcher| searcher.num_docs())
    }

    fn searcher(&self) -> Option<Searcher> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The `k` best chunks. Blocks for the time of the search.
    pub(crate) fn search(
        &self,
        concepts: &[Concept],
        k: usize,
        collection: Option<&str>,
        explain: bool,
    ) -> Result<Found, IndexError> {
        let Some(searcher) = self.searcher().filter(|_| !concepts.is_empty()) else {
            return Ok(Found::default());
        };
        let query = self.query(concepts, collection);
        // More than asked for, so that equal scores at the end are cut in our order.
        let collector = TopDocs::with_limit(k + 50).order_by_score();
        let mut hits = Vec::new();
        for (score, address) in searcher.search(&query, &collector)? {
            let stored: TantivyDocument = searcher.doc(address)?;
            let hit = self.read(&stored, (score * 1e4).round() / 1e4);
            hits.push(hit.ok_or(IndexError::Unreadable)?);
        }
        hits.sort_by(|a, b| {
            let place = |hit: &SearchHit| (hit.document_id, hit.ordinal);
            b.score
                .total_cmp(&a.score)
                .then_with(|| place(a).cmp(&place(b)))
        });
        hits.truncate(k);
        let weights = concepts
            .iter()
            .map(|concept| self.weight(&searcher, concept))
            .collect::<Result<Vec<f32>, _>>()?;
        let answerable = is_answerable(&hits, concepts, &weights);
        if explain {
            for hit in &mut hits {
                hit.explanation = Some(explanation(concepts, &weights, &terms_of(hit)));
            }
        }
        Ok(Found { hits, answerable })
    }

    fn query(&self, concepts: &[Concept], collection: Option<&str>) -> Box<dyn Query> {
        let wanted = concepts.iter().map(|concept| {
            let ways = concept.ways.iter().map(|way| self.way(way)).collect();
            (
                Occur::Should,
                Box::new(DisjunctionMaxQuery::new(ways)) as Box<dyn Query>,
            )
        });
        let wanted: Box<dyn Query> = Box::new(BooleanQuery::new(wanted.collect()));
        let Some(collection) = collection else {
            return wanted;
        };
        let term = Term::from_field_text(self.fields.collection, collection);
        let only = Box::new(TermQuery::new(term, IndexRecordOption::Basic));
        let only: Box<dyn Query> = Box::new(ConstScoreQuery::new(only, 0.0));
        Box::new(BooleanQuery::new(vec![
            (Occur::Must, wanted),
            (Occur::Must, only),
        ]))
    }

    /// All words of the way, each in its best form, in text or heading.
    fn way(&self, way: &Way) -> Box<dyn Query> {
        let mut all: Vec<Box<dyn Query>> = way.words.iter().map(|f| self.forms(f)).collect();
        let query = match (all.pop(), all.is_empty()) {
            (Some(only), true) => only,
            (Some(last), false) => {
                all.push(last);
                Box::new(BooleanQuery::intersection(all))
            }
            (None, _) => Box::new(BooleanQuery::new(Vec::new())),
        };
        let words = f32::from(u8::try_from(way.words.len().max(1)).unwrap_or(u8::MAX));
        Box::new(BoostQuery::new(query, way.weight / words))
    }

    fn forms(&self, forms: &[String]) -> Box<dyn Query> {
        let in_field = |field: Field, boost: f32| -> Box<dyn Query> {
            let terms = forms.iter().map(|form| {
                let term = Term::from_field_text(field, form);
                Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)) as Box<dyn Query>
            });
            let best = DisjunctionMaxQuery::new(terms.collect());
            Box::new(BoostQuery::new(Box::new(best), boost))
        };
        let fields = vec![
            in_field(self.fields.body_terms, 1.0),
            in_field(self.fields.heading_terms, HEADING_BOOST),
        ];
        Box::new(DisjunctionMaxQuery::with_tie_breaker(fields, BOTH))
    }

    /// How much a concept says: the inverse document frequency of its most frequent way. A word
    /// that no document has weighs as much as one that a single chunk has.
    fn weight(&self, searcher: &Searcher, concept: &Concept) -> Result<f32, IndexError> {
        let mut most = 0;
        for way in concept.ways.iter().filter(|way| way.counts) {
            let mut least = u64::MAX;
            for forms in &way.words {
                let mut found = 0;
                for form in forms {
                    for field in [self.fields.body_terms, self.fields.heading_terms] {
                        found = found.max(searcher.doc_freq(&Term::from_field_text(field, form))?);
                    }
                }
                least = least.min(found);
            }
            most = most.max(least);
        }
        Ok(inverse_frequency(searcher.num_docs(), most.max(1)))
    }

    fn read(&self, stored: &TantivyDocument, score: f32) -> Option<SearchHit> {
        let text = |field: Field| {
            stored
                .get_first(field)
                .and_then(|value| value.as_str())
                .map(str::to_owned)
        };
        let mut span = stored
            .get_all(self.fields.span)
            .filter_map(|value| value.as_u64());
        let ordinal = stored.get_first(self.fields.ordinal)?.as_u64()?;
        Some(SearchHit {
            document_id: text(self.fields.document)?.parse().ok()?,
            ordinal: u32::try_from(ordinal).ok()?,
            source: text(self.fields.source)?,
            title: text(self.fields.title)?,
            heading_path: stored
                .get_all(self.fields.path)
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect(),
            text: text(self.fields.text)?,
            span: Span {
                start_char: span.next()?,
                end_char: span.next()?,
                start_line: span.next()?,
                end_line: span.next()?,
            },
            score,
            explanation: None,
        })
    }
}

impl IndexWriter {
    /// Undoes changes that were not committed.
    pub(crate) fn begin(&mut self) -> Result<(), IndexError> {
        if self.dirty {
            if let Some((writer, _)) = &mut self.open {
                writer.rollback()?;
            }
            self.dirty = false;
        }
        Ok(())
    }

    /// Adds a document in place of what the index has of it, without a commit.
    pub(crate) fn add(&mut self, document: &Document, chunks: &[Chunk]) -> Result<(), IndexError> {
        self.dirty = true;
        let fields = self.index.fields;
        let writer = &mut self.open()?.0;
        writer.delete_term(Term::from_field_text(
            fields.document,
            &document.id.to_string(),
        ));
        for chunk in chunks {
            let mut stored = TantivyDocument::default();
            stored.add_text(fields.document, document.id.to_string());
            stored.add_u64(fields.ordinal, u64::from(chunk.ordinal));
            if let Some(collection) = &document.collection {
                stored.add_text(fields.collection, collection);
            }
            stored.add_text(fields.source, &document.source);
            stored.add_text(fields.title, &document.title);
            for heading in &chunk.heading_path {
                stored.add_text(fields.path, heading);
            }
            stored.add_text(fields.text, &chunk.text);
            let span = chunk.span;
            for place in [
                span.start_char,
                span.end_char,
                span.start_line,
                span.end_line,
            ] {
                stored.add_u64(fields.span, place);
            }
            stored.add_text(fields.body_terms, terms(&chunk.text));
            let above = above(&document.title, &document.source, &chunk.heading_path);
            stored.add_text(fields.heading_terms, terms(&above));
            writer.add_document(stored)?;
        }
        Ok(())
    }

    /// Adds one document and commits.
    pub(crate) fn replace(
        &mut self,
        document: &Document,
        chunks: &[Chunk],
    ) -> Result<(), IndexError> {
        self.begin()?;
        self.add(document, chunks)?;
        self.commit()
    }

    /// Removes one document and commits.
    pub(crate) fn remove(&mut self, id: DocumentId) -> Result<(), IndexError> {
        self.begin()?;
        self.dirty = true;
        let field = self.index.fields.document;
        self.open()?
            .0
            .delete_term(Term::from_field_text(field, &id.to_string()));
        self.commit()
    }

    /// Makes all changes visible at once.
    pub(crate) fn commit(&mut self) -> Result<(), IndexError> {
        let library = self.index.library.clone();
        let (writer, reader) = self.open()?;
        writer.commit()?;
        let segments = library.searchable_segment_metas()?;
        let all = segments.len() > MAX_SEGMENTS;
        let merged: Vec<_> = segments
            .iter()
            .filter(|segment| all || segment.has_deletes())
            .map(tantivy::SegmentMeta::id)
            .collect();
        if !merged.is_empty() {
            writer.merge(&merged).wait()?;
        }
        reader.reload()?;
        let searcher = reader.searcher();
        *self
            .index
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(searcher);
        self.dirty = false;
        Ok(())
    }

    fn open(&mut self) -> Result<&mut (tantivy::IndexWriter, IndexReader), IndexError> {
        let open = if let Some(open) = self.open.take() {
            open
        } else {
            let library = &self.index.library;
            let writer = library.writer_with_num_threads(1, WRITER_BYTES)?;
            writer.set_merge_policy(Box::new(NoMergePolicy));
            let reader = library.reader_builder().reload_policy(ReloadPolicy::Manual);
            (writer, reader.try_into()?)
        };
        Ok(self.open.insert(open))
    }
}

/// The index terms of `text`, for the library's whitespace tokenizer.
fn terms(text: &str) -> String {
    let mut joined = String::with_capacity(text.len() * 3);
    for word in words(text) {
        for term in word.terms() {
            joined.push_str(term);
            joined.push(' ');
        }
    }
    joined
}
