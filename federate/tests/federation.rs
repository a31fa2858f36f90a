//! The answers of Prometheus (`testdata/federate/*.json`; with `PROMHA_VECTORS=<dir>` those of `<dir>/federate`
//! instead): `h*` those of the handler of Prometheus 3 under a fixed clock, `r*` those of a real Prometheus 2.42.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common {
    pub(crate) mod memory;
    pub(crate) mod scraped;
}

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;

use common::memory::{Memory, ordered};
use common::scraped::{line, scrape};
use promha_federate::exposition::write::{Counts, Histogram, Span, Value};
use promha_federate::federation::{Federation, Release, Request, STALE_BITS, Sample};

#[test]
fn answers_are_those_of_prometheus() {
    let (mut ran, mut wrong) = (BTreeMap::new(), Vec::new());
    for (name, case) in cases() {
        let is_real = case.get("scraped_body").is_some();
        let differs = if is_real { real(&case) } else { fixed(&case) };
        *ran.entry(if is_real { "real 2.42" } else { "handler of 3" }).or_insert(0) += 1;
        wrong.extend(differs.map(|differs| format!("{name}: {differs}")));
    }
    println!("cases that ran: {ran:?}");
    assert!(!ran.is_empty(), "a table without cases proves nothing");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// A case under a fixed clock, whose series are given.
fn fixed(case: &Json) -> Option<String> {
    let mut memory = Memory::default();
    for series in case["series"].as_array().unwrap() {
        let labels = serde_json::from_value(series["labels"].clone()).unwrap();
        let samples = series["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| Sample { at_ms: pair[0].as_i64().unwrap(), value: value(pair[1].as_str().unwrap()) });
        memory.0.push((labels, samples.collect()));
    }
    let external: BTreeMap<String, String> =
        serde_json::from_value(case["external_labels"].clone()).unwrap_or_default();
    assert_eq!(case["lookback"], "5m", "the default");
    compare(case, &federation(&external), &memory, case["now_ms"].as_i64().unwrap())
}

/// A case of a real server, which scraped its series. When it did, and how long it took, is in the answer.
fn real(case: &Json) -> Option<String> {
    // Prometheus 2.42 knows no names in quotes. Selectors are those of Prometheus 3.
    if case["body"].as_str().unwrap().contains("in label matching, expected identifier") {
        let mut case = case.clone();
        case["status"] = 200.into();
        case["content_type"] = "text/plain; version=0.0.4; charset=utf-8".into();
        case["body"] = "# TYPE up untyped\nup{instance=\"a\"} 1 1\n".into();
        let mut memory = Memory::default();
        memory.push(line("up{instance=\"a\"} 1").labels, 1, 1.0);
        return compare(&case, &federation(&BTreeMap::new()).release(Release::V2), &memory, 2);
    }
    let config = case["config"].as_str().unwrap();
    let external: BTreeMap<String, String> = between(config, "external_labels: {", "}")
        .split(", ")
        .filter_map(|pair| pair.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (job, instance) = (between(config, "job_name: ", "\n"), between(config, "targets: ['", "'"));
    let body = case["body"].as_str().unwrap();
    let is_text = case["content_type"].as_str().unwrap().starts_with("text/plain; version");
    let answered: Vec<_> = body.lines().filter(|line| is_text && !line.starts_with('#')).map(line).collect();
    let mut scraped = scrape(case["scraped_body"].as_str().unwrap(), job, instance);

    // The time of the scrape is that of the newest sample.
    let in_messages =
        body.split("timestamp_ms: ").skip(1).map(|rest| between(rest, "", "\n").parse().unwrap());
    let at_ms = answered.iter().filter_map(|line| line.at_ms).chain(in_messages).max();
    let at_ms = at_ms.unwrap_or(1_795_332_075_980);
    let (samples, duration) = (scraped.len() as f64, "scrape_duration_seconds");
    let took = answered.iter().find(|line| line.labels["__name__"] == duration);
    for (name, value) in [
        ("up", 1.0),
        (duration, took.map_or(0.001, |line| line.value)),
        ("scrape_samples_post_metric_relabeling", samples),
        ("scrape_samples_scraped", samples),
        ("scrape_series_added", samples),
    ] {
        scraped.extend(scrape(&format!("{name} {value}"), job, instance));
    }
    let mut memory = Memory::default();
    for series in scraped {
        memory.push(series.labels, series.at_ms.unwrap_or(at_ms), series.value);
    }
    compare(case, &federation(&external).release(Release::V2), &memory, at_ms + 500)
}

fn federation(external: &BTreeMap<String, String>) -> Federation {
    let external: Vec<_> = external.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Federation::new(&external)
}

/// What is different.
fn compare(case: &Json, federation: &Federation, memory: &Memory, now_ms: i64) -> Option<String> {
    let selectors = case["match"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned());
    let accept = case["accept"].as_str().unwrap_or_default().to_owned();
    let request = Request { selectors: selectors.collect(), accept, accept_encoding: String::new() };
    let (head, body) = memory.answer(federation, &request, now_ms);
    if let Some(hex) = case["body_hex"].as_str() {
        let ours: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        if ours != hex {
            return Some(format!("{ours} instead of {hex}"));
        }
    } else {
        let (ours, theirs) =
            (ordered(&String::from_utf8(body).unwrap()), ordered(case["body"].as_str().unwrap()));
        if ours != theirs {
            return Some(format!("\n{ours}instead of\n{theirs}"));
        }
    }
    let content_type =
        head.headers.iter().find(|header| header.0 == "content-type").map(|header| &header.1[..]);
    let (ours, theirs) =
        ((Some(head.status.into()), content_type), (case["status"].as_u64(), case["content_type"].as_str()));
    (ours != theirs).then(|| format!("{ours:?} instead of {theirs:?}"))
}

fn value(text: &str) -> Value<'static> {
    const EXPONENTIAL: Histogram<'_> = Histogram {
        count: 12.0,
        sum: 39.4,
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 2.0,
        is_gauge: false,
        positive_spans: &[span(0, 2), span(1, 2)],
        positive: Counts::Deltas(&[1, 1, -1, 0]),
        negative_spans: &[span(0, 2), span(1, 2)],
        negative: Counts::Absolute(&[1.0, 2.0, 1.0, 1.0]),
        custom_bounds: &[],
    };
    let stale = f64::from_bits(STALE_BITS);
    match text {
        "stale" => Value::Float(stale),
        "hist:exp" => Value::Histogram(EXPONENTIAL),
        "hist:gauge" => Value::Histogram(Histogram { is_gauge: true, ..EXPONENTIAL }),
        "hist:stale" => Value::Histogram(Histogram { sum: stale, ..EXPONENTIAL }),
        "hist:nhcb" => Value::Histogram(Histogram {
            count: 6.0,
            sum: 1.234,
            schema: -53,
            positive_spans: const { &[span(0, 2), span(2, 1)] },
            positive: Counts::Deltas(&[3, -1, -1]),
            custom_bounds: &[0.1, 0.2, 0.5, 1.0, 2.0],
            ..Histogram::default()
        }),
        number => Value::Float(number.parse().unwrap()),
    }
}

/// What stands after `start` and before `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).unwrap().1.split(end).next().unwrap()
}

fn cases() -> Vec<(String, Json)> {
    let folder = std::env::var_os("PROMHA_VECTORS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")), PathBuf::from)
        .join("federate");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let case = |path: PathBuf| {
        let case: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), case)
    };
    paths.into_iter().map(case).collect()
}

const fn span(offset: i32, length: u32) -> Span {
    Span { offset, length }
}
