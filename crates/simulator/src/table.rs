//! Tables whose rows are named by their own kind of key.
//!
//! A key is only handed out by the table that holds the row, and rows are never removed, so a key
//! of a table always finds its row. When the plan is replaced, table and keys go together.

use std::{collections::HashMap, fmt, marker::PhantomData, ops};

use uuid::Uuid;

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

/// Values by the id of an object, kept as the number that a UUID is.
///
/// An id that is no UUID in its usual spelling is nobody's.
#[derive(Debug)]
pub(crate) struct ById<V>(HashMap<u128, V>);

impl<V> Default for ById<V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<V> ById<V> {
    fn number(id: &str) -> Option<u128> {
        let id = Uuid::try_parse(id).ok().filter(|_| id.len() == 36);
        id.map(|id| id.as_u128())
    }

    pub(crate) fn get(&self, id: &str) -> Option<&V> {
        Self::number(id).and_then(|number| self.0.get(&number))
    }

    pub(crate) fn contains_key(&self, id: &str) -> bool {
        self.get(id).is_some()
    }

    /// Enters an object of ours: its id is a UUID.
    pub(crate) fn insert(&mut self, id: impl AsRef<str>, value: V) {
        if let Some(number) = Self::number(id.as_ref()) {
            self.0.insert(number, value);
        }
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(number) = Self::number(id) {
            self.0.remove(&number);
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_finds_its_value_in_its_usual_spelling_alone() {
        let mut values = ById::default();
        let id = crate::names::id("job", "FIN_GL_POST");
        values.insert(&id, 7);
        assert_eq!(values.get(&id), Some(&7));
        assert!(!values.contains_key("none") && !values.contains_key(&id.replace('-', "")));
        values.remove(&id);
        assert!(!values.contains_key(&id));
    }
}
