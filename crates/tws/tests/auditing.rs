//! The audit: its pages and its chain.

use resync_tws::AuditVerdict;
use resync_tws::ports::{AuditAction, AuditError, AuditLog, AuditOutcome, SealedRow};
use serde_json::Value;

use crate::fixture::World;

async fn world_with(rows: usize) -> World {
    let world = World::new(Vec::new());
    for number in 0..rows {
        let actor = format!("user{number}");
        let event = world
            .audit
            .event(actor, AuditAction::Login, AuditOutcome::Succeeded);
        world.audit.record(event).await.unwrap();
    }
    world
}

#[tokio::test]
async fn an_empty_audit_and_a_whole_one_are_valid() {
    for rows in [0, 3, 1_203] {
        let world = world_with(rows).await;
        let whole = AuditVerdict {
            valid: true,
            rows: rows as u64,
            first_broken: None,
        };
        assert_eq!(world.audit.verify().await.unwrap(), whole);
    }
}

#[tokio::test]
async fn a_changed_row_is_found_also_when_its_own_hash_was_made_anew() {
    let world = world_with(5).await;
    let rows = world.log.after(0, 9).await.unwrap();
    let mut event = rows[2].open().unwrap().event;
    event.actor = "someone".to_owned();
    let entry = resync_tws::ports::AuditEntry {
        id: rows[2].id,
        event,
    };
    let forged = SealedRow::seal(&rows[1].tip(), &entry).unwrap();
    assert!(forged.open().is_ok(), "the row alone looks right");
    world.log.tamper(forged);
    let broken = AuditVerdict {
        valid: false,
        rows: 3,
        first_broken: Some(4),
    };
    assert_eq!(world.audit.verify().await.unwrap(), broken);

    let garbled = SealedRow {
        body: "{}".to_owned(),
        ..rows[2].clone()
    };
    world.log.tamper(garbled);
    assert_eq!(world.audit.verify().await.unwrap().first_broken, Some(3));
    let listed = world.audit.list(None, 9).await;
    assert!(matches!(listed, Err(AuditError::Broken(row)) if row.seq == 3));
}

#[tokio::test]
async fn pages_are_newest_first_and_cover_every_row_once() {
    let world = world_with(7).await;
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = world.audit.list(before, 3).await.unwrap();
        seen.extend(page.items.iter().map(|row| row.seq));
        before = page.next_before;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn a_row_serialises_flat() {
    let world = world_with(1).await;
    let page = world.audit.list(None, 1).await.unwrap();
    let row: Value = serde_json::to_value(&page.items[0]).unwrap();
    assert_eq!(row["actor"], "user0");
    assert_eq!(row["action"], "auth.login");
    assert_eq!(row["outcome"], "succeeded");
    assert_eq!(row["hash"].as_str().unwrap().len(), 64);
    for field in [
        "id",
        "at",
        "target",
        "engine",
        "reason",
        "ticket",
        "detail",
        "request_id",
    ] {
        assert!(row.get(field).is_some(), "{field}");
    }
}
