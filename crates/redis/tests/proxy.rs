//! An address that leads to one server and then to another, as after a failover.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) struct Proxy {
    pub(crate) url: String,
    to: Arc<Mutex<u16>>,
    connections: Arc<Mutex<JoinSet<()>>>,
    _accepts: JoinSet<()>,
}

impl Proxy {
    /// A proxy on the loopback before the port `to` of it.
    pub(crate) async fn before(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        let to = Arc::new(Mutex::new(to));
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let mut accepts = JoinSet::new();
        let (now, all) = (Arc::clone(&to), Arc::clone(&connections));
        accepts.spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let address = SocketAddr::from(([127, 0, 0, 1], *now.lock().unwrap()));
                all.lock().unwrap().spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(address).await {
                        let (Ok(_) | Err(_)) = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self {
            url,
            to,
            connections,
            _accepts: accepts,
        }
    }

    /// From here on the address leads to another port; connections to the old one end.
    pub(crate) fn fail_over(&self, to: u16) {
        *self.to.lock().unwrap() = to;
        self.connections.lock().unwrap().abort_all();
    }
}
