//! `resync healthcheck`, as a container asks it.

use std::path::{Path, PathBuf};
use std::process::Output;

use resync_kernel::TestAuthority;

use crate::server::{Server, resync};

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

async fn probe(folder: &Path, url: &str, more: &[&str]) -> Output {
    resync(folder)
        .args(["healthcheck", "--url", url])
        .args(more)
        .output()
        .await
        .unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[tokio::test]
async fn the_probe_tells_a_server_that_is_ready_from_one_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).await;
    let url = format!("http://{}", server.address);
    let ready = probe(folder.path(), &url, &[]).await;
    assert_eq!(code(&ready), Some(0), "{ready:?}");
    server.terminate();
    server.end().await;
    let gone = probe(folder.path(), &url, &[]).await;
    assert_eq!(code(&gone), Some(1), "{gone:?}");
    assert!(String::from_utf8_lossy(&gone.stderr).contains("does not answer"));
}

#[tokio::test]
async fn the_probe_asks_over_tls_and_shows_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (TestAuthority::new(), TestAuthority::new());
    let (cert, key) = authority.issue("localhost");
    let cert = write(folder.path(), "cert.pem", &cert);
    let key = write(folder.path(), "key.pem", &key);
    let root = write(folder.path(), "ca.pem", &authority.pem());
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (cert, key, root) = (path(&cert), path(&key), path(&root));
    let mut settings = vec![
        ("RESYNC_SERVER_TLS_CERT", cert.as_str()),
        ("RESYNC_SERVER_TLS_KEY", key.as_str()),
    ];

    // On loopback the certificate need not be known.
    let server = Server::start(folder.path(), &settings).await;
    let url = format!("https://localhost:{}", server.address.port());
    let ready = probe(folder.path(), &url, &[]).await;
    assert_eq!(code(&ready), Some(0), "{ready:?}");
    let plain = probe(folder.path(), &url.replace("https", "http"), &[]).await;
    assert_eq!(code(&plain), Some(1), "{plain:?}");
    drop(server);

    // Where clients show a certificate, the probe needs one of that authority.
    settings.push(("RESYNC_SERVER_TLS_CLIENT_CA", root.as_str()));
    let server = Server::start(folder.path(), &settings).await;
    let url = format!("https://localhost:{}", server.address.port());
    let bare = probe(folder.path(), &url, &[]).await;
    assert_eq!(code(&bare), Some(1), "{bare:?}");
    for (signer, expected) in [(&authority, Some(0)), (&stranger, Some(1))] {
        let (cert, key) = signer.issue("localhost");
        let both = write(folder.path(), "client.pem", &format!("{cert}{key}"));
        let shown = probe(folder.path(), &url, &["--client-cert", &path(&both)]).await;
        assert_eq!(code(&shown), expected, "{shown:?}");
    }
}
