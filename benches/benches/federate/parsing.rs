//! Scraped text.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use prometheus_parse::{Scrape, Value};
use promha_federate::exposition::{Entry, Format, Limits, Parser};

#[path = "../../../federate/tests/common/client_model.rs"]
mod client_model;

use client_model::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily};

/// When samples with timestamps were taken; what the rival puts where there is none is much later.
const T_MS: i64 = 1_700_000_000_000;

pub(crate) fn benches(c: &mut Criterion) {
    let text = scraped(100_000);
    assert!(ours(Format::Text, &text) == theirs(&text));
    let mut group = c.benchmark_group("federate/parse-text/100k-samples");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("promha", |b| b.iter(|| read(Format::Text, black_box(text.as_bytes()))));
    group.sample_size(10);
    group.bench_function("prometheus-parse", |b| {
        b.iter(|| {
            Scrape::parse(black_box(&text).lines().map(|line| Ok(line.to_owned()))).unwrap().samples.len()
        });
    });
    group.finish();

    let samples = ours(Format::Text, &text);
    let text = in_seconds(&text) + "# EOF\n";
    assert!(ours(Format::OpenMetrics, &text) == samples);
    let mut group = c.benchmark_group("federate/parse-openmetrics/100k-samples");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("promha", |b| b.iter(|| read(Format::OpenMetrics, black_box(text.as_bytes()))));
    group.finish();

    let families = exposed(500);
    let bytes = client_model::encode(&families);
    assert!(client_model::decode(&bytes).unwrap() == families);
    assert_eq!(read(Format::Protobuf, &bytes).0, 100_000);
    let mut group = c.benchmark_group("federate/parse-protobuf/100k-samples");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("promha", |b| b.iter(|| read(Format::Protobuf, black_box(&bytes))));
    group.bench_function("prost", |b| b.iter(|| client_model::decode(black_box(&bytes)).unwrap().len()));
    group.finish();
}

/// The same text with timestamps as OpenMetrics has them.
fn in_seconds(text: &str) -> String {
    let millis = T_MS.to_string();
    let millis = format!(" {}", &millis[..10]);
    text.lines().fold(String::new(), |mut all, line| {
        match line.rsplit_once(&millis) {
            Some((sample, rest)) => writeln!(all, "{sample}{millis}.{rest}").unwrap(),
            None => writeln!(all, "{line}").unwrap(),
        }
        all
    })
}

/// Looks at every label and value; how many samples there are, and the sum.
fn read(format: Format, input: &[u8]) -> (usize, f64) {
    let mut parser = Parser::new(format, input, Limits::default());
    let (mut count, mut sum) = (0, 0.0);
    while let Some(entry) = parser.next_entry().unwrap() {
        if let Entry::Series(series) = entry {
            black_box(series.labels());
            count += 1;
            sum += series.value();
        }
    }
    (count, sum)
}

/// As many families of 100 counters as asked for, and as many of histograms that are 100 samples.
fn exposed(families: usize) -> Vec<MetricFamily> {
    let label = |name: &str, value: String| LabelPair { name: name.to_owned(), value };
    let labels = |n: usize, i: usize| {
        vec![
            label("code", ["200", "404", "500"][i % 3].to_owned()),
            label("handler", format!("/api/v1/query_{i}")),
            label("instance", format!("10.0.{n}.{i}:9090")),
            label("job", "frontend".to_owned()),
        ]
    };
    let mut all = Vec::new();
    for n in 0..families {
        let counter = |i: usize| {
            let counter = Counter { value: (n * 7_919 + i) as f64, ..<_>::default() };
            Metric { label: labels(n, i), counter: Some(counter), ..<_>::default() }
        };
        let help = "How many requests were answered.".to_owned();
        let name = format!("http_requests_{n}_total");
        all.push(MetricFamily { name, help, metric: (0..100).map(counter).collect(), ..<_>::default() });

        // 17 bounds and the one beyond them, the count and the sum make 20.
        let histogram = |i: usize| {
            let bucket = |k: i32| {
                let (upper_bound, count) = (0.005 * 2_f64.powi(k), k as u64 * 10);
                Bucket { upper_bound, count, ..<_>::default() }
            };
            let bucket = (0..17).map(bucket).collect();
            let histogram = Histogram { bucket, count: 170, sum: 0.173_281_912, ..<_>::default() };
            Metric { label: labels(n, i), histogram: Some(histogram), ..<_>::default() }
        };
        let name = format!("request_duration_{n}_seconds");
        let metric = (0..5).map(histogram).collect();
        all.push(MetricFamily { name, metric_type: 4, metric, ..<_>::default() });
    }
    all
}

/// As many samples as asked for, of counters, gauges and histograms as services, nodes and clusters have them: 3 to 8 labels,
/// a few escapes, a few timestamps.
fn scraped(samples: usize) -> String {
    let mut text = String::new();
    let mut written = 0;
    let mut family = 0;
    let mut line = |text: &mut String, line: std::fmt::Arguments<'_>| {
        if written < samples {
            text.write_fmt(line).unwrap();
            text.push('\n');
            written += 1;
        }
        written < samples
    };
    let methods = ["GET", "POST", "PUT", "DELETE"];
    let codes = ["200", "204", "301", "404", "500", "503"];
    'all: loop {
        family += 1;
        let n = family;
        writeln!(text, "# HELP http_requests_{n}_total How many requests were answered.").unwrap();
        writeln!(text, "# TYPE http_requests_{n}_total counter").unwrap();
        for i in 0..240 {
            let (method, code) = (methods[i % 4], codes[i % 6]);
            let value = (n * 7_919 + i * 104_729) % 9_999_991;
            if !line(
                &mut text,
                format_args!(
                    "http_requests_{n}_total{{code=\"{code}\",handler=\"/api/v1/query_{i}\",instance=\"10.0.{n}.{i}:9090\",\
                     job=\"frontend\",method=\"{method}\"}} {value}"
                ),
            ) {
                break 'all;
            }
        }
        writeln!(text, "# HELP request_duration_{n}_seconds How long it took.").unwrap();
        writeln!(text, "# TYPE request_duration_{n}_seconds histogram").unwrap();
        let bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
        for i in 0..20 {
            let labels =
                format!("cluster=\"eu-{}\",handler=\"/api/v1/write\",method=\"{}\"", i / 4, methods[i % 4]);
            for (k, le) in bounds.iter().enumerate() {
                if !line(
                    &mut text,
                    format_args!(
                        "request_duration_{n}_seconds_bucket{{{labels},le=\"{le}\"}} {}",
                        i * 1_000 + k * 17
                    ),
                ) {
                    break 'all;
                }
            }
            let sum = (i * 1_000) as f64 * 0.173_281_912 + 0.1;
            if !line(&mut text, format_args!("request_duration_{n}_seconds_sum{{{labels}}} {sum}"))
                || !line(
                    &mut text,
                    format_args!("request_duration_{n}_seconds_count{{{labels}}} {}", i * 1_000),
                )
            {
                break 'all;
            }
        }
        writeln!(text, "# HELP kube_pod_memory_{n}_bytes Memory of a pod.").unwrap();
        writeln!(text, "# TYPE kube_pod_memory_{n}_bytes gauge").unwrap();
        for i in 0..160 {
            if !line(
                &mut text,
                format_args!(
                    "kube_pod_memory_{n}_bytes{{container=\"app\",image=\"registry.local/team/app:v{n}.{i}\",\
                     namespace=\"prod\",node=\"node-{i}\",pod=\"app-5d8f7c9b6d-{i:05}\",service=\"app\",\
                     uid=\"3f2504e0-4f89-11d3-9a0c-0305e82c{i:04}\"}} {:.5}e+08",
                    1.0 + i as f64 / 173.0
                ),
            ) {
                break 'all;
            }
        }
        writeln!(text, "# TYPE disk_free_{n}_ratio gauge").unwrap();
        for i in 0..40 {
            let value = 1.0 / (i + 3) as f64;
            if !line(
                &mut text,
                format_args!(
                    "disk_free_{n}_ratio{{device=\"C:\\\\disk{i}\",fstype=\"ntfs\",mountpoint=\"/mnt/{i}\"}} {value} {}",
                    T_MS + i
                ),
            ) {
                break 'all;
            }
        }
    }
    text
}

/// A sample, where bounds of buckets are numbers.
type Sample = (String, Vec<(String, String)>, u64, Option<u64>, Option<i64>);

fn ours(format: Format, text: &str) -> Vec<Sample> {
    let mut parser = Parser::new(format, text.as_bytes(), Limits::default());
    let mut all = Vec::new();
    while let Some(entry) = parser.next_entry().unwrap() {
        let Entry::Series(series) = entry else { continue };
        let labels = |label: &&(&str, &str)| label.0 != "__name__" && label.0 != "le";
        let labels =
            series.labels().iter().filter(labels).map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let bound =
            series.labels().iter().find(|label| label.0 == "le").map(|label| label.1.parse::<f64>().unwrap());
        let name = series.name().strip_suffix("_bucket").unwrap_or(series.name());
        let bound = bound.map(f64::to_bits);
        all.push((name.to_owned(), labels.collect(), series.value().to_bits(), bound, series.t_ms()));
    }
    all.sort();
    all
}

fn theirs(text: &str) -> Vec<Sample> {
    let mut all = Vec::new();
    for sample in Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap().samples {
        // It leaves escapes as they are.
        let label = |(name, value): (&String, &String)| (name.clone(), value.replace("\\\\", "\\"));
        let mut labels: Vec<_> = sample.labels.iter().map(label).collect();
        labels.sort();
        let t_ms = Some(sample.timestamp.timestamp_millis()).filter(|&t_ms| t_ms < T_MS + 1_000);
        let mut push = |value: f64, bound: Option<f64>| {
            all.push((sample.metric.clone(), labels.clone(), value.to_bits(), bound.map(f64::to_bits), t_ms));
        };
        match &sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => push(*value, None),
            Value::Histogram(buckets) => buckets.iter().for_each(|b| push(b.count, Some(b.less_than))),
            Value::Summary(quantiles) => quantiles.iter().for_each(|q| push(q.count, Some(q.quantile))),
        }
    }
    all.sort();
    all
}
