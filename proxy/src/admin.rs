//! The operators' HTTP interface: metrics, health, readiness, the topology, who is connected. It only reads.
//!
//! | path | answers |
//! |---|---|
//! | `GET /metrics` | every metric in Prometheus' text format |
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 when new sessions may come, else 503 with a reason per line |
//! | `GET /topology` | the current topology as JSON |
//! | `GET /replicas` | what is known of each replica and where they differ, as JSON |
//! | `GET /sessions` | every session as JSON |

mod limited;
#[cfg(test)]
mod tests;
mod views;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use link_control::topology::TopologyReader;
use serde::Serialize;
use tokio::net::TcpListener;
use tracing::info;

use crate::health::Health;
use crate::metrics::{self, Recorder};
use limited::Limited;
use views::TopologyView;

pub use views::{CollationView, DifferenceView, LoginView, PromiseView, ReplicaView, ReplicasView, SessionView};

/// What the interface shows.
#[derive(Clone)]
pub struct Sources {
    /// Whether new sessions may come.
    pub health: Health,
    /// Who is primary.
    pub topology: TopologyReader,
    /// Who is connected.
    pub sessions: Arc<dyn Fn() -> Vec<SessionView> + Send + Sync>,
    /// What is known of the replicas.
    pub replicas: Arc<dyn Fn() -> ReplicasView + Send + Sync>,
    /// The process's metrics; `None` where no recorder is installed.
    pub recorder: Option<Recorder>,
}

/// The interface with its address bound. Serves once [`run`](Self::run) is called.
pub struct Admin {
    listener: TcpListener,
    sources: Sources,
}

impl Admin {
    /// Takes the address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn bind(address: SocketAddr, sources: Sources) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(listener)?, sources })
    }

    /// Where it listens; tells the port where the configuration asked for any.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` resolves.
    ///
    /// # Errors
    /// The server cannot go on.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let address = self.address()?;
        info!(%address, "the admin interface is listening");
        let recorder = self.sources.recorder.clone();
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(async || "alive\n"))
            .route("/readyz", get(readyz))
            .route("/topology", get(topology))
            .route("/replicas", get(replicas))
            .route("/sessions", get(sessions))
            .with_state(self.sources);
        let keep = async {
            match recorder {
                Some(recorder) => recorder.keep().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            served = axum::serve(Limited::new(self.listener), routes).into_future() => served,
            () = keep => Ok(()),
            () = shutdown => Ok(()),
        }
    }
}

async fn metrics(State(sources): State<Sources>) -> Response {
    let Some(recorder) = sources.recorder else {
        return (StatusCode::NOT_FOUND, "this process keeps no metrics\n").into_response();
    };
    metrics::topology_epoch(sources.topology.snapshot().epoch().value());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render()).into_response()
}

async fn readyz(State(sources): State<Sources>) -> Response {
    let reasons = sources.health.reasons(&sources.topology.snapshot());
    if reasons.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n").into_response()
}

async fn topology(State(sources): State<Sources>) -> Response {
    json(&TopologyView::new(&sources.topology.snapshot(), Instant::now()))
}

async fn replicas(State(sources): State<Sources>) -> Response {
    json(&(sources.replicas)())
}

async fn sessions(State(sources): State<Sources>) -> Response {
    json(&(sources.sessions)())
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
