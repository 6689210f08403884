//! The laws of [`EngineRepository`].

use chrono::DateTime;

use crate::model::EngineName;
use crate::ports::{EngineRepository, EngineRepositoryError, SealedSecret, StoredEngine};

fn engine(name: &str) -> StoredEngine {
    StoredEngine {
        name: EngineName::parse(name).expect("a name"),
        urls: vec!["https://a.example/twsd/api/v2".to_owned()],
        username: Some("resync".to_owned()),
        secret: SealedSecret("v1.sealed".to_owned()),
        ca_pem: Some("pem".to_owned()),
        insecure_tls: false,
        read_only: true,
        timeout_seconds: 15,
        verify_seconds: Some(20),
        changed_at: DateTime::from_timestamp_millis(1_772_409_600_123).expect("a time"),
    }
}

/// What is kept reads back whole, in the order of names.
pub async fn an_engine_reads_back_whole(repository: &dyn EngineRepository) {
    for name in ["b", "a"] {
        repository.insert(&engine(name)).await.expect("an insert");
    }
    let all = repository.list().await.expect("the list");
    assert_eq!(all, [engine("a"), engine("b")]);
    let one = repository.find(&engine("b").name).await.expect("a read");
    assert_eq!(one, Some(engine("b")));
    let none = repository.find(&engine("c").name).await.expect("a read");
    assert_eq!(none, None);
}

/// A name is taken once.
pub async fn a_name_is_taken_once(repository: &dyn EngineRepository) {
    repository.insert(&engine("a")).await.expect("an insert");
    let again = repository.insert(&engine("a")).await;
    assert!(matches!(again, Err(EngineRepositoryError::AlreadyExists)));
}

/// A change replaces the engine of its name, and makes none.
pub async fn a_change_replaces_and_makes_none(repository: &dyn EngineRepository) {
    let missing = repository.update(&engine("a")).await;
    assert!(matches!(missing, Err(EngineRepositoryError::Missing)));
    repository.insert(&engine("a")).await.expect("an insert");
    let changed = StoredEngine {
        username: None,
        ..engine("a")
    };
    repository.update(&changed).await.expect("an update");
    assert_eq!(repository.list().await.expect("the list"), [changed]);
}

/// A removal tells whether there was one.
pub async fn a_removed_engine_is_gone(repository: &dyn EngineRepository) {
    repository.insert(&engine("a")).await.expect("an insert");
    let name = engine("a").name;
    assert!(repository.remove(&name).await.expect("a removal"));
    assert!(!repository.remove(&name).await.expect("a removal"));
    assert_eq!(repository.list().await.expect("the list"), []);
}
