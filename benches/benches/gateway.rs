//! `gateway/read/…`: a streamed read of two replicas through the gateway, against the same read from one of them.
//!
//! Collectors and client live in this process, the gateway is a process of its own (this binary again), so that its
//! memory and processor time can be told apart; it runs on the system's allocator, as the program does. After the timings a table says what they were; peak memory that grows
//! with the range fails the run.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench has threads of its own, and fails loudly"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::routing::post;
use criterion::{BenchmarkId, Criterion, SamplingMode};
use futures::{StreamExt, stream};
use promha_examples::common::http_client::HttpClientConfig;
use promha_examples::common::remote_read::{Query, ask};
use promha_examples::common::selector::Matcher;
use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameLimits, FrameReader, FrameWriter};
use promha_remote_proto::negotiate;
use promha_remote_proto::prompb::ResponseType;
use promha_remote_proto::read::MatcherOp;
use promha_remote_proto::xor::{self, XorEncoder};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Set in the environment of the process that is the gateway.
const BE_THE_GATEWAY: &str = "PROMHA_BENCH_BE_THE_GATEWAY";
const SERIES: usize = 2_000;
const INTERVAL_MS: i64 = 15_000;
const START_MS: i64 = 1_700_000_000_000;
const SAMPLES_PER_CHUNK: usize = 120;
const HOURS: [i64; 3] = [1, 6, 24];

fn main() -> ExitCode {
    if std::env::var_os(BE_THE_GATEWAY).is_some() {
        return promha_examples::gateway::program::main();
    }
    let runtime = Runtime::new().expect("a runtime");
    let collectors = runtime.block_on(Collectors::start());
    time_reads(&runtime, &collectors);
    report(&runtime, &collectors);
    ExitCode::SUCCESS
}

fn time_reads(runtime: &Runtime, collectors: &Collectors) {
    let mut criterion = Criterion::default().configure_from_args();
    let gateway = Gateway::start(collectors, 6);
    let (direct, through) = (collectors.url("a", 6), gateway.url());
    let (from_one, merged) = runtime.block_on(async { (read(&direct).await, read(&through).await) });
    assert_eq!(from_one.series, SERIES, "one collector has every series");
    assert_eq!(
        merged,
        Read { bytes: merged.bytes, ..collectors.one(6) },
        "the gateway gives every sample once"
    );

    let mut group = criterion.benchmark_group("gateway/read/2-replicas-2000-series-6h");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(10));
    for (name, url) in [("direct", &direct), ("promha", &through)] {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| runtime.block_on(read(url)));
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Peak memory and processor time of gateways that have read the same number of samples: one range over and over.
///
/// How an allocator places things differs from run to run; the smallest peak of a few gateways is what reading takes.
fn report(runtime: &Runtime, collectors: &Collectors) {
    println!(
        "{:>5} {:>12} {:>8} {:>12} {:>14}",
        "range", "samples in", "MB out", "CPU ms/read", "peak RSS KiB"
    );
    let peaks = HOURS.map(|hours| {
        let reads = HOURS[HOURS.len() - 1] / hours;
        let (mut bytes, mut cpu_ms, mut peak_kib) = (0, f64::MAX, u64::MAX);
        for _ in 0..3 {
            let gateway = Gateway::start(collectors, hours);
            for _ in 0..reads {
                bytes = runtime.block_on(read(&gateway.url())).bytes;
            }
            cpu_ms = gateway.cpu_ms().min(cpu_ms);
            peak_kib = gateway.peak_kib().min(peak_kib);
        }
        let samples_in = 2 * SERIES as i64 * hours * 3_600_000 / INTERVAL_MS;
        let (mb_out, cpu_ms) = (bytes as f64 / 1e6, cpu_ms / reads as f64);
        println!("{hours:>4}h {samples_in:>12} {mb_out:>8.1} {cpu_ms:>12.1} {peak_kib:>14}");
        peak_kib
    });
    let (first, last) = (peaks[0] as f64, peaks[HOURS.len() - 1] as f64);
    assert!(last <= first * 1.1, "peak memory grows with the range: {peaks:?} KiB for {HOURS:?} h");
}

/// What a read brought.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    bytes: usize,
    series: usize,
    samples: u64,
}

/// Reads everything as a client does: frame by frame, as the bytes arrive.
async fn read(url: &str) -> Read {
    let query = Query {
        start_ms: START_MS,
        end_ms: START_MS + 25 * 3_600_000,
        matchers: vec![Matcher::new(MatcherOp::Equal, "__name__", "http_requests_total")],
        hints: None,
    };
    let client = HttpClientConfig::default().client("").expect("a client");
    let url = url.parse().expect("a URL");
    let request =
        ask(&client, &url, &query, &[ResponseType::StreamedXorChunks]).await.expect("a small request");
    let mut response = request.send().await.expect("an answer").error_for_status().expect("a good one");
    let (mut frames, mut got) = (FrameReader::new(FrameLimits::default()), Read::default());
    let mut last = String::new();
    while let Some(piece) = response.chunk().await.expect("an unbroken answer") {
        got.bytes += piece.len();
        frames.push(&piece);
        while let Some(series) = frames.next_frame().expect("good frames") {
            let instance = series.labels().iter().find(|(name, _)| *name == "instance").expect("a label").1;
            if instance != last {
                last = instance.to_owned();
                got.series += 1;
            }
            let counts = series.chunks().map(|chunk| xor::sample_count(chunk.data).expect("a chunk"));
            got.samples += counts.map(u64::from).sum::<u64>();
        }
    }
    frames.finish().expect("a whole answer");
    got
}

/// Two collectors that scraped the same targets, 200 ms apart, for each of [`HOURS`].
struct Collectors {
    address: String,
}

impl Collectors {
    async fn start() -> Self {
        let answers: Vec<_> = HOURS
            .iter()
            .flat_map(|&hours| [("a", 0), ("b", 200)].map(|(replica, shift_ms)| (replica, hours, shift_ms)))
            .map(|(replica, hours, shift_ms)| {
                (format!("{replica}/{hours}"), Bytes::from(frames(replica, hours, shift_ms)))
            })
            .collect();
        let app = Router::new().route("/{*answer}", post(answer)).with_state(Arc::new(answers));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address }
    }

    fn url(&self, replica: &str, hours: i64) -> String {
        format!("http://{}/{replica}/{hours}", self.address)
    }

    /// What one of them has: no scrape is missing, so nothing of the other has to be added.
    fn one(&self, hours: i64) -> Read {
        let samples = SERIES as u64 * (hours * 3_600_000 / INTERVAL_MS) as u64;
        Read { bytes: 0, series: SERIES, samples }
    }
}

async fn answer(
    State(answers): State<Arc<Vec<(String, Bytes)>>>,
    Path(path): Path<String>,
) -> impl axum::response::IntoResponse {
    let (_, body) = answers.iter().find(|(name, _)| *name == path).expect("a known answer").clone();
    let pieces = stream::unfold(body, async |mut rest| {
        let piece = rest.split_to(rest.len().min(64 << 10));
        (!piece.is_empty()).then_some((Ok::<_, std::io::Error>(piece), rest))
    });
    ([(header::CONTENT_TYPE, negotiate::STREAMED_PROTOBUF)], Body::from_stream(pieces.boxed()))
}

/// A streamed answer as Prometheus writes it: counters that rise a little unevenly, an external label added last.
fn frames(replica: &str, hours: i64, shift_ms: i64) -> Vec<u8> {
    let (mut writer, mut out) = (FrameWriter::default(), Vec::new());
    let scrapes = hours * 3_600_000 / INTERVAL_MS;
    for series in 0..SERIES {
        let instance = format!("10.0.{:03}.{:03}:9100", series / 250, series % 250);
        let labels = [
            ("__name__", "http_requests_total"),
            ("instance", instance.as_str()),
            ("job", "node"),
            ("replica", replica),
        ];
        let (mut chunks, mut value) = (Vec::new(), 0.0);
        let times: Vec<_> = (0..scrapes).map(|scrape| START_MS + scrape * INTERVAL_MS + shift_ms).collect();
        for times in times.chunks(SAMPLES_PER_CHUNK) {
            let (mut encoder, mut data) = (XorEncoder::new(), Vec::new());
            for &t_ms in times {
                value += ((t_ms / INTERVAL_MS) % 7) as f64;
                encoder.push(t_ms, value);
            }
            encoder.finish(&mut data);
            chunks.push((times[0], times[times.len() - 1], data));
        }
        let views = chunks.iter().map(|(min_ms, max_ms, data)| ChunkView {
            min_ms: *min_ms,
            max_ms: *max_ms,
            encoding: ChunkEncoding::Xor,
            data,
        });
        writer.write(0, &labels, views, &mut out);
    }
    out
}

/// The gateway in front of both collectors, as a process; it ends when this is dropped.
struct Gateway {
    process: Child,
    address: String,
    _config: tempfile::NamedTempFile,
}

impl Gateway {
    fn start(collectors: &Collectors, hours: i64) -> Self {
        let config = tempfile::NamedTempFile::new().expect("a file");
        let upstreams = ["a", "b"]
            .map(|replica| format!("{{ name: {replica}, url: \"{}\" }}", collectors.url(replica, hours)));
        let text = format!(
            "groups:\n  - name: all\n    replica_labels: [replica]\n    upstreams:\n      - {}\n      - {}\n",
            upstreams[0], upstreams[1]
        );
        std::fs::write(config.path(), text).expect("a configuration");
        let mut process = Command::new(std::env::current_exe().expect("this binary"))
            .env(BE_THE_GATEWAY, "1")
            .arg(format!("--config.file={}", config.path().display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut log = BufReader::new(process.stderr.take().expect("its log")).lines();
        let address = log
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split("address=").nth(1)?.split(' ').next()?.to_owned()))
            .expect("the gateway says where it listens");
        std::thread::spawn(move || log.for_each(drop));
        Self { process, address, _config: config }
    }

    fn url(&self) -> String {
        format!("http://{}/api/v1/read", self.address)
    }

    fn cpu_ms(&self) -> f64 {
        let stat = self.proc("stat");
        let fields: Vec<_> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        // utime and stime in ticks of 10 ms, counted from the field after the name.
        let ticks = fields[11..13].iter().map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>();
        ticks * 10.0
    }

    fn peak_kib(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
        line.split_whitespace().nth(1).expect("a value").parse().expect("a number")
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).expect("a living process")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.process.kill().expect("to end it");
        self.process.wait().expect("its end");
    }
}
