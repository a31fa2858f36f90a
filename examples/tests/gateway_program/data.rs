//! Series to read, and how they are asked for.

use promha_remote_proto::prompb::{LabelMatcher, MatcherType, Query, ResponseType};

use crate::harness::dataset::Series;
use crate::harness::gateway::Gateway;
use crate::harness::wire::{self, Reply};

/// The forms of an answer that a client can ask for.
pub(super) const FORMS: [ResponseType; 2] = [ResponseType::StreamedXorChunks, ResponseType::Samples];

/// The time between two samples.
pub(super) const STEP_MS: i64 = 15_000;

/// How many samples a series has: two chunks and a bit.
pub(super) const SAMPLES: i64 = 250;

/// One series, with the labels as given and values of its own.
pub(super) fn one(labels: &[(&str, &str)]) -> Series {
    let seed: u64 = labels.iter().flat_map(|(_, value)| value.bytes()).map(u64::from).sum();
    Series {
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        samples: (0..SAMPLES).map(|n| (n * STEP_MS, (n as f64).sin() + seed as f64)).collect(),
    }
}

/// `up` of some nodes, as the replica `replica` has it.
pub(super) fn nodes(replica: &str, count: usize) -> Vec<Series> {
    let mut series = merged(count);
    series.iter_mut().for_each(|one| one.labels.push(("replica".to_owned(), replica.to_owned())));
    series
}

/// The same without the replica label.
pub(super) fn merged(count: usize) -> Vec<Series> {
    (0..count).map(|n| one(&[("__name__", "up"), ("instance", &format!("node-{n:05}"))])).collect()
}

/// Everything called `up`.
pub(super) fn everything() -> Query {
    query(&[(MatcherType::Eq, "__name__", "up")])
}

/// What satisfies all matchers, whenever.
pub(super) fn query(matchers: &[(MatcherType, &str, &str)]) -> Query {
    let mut query = wire::query(MatcherType::Eq, "", "", 0, SAMPLES * STEP_MS);
    query.matchers =
        matchers.iter().map(|(kind, name, value)| LabelMatcher::new(*kind, *name, *value)).collect();
    query
}

/// Asks the gateway in one form.
pub(super) async fn ask(gateway: &Gateway, query: Query, form: ResponseType) -> Result<Reply, String> {
    wire::read(&gateway.read_url(), vec![query], &[form]).await
}

/// The label sets of an answer, as text.
pub(super) fn names(series: &[Series]) -> Vec<String> {
    let text = |series: &Series| {
        let pairs: Vec<String> =
            series.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(",")
    };
    series.iter().map(text).collect()
}

/// Whether the label sets rise, so that each is there once.
pub(super) fn strictly_sorted(series: &[Series]) -> bool {
    series.windows(2).all(|pair| pair[0].labels < pair[1].labels)
}
