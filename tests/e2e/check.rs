//! `resync check` before engines of two releases, and before trouble.

use resync_server::check::{CheckError, Report, run};
use resync_server::config::{Config, EngineConfig};
use resync_simulator::{Quirk, Role, Simulator, Version};
use resync_tws::model::EngineName;
use resync_tws::{Ability, Seen, TestReason};

fn config(folder: &tempfile::TempDir, urls: &[(&str, String)], password: &str) -> Config {
    let mut config = Config::default();
    config.server.data_dir = folder.path().to_path_buf();
    config.auth.secret_key = Some("a secret of more than thirty-two bytes".into());
    config.tws.timeout_seconds = 2;
    config.tws.engine = urls
        .iter()
        .map(|(name, url)| EngineConfig {
            name: (*name).to_owned(),
            url: url.clone(),
            username: Some("resync".to_owned()),
            password: Some(password.into()),
            ..EngineConfig::default()
        })
        .collect();
    config
}

async fn simulator(version: Version) -> Simulator {
    Simulator::builder()
        .jobs(100)
        .version(version)
        .user("resync", "secret", Role::Operator)
        .start()
        .await
        .unwrap()
}

fn seen(report: &Report, engine: usize, ability: Ability) -> Seen {
    let rows = &report.engines[engine].exam.rows;
    rows.iter().find(|row| row.ability == ability).unwrap().seen
}

#[tokio::test]
async fn each_ability_of_two_releases_is_seen_by_reading_alone() {
    let (old, new) = (
        simulator(Version::V10_1).await,
        simulator(Version::V10_2_8).await,
    );
    let folder = tempfile::tempdir().unwrap();
    let urls = [("OLD", old.base_url()), ("NEW", new.base_url())];
    let report = run(&config(&folder, &urls, "secret"), None).await.unwrap();
    assert_eq!(report.exit_code(), 0, "{}", report.table());
    for engine in 0..2 {
        for row in &report.engines[engine].exam.rows {
            assert_eq!(row.seen, Seen::Ok, "{row:?}");
        }
    }
    let table = report.table();
    assert!(table.contains("OLD  version 10.1.0"), "{table}");
    assert!(table.contains("NEW  version 10.2.8"), "{table}");
    assert!(
        table.contains("has no list of prompts: they are collected"),
        "{table}"
    );
    assert!(table.contains("; lists prompts"), "{table}");
    for engine in [&old, &new] {
        let requests = engine.control().requests().await;
        assert!(requests.len() > 10 && requests.iter().all(|request| request.method == "GET"));
    }
    let only = EngineName::parse("NEW").unwrap();
    let one = run(&config(&folder, &urls, "secret"), Some(&only))
        .await
        .unwrap();
    assert_eq!(one.engines.len(), 1);
    let other = EngineName::parse("OTHER").unwrap();
    let none = run(&config(&folder, &urls, "secret"), Some(&other)).await;
    assert!(matches!(none, Err(CheckError::UnknownEngine(_))));
}

#[tokio::test]
async fn what_an_engine_lacks_is_named_with_what_is_done_instead() {
    let engine = Simulator::builder()
        .jobs(100)
        .quirk(Quirk::NoCount)
        .user("resync", "secret", Role::Operator)
        .start()
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let urls = [("PROD", engine.base_url())];
    let report = run(&config(&folder, &urls, "secret"), None).await.unwrap();
    assert_eq!(
        seen(&report, 0, Ability::Total),
        Seen::Failed(TestReason::Unsupported)
    );
    assert_eq!(report.exit_code(), 0);
    assert!(
        report
            .table()
            .contains("instead: Lists do not say how many jobs match.")
    );
}

#[tokio::test]
async fn the_exit_code_tells_wrong_credentials_from_a_dead_engine() {
    let engine = simulator(Version::V10_1).await;
    let folder = tempfile::tempdir().unwrap();
    let urls = [("PROD", engine.base_url())];
    let refused = run(&config(&folder, &urls, "wrong"), None).await.unwrap();
    assert_eq!(refused.exit_code(), 5, "{}", refused.table());
    assert!(!refused.table().contains("wrong"), "{}", refused.table());
    let tried = engine.control().requests().await.len();
    assert_eq!(tried, 1, "a locked account follows repeated tries");
    engine.stop().await;
    let dead = run(&config(&folder, &urls, "secret"), None).await.unwrap();
    assert_eq!(dead.exit_code(), 6, "{}", dead.table());
    assert_eq!(
        dead.engines[0].unusable,
        Some(TestReason::Unreachable),
        "{}",
        dead.table()
    );
}
