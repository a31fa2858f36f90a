//! The web side that all programs share: flags, health, reload, drain, TLS and basic auth as Prometheus has
//! them.
//!
//! A program brings a [`Router`] of its own and gets `/-/healthy`, `/-/ready`, `/-/reload`, `/-/quit` and
//! `/metrics` beside it. [`Server::bind`] opens the sockets, so that a port in use is an error at the start;
//! [`Server::serve`] runs until it is told to stop, by a signal or by `/-/quit`, and then drains:
//!
//! 1. `/-/ready` answers 503, nothing new is accepted, idle connections are closed;
//! 2. requests under way finish, for at most `--web.drain-timeout`;
//! 3. a second signal ends the process at once.
//!
//! Connections are accepted by axum-server: it gives each TLS handshake a task and a time limit of its own,
//! and knows a graceful shutdown that is bounded in time, both of which `axum::serve` leaves to its caller.

mod auth;
mod config;
mod endpoints;
mod lifecycle;
mod reload;
#[cfg(test)]
mod tests;
mod tls;

use std::fmt::Display;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use hyper_util::rt::TokioTimer;
use reqwest::Url;
use tokio::task::JoinSet;

use super::duration::PromDuration;
use super::metrics::Metrics;
use super::yaml::ConfigError;
use config::WebConfig;
use endpoints::Endpoints;
use lifecycle::{Asked, Signals};
use reload::Reloader;
use tls::LiveTls;

pub use lifecycle::Lifecycle;

/// The `--web.*` flags.
#[derive(Debug, Clone, clap::Args)]
pub struct WebFlags {
    /// Address to listen on for UI, API, and telemetry. Repeatable for several addresses.
    #[arg(long = "web.listen-address", value_name = "ADDRESS")]
    pub listen_addresses: Vec<String>,
    /// Path to a file that enables TLS or authentication, in the format of Prometheus' exporter-toolkit.
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// The URL under which this program is reachable from outside, for example behind a reverse proxy. Its
    /// path is the default of --web.route-prefix.
    #[arg(long = "web.external-url", value_name = "URL")]
    pub external_url: Option<Url>,
    /// Prefix for the internal routes of all endpoints. Defaults to the path of --web.external-url.
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    pub route_prefix: Option<String>,
    /// Enable shutdown and reload via HTTP request.
    #[arg(long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,
    /// How long requests under way may take to finish after the program was told to stop.
    #[arg(long = "web.drain-timeout", value_name = "DURATION", default_value = "30s")]
    pub drain_timeout: PromDuration,
}

impl WebFlags {
    /// What all paths begin with: empty, or `/prefix` without a slash at the end.
    pub fn path_prefix(&self) -> String {
        let path = match (&self.route_prefix, &self.external_url) {
            (Some(prefix), _) => prefix.as_str(),
            (None, Some(url)) => url.path(),
            (None, None) => "",
        };
        let path = path.trim_matches('/');
        if path.is_empty() { String::new() } else { format!("/{path}") }
    }
}

/// Why a program cannot listen or has to stop listening.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The address is not one, is in use, or is not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as given.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file of `--web.config.file` is not good.
    #[error("web configuration: {0}")]
    Config(#[from] ConfigError),
    /// The process's signals cannot be watched.
    #[error("cannot watch for signals: {0}")]
    Signals(std::io::Error),
    /// A listener broke while serving.
    #[error("listening ended: {0}")]
    Serve(std::io::Error),
}

/// Open sockets, not yet answering.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    flags: WebFlags,
    config: Arc<WebConfig>,
    listeners: Vec<(TcpListener, SocketAddr)>,
    lifecycle: Lifecycle,
}

impl Server {
    /// Opens the sockets for the program `name` (as in `Gateway is Healthy.`), on `default_address` unless the
    /// flags name others.
    ///
    /// An address is `host:port`; without a host (`:9099`) it is every address of the machine. Port 0 is any
    /// free port.
    ///
    /// # Errors
    /// When an address cannot be listened on or the web configuration file is not good.
    pub fn bind(flags: &WebFlags, name: &'static str, default_address: &str) -> Result<Self, WebError> {
        let config = Arc::new(WebConfig::open(flags.config_file.clone())?);
        let listeners = match flags.listen_addresses.as_slice() {
            [] => vec![listen(default_address)?],
            given => given.iter().map(|address| listen(address)).collect::<Result<_, _>>()?,
        };
        Ok(Self { name, flags: flags.clone(), config, listeners, lifecycle: Lifecycle::default() })
    }

    /// Where it listens, with the ports that were chosen.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().map(|(_, address)| *address)
    }

    /// The handle by which the program says that it is ready, and learns that it is to stop.
    pub fn lifecycle(&self) -> Lifecycle {
        self.lifecycle.clone()
    }

    /// Answers requests until the program is told to stop and has drained.
    ///
    /// `reload` reads the configuration anew; on an error the program must keep what it had. It is called
    /// for SIGHUP and for `/-/reload`, never twice at a time. That `serve` is called says that the
    /// configuration was good at the start.
    ///
    /// A second signal while draining ends the process, with 128 and the signal's number as its exit code.
    ///
    /// # Errors
    /// When signals cannot be watched or a listener breaks. A drain that took too long is not an error; it is
    /// logged.
    pub async fn serve<F, R, E>(self, app: Router, metrics: Arc<Metrics>, reload: F) -> Result<(), WebError>
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let Self { name, flags, config, listeners, lifecycle } = self;
        let mut signals = Signals::watch().map_err(WebError::Signals)?;
        metrics.reload().succeeded();
        let reloader = Reloader::new(reload, config.clone(), metrics.reload().clone());
        let endpoints = Endpoints {
            name,
            lifecycle: lifecycle.clone(),
            reloader: reloader.clone(),
            lifecycle_api: flags.enable_lifecycle,
            metrics,
        };
        let router = endpoints.around(app, &flags.path_prefix(), config.clone());

        let mut servers = JoinSet::new();
        let mut handles = Vec::new();
        for (listener, address) in listeners {
            let handle = Handle::new();
            handles.push(handle.clone());
            let scheme = if config.is_tls() { "https" } else { "http" };
            tracing::info!(%address, scheme, "Listening on");
            servers.spawn(accept(listener, router.clone(), config.clone(), handle));
        }

        let stopped_by = loop {
            tokio::select! {
                () = lifecycle.draining() => break "request",
                asked = signals.next() => match asked {
                    Asked::Reload => reloader.reload_in_background(),
                    Asked::Stop(signal) => break signal.name(),
                },
                Some(ended) = servers.join_next() => ended_early(ended)?,
            }
        };
        let timeout = flags.drain_timeout;
        tracing::info!(by = stopped_by, %timeout, "Told to stop, draining");
        lifecycle.drain();
        for handle in &handles {
            handle.graceful_shutdown(None);
        }
        let drained = async { while servers.join_next().await.is_some() {} };
        tokio::pin!(drained);
        tokio::select! {
            () = &mut drained => tracing::info!("Drained, see you next time!"),
            () = tokio::time::sleep(timeout.as_duration()) => {
                let connections = handles.iter().map(Handle::connection_count).sum::<usize>();
                tracing::warn!(connections, "Not drained in time, connections are cut");
                handles.iter().for_each(Handle::shutdown);
                drained.await;
            }
            signal = signals.stop() => {
                tracing::warn!(by = signal.name(), "Told to stop a second time, ending at once");
                std::process::exit(128 + signal.number());
            }
        }
        Ok(())
    }
}

fn listen(address: &str) -> Result<(TcpListener, SocketAddr), WebError> {
    let bound = match address.strip_prefix(':') {
        // Both families where the system has both.
        Some(port) => bind(&format!("[::]:{port}")).or_else(|_| bind(&format!("0.0.0.0:{port}"))),
        None => bind(address),
    };
    let opened = bound.and_then(|listener| {
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    });
    opened.map_err(|source| WebError::Listen { address: address.to_owned(), source })
}

fn bind(address: &str) -> std::io::Result<TcpListener> {
    TcpListener::bind(address.to_socket_addrs()?.collect::<Vec<_>>().as_slice())
}

/// How long a client may take to send the head of a request, or keep a connection without sending one; what
/// Prometheus allows.
const HEAD_TIMEOUT: Duration = Duration::from_secs(300);

async fn accept(
    listener: TcpListener,
    router: Router,
    config: Arc<WebConfig>,
    handle: Handle<SocketAddr>,
) -> std::io::Result<()> {
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    match LiveTls::of(config) {
        Some(tls) => server.acceptor(tls).serve(service).await,
        None => server.acceptor(NoDelayAcceptor::new()).serve(service).await,
    }
}

/// A listener that ends while nobody asked for it is an error, whatever it returned.
fn ended_early(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Result<(), WebError> {
    Err(WebError::Serve(match ended {
        Ok(Ok(())) => std::io::Error::other("a listener was closed"),
        Ok(Err(error)) => error,
        Err(panic) => std::io::Error::other(panic),
    }))
}
