//! What other systems were seen to do (`testdata/merge_cases.json`; `PROMHA_VECTORS=<dir>` reads the file
//! from there instead).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use promha_merge::{Chain, ChainStep, merge_series};
use serde_json::Value;

/// Timestamp in milliseconds, and the value by its bits.
type Sample = (i64, u64);
type Labels = Vec<(String, String)>;
type Series = (Labels, Vec<Sample>);

#[test]
fn chain_agrees_with_prometheus_and_thanos() {
    let mut ran = BTreeMap::new();
    for case in cases() {
        let system = case["system"].as_str().unwrap();
        if ["prom_chain", "thanos_chain"].contains(&system) {
            check_chain(&case);
            *ran.entry(system.to_owned()).or_insert(0) += 1;
        }
    }
    println!("cases that ran: {ran:?}");
    assert!(ran.contains_key("prom_chain"), "a table without cases proves nothing");
}

fn cases() -> Vec<Value> {
    let folder = std::env::var_os("PROMHA_VECTORS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")), PathBuf::from);
    let path = folder.join("merge_cases.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table: Value = serde_json::from_str(&text).unwrap();
    table["cases"].as_array().unwrap().clone()
}

fn check_chain(case: &Value) {
    let id = &case["id"];
    let inputs: Vec<Vec<Series>> = case["inputs"].as_array().unwrap().iter().map(series_list).collect();
    let sorted = inputs.iter().all(|input| input.is_sorted_by(|a, b| a.0 < b.0));
    match merge(&inputs) {
        // Prometheus gives a label set twice then. Ours must not.
        Err(error) => assert!(!sorted, "{id}: {error}"),
        Ok(_) if !sorted => panic!("{id}: an input is not sorted, and nothing was said"),
        Ok(merged) => {
            let expected = series_list(&case["expect"]["series"]);
            assert_eq!(shape(&merged), shape(&expected), "{id}");
            for ((labels, ours), (_, theirs)) in merged.iter().zip(&expected) {
                for (our, their) in ours.iter().zip(theirs) {
                    let tied = first_values(&inputs, labels, our.0);
                    let either = tied.contains(&our.1) && tied.contains(&their.1);
                    assert!(our.1 == their.1 || either, "{id}: {our:?} instead of {their:?}");
                }
            }
        }
    }
}

/// Which label sets have samples when.
fn shape(series: &[Series]) -> Vec<(&Labels, Vec<i64>)> {
    series.iter().map(|(labels, samples)| (labels, samples.iter().map(|sample| sample.0).collect())).collect()
}

/// What the inputs hold at a timestamp, of each the first: which of them wins is "random" in Prometheus.
fn first_values(inputs: &[Vec<Series>], labels: &Labels, at_ms: i64) -> Vec<u64> {
    inputs
        .iter()
        .filter_map(|input| input.iter().find(|series| series.0 == *labels))
        .filter_map(|(_, samples)| samples.iter().find(|sample| sample.0 == at_ms))
        .map(|sample| sample.1)
        .collect()
}

fn merge(inputs: &[Vec<Series>]) -> Result<Vec<Series>, Box<dyn std::error::Error>> {
    let borrowed: Vec<Vec<Vec<(&str, &str)>>> = inputs
        .iter()
        .map(|input| {
            input
                .iter()
                .map(|(labels, _)| labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect())
                .collect()
        })
        .collect();
    let streams = borrowed.iter().zip(inputs).map(|(labels, input)| {
        labels.iter().zip(input).map(|(labels, (_, samples))| (labels.as_slice(), samples.as_slice()))
    });
    let mut merge = merge_series(streams);
    let mut merged = Vec::new();
    while let Some(series) = merge.next_series()? {
        let holders: Vec<&[Sample]> = series.holders.iter().map(|holder| holder.1).collect();
        let labels = series.labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        merged.push((labels, merge_samples(&holders)?));
    }
    Ok(merged)
}

fn merge_samples(holders: &[&[Sample]]) -> Result<Vec<Sample>, Box<dyn std::error::Error>> {
    let columns: Vec<Vec<i64>> =
        holders.iter().map(|samples| samples.iter().map(|sample| sample.0).collect()).collect();
    let mut chain = Chain::new(holders.len());
    (0..holders.len()).filter(|&source| !columns[source].is_empty()).for_each(|source| chain.supply(source));
    let mut merged = Vec::new();
    loop {
        match chain.poll(|source| &columns[source])? {
            ChainStep::Need(source) => chain.exhaust(source),
            ChainStep::Run { source, range } => merged.extend_from_slice(&holders[source][range]),
            ChainStep::Done => return Ok(merged),
        }
    }
}

fn series_list(list: &Value) -> Vec<Series> {
    let one = |series: &Value| {
        let labels: BTreeMap<String, String> = serde_json::from_value(series["labels"].clone()).unwrap();
        let samples = series["samples"].as_array().unwrap().iter().map(sample).collect();
        (labels.into_iter().collect(), samples)
    };
    list.as_array().unwrap().iter().map(one).collect()
}

fn sample(sample: &Value) -> Sample {
    let value = match sample[1].as_str() {
        Some("NaN") => f64::NAN,
        Some("StaleNaN") => f64::from_bits(0x7ff0_0000_0000_0002),
        Some("+Inf") => f64::INFINITY,
        Some("-Inf") => f64::NEG_INFINITY,
        Some(other) => panic!("{other:?} is no value"),
        None => sample[1].as_f64().unwrap(),
    };
    (sample[0].as_i64().unwrap(), value.to_bits())
}
