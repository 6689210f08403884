//! The way to a store, which a test may slow down, stop or cut.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to bytes on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// They arrive.
    Open,
    /// Each piece arrives this much later.
    Slow(Duration),
    /// They wait, and nobody is told.
    Stalled,
    /// Connections are reset, and new ones, too.
    Cut,
}

/// A port of the loopback that leads to another one.
pub(crate) struct Wire {
    pub(crate) port: u16,
    way: watch::Sender<Way>,
    target: watch::Sender<u16>,
    _tasks: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let (way, target) = (watch::Sender::new(Way::Open), watch::Sender::new(port));
        let (ways, targets) = (way.subscribe(), target.subscribe());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut pairs = JoinSet::new();
            loop {
                let Ok((near, _)) = listener.accept().await else {
                    return;
                };
                let (ways, port) = (ways.clone(), *targets.borrow());
                pairs.spawn(async move {
                    if let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await {
                        carry(near, far, ways).await;
                    }
                });
                while pairs.try_join_next().is_some() {}
            }
        });
        Self {
            port: here,
            way,
            target,
            _tasks: tasks,
        }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Leads new connections elsewhere and cuts those that are open, as a change of address does.
    pub(crate) fn leads_to(&self, port: u16) {
        self.target.send_replace(port);
        self.set(Way::Cut);
        self.set(Way::Open);
    }
}

async fn carry(near: TcpStream, far: TcpStream, ways: watch::Receiver<Way>) {
    let mut cut = ways.clone();
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = pass(near_in, far_out, ways.clone()) => {}
        () = pass(far_in, near_out, ways) => {}
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut ways: watch::Receiver<Way>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        let slow = match *ways.borrow() {
            Way::Slow(time) => Some(time),
            Way::Open | Way::Stalled | Way::Cut => None,
        };
        if let Some(time) = slow {
            tokio::time::sleep(time).await;
        }
        if ways.wait_for(|way| *way != Way::Stalled).await.is_err() {
            return;
        }
        let piece = &buffer[..length];
        if length == 0 || to.write_all(piece).await.is_err() {
            return;
        }
    }
}
