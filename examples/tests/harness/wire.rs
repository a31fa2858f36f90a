//! Remote read over HTTP: as a client asks, and as an upstream answers.

use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameReader, FrameWriter};
use promha_remote_proto::prompb::{
    Label, LabelMatcher, MatcherType, Query, QueryResult, ReadRequest, ReadResponse, ResponseType, Sample,
    TimeSeries,
};
use promha_remote_proto::{snappy, xor};
use prost::Message as _;

use super::dataset::Series;
use super::http;

/// How a client announces its request.
pub const REQUEST_HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
    ("x-prometheus-remote-read-version", "0.1.0"),
];

/// The content type of a streamed answer.
pub const STREAMED: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// More than any body here decompresses to.
const LIMIT_BYTES: usize = 1 << 30;

/// Samples in a chunk, as Prometheus has them.
const SAMPLES_PER_CHUNK: usize = 120;

/// Asks for the series whose label `name` matches, between two times (both included).
pub fn query(kind: MatcherType, name: &str, value: &str, from_ms: i64, to_ms: i64) -> Query {
    let matchers = vec![LabelMatcher::new(kind, name, value)];
    Query { start_timestamp_ms: from_ms, end_timestamp_ms: to_ms, matchers, hints: None }
}

/// The body of a request.
pub fn request(queries: Vec<Query>, accepted: &[ResponseType]) -> Vec<u8> {
    let accepted_response_types = accepted.iter().map(|&kind| kind.into()).collect();
    pack(&ReadRequest { queries, accepted_response_types }.encode_to_vec())
}

/// A snappy block.
pub fn pack(raw: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    snappy::compress(raw, &mut packed).expect("a snappy block");
    packed
}

/// The request in a body.
pub fn parse_request(body: &[u8]) -> ReadRequest {
    let mut raw = Vec::new();
    snappy::decompress(body, LIMIT_BYTES, &mut raw).expect("a snappy block");
    ReadRequest::decode(&raw[..]).expect("a read request")
}

/// Sends the body of a request as every client does.
pub async fn post(url: &str, body: Vec<u8>) -> Result<reqwest::Response, String> {
    let request =
        REQUEST_HEADERS.iter().fold(http().post(url), |request, (name, value)| request.header(*name, *value));
    request.body(body).send().await.map_err(|error| format!("POST {url}: {error:?}"))
}

/// What a server answered to each query.
#[derive(Debug)]
pub struct Reply {
    /// The form in which it came.
    pub form: ResponseType,
    /// `X-Promha-Degraded`.
    pub degraded: Option<String>,
    /// `X-Promha-Partial`.
    pub partial: Option<String>,
    /// The series by query, in the order of the answer.
    pub results: Vec<Vec<Series>>,
}

impl Reply {
    /// Reads the answer to so many queries to its end.
    ///
    /// # Errors
    ///
    /// For every status but 200, and when the answer is broken.
    pub async fn of(answer: reqwest::Response, queries: usize) -> Result<Self, String> {
        let header =
            |name: &str| Some(answer.headers().get(name)?.to_str().expect("a header of text").to_owned());
        let (status, kind) = (answer.status(), header("content-type").unwrap_or_default());
        let (degraded, partial) = (header("x-promha-degraded"), header("x-promha-partial"));
        let body = answer.bytes().await.map_err(|error| format!("{error:?}"))?;
        if status != 200 {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)));
        }
        let (form, results) = match kind.split(';').next() {
            Some("application/x-protobuf") => (ResponseType::Samples, parse_samples(&body)?),
            Some("application/x-streamed-protobuf") => {
                (ResponseType::StreamedXorChunks, parse_stream(&body, queries)?)
            }
            _ => return Err(format!("an answer of type {kind:?}")),
        };
        Ok(Self { form, degraded, partial, results })
    }
}

/// Asks and reads the answer to its end.
///
/// # Errors
///
/// As `Reply::of`.
pub async fn read(url: &str, queries: Vec<Query>, accepted: &[ResponseType]) -> Result<Reply, String> {
    let count = queries.len();
    Reply::of(post(url, request(queries, accepted)).await?, count).await
}

fn parse_samples(body: &[u8]) -> Result<Vec<Vec<Series>>, String> {
    let mut raw = Vec::new();
    snappy::decompress(body, LIMIT_BYTES, &mut raw).map_err(|error| error.to_string())?;
    let answer = ReadResponse::decode(&raw[..]).map_err(|error| error.to_string())?;
    let series = |series: TimeSeries| Series {
        labels: series.labels.into_iter().map(|label| (label.name, label.value)).collect(),
        samples: series.samples.into_iter().map(|sample| (sample.timestamp, sample.value)).collect(),
    };
    Ok(answer.results.into_iter().map(|result| result.timeseries.into_iter().map(series).collect()).collect())
}

/// Frames of one series that follow each other belong together.
fn parse_stream(body: &[u8], queries: usize) -> Result<Vec<Vec<Series>>, String> {
    let mut results = vec![Vec::<Series>::new(); queries];
    let mut reader = FrameReader::default();
    reader.push(body);
    while let Some(frame) = reader.next_frame().map_err(|error| error.to_string())? {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let labels: Vec<(String, String)> = frame.labels().iter().map(own).collect();
        let (mut times, mut values) = (Vec::new(), Vec::new());
        for chunk in frame.chunks() {
            xor::decode(chunk.data, &mut times, &mut values).map_err(|error| error.to_string())?;
        }
        let samples = times.into_iter().zip(values);
        let index = usize::try_from(frame.query_index()).expect("an index");
        let result = results.get_mut(index).ok_or(format!("an answer to query {index} of {queries}"))?;
        match result.last_mut() {
            Some(last) if last.labels == labels => last.samples.extend(samples),
            _ => result.push(Series { labels, samples: samples.collect() }),
        }
    }
    reader.finish().map_err(|error| error.to_string())?;
    Ok(results)
}

/// The body of an answer as samples.
pub fn samples_body(results: &[Vec<Series>]) -> Vec<u8> {
    let label = |(name, value): &(String, String)| Label::new(name, value);
    let series = |series: &Series| TimeSeries {
        labels: series.labels.iter().map(label).collect(),
        samples: series.samples.iter().map(|&(timestamp, value)| Sample { value, timestamp }).collect(),
        ..TimeSeries::default()
    };
    let result = |all: &Vec<Series>| QueryResult { timeseries: all.iter().map(series).collect() };
    pack(&ReadResponse { results: results.iter().map(result).collect() }.encode_to_vec())
}

/// The frames of a series in an answer as stream.
pub fn frames(query_index: i64, series: &Series) -> Vec<u8> {
    let labels: Vec<(&str, &str)> = series.labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    let encoded: Vec<(i64, i64, Vec<u8>)> = series.samples.chunks(SAMPLES_PER_CHUNK).map(chunk).collect();
    let chunks = encoded.iter().map(|(min_ms, max_ms, data)| ChunkView {
        min_ms: *min_ms,
        max_ms: *max_ms,
        encoding: ChunkEncoding::Xor,
        data,
    });
    let mut bytes = Vec::new();
    FrameWriter::default().write(query_index, &labels, chunks, &mut bytes);
    bytes
}

fn chunk(samples: &[(i64, f64)]) -> (i64, i64, Vec<u8>) {
    let (times, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
    let mut data = Vec::new();
    xor::encode(&times, &values, &mut data).expect("a chunk");
    (times[0], times[times.len() - 1], data)
}
