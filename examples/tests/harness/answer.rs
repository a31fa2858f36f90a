//! Answers to PromQL queries, and when two of them are the same.

use serde_json::Value;

/// A time in milliseconds and a value.
pub type Sample = (i64, f64);

/// One series of an answer.
#[derive(Clone, Debug)]
pub struct Series {
    /// The label set as JSON with sorted names.
    pub labels: String,
    /// The samples, in the order of the answer.
    pub samples: Vec<Sample>,
}

/// An answer: its type and its series, sorted by label set (Prometheus promises no order).
#[derive(Clone, Debug)]
pub struct Answer {
    /// `vector`, `matrix`, `scalar` or `string`.
    pub kind: String,
    /// The series; one without labels for a scalar.
    pub series: Vec<Series>,
}

impl Answer {
    /// Reads `data` of an API answer.
    pub fn parse(data: &Value) -> Self {
        let kind = data["resultType"].as_str().expect("a result type").to_owned();
        let result = &data["result"];
        let mut series: Vec<Series> = match kind.as_str() {
            "scalar" => vec![Series { labels: String::new(), samples: vec![sample(result)] }],
            _ => result.as_array().expect("a list of series").iter().map(one_series).collect(),
        };
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Self { kind, series }
    }

    /// How many samples there are in all series.
    pub fn samples(&self) -> usize {
        self.series.iter().map(|series| series.samples.len()).sum()
    }

    /// What differs from `other`, or nothing.
    ///
    /// Label sets and times must be the same; values may differ by the rounding of sums that were added up in another
    /// order.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.kind != other.kind {
            return Some(format!("{} against {}", self.kind, other.kind));
        }
        let (ours, theirs): (Vec<_>, Vec<_>) = (names(self), names(other));
        if ours != theirs {
            let missing: Vec<_> = theirs.iter().filter(|name| !ours.contains(name)).collect();
            let extra: Vec<_> = ours.iter().filter(|name| !theirs.contains(name)).collect();
            return Some(format!(
                "{} series against {}, missing {missing:?}, extra {extra:?}",
                ours.len(),
                theirs.len()
            ));
        }
        self.series.iter().zip(&other.series).find_map(|(a, b)| {
            let labels = &a.labels;
            if a.samples.len() != b.samples.len() {
                return Some(format!("{labels}: {} samples against {}", a.samples.len(), b.samples.len()));
            }
            let pairs = a.samples.iter().zip(&b.samples);
            pairs
                .into_iter()
                .find(|(a, b)| !same(a, b))
                .map(|(a, b)| format!("{labels}: {a:?} against {b:?}"))
        })
    }
}

/// The largest time between two samples that follow each other; 0 for less than two.
pub fn largest_step_ms(samples: &[Sample]) -> i64 {
    samples.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or(0)
}

/// Whether two samples are the same but for rounding.
pub fn same(a: &Sample, b: &Sample) -> bool {
    let equal = a.1 == b.1 || (a.1.is_nan() && b.1.is_nan());
    let finite = a.1.is_finite() && b.1.is_finite();
    let rounding = finite && (a.1 - b.1).abs() <= 1e-12 * a.1.abs().max(b.1.abs());
    a.0 == b.0 && (equal || rounding)
}

fn names(answer: &Answer) -> Vec<&str> {
    answer.series.iter().map(|series| series.labels.as_str()).collect()
}

fn one_series(value: &Value) -> Series {
    let samples = match value.get("values") {
        Some(values) => values.as_array().expect("a list of samples").iter().map(sample).collect(),
        None => vec![sample(&value["value"])],
    };
    Series { labels: value["metric"].to_string(), samples }
}

fn sample(pair: &Value) -> Sample {
    let time_s = pair[0].as_f64().expect("a time in seconds");
    let value = pair[1].as_str().expect("a value in quotes");
    ((time_s * 1000.0).round() as i64, value.parse().expect("a number"))
}
