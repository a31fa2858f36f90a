//! `POST /api/v1/read`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use promha_remote_proto::negotiate;
use promha_remote_proto::prompb::{ReadRequest, ResponseType};
use promha_remote_proto::snappy;
use prost::Message;

use super::answer::{Sampled, Streamed};
use super::error::ReadError;
use super::merged::Fanout;
use super::topology::Topology;
use super::{Admission, Gateway, Limits};
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
    let (request, response_type) = decode(headers, body, &gateway.limits)?;
    let admission = gateway.admit().await;
    let topology = gateway.topology();
    gateway.metrics.queries(response_type, request.queries.len());
    match response_type {
        ResponseType::StreamedXorChunks => streamed(gateway, topology, request, admission).await,
        ResponseType::Samples => sampled(gateway, &topology, &request).await,
    }
}

/// Reads the request and refuses what no upstream could answer.
fn decode(
    headers: &HeaderMap,
    body: &[u8],
    limits: &Limits,
) -> Result<(ReadRequest, ResponseType), ReadError> {
    let header =
        |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
    negotiate::check_read_request(header(header::CONTENT_TYPE), header(header::CONTENT_ENCODING))?;
    let mut raw = Vec::new();
    let raw = snappy::decompress(body, limits.request_bytes, &mut raw)?;
    let request = ReadRequest::decode(raw)?;
    let response_type = negotiate::response_type(&request.accepted_response_types)?;
    for matcher in request.queries.iter().flat_map(|query| &query.matchers) {
        CompiledMatchers::new([matcher])?;
    }
    Ok((request, response_type))
}

/// Sends headers as soon as every upstream has begun its answer, then series as they are merged.
async fn streamed(
    gateway: &Arc<Gateway>,
    topology: Arc<Topology>,
    request: ReadRequest,
    admission: Admission,
) -> Result<Response, ReadError> {
    let mut queries = request.queries.into_iter();
    let first = match queries.next() {
        Some(query) => Some(Fanout::begin(&topology, &query, &gateway.metrics).await?),
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
                Some(query) => Some(Fanout::begin(&topology.strict(), &query, &metrics).await?),
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
    request: &ReadRequest,
) -> Result<Response, ReadError> {
    let mut sink = Sampled::new(gateway.limits.samples);
    let mut fanouts = Vec::with_capacity(request.queries.len());
    for query in &request.queries {
        let mut fanout = Fanout::begin(topology, query, &gateway.metrics).await?;
        sink.begin(query.start_timestamp_ms, query.end_timestamp_ms);
        fanout.merge_into(&mut sink).await?;
        fanouts.push(fanout);
    }
    let mut body = Vec::new();
    snappy::compress(sink.finish(), &mut body)?;
    Ok((answer_headers(ResponseType::Samples, &fanouts), body).into_response())
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
