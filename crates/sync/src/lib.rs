//! Every lock we write: single flight and the stale-while-revalidate cache.
