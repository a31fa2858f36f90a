//! What a target says becomes series.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test takes what it needs")]

use std::collections::BTreeMap;

use promha_federate::exposition::text::TextParser;
use promha_federate::exposition::{Entry, Limits};

/// A series with one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Scraped {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
    pub at_ms: Option<i64>,
}

/// The samples of a text, and what a scrape of `instance` by `job` with `honor_labels` makes of their labels.
pub fn scrape(text: &str, job: &str, instance: &str) -> Vec<Scraped> {
    let mut all = samples(text);
    for scraped in &mut all {
        scraped.labels.retain(|_, value| !value.is_empty());
        scraped.labels.entry("job".into()).or_insert_with(|| job.into());
        scraped.labels.entry("instance".into()).or_insert_with(|| instance.into());
    }
    all
}

/// The sample of one line.
pub fn line(line: &str) -> Scraped {
    samples(line).remove(0)
}

fn samples(text: &str) -> Vec<Scraped> {
    let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    let mut parser = TextParser::new(text.as_bytes(), Limits::default());
    let mut samples = Vec::new();
    while let Some(entry) = parser.next_entry().unwrap() {
        if let Entry::Series(series) = entry {
            let labels =
                series.labels().iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            samples.push(Scraped { labels, value: series.value(), at_ms: series.t_ms() });
        }
    }
    samples
}
