//! The gateway: one address that reads replicas as one, each series once and each sample once.
//!
//! | file | what it does |
//! |---|---|
//! | [`config`] | the configuration file, strictly |
//! | [`topology`] | groups of upstreams, and what of a query each is asked |
//! | [`upstream`] | one upstream's answer, as parts of series |
//! | [`labels`] | label sets, what relabelling does to them, and the order they leave in |
//! | [`merged`] | all answers as one stream of series |
//! | [`chunks`] | one series' chunks from several answers as one sequence |
//! | [`mod@column`] | one source's decoded samples, as a policy looks at them |
//! | [`samples`] | samples out of chunks, and chunks out of samples |
//! | [`answer`] | the two shapes in which series leave |
//! | [`read`] | `POST /api/v1/read` |
//! | [`threads`] | the threads that reads run on |
//! | [`embedded`] | what is read while nothing is configured |
//! | [`page`] | the page at `/` |
//! | [`client`] | `gateway read` |
//! | [`program`] | the command line, and how it is put together |

pub mod answer;
pub mod chunks;
pub mod client;
pub mod column;
pub mod config;
pub mod embedded;
pub mod error;
pub mod labels;
pub mod merged;
pub mod metrics;
pub mod page;
pub mod program;
pub mod read;
pub mod sampled;
pub mod samples;
pub mod series;
pub mod threads;
pub mod topology;
pub mod upstream;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};
use prometheus_client::metrics::gauge::Gauge;
use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use metrics::Metrics;
use threads::{Seat, Threads};
use topology::Topology;

/// What one read, and all of them together, may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest request, as sent and as decompressed.
    pub request_bytes: usize,
    /// Most samples of a sampled answer, which has to be held whole.
    pub samples: usize,
    /// Reads at a time; further ones wait.
    pub concurrent_reads: usize,
    /// How long a client may take nothing of its answer.
    pub client_stall: Duration,
}

impl Default for Limits {
    /// Prometheus' own, and two minutes for a stalled client.
    fn default() -> Self {
        Self {
            request_bytes: 32 << 20,
            samples: 50_000_000,
            concurrent_reads: 10,
            client_stall: Duration::from_secs(120),
        }
    }
}

/// The running gateway.
#[derive(Debug)]
pub struct Gateway {
    topology: RwLock<Arc<Topology>>,
    metrics: Metrics,
    limits: Limits,
    reads: Arc<Semaphore>,
    threads: Threads,
    /// Whether it runs without a configuration, on samplers of its own.
    embedded: bool,
    /// The URL under which others reach it, if it was told.
    external_url: Option<Url>,
    /// What all its paths begin with.
    path_prefix: String,
}

/// A place among the concurrent reads, given back when dropped.
#[derive(Debug)]
pub struct Admission {
    _permit: Option<OwnedSemaphorePermit>,
    /// On the thread it runs on.
    seat: Seat,
    in_flight: Gauge,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}

impl Gateway {
    /// A gateway that reads from `topology`, on `threads`; `embedded` says that nobody has configured that.
    pub fn new(
        topology: Topology,
        metrics: Metrics,
        limits: Limits,
        threads: Threads,
        embedded: bool,
    ) -> Self {
        let reads = Arc::new(Semaphore::new(limits.concurrent_reads));
        let topology = RwLock::new(Arc::new(topology));
        Self {
            topology,
            metrics,
            limits,
            reads,
            threads,
            embedded,
            external_url: None,
            path_prefix: String::new(),
        }
    }

    /// The same gateway, which others reach under `external_url`, and its neighbours below `path_prefix`.
    pub fn reached_at(self, external_url: Option<Url>, path_prefix: String) -> Self {
        Self { external_url, path_prefix, ..self }
    }

    /// What is read from now.
    pub fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.topology.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads from `topology` from now on; reads under way go on as they began.
    pub fn replace_topology(&self, topology: Topology) {
        *self.topology.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(topology);
    }

    /// Waits for a place among the concurrent reads.
    async fn admit(&self) -> Admission {
        // Nobody closes the semaphore; if it were closed, reads would simply not be limited.
        let permit = Arc::clone(&self.reads).acquire_owned().await.ok();
        self.metrics.reads_in_flight.inc();
        let in_flight = self.metrics.reads_in_flight.clone();
        Admission { _permit: permit, seat: self.threads.seat(), in_flight }
    }
}

/// The gateway's own endpoints.
pub fn app(gateway: Arc<Gateway>) -> Router {
    let request_bytes = gateway.limits.request_bytes;
    Router::new()
        .route("/api/v1/read", any(read::read).layer(DefaultBodyLimit::max(request_bytes)))
        .route("/", get(page::page))
        .with_state(gateway)
}
