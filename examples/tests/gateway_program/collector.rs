//! An upstream that treats labels as a Prometheus does.

use promha_remote_proto::prompb::{LabelMatcher, Query, ReadRequest};
use regex::Regex;

use crate::harness::dataset::Series;
use crate::harness::fake::{Connection, Upstream, streamed};
use crate::harness::wire;

/// Series as stored, and the labels that the server adds when it is read by another.
#[derive(Clone, Debug)]
pub(super) struct Collector {
    series: Vec<Series>,
    external: Vec<(String, String)>,
    /// Sends samples whatever it is asked for.
    old: bool,
}

impl Collector {
    /// With these external labels.
    pub(super) fn new(mut series: Vec<Series>, external: &[(&str, &str)]) -> Self {
        series.iter_mut().for_each(|one| one.labels.sort_unstable());
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        let external =
            external.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { series, external, old: false }
    }

    /// The same, but too old to know of streams.
    pub(super) fn old(mut self) -> Self {
        self.old = true;
        self
    }

    /// On a port of its own.
    pub(super) fn start(self) -> Upstream {
        Upstream::start(move |request, connection| self.answer(request, connection))
    }

    /// Selects by its own labels and by equality with the external ones; sorts by its own labels; then adds the
    /// external ones to series that do not have them.
    fn select(&self, query: &Query) -> Vec<Series> {
        let is_external = |matcher: &&LabelMatcher| {
            let equals = |(name, value): &(String, String)| *name == matcher.name && *value == matcher.value;
            matcher.r#type == 0 && self.external.iter().any(equals)
        };
        let matchers: Vec<_> = query.matchers.iter().filter(|matcher| !is_external(matcher)).collect();
        let selected = self.series.iter().filter(|one| matchers.iter().all(|matcher| matches(matcher, one)));
        let add = |one: &Series| {
            let mut one = one.clone();
            for (name, value) in &self.external {
                if !one.labels.iter().any(|label| label.0 == *name) {
                    one.labels.push((name.clone(), value.clone()));
                }
            }
            one.labels.sort_unstable();
            one
        };
        selected.map(add).collect()
    }

    fn answer(&self, request: &ReadRequest, connection: &mut Connection) -> std::io::Result<()> {
        if self.old || !streamed(request) {
            let results: Vec<_> = request.queries.iter().map(|query| self.select(query)).collect();
            return connection.snappy(&wire::samples_body(&results));
        }
        connection.begin_stream()?;
        for (index, query) in request.queries.iter().enumerate() {
            for one in self.select(query) {
                connection.chunk(&wire::frames(index as i64, &one))?;
            }
        }
        connection.end_stream()
    }
}

fn matches(matcher: &LabelMatcher, series: &Series) -> bool {
    let value = series.labels.iter().find(|label| label.0 == matcher.name).map_or("", |label| &label.1);
    let regex = || Regex::new(&format!("^(?:{})$", matcher.value)).expect("a regex");
    match matcher.r#type {
        0 => value == matcher.value,
        1 => value != matcher.value,
        2 => regex().is_match(value),
        _ => !regex().is_match(value),
    }
}
