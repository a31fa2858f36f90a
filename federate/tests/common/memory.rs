//! Series of a test, owned.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use std::collections::BTreeMap;

use promha_federate::exposition::write::Value;
use promha_federate::federation::{Federation, Head, PlainSeries, Request, Sample};

/// Labels and samples of each series.
#[derive(Debug, Default)]
pub struct Memory(pub Vec<(BTreeMap<String, String>, Vec<Sample<'static>>)>);

impl Memory {
    pub fn push(&mut self, labels: BTreeMap<String, String>, at_ms: i64, value: f64) {
        self.0.push((labels, vec![Sample { at_ms, value: Value::Float(value) }]));
    }

    pub fn answer(&self, federation: &Federation, request: &Request, now_ms: i64) -> (Head, Vec<u8>) {
        let labels: Vec<Vec<(&str, &str)>> = self
            .0
            .iter()
            .map(|(labels, _)| labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
            .collect();
        let series: Vec<PlainSeries<'_>> = labels
            .iter()
            .zip(&self.0)
            .map(|(labels, (_, samples))| PlainSeries { labels, samples })
            .collect();
        let mut body = Vec::new();
        let head = federation.answer(request, &series[..], now_ms, &mut body);
        (head, body)
    }
}

/// The text with the series of each family in one order: that of their lines.
pub fn ordered(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_untyped = |family: &[&str]| family[0].ends_with(" untyped\n");
    let families = lines.chunk_by_mut(|_, next| !next.starts_with('#'));
    families.filter(|family| is_untyped(family)).for_each(|family| family[1..].sort_unstable());
    lines.concat()
}
