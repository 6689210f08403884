//! The bare halves: what a search cannot be faster than by much.

use std::cmp::Ordering;

use simsimd::SpatialSimilarity;
use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, Searcher, TantivyDocument, Term};

/// The library with one field, any of the words, the ten best.
pub(crate) struct BareTantivy {
    searcher: Searcher,
    field: Field,
}

impl BareTantivy {
    pub(crate) fn of(texts: &[String]) -> tantivy::Result<Self> {
        let mut schema = Schema::builder();
        let words = TextFieldIndexing::default()
            .set_tokenizer("whitespace")
            .set_index_option(IndexRecordOption::WithFreqs);
        let field =
            schema.add_text_field("text", TextOptions::default().set_indexing_options(words));
        let index = Index::create_in_ram(schema.build());
        let mut writer = index.writer_with_num_threads(1, 100_000_000)?;
        for text in texts {
            let mut document = TantivyDocument::default();
            document.add_text(field, text);
            writer.add_document(document)?;
        }
        writer.commit()?;
        let segments = index.searchable_segment_ids()?;
        if segments.len() > 1 {
            writer.merge(&segments).wait()?;
        }
        let reader = index.reader()?;
        reader.reload()?;
        Ok(Self {
            searcher: reader.searcher(),
            field,
        })
    }

    pub(crate) fn search(&self, question: &str) -> tantivy::Result<usize> {
        let terms = question.split(' ').map(|word| {
            let term = Term::from_field_text(self.field, word);
            let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
            (Occur::Should, Box::new(query) as Box<dyn Query>)
        });
        let query = BooleanQuery::new(terms.collect());
        let best = TopDocs::with_limit(10).order_by_score();
        Ok(self.searcher.search(&query, &best)?.len())
    }
}

/// The places of the `k` nearest vectors, by all numbers of all of them.
pub(crate) fn exact(vectors: &[Vec<f32>], question: &[f32], k: usize) -> Vec<usize> {
    let mut best: Vec<(f64, usize)> = Vec::with_capacity(k + 1);
    for (at, vector) in vectors.iter().enumerate() {
        let cosine = f32::dot(vector, question).unwrap_or(0.0);
        if best.len() == k && best.last().is_some_and(|(least, _)| cosine <= *least) {
            continue;
        }
        let before =
            best.partition_point(|(other, _)| other.partial_cmp(&cosine) != Some(Ordering::Less));
        best.insert(before, (cosine, at));
        best.truncate(k);
    }
    best.into_iter().map(|(_, at)| at).collect()
}
