//! Certificates made for the occasion, on real sockets.

use axum::Router;
use axum::routing::get;
use resync_kernel::TestAuthority;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::super::tests::{Running, start_with};
use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn pair(&self, (cert, key): &(String, String)) -> TlsFiles {
        TlsFiles {
            cert: self.write("cert.pem", cert),
            key: self.write("key.pem", key),
            client_ca: None,
        }
    }
}

async fn running(tls: Tls) -> Running {
    let router = Router::new().route("/", get(async || "fine"));
    start_with(router, Duration::from_secs(30), 10, Some(tls)).await
}

/// What a client reads that trusts `authority` and shows `pair`.
async fn ask(
    running: &Running,
    authority: &TestAuthority,
    pair: Option<&(String, String)>,
) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    for root in certificates(authority.pem().as_bytes(), Path::new("root")).unwrap() {
        roots.add(root).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match pair {
        Some((cert, key)) => {
            let chain = certificates(cert.as_bytes(), Path::new("client")).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(running.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn a_new_pair_is_taken_up_and_a_bad_one_is_not() {
    let (folder, old, new) = (Folder::new(), TestAuthority::new(), TestAuthority::new());
    let first = old.issue("localhost");
    let files = folder.pair(&first);
    let tls = Tls::load(files).unwrap();
    let running = running(tls.clone()).await;
    assert!(ask(&running, &old, None).await.unwrap().ends_with("fine"));
    assert!(!tls.refresh().unwrap());

    let second = new.issue("localhost");
    folder.write("key.pem", &second.1);
    assert!(matches!(tls.refresh(), Err(TlsError::Unusable(_))));
    assert!(ask(&running, &old, None).await.unwrap().ends_with("fine"));
    // The same mistake is not told again.
    assert!(!tls.refresh().unwrap());
    folder.write("cert.pem", "no certificate");
    let error = tls.refresh().unwrap_err().to_string();
    assert!(
        error.ends_with("cert.pem holds no certificate in PEM"),
        "{error}"
    );

    folder.write("cert.pem", &second.0);
    assert!(tls.refresh().unwrap());
    assert!(ask(&running, &new, None).await.unwrap().ends_with("fine"));
    assert!(ask(&running, &old, None).await.is_err());
}

#[tokio::test]
async fn a_client_shows_a_certificate_when_one_is_asked_for() {
    let (folder, server, clients) = (Folder::new(), TestAuthority::new(), TestAuthority::new());
    let mut files = folder.pair(&server.issue("localhost"));
    files.client_ca = Some(folder.write("clients.pem", &clients.pem()));
    let running = running(Tls::load(files).unwrap()).await;
    let (right, foreign) = (clients.issue("localhost"), server.issue("localhost"));
    assert!(
        ask(&running, &server, Some(&right))
            .await
            .unwrap()
            .ends_with("fine")
    );
    assert!(ask(&running, &server, None).await.is_err());
    assert!(ask(&running, &server, Some(&foreign)).await.is_err());
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_closed_without_an_answer() {
    let (folder, server) = (Folder::new(), TestAuthority::new());
    let running = running(Tls::load(folder.pair(&server.issue("localhost"))).unwrap()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    // An alert, or a reset; no HTTP.
    let _closed = stream.read_to_end(&mut bytes).await;
    assert!(!bytes.starts_with(b"HTTP"));
}

/// L3
#[tokio::test]
async fn a_silent_client_in_the_handshake_is_let_go() {
    let (folder, server) = (Folder::new(), TestAuthority::new());
    let tls = Tls::load(folder.pair(&server.issue("localhost"))).unwrap();
    let running = start_with(Router::new(), Duration::from_millis(50), 10, Some(tls)).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&[0x16, 0x03]).await.unwrap();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok());
}

#[test]
fn a_missing_file_is_named_and_a_key_is_not_shown() {
    let (folder, server) = (Folder::new(), TestAuthority::new());
    let (cert, key) = server.issue("localhost");
    let mut files = folder.pair(&(cert, key.clone()));
    files.key = folder.write("key.pem", &key.replace("PRIVATE", "PUBLIC"));
    let error = Tls::load(files.clone()).err().unwrap();
    assert!(
        error
            .to_string()
            .ends_with("key.pem holds no private key in PEM"),
        "{error}"
    );
    let body = key.lines().nth(1).unwrap();
    assert!(!format!("{error:?}").contains(body));
    files.cert = PathBuf::from("/no/such.pem");
    let error = Tls::load(files).err().unwrap();
    assert_eq!(error.to_string(), "/no/such.pem cannot be read");
}

#[tokio::test(start_paused = true)]
async fn the_files_are_looked_at_again_and_again() {
    let (folder, server) = (Folder::new(), TestAuthority::new());
    let tls = Tls::load(folder.pair(&server.issue("localhost"))).unwrap();
    let before = Arc::as_ptr(&tls.0.current.lock().unwrap().config);
    let end = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(tls.clone().watch(LOOK_EVERY, end.clone()));
    folder.pair(&server.issue("localhost"));
    while Arc::as_ptr(&tls.0.current.lock().unwrap().config) == before {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    end.cancel();
    tasks.join_all().await;
}
