//! The engine on a socket.
//!
//! 1. Everything that reads or changes the engine holds the one lock, for one request at a time.
//! 2. Before anything looks at the engine, its time is brought to the present of the clock.
//! 3. Connections are tasks of one tracker; stopping cancels and awaits them.

mod api;
pub(crate) mod control;
mod http1;
mod world;

pub(crate) use world::World;
pub use world::{Received, Speed};

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{net::TcpListener, sync::Mutex};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::wire::{Role, Settings};

/// A user of the interface.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) role: Role,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    pub(crate) settings: Settings,
    pub(crate) users: Vec<User>,
}

/// Two listening sockets and their connections.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) control_address: SocketAddr,
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    pub(crate) async fn start(
        shared: &Arc<Shared>,
        listen: SocketAddr,
        control: SocketAddr,
    ) -> io::Result<Self> {
        let (api, control) = (
            TcpListener::bind(listen).await?,
            TcpListener::bind(control).await?,
        );
        let (address, control_address) = (api.local_addr()?, control.local_addr()?);
        let (token, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (world, stop, tracker) = (Arc::clone(shared), token.clone(), tasks.clone());
        tasks.spawn(http1::accept(api, stop, tracker, move |request| {
            api::respond(Arc::clone(&world), request)
        }));
        let (world, stop, tracker) = (Arc::clone(shared), token.clone(), tasks.clone());
        tasks.spawn(http1::accept(control, stop, tracker, move |request| {
            control::respond(Arc::clone(&world), request)
        }));
        tasks.close();
        Ok(Self {
            address,
            control_address,
            token,
            tasks,
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
