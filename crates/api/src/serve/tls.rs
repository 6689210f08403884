//! TLS of the listener: rustls on aws-lc-rs, TLS 1.2 or later, HTTP/1.1.
//!
//! 1. `a_new_pair_is_taken_up_and_a_bad_one_is_not`: the files are looked at every few seconds; what
//!    does not load is said once, and the pair before it stays.
//! 2. `a_client_shows_a_certificate_when_one_is_asked_for`, or gets no connection.
//! 3. A key never appears in an error or a log line.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where certificate and key lie, all PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who signs the certificates that clients must show; `None` asks for none.
    pub client_ca: Option<PathBuf>,
}

/// Why TLS cannot be spoken with these files.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {what} in PEM")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The files do not fit together.
    #[error("certificate and key cannot be used together")]
    Unusable(#[source] rustls::Error),
    /// The authorities of the clients cannot be used.
    #[error("the certificates of server.tls_client_ca cannot be used")]
    ClientCa(#[source] resync_kernel::BoxError),
}

/// The pair in use, which may change while connections are open. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    // Held for a few instructions, never across an await.
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// Of the files as they were last seen, good or bad.
    seen: u64,
}

/// The files' bytes. They hold a key, so this has no `Debug`.
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Tls {
    /// Reads the files. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`TlsError`] naming the file that is wrong.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let contents = Contents::read(&files)?;
        let current = Current {
            config: Arc::new(contents.config(&files)?),
            seen: contents.digest(),
        };
        Ok(Self(Arc::new(Inner {
            files,
            current: Mutex::new(current),
        })))
    }

    /// Takes up the files if they changed; `true` when they did. On an error the pair before stays.
    /// Blocks for as long as reading takes.
    ///
    /// # Errors
    /// [`TlsError`], once for each change for the worse.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let contents = Contents::read(&self.0.files)?;
        let seen = contents.digest();
        {
            let mut current = self
                .0
                .current
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if current.seen == seen {
                return Ok(false);
            }
            current.seen = seen;
        }
        let config = Arc::new(contents.config(&self.0.files)?);
        let mut current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        current.config = config;
        Ok(true)
    }

    /// Looks at the files every `every` until `end` is cancelled.
    pub async fn watch(self, every: Duration, end: CancellationToken) {
        let mut unreadable = false;
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.refresh()).await {
                Ok(Ok(changed)) => {
                    unreadable = false;
                    if changed {
                        tracing::info!("a new TLS certificate is in use");
                    }
                }
                // A file that is away for a moment while it is replaced is said once.
                Ok(Err(error @ TlsError::Unreadable { .. })) if unreadable => {
                    tracing::debug!(error = %error, "the TLS files still cannot be read");
                }
                Ok(Err(error)) => {
                    unreadable = matches!(error, TlsError::Unreadable { .. });
                    tracing::error!(
                        error = resync_kernel::error_chain(&error),
                        "the new TLS files cannot be used; the certificate before stays in use"
                    );
                }
                Err(error) => tracing::error!(error = %error, "looking at the TLS files failed"),
            }
        }
    }

    /// The handshake, with the pair that is in use now.
    pub(super) async fn accept<I>(&self, stream: I) -> io::Result<TlsStream<I>>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let config = {
            let current = self
                .0
                .current
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&current.config)
        };
        TlsAcceptor::from(config).accept(stream).await
    }
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| TlsError::Unreadable {
                path: path.to_owned(),
                source,
            })
        };
        Ok(Self {
            cert: read(&files.cert)?,
            key: read(&files.key)?,
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    /// Tells one state of the files from the next; it proves nothing to anybody.
    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.cert, &self.key, &self.client_ca).hash(&mut hasher);
        hasher.finish()
    }

    fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let chain = certificates(&self.cert, &files.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::Malformed {
            path: files.key.clone(),
            what: "private key",
        })?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?;
        let builder = match (&self.client_ca, &files.client_ca) {
            (Some(bytes), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(bytes, path)? {
                    roots
                        .add(authority)
                        .map_err(|error| TlsError::ClientCa(Box::new(error)))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| TlsError::ClientCa(Box::new(error)))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(TlsError::Unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn certificates(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let malformed = || TlsError::Malformed {
        path: path.to_owned(),
        what: "certificate",
    };
    let found = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| malformed())?;
    if found.is_empty() {
        return Err(malformed());
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
