//! Tables whose rows are named by their own kind of key.
//!
//! A key is only handed out by the table that holds the row, and rows are never removed, so a key
//! of a table always finds its row. When the plan is replaced, table and keys go together.

use std::{fmt, marker::PhantomData, ops};

/// A key of some [`Table`].
pub(crate) trait Key: Copy {
    fn new(row: u32) -> Self;
    fn row(self) -> u32;
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(u32);

        impl $crate::table::Key for $name {
            fn new(row: u32) -> Self {
                Self(row)
            }

            fn row(self) -> u32 {
                self.0
            }
        }
    };
}

key!(
    /// A job of the current plan.
    JobKey
);
key!(
    /// A job stream of the current plan.
    StreamKey
);
key!(
    /// A workstation; workstations outlive plans.
    StationKey
);
key!(
    /// A resource; resources outlive plans.
    ResourceKey
);
key!(
    /// A prompt of the current plan.
    PromptKey
);
key!(
    /// A file some job of the current plan waits for.
    FileKey
);
key!(
    /// A job stream's definition.
    ModelKey
);

/// Rows in the order they came.
pub(crate) struct Table<K, T> {
    rows: Vec<T>,
    key: PhantomData<fn(K) -> K>,
}

impl<K: Key, T> Table<K, T> {
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            key: PhantomData,
        }
    }

    /// Adds a row. A table holds fewer than four thousand million rows.
    pub(crate) fn push(&mut self, value: T) -> K {
        let key = K::new(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        self.rows.push(value);
        key
    }

    /// Gives back the room that no row has taken.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.rows.shrink_to_fit();
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = K> + use<K, T> {
        (0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX)).map(K::new)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.keys().zip(&self.rows)
    }

    pub(crate) fn rows(&self) -> &[T] {
        &self.rows
    }

    pub(crate) fn rows_mut(&mut self) -> &mut [T] {
        &mut self.rows
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "a key names a row of the table that made it"
)]
impl<K: Key, T> ops::Index<K> for Table<K, T> {
    type Output = T;

    fn index(&self, key: K) -> &T {
        &self.rows[key.row() as usize]
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "a key names a row of the table that made it"
)]
impl<K: Key, T> ops::IndexMut<K> for Table<K, T> {
    fn index_mut(&mut self, key: K) -> &mut T {
        &mut self.rows[key.row() as usize]
    }
}

impl<K: Key, T> FromIterator<T> for Table<K, T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self {
            rows: rows.into_iter().collect(),
            key: PhantomData,
        }
    }
}

impl<K, T: fmt::Debug> fmt::Debug for Table<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)
    }
}
