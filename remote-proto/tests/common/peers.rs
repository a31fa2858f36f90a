//! The servers that interop tests talk to, and how they are written to and read from.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test takes what it needs")]
#![allow(clippy::disallowed_methods, reason = "the servers live by the clock")]

use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use super::server::Server;
use super::{http, owned};
use promha_remote_proto::frame::{ChunkEncoding, FrameReader};
use promha_remote_proto::histogram::{DEFAULT_MAX_BUCKETS, HistogramEncoder, Histograms, Number};
use promha_remote_proto::negotiate::{self, Encoding, Outcome, RetryPolicy, WriteVersion, header};
use promha_remote_proto::prompb::{self, ReadResponse, ResponseType};
use promha_remote_proto::read::{AnswerDecoder, MatcherOp, MatcherView, QueryView, encode_request};
use promha_remote_proto::{Limits, body};

/// Whether to test against real servers.
pub fn is_wanted() -> bool {
    let is_wanted = std::env::var_os("PROMHA_INTEROP").is_some_and(|value| value == "1");
    if !is_wanted {
        eprintln!("skipped: set PROMHA_INTEROP=1 to test against real servers");
    }
    is_wanted
}

/// Posts a message of write 1, which has to be taken.
pub fn write(receiver: &Server, path: &str, message: &[u8]) {
    let answer = post(receiver, path, WriteVersion::V1, message);
    let outcome = RetryPolicy::default().outcome(answer.status(), answer.header(header::RETRY_AFTER), 0);
    assert_eq!(outcome, Outcome::Done, "{path}: {} {}", answer.first_line, answer.text());
}

/// Posts a message of this version.
pub fn post(receiver: &Server, path: &str, version: WriteVersion, message: &[u8]) -> http::Message {
    let mut packed = Vec::new();
    body::compress(Encoding::Snappy, message, &mut packed).unwrap();
    http::request(receiver.port, "POST", path, &version.headers(), &packed).unwrap()
}

/// What a server answers as samples, the same as a view and as an owned message.
pub fn sampled(port: u16, names: &str) -> ReadResponse {
    let answer = read(port, names, ResponseType::Samples);
    let mut plain = Vec::new();
    let message = body::decompress(Encoding::Snappy, &answer, &Limits::default(), &mut plain).unwrap();
    let mut decoder = AnswerDecoder::new(Limits::default());
    let view = decoder.decode(message).unwrap();
    assert_eq!(owned::answer(&view), ReadResponse::decode(message).unwrap());
    owned::answer(&view)
}

/// Chunks of a series.
pub type Chunks = Vec<(ChunkEncoding, Vec<u8>)>;

/// What a server streams, by the name of the metric.
pub fn streamed(port: u16, names: &str) -> Vec<(String, Chunks)> {
    let answer = read(port, names, ResponseType::StreamedXorChunks);
    let (mut reader, mut series) = (FrameReader::default(), Vec::new());
    reader.push(&answer);
    while let Some(view) = reader.next_frame().unwrap() {
        let chunks = view.chunks().map(|chunk| (chunk.encoding, chunk.data.to_vec())).collect();
        series.push((view.labels()[0].1.to_owned(), chunks));
    }
    reader.finish().unwrap();
    series
}

/// Asks for the last ten minutes.
pub fn read(port: u16, names: &str, response_type: ResponseType) -> Vec<u8> {
    let matchers = [MatcherView { op: MatcherOp::Regex, name: "__name__", value: names }];
    let query = QueryView {
        start_ms: now_ms() - 600_000,
        end_ms: now_ms() + 60_000,
        matchers: &matchers,
        hints: None,
    };
    let (mut message, mut packed) = (Vec::new(), Vec::new());
    encode_request(&[query], &[response_type.into()], &mut message);
    body::compress(Encoding::Snappy, &message, &mut packed).unwrap();
    let answer =
        http::request(port, "POST", "/api/v1/read", &negotiate::READ_REQUEST_HEADERS, &packed).unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(negotiate::answer_type(answer.header(header::CONTENT_TYPE)), Ok(response_type));
    answer.body
}

/// A Prometheus that scrapes itself and takes writes.
pub fn prometheus(more: &str) -> Server {
    start_prometheus("prometheus", more, &["--enable-feature=native-histograms"])
}

/// A Prometheus that takes only writes of version 2, with all that they can hold.
pub fn prometheus_3(more: &str) -> Server {
    start_prometheus(
        "prometheus-3",
        more,
        &[
            "--enable-feature=native-histograms,exemplar-storage,metadata-wal-records",
            "--web.remote-write-receiver.accepted-protobuf-messages=io.prometheus.write.v2.Request",
        ],
    )
}

fn start_prometheus(program: &'static str, more: &str, arguments: &[&str]) -> Server {
    Server::start(program, "/-/ready", |command, directory, port| {
        let config = format!(
            "scrape_configs: [{{ job_name: self, scrape_interval: 1s, static_configs: [{{ targets: ['127.0.0.1:{port}'] }}] }}]\n{more}\n"
        );
        std::fs::write(directory.join("prometheus.yml"), config).unwrap();
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg("--web.enable-remote-write-receiver").args(arguments);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    })
}

/// A vmagent that scrapes a port of this machine and writes to `url`.
pub fn vmagent(program: &'static str, scraped: u16, url: &str, arguments: &[&str]) -> Server {
    Server::start(program, "/health", |command, directory, port| {
        let config = format!(
            "scrape_configs: [{{ job_name: p, scrape_interval: 1s, static_configs: [{{ targets: ['127.0.0.1:{scraped}'] }}] }}]"
        );
        std::fs::write(directory.join("scrape.yml"), config).unwrap();
        command.arg("-promscrape.config=scrape.yml").arg(format!("-httpListenAddr=127.0.0.1:{port}"));
        command.arg(format!("-remoteWrite.url={url}")).args(arguments);
        command.arg("-remoteWrite.tmpDataPath=data").arg("-remoteWrite.flushInterval=1s");
    })
}

pub fn victoria_metrics(program: &'static str) -> Server {
    Server::start(program, "/health", |command, _, port| {
        command.arg("-storageDataPath=data").arg(format!("-httpListenAddr=127.0.0.1:{port}"));
    })
}

pub fn influx() -> Server {
    let server = Server::start("influxd", "/ping", |command, directory, port| {
        std::fs::write(directory.join("influx.conf"), "").unwrap();
        command.args(["run", "-config", "influx.conf"]);
        command.env("INFLUXDB_REPORTING_DISABLED", "true").env("INFLUXDB_BIND_ADDRESS", "127.0.0.1:0");
        command.env("INFLUXDB_HTTP_BIND_ADDRESS", format!("127.0.0.1:{port}"));
        for (name, path) in [("META", "meta"), ("DATA", "data"), ("DATA_WAL", "wal")] {
            command.env(format!("INFLUXDB_{name}_DIR"), directory.join(path));
        }
    });
    let created = http::request(server.port, "POST", "/query?q=CREATE+DATABASE+promha", &[], &[]).unwrap();
    assert_eq!(created.status(), 200, "{}", created.text());
    server
}

pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// The histograms of a chunk, which is the same when it was encoded again.
pub fn again<N: Number>(data: &[u8]) -> Vec<prompb::Histogram> {
    let (mut histograms, mut again) = (Histograms::<N>::new(), Vec::new());
    histograms.decode(data, DEFAULT_MAX_BUCKETS).unwrap();
    HistogramEncoder::new().encode(&histograms, 0..histograms.len(), &mut again).unwrap();
    assert_eq!(again, data);
    histograms.views().map(|view| view.to_message()).collect()
}
