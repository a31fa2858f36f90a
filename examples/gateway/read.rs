//! `POST /api/v1/read`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use promha_remote_proto::negotiate;
use promha_remote_proto::prompb::ResponseType;
use promha_remote_proto::read::RequestDecoder;
use promha_remote_proto::{Limits as WireLimits, body};

use super::answer::{Sampled, Streamed};
use super::error::ReadError;
use super::merged::Fanout;
use super::topology::Topology;
use super::{Admission, Gateway, Limits};
use crate::common::remote_read::Query;
use crate::common::selector::CompiledMatchers;

/// Names upstreams that did not answer while others of their group did.
pub const DEGRADED: HeaderName = HeaderName::from_static("x-promha-degraded");
/// Names groups that are missing from the answer.
pub const PARTIAL: HeaderName = HeaderName::from_static("x-promha-partial");

/// Answers a remote read.
pub async fn read(
    State(gateway): State<Arc<Gateway>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method != Method::POST {
        let text = format!("{method} not allowed: a remote read is a POST\n");
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")], text).into_response();
    }
    match answer(&gateway, &headers, &body).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(status = error.status().as_u16(), %error, "read failed");
            error.into_response()
        }
    }
}

async fn answer(gateway: &Arc<Gateway>, headers: &HeaderMap, body: &[u8]) -> Result<Response, ReadError> {
    let (queries, response_type) = decode(headers, body, &gateway.limits)?;
    let admission = gateway.admit().await;
    let topology = gateway.topology();
    gateway.metrics.queries(response_type, queries.len());
    let (thread, gateway) = (Arc::clone(admission.seat.thread()), Arc::clone(gateway));
    let work = async move {
        match response_type {
            ResponseType::StreamedXorChunks => streamed(&gateway, topology, queries, admission).await,
            ResponseType::Samples => sampled(&gateway, &topology, &queries, admission).await,
        }
    };
    thread.run(work).await
}

/// The queries of a request, and what they are answered with. Refuses what no upstream could answer.
fn decode(
    headers: &HeaderMap,
    body: &[u8],
    limits: &Limits,
) -> Result<(Vec<Query>, ResponseType), ReadError> {
    let header =
        |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
    negotiate::check_read_request(header(header::CONTENT_TYPE), header(header::CONTENT_ENCODING))?;
    let encoding = negotiate::content_encoding(header(header::CONTENT_ENCODING))?;
    let mut wire_limits = WireLimits::default();
    wire_limits.max_body_bytes = limits.request_bytes;
    wire_limits.max_message_bytes = limits.request_bytes;
    let mut message = Vec::new();
    let message = body::decompress(encoding, body, &wire_limits, &mut message).map_err(ReadError::Body)?;
    let mut decoder = RequestDecoder::new(wire_limits);
    let request = decoder.decode(message).map_err(ReadError::Message)?;
    let response_type = negotiate::response_type(request.accepted_response_types())?;
    let queries: Vec<Query> = request.queries().map(|query| Query::from(&query)).collect();
    for matcher in queries.iter().flat_map(|query| &query.matchers) {
        CompiledMatchers::new([matcher])?;
    }
    Ok((queries, response_type))
}

/// Sends headers as soon as every upstream has begun its answer, then series as they are merged.
async fn streamed(
    gateway: &Arc<Gateway>,
    topology: Arc<Topology>,
    queries: Vec<Query>,
    admission: Admission,
) -> Result<Response, ReadError> {
    let thread = admission.seat.thread().index();
    let mut queries = queries.into_iter();
    let first = match queries.next() {
        Some(query) => Some(Fanout::begin(&topology, &query, &gateway.metrics, thread).await?),
        None => None,
    };
    let headers = answer_headers(ResponseType::StreamedXorChunks, first.as_slice());
    let (mut sink, body) = Streamed::new(gateway.limits.client_stall);
    let gone = sink.client_gone();
    let metrics = gateway.metrics.clone();
    let work = async move {
        let mut fanout = first;
        while let Some(answering) = &mut fanout {
            answering.merge_into(&mut sink).await?;
            sink.query_index += 1;
            fanout = match queries.next() {
                // The headers have gone out: a group that is lost from here on cannot be named in them.
                Some(query) => Some(Fanout::begin(&topology.strict(), &query, &metrics, thread).await?),
                None => None,
            };
        }
        sink.finish().await
    };
    tokio::spawn(async move {
        let _admission = admission;
        let ended = tokio::select! {
            ended = work => ended,
            () = gone => Err(ReadError::ClientGone),
        };
        // Without its end the body breaks, and the client sees that something is missing.
        if let Err(error) = ended {
            tracing::warn!(%error, "broke off an answer");
        }
    });
    Ok((headers, body).into_response())
}

async fn sampled(
    gateway: &Gateway,
    topology: &Topology,
    queries: &[Query],
    admission: Admission,
) -> Result<Response, ReadError> {
    let thread = admission.seat.thread().index();
    let mut sink = Sampled::new(gateway.limits.samples);
    let mut fanouts = Vec::with_capacity(queries.len());
    for query in queries {
        let mut fanout = Fanout::begin(topology, query, &gateway.metrics, thread).await?;
        sink.begin(query.start_ms, query.end_ms);
        fanout.merge_into(&mut sink).await?;
        fanouts.push(fanout);
    }
    let pieces = sink.finish()?;
    let mut headers = answer_headers(ResponseType::Samples, &fanouts);
    headers.insert(header::CONTENT_LENGTH, pieces.iter().map(Vec::len).sum::<usize>().into());
    let body = Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
    Ok((headers, body).into_response())
}

/// Headers that say what an answer is, and what it lacks.
fn answer_headers(response_type: ResponseType, fanouts: &[Fanout]) -> HeaderMap {
    let types = negotiate::answer_headers(response_type).iter();
    let mut headers: HeaderMap = types
        .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let lists = [
        (DEGRADED, fanouts.iter().flat_map(Fanout::degraded).collect::<Vec<_>>()),
        (PARTIAL, fanouts.iter().flat_map(Fanout::partial).collect::<Vec<_>>()),
    ];
    for (name, mut list) in lists {
        list.sort_unstable();
        list.dedup();
        // Names in the configuration are checked to be visible ASCII.
        if let Ok(value) = HeaderValue::from_str(&list.join(", "))
            && !list.is_empty()
        {
            headers.insert(name, value);
        }
    }
    headers
}
