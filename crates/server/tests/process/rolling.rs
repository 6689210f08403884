//! Two replicas behind nginx, as `deploy/nginx.conf` has them, that are restarted one after the other.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use resync_kernel::TestAuthority;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::server::{PATIENCE, Server};
use crate::site::{Person, Site, free_port, listens, read};

/// nginx with our configuration, on ports and files of the test.
struct Nginx {
    port: u16,
    _child: Child,
    _folder: tempfile::TempDir,
}

impl Nginx {
    async fn start(replicas: [u16; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (here, port) = (folder.path(), free_port());
        let authority = TestAuthority::new();
        let (chain, key) = authority.issue("127.0.0.1");
        std::fs::write(here.join("chain.pem"), chain).unwrap();
        std::fs::write(here.join("key.pem"), key).unwrap();
        let place = |name: &str| here.join(name).display().to_string();
        let mut text = include_str!("../../../../deploy/nginx.conf").to_owned();
        for (theirs, ours) in [
            (
                "127.0.0.1:8081 max",
                format!("127.0.0.1:{} max", replicas[0]),
            ),
            (
                "127.0.0.1:8082 max",
                format!("127.0.0.1:{} max", replicas[1]),
            ),
            ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
            ("/etc/resync/tls/chain.pem", place("chain.pem")),
            ("/etc/resync/tls/key.pem", place("key.pem")),
        ] {
            assert!(text.contains(theirs), "{theirs}");
            text = text.replace(theirs, &ours);
        }
        std::fs::write(here.join("nginx.conf"), text).unwrap();
        let globals = format!(
            // One process, which ends with the test.
            "daemon off; master_process off; pid {}; error_log {} warn;",
            place("pid"),
            place("error.log")
        );
        let child = Command::new(crate::site::from_environment("RESYNC_TEST_NGINX"))
            .args([
                "-p",
                &here.display().to_string(),
                "-c",
                "nginx.conf",
                "-g",
                &globals,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        listens(port).await;
        Self {
            port,
            _child: child,
            _folder: folder,
        }
    }
}

async fn replica(site: &Site, folder: &Path, port: u16, proxy: &str) -> Server {
    let mut settings = site.settings();
    settings.push(("RESYNC_SERVER_PUBLIC_URL", proxy));
    settings.push(("RESYNC_SERVER_TRUSTED_PROXIES", "1"));
    settings.push(("RESYNC_SERVER_PROXY_ADDRESSES", "127.0.0.1"));
    settings.push(("RESYNC_SERVER_DRAIN_SECONDS", "5"));
    Server::start_at(folder, &settings, port).await
}

/// Under load by people who read the plan and ask questions, both replicas are restarted one by one: each
/// request is answered, and a session and a conversation go on throughout.
#[tokio::test]
async fn both_replicas_are_restarted_one_by_one_and_no_request_fails() {
    let site = Arc::new(Site::start().await);
    let folder = tempfile::tempdir().unwrap();
    let ports = [free_port(), free_port()];
    let nginx = Nginx::start(ports).await;
    let proxy = format!("https://127.0.0.1:{}", nginx.port);
    let mut replicas = Vec::new();
    for port in ports {
        replicas.push(replica(&site, folder.path(), port, &proxy).await);
    }
    let client = replicas[0].client.clone();
    let vera = Person::sign_in_at(&client, &proxy, "vera").await;

    let (over, answered) = (Arc::new(AtomicBool::new(false)), watch::Sender::new(0));
    let mut load = JoinSet::new();
    for n in 0..8 {
        let (client, vera, proxy) = (client.clone(), vera.clone(), proxy.clone());
        let (over, answered) = (over.clone(), answered.clone());
        load.spawn(async move {
            let mut session = None;
            while !over.load(Ordering::Relaxed) {
                let request = if n % 2 == 0 {
                    client.get(format!("{proxy}/api/v1/tws/jobs?limit=20"))
                } else {
                    let body = json!({"message": "status of FIN_GL_POST", "session_id": session});
                    client
                        .request(Method::POST, format!("{proxy}/api/v1/chat"))
                        .json(&body)
                };
                let answer = request.headers(vera.headers(&proxy)).send().await.unwrap();
                let (status, body) = read(answer).await;
                assert_eq!(status, 200, "{body}");
                if n % 2 == 1 {
                    assert_eq!(body["saved"], json!(true), "{body}");
                    let same = body["session_id"].clone();
                    assert!(
                        session.as_ref().is_none_or(|before| *before == same),
                        "{body}"
                    );
                    session = Some(same);
                }
                answered.send_modify(|count| *count += 1);
            }
        });
    }
    serves(&answered, &mut load).await;
    for (n, port) in ports.into_iter().enumerate() {
        let old = replicas.remove(0);
        old.terminate();
        let (status, said) = old.end().await;
        assert_eq!(status.code(), Some(0), "replica {n}: {said}");
        serves(&answered, &mut load).await;
        replicas.push(replica(&site, folder.path(), port, &proxy).await);
        serves(&answered, &mut load).await;
    }
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
}

/// Waits until fifty more requests were answered.
async fn serves(answered: &watch::Sender<u64>, load: &mut JoinSet<()>) {
    let goal = *answered.borrow() + 50;
    let mut count = answered.subscribe();
    tokio::select! {
        more = count.wait_for(|count| *count >= goal) => drop(more.unwrap()),
        ended = load.join_next() => panic!("a client gave up: {ended:?}"),
        () = tokio::time::sleep(PATIENCE) => panic!("nothing is answered"),
    }
}
