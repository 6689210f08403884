//! Logging out when a port fails, and when the caller goes away.

use super::*;

/// P0-02: the caller learns that the session may live on, and nothing claims otherwise.
#[tokio::test]
async fn logout_reports_a_revocation_that_failed() {
    let mut mocks = Mocks::default();
    let unavailable = || Err(SessionStoreError::Unavailable(down()));
    mocks
        .sessions
        .expect_revoke()
        .once()
        .returning(move |_, _| unavailable());
    mocks
        .sessions
        .expect_revoke_all()
        .once()
        .returning(|_| Err(SessionStoreError::Unavailable(down())));
    let service = sessions(mocks.ports());
    let one = service.log_out(&principal(), by()).await;
    assert!(matches!(one, Err(LogOutError::NotRevoked(_))), "{one:?}");
    let all = service.log_out_all(&principal(), by()).await;
    assert!(matches!(all, Err(LogOutError::NotRevoked(_))), "{all:?}");
}

/// P0-02: "ended, but not recorded" is another thing than "not ended".
#[tokio::test]
async fn logout_tells_a_missing_audit_row_from_a_living_session() {
    let mut mocks = Mocks::default();
    mocks
        .sessions
        .expect_revoke()
        .once()
        .returning(|_, _| Ok(true));
    mocks.does_not_record();
    let ended = sessions(mocks.ports()).log_out(&principal(), by()).await;
    assert!(
        matches!(ended, Err(LogOutError::NotRecorded(_))),
        "{ended:?}"
    );
}

#[tokio::test]
async fn logging_out_twice_is_no_error_and_one_event() {
    let mut mocks = Mocks::default();
    let mut alive = true;
    mocks
        .sessions
        .expect_revoke()
        .times(2)
        .returning(move |_, _| Ok(std::mem::replace(&mut alive, false)));
    mocks.records(AuthEventKind::LoggedOut {
        session_id: principal().session_id,
    });
    let service = sessions(mocks.ports());
    service.log_out(&principal(), by()).await.unwrap();
    service.log_out(&principal(), by()).await.unwrap();
}

/// P0-02: a client that hangs up between the revocation and its audit row leaves both done.
#[tokio::test]
async fn dropping_logout_future_leaves_no_half_state() {
    let mut mocks = Mocks::default();
    mocks
        .sessions
        .expect_revoke()
        .once()
        .returning(|_, _| Ok(true));
    let slow = Arc::new(SlowEvents::default());
    let ports = AuthPorts {
        events: Arc::clone(&slow) as _,
        ..mocks.ports()
    };
    let tracker = ports.tracker.clone();
    let service = sessions(ports);
    let mut caller = JoinSet::new();
    caller.spawn(async move { service.log_out(&principal(), by()).await });
    slow.begun.notified().await;
    caller.shutdown().await;
    assert_eq!(*slow.recorded.lock().unwrap(), []);
    slow.go_on.notify_one();
    tracker.close();
    tracker.wait().await;
    let session_id = principal().session_id;
    assert_eq!(
        *slow.recorded.lock().unwrap(),
        [AuthEventKind::LoggedOut { session_id }]
    );
}
