//! The lexical index in memory.
//!
//! Invariants:
//! - Searches see committed states only, each whole: a document is in it with all its chunks or
//!   not at all.
//! - A change that was given up half way is rolled back before the next one.
//! - Equal indexes answer equally: segments with deleted chunks are merged at once, so that word
//!   statistics count living chunks only, and equal scores are ordered by document, then ordinal.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock};

use tantivy::collector::TopDocs;
use tantivy::indexer::NoMergePolicy;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, FuzzyTermQuery,
    Occur, Query, TermQuery,
};
use tantivy::schema::{
    FAST, Field, IndexRecordOption, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::{IndexReader, ReloadPolicy, Searcher, TantivyDocument, Term};
use thiserror::Error;
use uuid::Uuid;

use crate::model::{Chunk, Document, DocumentId};
use crate::search::dense::ExactVectorSearch;
use crate::search::plan::{Concept, Way};
use crate::search::rows::{Row, Rows};

/// The writer's buffer, in bytes; the least that the library takes.
const WRITER_BYTES: usize = 15_000_000;
/// More segments than this are merged into one.
const MAX_SEGMENTS: usize = 8;
/// Most terms of the index that one misspelt word is read as.
const MAX_CORRECTIONS: usize = 4;

/// The index failed.
#[derive(Debug, Error)]
pub(crate) enum IndexError {
    /// The library failed.
    #[error("the search index failed")]
    Library(#[from] tantivy::TantivyError),
    /// The library's dictionary of terms, or a packed text, could not be read.
    #[error("the search index has an unreadable part")]
    Unreadable(#[from] std::io::Error),
}

/// Names a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) document: DocumentId,
    pub(crate) ordinal: u32,
}

#[derive(Debug, Clone, Copy)]
struct Fields {
    /// The document's id, to delete by.
    document: Field,
    /// Its halves and the ordinal, to read back without a store of documents.
    high: Field,
    low: Field,
    ordinal: Field,
    collection: Field,
    terms: Field,
}

/// The side that searches; clones are one index.
#[derive(Clone)]
pub(crate) struct Index {
    library: tantivy::Index,
    fields: Fields,
    /// The committed state. Guards a clone and a store of a handle.
    current: Arc<RwLock<Option<Arc<State>>>>,
}

/// A committed state. Searching it blocks.
pub(crate) struct State {
    searcher: Searcher,
    fields: Fields,
    entries: HashMap<DocumentId, Arc<Rows>>,
    /// Mean number of words in a chunk.
    mean_words: f32,
}

/// The side that changes; there is one, behind the service's lock. Its methods block.
pub(crate) struct IndexWriter {
    index: Index,
    open: Option<(tantivy::IndexWriter, IndexReader)>,
    /// The entries of the next state.
    entries: HashMap<DocumentId, Arc<Rows>>,
    /// Vectors that are searched in this process.
    vectors: Option<ExactVectorSearch>,
    /// What the next commit does to them, in order.
    waiting: Vec<VectorChange>,
    /// Whether there are changes since the last commit.
    dirty: bool,
}

enum VectorChange {
    Put(DocumentId, Option<String>, Vec<Vec<f32>>),
    Remove(DocumentId),
    Clear,
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
            document: schema.add_text_field("document", STRING),
            high: schema.add_u64_field("high", FAST),
            low: schema.add_u64_field("low", FAST),
            ordinal: schema.add_u64_field("ordinal", FAST),
            collection: schema.add_text_field("collection", STRING),
            terms: schema.add_text_field("terms", terms),
        };
        let library = tantivy::Index::create_in_ram(schema.build());
        Self {
            library,
            fields,
            current: Arc::default(),
        }
    }

    /// The side that changes, and `vectors` along with the words when they are held in this process.
    pub(crate) fn writer(&self, vectors: Option<ExactVectorSearch>) -> IndexWriter {
        IndexWriter {
            index: self.clone(),
            open: None,
            entries: HashMap::new(),
            vectors,
            waiting: Vec::new(),
            dirty: false,
        }
    }

    /// The number of chunks in the committed state.
    pub(crate) fn chunks(&self) -> u64 {
        self.state().map_or(0, |state| state.chunks())
    }

    /// The committed state, or `None` before the first commit.
    pub(crate) fn state(&self) -> Option<Arc<State>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl State {
    pub(crate) fn chunks(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// Mean number of words in a chunk, at least 1.
    pub(crate) fn mean_words(&self) -> f32 {
        self.mean_words
    }

    /// The document and its chunk, or `None` when this state lacks it.
    pub(crate) fn row(&self, place: Place) -> Option<(&Arc<Rows>, &Row)> {
        let entry = self.entries.get(&place.document)?;
        Some((entry, entry.row(place.ordinal)?))
    }

    /// The `limit` best chunks by BM25, best first; equal ones by place.
    pub(crate) fn candidates(
        &self,
        concepts: &[Concept],
        limit: usize,
        collection: Option<&str>,
    ) -> Result<Vec<(Place, f32)>, IndexError> {
        if concepts.is_empty() {
            return Ok(Vec::new());
        }
        let query = self.query(concepts, collection);
        // More than asked for, so that equal scores at the end are cut in our order.
        let collector = TopDocs::with_limit(limit + 20).order_by_score();
        let mut found = Vec::new();
        let mut columns = HashMap::new();
        for (score, address) in self.searcher.search(&query, &collector)? {
            if let Entry::Vacant(vacant) = columns.entry(address.segment_ord) {
                let fast = self
                    .searcher
                    .segment_reader(address.segment_ord)
                    .fast_fields();
                vacant.insert((fast.u64("high")?, fast.u64("low")?, fast.u64("ordinal")?));
            }
            let Some((high, low, ordinal)) = columns.get(&address.segment_ord) else {
                continue;
            };
            let value = |column: &tantivy::columnar::Column<u64>| column.first(address.doc_id);
            let (Some(high), Some(low), Some(ordinal)) = (value(high), value(low), value(ordinal))
            else {
                continue;
            };
            let place = Place {
                document: DocumentId(Uuid::from_u64_pair(high, low)),
                ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
            };
            found.push((place, score));
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found.truncate(limit);
        Ok(found)
    }

    fn query(&self, concepts: &[Concept], collection: Option<&str>) -> Box<dyn Query> {
        let wanted = concepts.iter().map(|concept| {
            let ways = concept.ways.iter().map(|way| self.way(way)).collect();
            (Occur::Should, best_of(ways))
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

    /// All words of the way, each in its best form.
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
        let terms = forms.iter().map(|form| {
            let term = Term::from_field_text(self.fields.terms, form);
            Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)) as Box<dyn Query>
        });
        best_of(terms.collect())
    }

    /// In how many chunks `term` stands.
    pub(crate) fn frequency(&self, term: &str) -> Result<u64, IndexError> {
        let term = Term::from_field_text(self.fields.terms, term);
        Ok(self.searcher.doc_freq(&term)?)
    }

    /// Terms of the index that `term` may be a misspelling of: one slip away, from eight letters on
    /// two; the most frequent first. Nothing for terms of less than four letters.
    pub(crate) fn corrections(&self, term: &str) -> Result<Vec<String>, IndexError> {
        let letters = term.chars().count();
        if letters < 4 {
            return Ok(Vec::new());
        }
        let mut found: HashMap<String, u64> = HashMap::new();
        // The nearer ones alone, if there are any.
        for slips in 1..=if letters < 8 { 1 } else { 2 } {
            let text = Term::from_field_text(self.fields.terms, term);
            let query = FuzzyTermQuery::new(text, slips, true);
            for segment in self.searcher.segment_readers() {
                let index = segment.inverted_index(self.fields.terms)?;
                let mut near = index.terms().search(query.automaton()?).into_stream()?;
                while near.advance() {
                    if let Ok(other) = std::str::from_utf8(near.key()) {
                        let count = u64::from(near.value().doc_freq);
                        *found.entry(other.to_owned()).or_default() += count;
                    }
                }
            }
            if !found.is_empty() {
                break;
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found.truncate(MAX_CORRECTIONS);
        Ok(found.into_iter().map(|(term, _)| term).collect())
    }
}

/// The best of several; a lone one as it is, so that the library can pass over blocks of postings
/// that cannot win.
fn best_of(mut queries: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match (queries.pop(), queries.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            queries.extend(last);
            Box::new(DisjunctionMaxQuery::new(queries))
        }
    }
}

impl IndexWriter {
    /// Undoes changes that were not committed.
    pub(crate) fn begin(&mut self) -> Result<(), IndexError> {
        if self.dirty {
            if let Some((writer, _)) = &mut self.open {
                writer.rollback()?;
            }
            let committed = self.index.state();
            self.entries = committed.map_or_else(HashMap::new, |state| state.entries.clone());
            self.waiting.clear();
            self.dirty = false;
        }
        Ok(())
    }

    /// Adds a document in place of what the index has of it, without a commit; `vectors` are those of
    /// its chunks, when it has them.
    pub(crate) fn add(
        &mut self,
        document: &Document,
        chunks: &[Chunk],
        vectors: Option<Vec<Vec<f32>>>,
    ) -> Result<(), IndexError> {
        self.dirty = true;
        self.waiting.push(match vectors {
            Some(vectors) => VectorChange::Put(document.id, document.collection.clone(), vectors),
            None => VectorChange::Remove(document.id),
        });
        let (entry, indexed) = Rows::read(document, chunks);
        self.entries.insert(document.id, Arc::new(entry));
        let fields = self.index.fields;
        let writer = &mut self.open()?.0;
        let id = document.id.to_string();
        writer.delete_term(Term::from_field_text(fields.document, &id));
        let (high, low) = document.id.0.as_u64_pair();
        for (chunk, terms) in chunks.iter().zip(indexed) {
            let mut stored = TantivyDocument::default();
            stored.add_text(fields.document, &id);
            stored.add_u64(fields.high, high);
            stored.add_u64(fields.low, low);
            stored.add_u64(fields.ordinal, u64::from(chunk.ordinal));
            if let Some(collection) = &document.collection {
                stored.add_text(fields.collection, collection);
            }
            stored.add_text(fields.terms, terms);
            writer.add_document(stored)?;
        }
        Ok(())
    }

    /// Removes one document, without a commit.
    pub(crate) fn delete(&mut self, id: DocumentId) -> Result<(), IndexError> {
        self.dirty = true;
        self.entries.remove(&id);
        self.waiting.push(VectorChange::Remove(id));
        let field = self.index.fields.document;
        let term = Term::from_field_text(field, &id.to_string());
        self.open()?.0.delete_term(term);
        Ok(())
    }

    /// Removes all documents, without a commit.
    pub(crate) fn clear(&mut self) -> Result<(), IndexError> {
        self.dirty = true;
        self.entries.clear();
        self.waiting.clear();
        self.waiting.push(VectorChange::Clear);
        self.open()?.0.delete_query(Box::new(AllQuery))?;
        Ok(())
    }

    /// Removes one document and commits.
    pub(crate) fn remove(&mut self, id: DocumentId) -> Result<(), IndexError> {
        self.begin()?;
        self.delete(id)?;
        self.commit()
    }

    /// Makes all changes visible at once.
    pub(crate) fn commit(&mut self) -> Result<(), IndexError> {
        let library = self.index.library.clone();
        let entries = self.entries.clone();
        let fields = self.index.fields;
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
        let state = State {
            searcher: reader.searcher(),
            fields,
            mean_words: mean_words(&entries),
            entries,
        };
        *self
            .index
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(state));
        self.publish_vectors();
        self.dirty = false;
        Ok(())
    }

    /// After the words: a search that meets vectors of a document that its words lack passes them
    /// over.
    fn publish_vectors(&mut self) {
        for change in self.waiting.drain(..) {
            let Some(search) = &self.vectors else {
                continue;
            };
            match change {
                VectorChange::Put(id, collection, vectors) => {
                    search.put(id, collection.as_deref(), &vectors);
                }
                VectorChange::Remove(id) => search.remove(id),
                VectorChange::Clear => search.clear(),
            }
        }
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

fn mean_words(entries: &HashMap<DocumentId, Arc<Rows>>) -> f32 {
    let (mut chunks, mut words) = (0_u64, 0_u64);
    for entry in entries.values() {
        chunks += u64::try_from(entry.chunks.len()).unwrap_or(0);
        words += u64::from(entry.words);
    }
    let mean = u16::try_from(words / chunks.max(1)).unwrap_or(u16::MAX);
    f32::from(mean.max(1))
}
