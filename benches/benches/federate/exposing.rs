//! The answer of a federation, end to end: select, newest sample, group, encode.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use promha_federate::Selector;
use promha_federate::exposition::write::Value;
use promha_federate::federation::{ContentEncoding, Federation, Request, Sample, Source};

const NOW_MS: i64 = 1_700_000_000_000;

pub(crate) fn benches(c: &mut Criterion) {
    let storage = &Storage::new(100_000);
    let federation = Federation::new(&[("cluster", "dc1"), ("replica", "a")]);
    let request = Request::new("match[]={job=~\".%2B\"}", [("accept", "text/plain;version=0.0.4")]).unwrap();
    let mut body = Vec::new();
    assert_eq!(federation.answer(&request, storage, NOW_MS, &mut body).status, 200);
    assert!(body == plain(storage).as_bytes());

    let mut group = c.benchmark_group("federate/federate-text/100k-series");
    group.throughput(Throughput::Bytes(body.len() as u64)).sample_size(20);
    let (mut answers, begun_ns) = (0_u32, cpu_ns());
    group.bench_function("promha", |b| {
        b.iter(|| {
            answers += 1;
            federation.answer(&request, storage, NOW_MS, &mut body).status
        });
    });
    report("promha", body.len(), cpu_ns() - begun_ns, answers);
    // An answer for which no memory is there yet.
    let (mut answers, begun_ns) = (0, cpu_ns());
    group.bench_function("promha-cold", |b| {
        b.iter(|| {
            answers += 1;
            let mut body = Vec::new();
            federation.answer(&request, storage, NOW_MS, &mut body);
            body
        });
    });
    report("promha-cold", body.len(), cpu_ns() - begun_ns, answers);
    group.bench_function("format", |b| b.iter(|| plain(black_box(storage))));
    group.bench_function("memcpy", |b| b.iter(|| black_box(&body).clone()));
    group.finish();

    // Only the compression of what was exposed above.
    let mut group = c.benchmark_group("federate/gzip/100k-series-text");
    group.throughput(Throughput::Bytes(body.len() as u64)).sample_size(10);
    println!("gzip: {} of {} bytes", ContentEncoding::Gzip.compress(&body).len(), body.len());
    group.bench_function("promha", |b| b.iter(|| ContentEncoding::Gzip.compress(black_box(&body))));
    group.finish();

    let delimited =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let request = Request { accept: delimited.to_owned(), ..request };
    let mut group = c.benchmark_group("federate/federate-protobuf/100k-series");
    federation.answer(&request, storage, NOW_MS, &mut body);
    group.throughput(Throughput::Bytes(body.len() as u64)).sample_size(20);
    group.bench_function("promha", |b| {
        b.iter(|| federation.answer(&request, storage, NOW_MS, &mut body).status);
    });
    group.finish();
}

fn report(what: &str, bytes: usize, cpu_ns: u64, answers: u32) {
    let cpu_ms = cpu_ns as f64 / 1e6 / f64::from(answers);
    println!("{what}: {bytes} bytes, {cpu_ms:.1} ms of CPU an answer");
}

/// How long this thread has been on a CPU; 0 where the system does not say.
fn cpu_ns() -> u64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    times.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// Series with their newest samples, not in the order of their names.
struct Storage {
    /// Each name and value once.
    strings: Vec<String>,
    /// Of all series, one after the other.
    labels: Vec<(u32, u32)>,
    ends: Vec<u32>,
    newest: Vec<f64>,
}

impl Storage {
    fn new(series: u32) -> Self {
        let (mut numbers, mut strings) = (BTreeMap::new(), Vec::new());
        let mut number = |text: String| {
            *numbers.entry(text).or_insert_with_key(|text| {
                strings.push(text.clone());
                strings.len() as u32 - 1
            })
        };
        let mut storage =
            Self { strings: Vec::new(), labels: Vec::new(), ends: Vec::new(), newest: Vec::new() };
        for n in 0..series {
            let labels = [
                ("__name__", format!("http_server_request_duration_{}_total", n % 200)),
                ("code", ["200", "204", "404", "500"][n as usize / 200 % 4].to_owned()),
                ("env", "production".to_owned()),
                ("handler", format!("/api/v1/resource/{}", n / 800 % 25)),
                ("instance", format!("10.0.{}.{}:9100", n / 20_000, n / 200 % 250)),
                ("job", "http-server".to_owned()),
                ("pod", format!("http-server-{:08x}", (n / 200).wrapping_mul(2_654_435_761))),
            ];
            storage.labels.extend(labels.map(|(name, value)| (number(name.to_owned()), number(value))));
            storage.ends.push(storage.labels.len() as u32);
            storage.newest.push(match n % 4 {
                0 => f64::from(n % 1_000),
                1 => f64::from(n) * 1234.0,
                2 => f64::from(n) / 1_000.0,
                _ => f64::from(n).sqrt(),
            });
        }
        storage.strings = strings;
        storage
    }
}

impl Source for Storage {
    type Series = u32;
    type Error = Infallible;

    fn select(&self, selectors: &[Selector], take: &mut dyn FnMut(u32)) -> Result<(), Infallible> {
        let mut labels = Vec::new();
        for series in 0..self.ends.len() as u32 {
            labels.clear();
            labels.extend(self.labels(series));
            if selectors.iter().any(|selector| selector.matches(&labels)) {
                take(series);
            }
        }
        Ok(())
    }

    fn labels(&self, series: u32) -> impl Iterator<Item = (&str, &str)> {
        let end = self.ends[series as usize] as usize;
        let start = series.checked_sub(1).map_or(0, |before| self.ends[before as usize] as usize);
        let string = |number: u32| self.strings[number as usize].as_str();
        self.labels[start..end].iter().map(move |&(name, value)| (string(name), string(value)))
    }

    fn newest(&self, series: u32, _: i64, to_ms: i64) -> Result<Option<Sample<'_>>, Infallible> {
        let at_ms = to_ms - 1_000 - i64::from(series % 15_000);
        Ok(Some(Sample { at_ms, value: Value::Float(self.newest[series as usize]) }))
    }
}

/// The same as it is written without further thought.
fn plain(storage: &Storage) -> String {
    let mut families: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for series in 0..storage.ends.len() as u32 {
        let name = storage.labels(series).find(|label| label.0 == "__name__").unwrap().1;
        families.entry(name).or_default().push(series);
    }
    let mut text = String::new();
    for (name, series) in families {
        writeln!(text, "# TYPE {name} untyped").unwrap();
        for series in series {
            let Sample { at_ms, value: Value::Float(value) } =
                storage.newest(series, 0, NOW_MS).unwrap().unwrap()
            else {
                unreachable!("there are only numbers")
            };
            let own = storage.labels(series).filter(|label| label.0 != "__name__");
            let labels = own.chain([("cluster", "dc1"), ("replica", "a")]).map(|(name, value)| {
                format!(
                    "{name}=\"{}\"",
                    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
                )
            });
            let labels: Vec<String> = labels.collect();
            writeln!(text, "{name}{{{}}} {} {at_ms}", labels.join(","), number(value)).unwrap();
        }
    }
    text
}

/// A number that is neither very large nor very small, as Go prints it.
fn number(value: f64) -> String {
    if value < 1e6 {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap();
    format!("{digits}e+{exponent:0>2}")
}
