//! Series selected out of a million, each with ten labels, beside roaring bitmaps as one would use them first: one for
//! each label pair, intersected in the order of the selector, regular expressions matched against every value.
//!
//! Reading every id of the result is part of what is timed. A table is printed that sets the figures beside those of
//! Prometheus' `PostingsForMatchers` for queries of the same kind and size; these were taken on another machine, which
//! the naive side, measured on both, tells apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use promha_federate::{Matcher, Op, Selector, SeriesIndex};
use regex::Regex;
use roaring::RoaringBitmap;

use Op::{Equal, NotEqual, NotRegex, Regex as Matches};

const SERIES: u32 = 1_000_000;
const CODES: [&str; 20] = [
    "200", "201", "202", "203", "204", "205", "206", "301", "302", "304", "307", "400", "401", "403", "404",
    "429", "500", "502", "503", "504",
];
/// What an index may take for a series beyond its strings.
const MAX_BYTES_PER_SERIES: usize = 150;

struct Query {
    name: &'static str,
    matchers: &'static [(&'static str, Op, &'static str)],
    /// Microseconds of Prometheus and of naive roaring bitmaps on the other machine.
    elsewhere: Option<(f64, f64)>,
}

const QUERIES: [Query; 13] = [
    Query { name: "name", matchers: &[("__name__", Equal, "metric_7")], elsewhere: Some((11.0, 26.0)) },
    Query {
        name: "three-equalities",
        matchers: &[("__name__", Equal, "metric_7"), ("job", Equal, "job-3"), ("zone", Equal, "zone-a")],
        elsewhere: Some((425.0, 83.0)),
    },
    Query {
        name: "three-broad-equalities",
        matchers: &[("method", Equal, "GET"), ("version", Equal, "v2"), ("zone", Equal, "zone-a")],
        elsewhere: Some((3771.0, 318.0)),
    },
    Query {
        name: "equality-regex-not",
        matchers: &[("__name__", Equal, "metric_7"), ("code", Matches, "5.."), ("method", NotEqual, "GET")],
        elsewhere: Some((1113.0, 1976.0)),
    },
    Query {
        name: "two-regexes-not-regex",
        matchers: &[
            ("__name__", Matches, "metric_1[0-4]"),
            ("instance", Matches, r"10\.0\.1\..*"),
            ("code", NotRegex, "5.."),
        ],
        elsewhere: Some((583.0, 482.0)),
    },
    Query {
        name: "prefix",
        matchers: &[("__name__", Equal, "metric_7"), ("uid", Matches, "ab.*")],
        elsewhere: Some((40_111.0, 25_220.0)),
    },
    Query {
        name: "contains",
        matchers: &[("__name__", Equal, "metric_7"), ("uid", Matches, ".*abc.*")],
        elsewhere: Some((68_574.0, 54_759.0)),
    },
    Query { name: "present", matchers: &[("uid", NotEqual, "")], elsewhere: Some((505_274.0, 1104.0)) },
    Query {
        name: "negative",
        matchers: &[
            ("method", NotEqual, "GET"),
            ("code", NotRegex, "[45].."),
            ("path", NotRegex, ".*/[1-5]"),
        ],
        elsewhere: Some((25_858.0, 10_659.0)),
    },
    Query {
        name: "plus-equality-alternation",
        matchers: &[
            ("instance", Matches, ".+"),
            ("method", Equal, "GET"),
            ("zone", Matches, "zone-a|zone-b"),
        ],
        elsewhere: Some((30_044.0, 1826.0)),
    },
    Query {
        name: "unique",
        matchers: &[("__name__", Equal, "metric_7"), ("uid", Equal, "1edb9583be218831")],
        elsewhere: Some((0.56, 7.8)),
    },
    Query { name: "prefix-alone", matchers: &[("uid", Matches, "ab.*")], elsewhere: None },
    Query { name: "contains-alone", matchers: &[("uid", Matches, ".*abc.*")], elsewhere: None },
];

pub(crate) fn benches(c: &mut Criterion) {
    let started = now();
    let mut index = SeriesIndex::new();
    for at in 0..SERIES {
        index.insert(&borrowed(&labels(at))).unwrap();
    }
    let built = started.elapsed();
    let naive = Naive::new();
    report_memory(index.memory_bytes() - naive.text_bytes(), built);

    println!(
        "| federate/select/1M-series-… | series | promha µs | roaring µs | Prometheus µs elsewhere | roaring µs elsewhere |"
    );
    println!("|---|---|---|---|---|---|");
    for query in &QUERIES {
        let ours = [query.selector()];
        let theirs = query.compiled();
        let found = ids(&index, &ours);
        assert!(found == naive.select(&theirs).iter().collect::<Vec<u32>>(), "{}", query.name);
        let promha = fastest(|| sum_of_index(&index, &ours));
        let roaring = fastest(|| sum_of_bitmap(&naive.select(&theirs)));
        let (prometheus, elsewhere) = query
            .elsewhere
            .map_or_else(Default::default, |(prometheus, naive)| (prometheus.to_string(), naive.to_string()));
        let (name, series) = (query.name, found.len());
        println!("| {name} | {series} | {promha:.2} | {roaring:.2} | {prometheus} | {elsewhere} |");
    }

    for query in &QUERIES {
        let ours = [query.selector()];
        let theirs = query.compiled();
        let mut group = c.benchmark_group(format!("federate/select/1M-series-{}", query.name));
        group.bench_function("promha", |b| b.iter(|| sum_of_index(&index, black_box(&ours))));
        group.bench_function("roaring", |b| b.iter(|| sum_of_bitmap(&naive.select(black_box(&theirs)))));
        group.finish();
    }
}

/// The labels of a series. Neighbours have different metrics, as if targets had been scraped one after the other.
fn labels(at: u32) -> [(&'static str, String); 10] {
    let noise = scrambled(at.into());
    let part = |bits: u32, of: u64| (noise >> bits) % of;
    let instance = at / 200 % 1000;
    [
        ("__name__", format!("metric_{}", at % 200)),
        ("code", CODES[part(0, 20) as usize].to_owned()),
        ("instance", format!("10.0.{}.{}:9090", instance / 100, instance % 100)),
        ("job", format!("job-{}", part(8, 50))),
        ("method", ["GET", "POST", "PUT"][part(16, 3) as usize].to_owned()),
        (
            "path",
            format!(
                "/api/v1/{}/{}",
                ["users", "orders", "items", "login"][part(24, 4) as usize],
                part(24, 100)
            ),
        ),
        ("pod", format!("pod-{}-{:05}", at % 7, part(32, 20_000))),
        ("uid", format!("{:016x}", scrambled(!u64::from(at)))),
        ("version", format!("v{}", part(48, 4))),
        ("zone", format!("zone-{}", ["a", "b", "c", "d"][part(52, 4) as usize])),
    ]
}

/// SplitMix64.
fn scrambled(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn borrowed<'a>(labels: &'a [(&'static str, String); 10]) -> [(&'a str, &'a str); 10] {
    labels.each_ref().map(|(name, value)| (*name, &**value))
}

impl Query {
    fn selector(&self) -> Selector {
        let matchers = self.matchers.iter();
        Selector::new(matchers.map(|(name, op, value)| Matcher::new(name, *op, value).unwrap()).collect())
    }

    fn compiled(&self) -> Vec<Compiled> {
        let matchers = self.matchers.iter();
        matchers
            .map(|&(name, op, value)| (name, op, value, Regex::new(&format!("^(?s:{value})$")).unwrap()))
            .collect()
    }
}

type Compiled = (&'static str, Op, &'static str, Regex);

/// Bitmaps by label name and value.
struct Naive {
    all: RoaringBitmap,
    labels: HashMap<&'static str, NaiveLabel>,
}

#[derive(Default)]
struct NaiveLabel {
    present: RoaringBitmap,
    values: BTreeMap<String, RoaringBitmap>,
}

impl Naive {
    fn new() -> Self {
        let mut naive = Self { all: (0..SERIES).collect(), labels: HashMap::new() };
        for at in 0..SERIES {
            for (name, value) in labels(at) {
                let label = naive.labels.entry(name).or_default();
                label.present.insert(at);
                label.values.entry(value).or_default().insert(at);
            }
        }
        naive
    }

    /// What the strings take that any index has to keep once.
    fn text_bytes(&self) -> usize {
        self.labels.values().flat_map(|label| label.values.keys()).map(String::len).sum()
    }

    fn select(&self, matchers: &[Compiled]) -> Cow<'_, RoaringBitmap> {
        let mut result: Option<Cow<'_, RoaringBitmap>> = None;
        for (name, op, value, regex) in matchers {
            let label = &self.labels[name];
            let list = match (op, *value) {
                (Equal | NotEqual, "") | (Matches | NotRegex, ".+") => Cow::Borrowed(&label.present),
                (Equal | NotEqual, value) => Cow::Borrowed(&label.values[value]),
                (Matches | NotRegex, _) => {
                    let mut union = RoaringBitmap::new();
                    let matching = label.values.iter().filter(|(value, _)| regex.is_match(value));
                    matching.for_each(|(_, list)| union |= list);
                    Cow::Owned(union)
                }
            };
            let negated = matches!(op, NotEqual | NotRegex) != value.is_empty();
            result = Some(match (result, negated) {
                (None, false) => list,
                (None, true) => Cow::Owned(&self.all - &*list),
                (Some(result), false) => Cow::Owned(&*result & &*list),
                (Some(result), true) => Cow::Owned(&*result - &*list),
            });
        }
        result.unwrap_or(Cow::Borrowed(&self.all))
    }
}

fn ids(index: &SeriesIndex, selectors: &[Selector]) -> Vec<u32> {
    index.select(selectors).map(u32::from).collect()
}

/// Something that depends on every id.
fn sum_of_index(index: &SeriesIndex, selectors: &[Selector]) -> u32 {
    index.select(selectors).fold(0, |sum: u32, id| sum ^ u32::from(id))
}

fn sum_of_bitmap(bitmap: &RoaringBitmap) -> u32 {
    bitmap.iter().fold(0, |sum: u32, id| sum ^ id)
}

/// Microseconds that it takes when nothing else interferes: the best of some rounds.
fn fastest(mut run: impl FnMut() -> u32) -> f64 {
    let started = now();
    black_box(run());
    let once = started.elapsed().max(Duration::from_nanos(50));
    let runs = (Duration::from_millis(2).as_nanos() / once.as_nanos()).clamp(1, 10_000) as u32;
    let rounds = (0..21).map(|_| {
        let started = now();
        (0..runs).for_each(|_| {
            black_box(run());
        });
        started.elapsed().as_secs_f64() * 1e6 / f64::from(runs)
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn report_memory(bytes: usize, built: Duration) {
    let per_series = bytes / SERIES as usize;
    println!(
        "federate/index-memory/1M-series: {per_series} bytes a series beyond the strings, built in {built:.1?}"
    );
    assert!(per_series <= MAX_BYTES_PER_SERIES, "more than {MAX_BYTES_PER_SERIES} bytes a series");
}

#[allow(clippy::disallowed_methods, reason = "a bench is there to read the clock")]
fn now() -> Instant {
    Instant::now()
}
