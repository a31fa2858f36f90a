//! What other systems were seen to do (`testdata/merge_cases.json`; `PROMHA_VECTORS=<dir>` reads the file
//! from there instead).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::PathBuf;

use promha_merge::{
    Chain, Interval, LabelArena, MergeLabels, Penalty, Resolve, Resolved, STALE_BITS, Samples, Step,
};
use serde_json::Value;

/// Of one series: timestamps in milliseconds, and what is there.
#[derive(Debug, Clone, Default, PartialEq)]
struct Column {
    at_ms: Vec<i64>,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Sample {
    /// A float by its bits.
    Float(u64),
    /// Histograms differ in nothing but what they say about the one before.
    Histogram(Hint),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hint {
    Unknown,
    Reset,
    NotReset,
    Gauge,
}

type Labels = Vec<(String, String)>;
type Series = (Labels, Column);

#[test]
fn chain_agrees_with_prometheus_and_thanos() {
    let ran = run(&["prom_chain", "thanos_chain"], |case, inputs| {
        let sorted = inputs.iter().all(|input| input.is_sorted_by(|a, b| a.0 < b.0));
        let merged = match merge(inputs, &mut Chain::default()) {
            // Prometheus gives a label set twice then. Ours must not.
            Err(error) => return assert!(!sorted, "{error}"),
            Ok(merged) => merged,
        };
        assert!(sorted, "an input is not sorted, and nothing was said");
        let expected = series_list(&case["expect"]["series"]);
        assert_eq!(shape(&merged), shape(&expected));
        for ((labels, ours), (_, theirs)) in merged.iter().zip(&expected) {
            for (i, (our, their)) in ours.samples.iter().zip(&theirs.samples).enumerate() {
                let tied = first_samples(inputs, labels, ours.at_ms[i]);
                let either = tied.contains(our) && tied.contains(their);
                assert!(our == their || either, "{our:?} instead of {their:?}");
            }
        }
    });
    assert!(ran > 0, "a table without cases proves nothing");
}

/// Which of two tied samples comes out, and so where a run begins, is random in Prometheus: there it changes
/// at every tie, which loses every hint. Here it stays, so that hints survive.
#[test]
fn chain_voids_hints_where_prometheus_does() {
    let ran = run(&["prom_chain_iter"], |case, inputs| {
        let merged = merge(inputs, &mut Chain::default()).unwrap();
        let expected = series_list(&case["expect"]["series"]);
        assert_eq!(shape(&merged), shape(&expected));
        for ((labels, ours), (_, theirs)) in merged.iter().zip(&expected) {
            for (i, (our, their)) in ours.samples.iter().zip(&theirs.samples).enumerate() {
                let tied = first_samples(inputs, labels, ours.at_ms[i]);
                assert!(our == their || tied.len() > 1 && tied.contains(our), "{our:?} instead of {their:?}");
            }
        }
    });
    assert!(ran > 0, "a table without cases proves nothing");
}

#[test]
fn penalty_agrees_with_thanos() {
    let ran = run(&["thanos_penalty"], |case, inputs| {
        let params = &case["params"];
        let penalty = Penalty::default().counter(params["func"] == "rate");
        let mut penalty = penalty.rewind(params["seek"] == "rewind");
        assert_eq!(merge(inputs, &mut penalty).unwrap(), series_list(&case["expect"]["series"]));
    });
    assert!(ran > 0, "a table without cases proves nothing");
}

#[test]
fn interval_agrees_with_victoria_metrics() {
    let ran = run(&["vm_dedup"], |case, inputs| {
        let interval_ms = case["params"]["interval_ms"].as_i64().unwrap();
        let expected = series_list(&case["expect"]["series"]);
        assert_eq!(merge(inputs, &mut Interval::new(interval_ms)).unwrap(), expected);
        // VictoriaMetrics is given all replicas in one list. It must not matter which sample is whose (where
        // everything is kept, in which order does).
        let [input] = inputs else { panic!("one list") };
        if interval_ms == 0 {
            return;
        }
        let mut split = vec![vec![input[0].clone()], vec![input[0].clone()]];
        for (replica, series) in split.iter_mut().enumerate() {
            let column = &mut series[0].1;
            let mut keep = (0..column.at_ms.len()).map(|i| i % 2 == replica);
            column.at_ms.retain(|_| keep.next().unwrap());
            let mut keep = (0..column.samples.len()).map(|i| i % 2 == replica);
            column.samples.retain(|_| keep.next().unwrap());
        }
        assert_eq!(merge(&split, &mut Interval::new(interval_ms)).unwrap(), expected);
    });
    assert!(ran > 0, "a table without cases proves nothing");
}

/// Runs the cases of these systems, says how many there were, and names the one that fails.
fn run(systems: &[&str], check: impl Fn(&Value, &[Vec<Series>])) -> usize {
    let mut ran = BTreeMap::new();
    for case in cases() {
        let system = case["system"].as_str().unwrap();
        if systems.contains(&system) {
            println!("{}", case["id"]);
            let inputs: Vec<Vec<Series>> =
                case["inputs"].as_array().unwrap().iter().map(series_list).collect();
            check(&case, &inputs);
            *ran.entry(system.to_owned()).or_insert(0) += 1;
        }
    }
    println!("cases that ran: {ran:?}");
    ran.values().sum()
}

fn cases() -> Vec<Value> {
    let folder = std::env::var_os("PROMHA_VECTORS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")), PathBuf::from);
    let path = folder.join("merge_cases.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table: Value = serde_json::from_str(&text).unwrap();
    table["cases"].as_array().unwrap().clone()
}

/// Which label sets have samples when.
fn shape(series: &[Series]) -> Vec<(&Labels, &[i64])> {
    series.iter().map(|(labels, column)| (labels, column.at_ms.as_slice())).collect()
}

/// What the inputs hold at a timestamp, of each the first: which of them wins is "random" in Prometheus.
fn first_samples(inputs: &[Vec<Series>], labels: &Labels, at_ms: i64) -> Vec<Sample> {
    let columns = inputs.iter().filter_map(|input| input.iter().find(|series| series.0 == *labels));
    let sample = |(_, column): &Series| {
        let index = column.at_ms.iter().position(|&time_ms| time_ms == at_ms)?;
        Some(column.samples[index])
    };
    columns.filter_map(sample).collect()
}

fn merge(
    inputs: &[Vec<Series>],
    policy: &mut impl Resolve,
) -> Result<Vec<Series>, Box<dyn std::error::Error>> {
    let mut arenas = vec![LabelArena::default(); inputs.len()];
    let mut tree = MergeLabels::new(inputs.len());
    for (source, input) in inputs.iter().enumerate() {
        for (labels, _) in input {
            let labels: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            arenas[source].push(&labels);
        }
        tree.supply(source);
    }
    let mut merged = Vec::new();
    loop {
        match tree.poll(|source| &arenas[source])? {
            Step::Need(source) => tree.exhaust(source),
            Step::Tied(group) => {
                let group = group.to_vec();
                let series: Vec<&Series> = group.iter().map(|&s| &inputs[s][tree.index(s)]).collect();
                let holders: Vec<&Column> = series.iter().map(|(_, column)| column).collect();
                merged.push((series[0].0.clone(), merge_samples(&holders, policy)?));
            }
            Step::Done => return Ok(merged),
        }
    }
}

fn merge_samples(
    holders: &[&Column],
    policy: &mut impl Resolve,
) -> Result<Column, Box<dyn std::error::Error>> {
    policy.reset(holders.len());
    (0..holders.len()).for_each(|source| policy.supply(source));
    let mut merged = Column::default();
    loop {
        match policy.poll(|source| holders[source])? {
            Resolved::Need { source, .. } => policy.exhaust(source),
            Resolved::Run(run) => {
                let holder = holders[run.source];
                merged.at_ms.extend_from_slice(&holder.at_ms[run.range.clone()]);
                let first = run.range.start;
                merged.samples.extend(run.range.map(|index| match holder.samples[index] {
                    Sample::Float(bits) if run.lift != 0.0 => {
                        Sample::Float((f64::from_bits(bits) + run.lift).to_bits())
                    }
                    Sample::Histogram(hint) if index == first && !run.continues && hint != Hint::Gauge => {
                        Sample::Histogram(Hint::Unknown)
                    }
                    sample => sample,
                }));
            }
            Resolved::Done => return Ok(merged),
        }
    }
}

impl Samples for &Column {
    fn at_ms(&self) -> &[i64] {
        &self.at_ms
    }

    fn level(&self, index: usize) -> f64 {
        match self.samples[index] {
            Sample::Float(bits) => f64::from_bits(bits),
            Sample::Histogram(_) => 1.0,
        }
    }

    fn is_histogram(&self, index: usize) -> bool {
        matches!(self.samples[index], Sample::Histogram(_))
    }

    fn compare(&self, index: usize, other: &Self, other_index: usize) -> Ordering {
        match (self.samples[index], other.samples[other_index]) {
            (Sample::Float(a), Sample::Float(b)) => a.cmp(&b),
            (Sample::Histogram(a), Sample::Histogram(b)) => a.cmp(&b),
            (Sample::Float(_), Sample::Histogram(_)) => Ordering::Less,
            (Sample::Histogram(_), Sample::Float(_)) => Ordering::Greater,
        }
    }
}

fn series_list(list: &Value) -> Vec<Series> {
    let one = |series: &Value| {
        let labels: BTreeMap<String, String> = serde_json::from_value(series["labels"].clone()).unwrap();
        let samples = series["samples"].as_array().unwrap();
        let column = Column {
            at_ms: samples.iter().map(|sample| sample[0].as_i64().unwrap()).collect(),
            samples: samples.iter().map(|pair| sample(&pair[1])).collect(),
        };
        (labels.into_iter().collect(), column)
    };
    list.as_array().map(|list| list.iter().map(one).collect()).unwrap_or_default()
}

fn sample(value: &Value) -> Sample {
    let value = match value.as_str() {
        Some("NaN") => f64::NAN,
        Some("StaleNaN") => f64::from_bits(STALE_BITS),
        Some("+Inf") => f64::INFINITY,
        Some("-Inf") => f64::NEG_INFINITY,
        Some(other) => panic!("{other:?} is no value"),
        None if value.is_object() => {
            return Sample::Histogram(match value["hist"].as_str() {
                Some("unknown") => Hint::Unknown,
                Some("reset") => Hint::Reset,
                Some("not_reset") => Hint::NotReset,
                Some("gauge") => Hint::Gauge,
                other => panic!("{other:?} is no hint"),
            });
        }
        None => value.as_f64().unwrap(),
    };
    Sample::Float(value.to_bits())
}
