//! What takes the room.

use std::cmp::Reverse;

use super::SeriesIndex;

/// What an index holds, and what most of it is: as Prometheus tells under `/api/v1/status/tsdb`.
///
/// The lists have the largest first, and among equals are sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics<'a> {
    /// How many series there are.
    pub series: usize,
    /// How many pairs of a label and a value there are.
    pub label_pairs: usize,
    /// Series by metric name.
    pub series_by_metric_name: Vec<(&'a str, usize)>,
    /// Different values by label name.
    pub values_by_label_name: Vec<(&'a str, usize)>,
    /// Bytes of the different values by label name.
    pub value_bytes_by_label_name: Vec<(&'a str, usize)>,
    /// Series by label name and value.
    pub series_by_label_pair: Vec<((&'a str, &'a str), usize)>,
}

impl SeriesIndex {
    /// The statistics of the index, with at most `limit` entries in each list. Linear in the number of different values.
    ///
    /// ```
    /// # use promha_federate::SeriesIndex;
    /// let mut index = SeriesIndex::new();
    /// index.insert(&[("__name__", "up"), ("job", "node")])?;
    /// index.insert(&[("__name__", "up"), ("job", "api")])?;
    /// let statistics = index.statistics(1);
    /// assert_eq!((statistics.series, statistics.label_pairs), (2, 3));
    /// assert_eq!(statistics.series_by_metric_name, [("up", 2)]);
    /// assert_eq!(statistics.values_by_label_name, [("job", 2)]);
    /// assert_eq!(statistics.series_by_label_pair, [(("__name__", "up"), 2)]);
    /// # Ok::<(), promha_federate::index::InsertError>(())
    /// ```
    pub fn statistics(&self, limit: usize) -> Statistics<'_> {
        let labels = || self.labels.iter().filter(|label| label.distinct() > 0);
        let values = labels().map(|label| (label.name(), label.distinct()));
        let bytes =
            labels().map(|label| (label.name(), label.with_prefix("").map(|(_, text)| text.len()).sum()));
        let pairs = || {
            labels().flat_map(|label| {
                label.with_prefix("").map(|(value, text)| ((label.name(), text), label.series(value).len()))
            })
        };
        let metrics = pairs().filter(|((name, _), _)| *name == "__name__");
        Statistics {
            series: self.len(),
            label_pairs: labels().map(|label| label.distinct()).sum(),
            series_by_metric_name: largest(metrics.map(|((_, metric), series)| (metric, series)), limit),
            values_by_label_name: largest(values, limit),
            value_bytes_by_label_name: largest(bytes, limit),
            series_by_label_pair: largest(pairs(), limit),
        }
    }
}

fn largest<T: Ord + Copy>(all: impl Iterator<Item = (T, usize)>, limit: usize) -> Vec<(T, usize)> {
    let rank = |&(name, count): &(T, usize)| (Reverse(count), name);
    let mut kept: Vec<(T, usize)> = Vec::new();
    for entry in all {
        kept.push(entry);
        // The best of twice as many, so that nothing is sorted that will not be shown.
        if kept.len() >= limit.saturating_mul(2).max(64) && kept.len() > limit {
            kept.select_nth_unstable_by_key(limit, rank);
            kept.truncate(limit);
        }
    }
    kept.sort_unstable_by_key(rank);
    kept.truncate(limit);
    kept
}
