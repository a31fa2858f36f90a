//! What is answered beside the program's own routes, and around them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use futures::FutureExt;
use tower::ServiceExt;

use super::auth;
use super::config::WebConfig;
use super::lifecycle::Lifecycle;
use super::reload::Reloader;
use crate::common::causes::panic_message;
use crate::common::metrics::{Metrics, measure};

/// What the shared endpoints need to know.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    pub(super) name: &'static str,
    pub(super) lifecycle: Lifecycle,
    pub(super) reloader: Reloader,
    /// Whether reload and quit are allowed over HTTP.
    pub(super) lifecycle_api: bool,
    pub(super) metrics: Arc<Metrics>,
}

impl Endpoints {
    /// The program's routes with the shared ones beside them, under `prefix`, behind what `config` asks for.
    pub(super) fn around(self, app: Router, prefix: &str, config: Arc<WebConfig>) -> Router {
        let http_metrics = self.metrics.http().clone();
        let own = Router::new()
            .route("/-/healthy", get(healthy))
            .route("/-/ready", get(ready))
            .route("/-/reload", post(reload).put(reload))
            .route("/-/quit", post(quit).put(quit))
            .route("/metrics", get(metrics))
            .with_state(self);
        let routes = app.merge(own);
        let routes = if prefix.is_empty() {
            routes
        } else {
            let home = format!("{prefix}/");
            // A nested "/" is the bare prefix alone; what people know is the prefix with its slash.
            let at_home = routes.clone();
            let at_home = any(move |request| at_home.oneshot(without_path(request)));
            let go_home = format!("{prefix}/");
            let go_home = get(async move || Redirect::to(&go_home));
            Router::new().route("/", go_home).route(&home, at_home).nest(prefix, routes)
        };
        // From the inside out: what is counted includes refused requests and panics.
        routes
            .layer(middleware::from_fn(survive_panics))
            .layer(middleware::from_fn_with_state(config, auth::guard))
            .layer(middleware::from_fn_with_state((http_metrics, Arc::from(prefix)), measure))
    }
}

/// The same request for `/`, with its query.
fn without_path(mut request: Request) -> Request {
    let query = request.uri().query().map(|query| format!("/?{query}"));
    // A query that was one before is one still; if it were not, it would be left out.
    let uri = query.and_then(|uri| Uri::try_from(uri).ok()).unwrap_or(Uri::from_static("/"));
    *request.uri_mut() = uri;
    request
}

async fn healthy(State(endpoints): State<Endpoints>) -> String {
    format!("{} is Healthy.\n", endpoints.name)
}

async fn ready(State(endpoints): State<Endpoints>) -> Response {
    if endpoints.lifecycle.is_ready() {
        format!("{} is Ready.\n", endpoints.name).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n").into_response()
    }
}

const LIFECYCLE_API_IS_OFF: &str = "Lifecycle API is not enabled.";

async fn reload(State(endpoints): State<Endpoints>) -> Response {
    if !endpoints.lifecycle_api {
        return (StatusCode::FORBIDDEN, LIFECYCLE_API_IS_OFF).into_response();
    }
    match endpoints.reloader.reload().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {error}\n")).into_response()
        }
    }
}

async fn quit(State(endpoints): State<Endpoints>) -> Response {
    if !endpoints.lifecycle_api {
        return (StatusCode::FORBIDDEN, LIFECYCLE_API_IS_OFF).into_response();
    }
    endpoints.lifecycle.drain();
    "Requesting termination... Goodbye!".into_response()
}

async fn metrics(State(endpoints): State<Endpoints>, headers: HeaderMap) -> Response {
    endpoints.metrics.answer(&headers)
}

/// A handler that panics answers 500; the connection and the other requests on it go on.
///
/// Nothing that outlives the request is shared with the handler but through locks and channels, which know
/// how to cope with a panic.
async fn survive_panics(request: Request, next: Next) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            tracing::error!(asked, panic = panic_message(&*panic), "A request handler panicked");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into_response()
        }
    }
}
