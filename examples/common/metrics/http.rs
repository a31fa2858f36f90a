//! What became of the requests a program was sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Requests by handler and status code, and how long their answers took.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<HandlerLabel, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    handler: Arc<str>,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandlerLabel {
    handler: Arc<str>,
}

/// From a health check to a read of a whole year.
const DURATION_BUCKETS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// What a client's going away before the answer began is counted as; nginx coined it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl HttpMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
        };
        registry.register(
            "http_requests",
            "Counter of HTTP requests; 499 is a client that left before its answer began",
            metrics.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Histogram of latencies for HTTP requests, up to the last byte of the answer",
            metrics.durations.clone(),
        );
        metrics
    }

    fn begin(&self, handler: &str) -> Measured {
        Measured {
            metrics: self.clone(),
            handler: handler.into(),
            began: Instant::now(),
            code: CLIENT_CLOSED_REQUEST,
        }
    }
}

/// Middleware that counts each request when its answer is over, however that came about.
///
/// `route_prefix` is left out of the handler's name. Requests that no route matches are counted together.
pub(crate) async fn measure(
    State((metrics, route_prefix)): State<(HttpMetrics, Arc<str>)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let handler = path.map_or("unmatched", |path| path.strip_prefix(&*route_prefix).unwrap_or(path));
    let mut measured = metrics.begin(handler);
    let response = next.run(request).await;
    measured.code = response.status().as_u16();
    response.map(|body| Body::new(MeasuredBody { body, _measured: measured }))
}

/// A request under way; counted when it is dropped.
#[derive(Debug)]
struct Measured {
    metrics: HttpMetrics,
    handler: Arc<str>,
    began: Instant,
    code: u16,
}

impl Drop for Measured {
    fn drop(&mut self) {
        let handler = self.handler.clone();
        let durations =
            self.metrics.durations.get_or_create_owned(&HandlerLabel { handler: handler.clone() });
        durations.observe(self.began.elapsed().as_secs_f64());
        self.metrics.requests.get_or_create_owned(&RequestLabels { handler, code: self.code }).inc();
    }
}

/// An answer's body that holds its request open until it is sent or given up.
#[derive(Debug)]
struct MeasuredBody {
    body: Body,
    _measured: Measured,
}

impl http_body::Body for MeasuredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
