//! Reading the configuration anew while the program runs.

use std::fmt::{self, Display};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::config::WebConfig;
use crate::common::metrics::ReloadMetrics;

/// Reloads one at a time, and says in the log and the metrics what became of it.
#[derive(Clone)]
pub(super) struct Reloader {
    shared: Arc<Shared>,
}

struct Shared {
    program: Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
    web: Arc<WebConfig>,
    metrics: ReloadMetrics,
    turn: Mutex<()>,
}

impl Reloader {
    pub(super) fn new<F, R, E>(reload: F, web: Arc<WebConfig>, metrics: ReloadMetrics) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let program = Box::new(move || {
            let reload = reload();
            async move { reload.await.map_err(|error| error.to_string()) }.boxed()
        });
        Self { shared: Arc::new(Shared { program, web, metrics, turn: Mutex::default() }) }
    }

    /// Reloads; the error says what is wrong with the new configuration, while the old one stays in use.
    ///
    /// Goes on to its end also when the caller goes away.
    pub(super) async fn reload(&self) -> Result<(), String> {
        let reload = self.clone().run();
        // A panic must not leave the impression that all went well.
        tokio::spawn(reload).await.unwrap_or_else(|panic| Err(panic.to_string()))
    }

    pub(super) fn reload_in_background(&self) {
        // The outcome is in the log and in the metrics.
        drop(tokio::spawn(self.clone().run()));
    }

    async fn run(self) -> Result<(), String> {
        let _turn = self.shared.turn.lock().await;
        tracing::info!("Loading configuration");
        let outcome = match self.shared.web.reload() {
            Ok(()) => (self.shared.program)().await,
            Err(error) => Err(error.to_string()),
        };
        match &outcome {
            Ok(()) => {
                self.shared.metrics.succeeded();
                tracing::info!("Completed loading of configuration");
            }
            Err(error) => {
                self.shared.metrics.failed();
                tracing::error!(error, "Loading the configuration failed, the previous one stays in use");
            }
        }
        outcome
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}
