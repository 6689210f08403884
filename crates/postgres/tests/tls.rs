//! Connections over TLS. The server of the tests speaks none, so a proxy before it does.

use std::sync::Arc;

use resync_kernel::TestAuthority;
use resync_postgres::{PgConfig, PgDatabase, PgError};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::server::from_environment;

/// A proxy that speaks TLS as PostgreSQL does, or refuses to.
struct Proxy {
    port: u16,
    _accepting: JoinSet<()>,
}

fn acceptor(authority: &TestAuthority) -> TlsAcceptor {
    let (certificate, key) = authority.issue("localhost");
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(mut client: TcpStream, acceptor: Option<TlsAcceptor>) -> std::io::Result<()> {
    // The request for TLS: eight bytes, before anything else.
    client.read_exact(&mut [0; 8]).await?;
    let Some(acceptor) = acceptor else {
        client.write_all(b"N").await?;
        return client.shutdown().await;
    };
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    let url = from_environment("RESYNC_TEST_POSTGRES_URL");
    let host = url.split('@').nth(1).unwrap().split('/').next().unwrap();
    let mut server = TcpStream::connect(host).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

impl Proxy {
    async fn start(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                // A client that refuses the certificate ends the connection.
                clients.spawn(async move { serve(client, acceptor).await.unwrap_or_default() });
            }
        });
        Self {
            port,
            _accepting: accepting,
        }
    }

    fn config(&self, host: &str, ca_pem: Option<String>) -> PgConfig {
        let url = format!("postgres://postgres@{host}:{}/postgres", self.port);
        PgConfig {
            ca_pem: ca_pem.map(String::into_bytes),
            ..PgConfig::new(url.into())
        }
    }
}

#[tokio::test]
async fn a_certificate_of_ones_own_authority_is_accepted() {
    let authority = TestAuthority::new();
    let proxy = Proxy::start(Some(acceptor(&authority))).await;
    let config = proxy.config("localhost", Some(authority.pem()));
    let database = PgDatabase::open(&config).await.unwrap();
    let (one,): (i32,) = sqlx::query_as("SELECT 1")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(one, 1);
    database.close().await;
}

/// Neither a certificate of somebody else, nor one for another name, nor none at all will do.
#[tokio::test]
async fn a_server_that_cannot_prove_itself_gets_no_password() {
    let (authority, stranger) = (TestAuthority::new(), TestAuthority::new());
    let proxy = Proxy::start(Some(acceptor(&authority))).await;
    let plain = Proxy::start(None).await;
    for (config, what) in [
        (
            proxy.config("localhost", Some(stranger.pem())),
            "somebody else's",
        ),
        (
            proxy.config("127.0.0.1", Some(authority.pem())),
            "another name",
        ),
        (plain.config("localhost", Some(authority.pem())), "no TLS"),
    ] {
        let refused = PgDatabase::open(&config).await;
        let Err(PgError::Connect(sqlx::Error::Tls(_) | sqlx::Error::Io(_))) = refused else {
            panic!("{what}: {refused:?}");
        };
    }
}
