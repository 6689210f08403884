//! The engine on a socket.
//!
//! 1. Everything that reads or changes the engine holds the one lock, for one request at a time.
//! 2. Before anything looks at the engine, its time is brought to the present of the clock.
//! 3. Connections are tasks of one tracker; stopping cancels and awaits them.

mod api;
mod auth;
mod body;
pub(crate) mod control;
mod http1;
mod spoil;
mod tls;
mod world;

pub(crate) use auth::{Secret, User};
pub(crate) use tls::acceptor;
pub(crate) use world::World;
pub use world::{Received, Speed};

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::wire::Settings;
use http1::Door;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) settings: Settings,
    pub(crate) users: Vec<User>,
    /// Whether the interface takes connections.
    pub(crate) open: watch::Sender<bool>,
}

/// Two listening sockets and their connections.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) control_address: SocketAddr,
    token: CancellationToken,
    tasks: TaskTracker,
    /// Keeps the control plane open.
    _always: watch::Sender<bool>,
}

impl Running {
    pub(crate) async fn start(
        shared: &Arc<Shared>,
        listen: SocketAddr,
        control: SocketAddr,
        tls: Option<TlsAcceptor>,
    ) -> io::Result<Self> {
        let (api, control) = (
            TcpListener::bind(listen).await?,
            TcpListener::bind(control).await?,
        );
        let (address, control_address) = (api.local_addr()?, control.local_addr()?);
        let (token, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (always, open) = watch::channel(true);
        let door = |listener, tls, open, rules| Door {
            listener,
            tls,
            open,
            rules,
            token: token.clone(),
            tracker: tasks.clone(),
        };
        let rules = Some(Arc::clone(shared));
        let api = door(api, tls, shared.open.subscribe(), rules);
        let control = door(control, None, open, None);
        let world = Arc::clone(shared);
        tasks.spawn(http1::accept(api, move |request, ending| {
            api::respond(Arc::clone(&world), request, ending)
        }));
        let world = Arc::clone(shared);
        tasks.spawn(http1::accept(control, move |request, _ending| {
            control::respond(Arc::clone(&world), request)
        }));
        tasks.close();
        Ok(Self {
            address,
            control_address,
            token,
            tasks,
            _always: always,
        })
    }

    pub(crate) fn cancel(&self) {
        self.token.cancel();
    }

    /// Ends all connections and waits for them. Cancel safe: they end anyway.
    pub(crate) async fn stop(&self) {
        self.token.cancel();
        self.tasks.wait().await;
    }
}
