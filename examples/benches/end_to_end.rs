//! What reading replicas through the gateway costs, with real Prometheus servers on both sides:
//! `cargo bench -p promha-examples --bench end_to_end`.
//!
//! Two collectors hold 2,000 series of 6 h at 15 s, each scrape up to 200 ms early or late. Measured are a streamed read of
//! everything (time, and the gateway's processor time), a PromQL query on a stateless Prometheus that reads from the
//! gateway, from one collector, or from both, and the gateway's peak memory, also for 100 million samples.
//!
//! Needs `prometheus` and `promtool`. Times are medians of interleaved runs; the ratios are what should hold elsewhere.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench reads the clock, and fails loudly"
)]

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::routing::post;
use axum::{Router, extract};
use futures::stream;
use promha_examples::common::http_client::HttpClientConfig;
use promha_examples::common::remote_read::{Query, ask};
use promha_examples::common::selector::Matcher;
use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameLimits, FrameReader, FrameWriter};
use promha_remote_proto::negotiate;
use promha_remote_proto::prompb::ResponseType;
use promha_remote_proto::read::MatcherOp;
use promha_remote_proto::xor::{self, XorEncoder};

use harness::gateway::{self, Gateway};
use harness::process::run;
use harness::prometheus::{Prometheus, Setup};

const SERIES: usize = 2_000;
const INTERVAL_MS: i64 = 15_000;
const SCRAPES: i64 = 6 * 240;
const JITTER_MS: i64 = 200;
const ROUNDS: usize = 7;

#[tokio::main]
async fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        println!("end_to_end: needs minutes and real servers, not part of a smoke run");
        return;
    }
    println!("making blocks: 2 replicas x {SERIES} series x {SCRAPES} scrapes");
    // Block-aligned, and old enough not to be the head's.
    let start_ms = (harness::now_ms() - 12 * 3_600_000) / 7_200_000 * 7_200_000;
    let (a, b) = (collector("a", start_ms).await, collector("b", start_ms).await);
    let upstreams = [("a", a.read_url()), ("b", b.read_url())];
    let upstreams = upstreams.each_ref().map(|(name, url)| (*name, url.as_str()));
    let mut gateway = Gateway::start(&gateway::config(&[gateway::group("all", &upstreams)])).await;

    streamed_reads(&a, &b, &mut gateway, start_ms).await;
    queries(&a, &b, &gateway, start_ms).await;
    println!("\npeak memory of that gateway: {} KiB (target: at most {})", peak_kib(&mut gateway), 64 << 10);
    hundred_million().await;
}

/// A streamed read of everything.
async fn streamed_reads(a: &Prometheus, b: &Prometheus, gateway: &mut Gateway, start_ms: i64) {
    let urls = [a.read_url(), b.read_url(), gateway.read_url()];
    let mut times = [const { Vec::new() }; 3];
    let mut samples = [0; 3];
    let cpu_before_ms = cpu_of(gateway);
    for _ in 0..ROUNDS {
        for (index, url) in urls.iter().enumerate() {
            let begun = Instant::now();
            samples[index] = read(url, start_ms).await;
            times[index].push(begun.elapsed());
        }
    }
    let cpu_ms = (cpu_of(gateway) - cpu_before_ms) / ROUNDS as f64;
    let [one, other, through] = times.map(median);
    let slower = one.max(other);
    println!(
        "\nstreamed read of everything ({} samples from a, {} from b, {} through)",
        samples[0], samples[1], samples[2]
    );
    println!("  collector a {one:>9.1?}   collector b {other:>9.1?}   gateway {through:>9.1?}");
    println!("  gateway / slower collector: {:.2} (target: at most 1.5)", ratio(through, slower));
    println!("  gateway CPU: {cpu_ms:.0} ms a read (target: at most 60)");
}

/// A PromQL query over everything, on Prometheus servers that hold nothing themselves.
async fn queries(a: &Prometheus, b: &Prometheus, gateway: &Gateway, start_ms: i64) {
    let stateless = [
        ("gateway", vec![gateway.read_url()]),
        ("one collector", vec![a.read_url()]),
        ("both collectors", vec![a.read_url(), b.read_url()]),
    ];
    let mut servers = Vec::new();
    for (name, urls) in stateless {
        let setup = urls.iter().fold(Setup::new("query"), |setup, url| setup.remote_read(url));
        servers.push((name, setup.start().await, Vec::new(), 0.0));
    }
    let (range_ms, end_ms) = (SCRAPES * INTERVAL_MS, start_ms + SCRAPES * INTERVAL_MS);
    let query = format!("sum(count_over_time(m[{range_ms}ms]))");
    for _ in 0..ROUNDS {
        for (_, server, times, counted) in &mut servers {
            let (api, begun) = (server.api(), Instant::now());
            let answer = api.instant(&query, end_ms).await.expect("an answer");
            times.push(begun.elapsed());
            *counted = answer.series[0].samples[0].1;
        }
    }
    println!("\nsum(count_over_time(m[6h])) on a stateless Prometheus");
    let medians: Vec<_> = servers
        .iter()
        .map(|(name, _, times, counted)| {
            let median = median(times.clone());
            println!("  behind {name:<16} {median:>9.1?}   counted {counted}");
            median
        })
        .collect();
    println!("  gateway / one collector:   {:.2} (target: at most 1.1)", ratio(medians[0], medians[1]));
    println!("  gateway / both collectors: {:.2} (target: at most 0.75)", ratio(medians[0], medians[2]));
}

/// The memory of a gateway that merges 100 million samples.
async fn hundred_million() {
    const CHUNKS: usize = 210;
    let (a, b) = (endless("a", 0, CHUNKS).await, endless("b", 100, CHUNKS).await);
    let mut gateway =
        Gateway::start(&gateway::config(&[gateway::group("all", &[("a", &a), ("b", &b)])])).await;
    let out = read(&gateway.read_url(), 0).await;
    let samples_in = 2 * SERIES * CHUNKS * 120;
    println!(
        "\n{samples_in} samples in, {out} out: peak memory {} KiB (target: at most {})",
        peak_kib(&mut gateway),
        64 << 10
    );
}

/// A Prometheus with a replica's blocks.
async fn collector(replica: &str, start_ms: i64) -> Prometheus {
    let setup = Setup::new(replica)
        .external_label("replica", replica)
        .flag("--storage.tsdb.retention.time=10y")
        .flag("--storage.remote.read-concurrent-limit=20");
    let text = tempfile::NamedTempFile::new().expect("a file");
    write_openmetrics(text.path(), replica, start_ms);
    run(Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .args([text.path(), &setup.data()]));
    setup.start().await
}

fn write_openmetrics(path: &Path, replica: &str, start_ms: i64) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    let mut line = String::new();
    for series in 0..SERIES {
        for scrape in 0..SCRAPES {
            let dice = mix(u64::from(replica.as_bytes()[0]) << 48 | (series as u64) << 24 | scrape as u64);
            let early_or_late = (dice % (2 * JITTER_MS as u64 + 1)) as i64 - JITTER_MS;
            // Half an interval in, so that no scrape falls into another block.
            let t_ms = start_ms + scrape * INTERVAL_MS + INTERVAL_MS / 2 + early_or_late;
            line.clear();
            writeln!(
                line,
                "m{{instance=\"10.0.{}.{}:9100\",job=\"node\",mode=\"idle\"}} {} {}.{:03}",
                series / 250,
                series % 250,
                scrape * 10 + series as i64 % 7,
                t_ms / 1_000,
                t_ms % 1_000
            )
            .expect("a line");
            out.write_all(line.as_bytes()).expect("a written line");
        }
    }
    out.write_all(b"# EOF\n").and_then(|()| out.flush()).expect("a written file");
}

/// A collector that never holds what it sends: `chunks` of 120 samples for each series, made as they are read.
async fn endless(replica: &'static str, shift_ms: i64, chunks: usize) -> String {
    let answer = async move |_: extract::Request| {
        let frames =
            (0..SERIES).map(move |series| Ok::<_, std::io::Error>(frame(replica, series, shift_ms, chunks)));
        let frames = stream::iter(frames);
        ([(header::CONTENT_TYPE, negotiate::STREAMED_PROTOBUF)], Body::from_stream(frames))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    url
}

fn frame(replica: &str, series: usize, shift_ms: i64, chunks: usize) -> Bytes {
    let instance = format!("{series:06}");
    let labels = [("__name__", "m"), ("instance", instance.as_str()), ("replica", replica)];
    let chunks: Vec<_> = (0..chunks as i64)
        .map(|chunk| {
            let (mut encoder, mut data) = (XorEncoder::new(), Vec::new());
            let t_ms = |scrape: i64| (chunk * 120 + scrape) * INTERVAL_MS + shift_ms;
            (0..120).for_each(|scrape| encoder.push(t_ms(scrape), (scrape % 7) as f64));
            encoder.finish(&mut data);
            (t_ms(0), t_ms(119), data)
        })
        .collect();
    let mut out = Vec::new();
    let views = chunks.iter().map(|(min_ms, max_ms, data)| ChunkView {
        min_ms: *min_ms,
        max_ms: *max_ms,
        encoding: ChunkEncoding::Xor,
        data,
    });
    FrameWriter::default().write(0, &labels, views, &mut out);
    Bytes::from(out)
}

/// Reads everything, streamed; how many samples that is.
async fn read(url: &str, start_ms: i64) -> u64 {
    let query = Query {
        start_ms,
        end_ms: i64::MAX / 2,
        matchers: vec![Matcher::new(MatcherOp::Equal, "__name__", "m")],
        hints: None,
    };
    let client = HttpClientConfig::default().client("").expect("a client");
    let url = url.parse().expect("a URL");
    let request =
        ask(&client, &url, &query, &[ResponseType::StreamedXorChunks]).await.expect("a small request");
    let mut response = request.send().await.expect("an answer").error_for_status().expect("a good one");
    let (mut frames, mut samples) = (FrameReader::new(FrameLimits::default()), 0);
    while let Some(piece) = response.chunk().await.expect("an unbroken answer") {
        frames.push(&piece);
        while let Some(series) = frames.next_frame().expect("good frames") {
            let counts = series.chunks().map(|chunk| xor::sample_count(chunk.data).expect("a chunk"));
            samples += counts.map(u64::from).sum::<u64>();
        }
    }
    frames.finish().expect("a whole answer");
    samples
}

fn cpu_of(gateway: &mut Gateway) -> f64 {
    let stat = proc(gateway, "stat");
    let fields: Vec<_> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    // utime and stime, in ticks of 10 ms; of all threads together.
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().expect("a number") * 10.0).sum()
}

fn peak_kib(gateway: &mut Gateway) -> u64 {
    let status = proc(gateway, "status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).expect("a value").parse().expect("a number")
}

fn proc(gateway: &mut Gateway, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{}/{file}", gateway.process().id())).expect("a living gateway")
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ seed >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ mixed >> 32
}
