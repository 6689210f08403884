//! The evidence of one turn as it is gathered.
//!
//! Invariant: what is in the book has its id and stays; the bytes of all pieces are within
//! [`MAX_BYTES`], since a piece that does not fit is cut, and refused where nothing of it would be left.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::evidence::{Evidence, MAX_BYTES};

/// A piece of which less than this would be left is not taken.
const LEAST: usize = 400;
/// The most bytes of one piece, so that one tool cannot spend what the others need.
const MAX_PIECE: usize = MAX_BYTES / 3;

/// The evidence so far.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Guards a list; no await is made under it.
    pieces: Mutex<Pieces>,
}

#[derive(Debug, Default)]
struct Pieces {
    all: Vec<Evidence>,
    bytes: usize,
}

impl Book {
    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a piece and gives it its id; `None` when there is no room for it. The same told again is
    /// the piece that there is.
    pub(crate) fn take(&self, mut piece: Evidence) -> Option<String> {
        let mut pieces = self.pieces();
        let known = pieces.all.iter().find(|known| {
            piece.id.clone_from(&known.id);
            !known.cut && **known == piece
        });
        if let Some(known) = known {
            return Some(known.id.clone());
        }
        piece.id = format!("e{}", pieces.all.len() + 1);
        let room = MAX_BYTES.saturating_sub(pieces.bytes).min(MAX_PIECE);
        piece.fit(room.max(LEAST));
        let size = piece.size();
        if size > room {
            return None;
        }
        pieces.bytes += size;
        let id = piece.id.clone();
        pieces.all.push(piece);
        Some(id)
    }

    /// The words of that piece, as they are kept.
    pub(crate) fn text(&self, id: &str) -> Option<String> {
        let pieces = self.pieces();
        let piece = pieces.all.iter().find(|piece| piece.id == id);
        piece.and_then(|piece| piece.text.clone())
    }

    /// All pieces, in the order of gathering.
    pub(crate) fn all(&self) -> Vec<Evidence> {
        self.pieces().all.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{EvidenceFact, EvidenceKind, EvidenceSource};

    fn piece(text: String) -> Evidence {
        Evidence {
            id: String::new(),
            kind: EvidenceKind::Log,
            source: EvidenceSource::Search {
                through: "documents".to_owned(),
            },
            fetched_at: chrono::DateTime::UNIX_EPOCH,
            age_ms: 0,
            stale: false,
            span: None,
            facts: vec![EvidenceFact::number("lines", 3)],
            text: Some(text),
            cut: false,
        }
    }

    #[test]
    fn pieces_are_numbered_and_the_same_piece_is_one() {
        let book = Book::default();
        assert_eq!(book.take(piece("a".to_owned())).as_deref(), Some("e1"));
        assert_eq!(book.take(piece("b".to_owned())).as_deref(), Some("e2"));
        assert_eq!(book.take(piece("a".to_owned())).as_deref(), Some("e1"));
        assert_eq!(book.all().len(), 2);
    }

    #[test]
    fn all_pieces_together_stay_within_their_bytes() {
        let book = Book::default();
        for n in 0..200 {
            let _id = book.take(piece(format!("{n} ") + &"é\"".repeat(5_000)));
        }
        let pieces = book.all();
        let bytes: usize = pieces.iter().map(Evidence::size).sum();
        assert!(bytes <= MAX_BYTES, "{bytes}");
        assert!(pieces.len() >= 3 && pieces.iter().all(|piece| piece.cut));
    }
}
