//! What is known about metric families, remembered between requests.
//!
//! Senders of write 1 say it once a minute and apart from the samples, senders of write 2 with each series: either
//! way a receiver that hands samples on has to remember it, or it is lost.
//!
//! ```
//! use promha_remote_proto::metadata::MetadataCache;
//! use promha_remote_proto::series::{MetadataView, MetricType};
//!
//! let mut cache = MetadataCache::new(10_000, 4 << 20);
//! let requests = MetadataView {
//!     metric_type: MetricType::Histogram, family: "http_seconds", help: "How long.", unit: "seconds",
//! };
//! assert!(cache.insert(&requests), "it is new");
//! assert!(!cache.insert(&requests), "it is the same");
//! assert_eq!(cache.family("http_seconds"), Some(requests));
//! assert_eq!(cache.of_series("http_seconds_bucket"), Some(requests));
//! assert_eq!(cache.of_series("http_seconds_total"), None);
//! ```
//!
//! A receiver gives it what both versions say, and finds it by the name of the series either way:
//!
//! ```
//! # use promha_remote_proto::metadata::MetadataCache;
//! # use promha_remote_proto::negotiate::WriteVersion::{V1, V2};
//! # use promha_remote_proto::series::{MetadataView, MetricType};
//! # use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
//! # let mut cache = MetadataCache::new(10_000, 4 << 20);
//! # let mut decoder = WriteDecoder::default();
//! # for version in [V1, V2] {
//! #     let errors = MetadataView { metric_type: MetricType::Counter, family: "errors", help: "Sad.", unit: "" };
//! #     let mut encoder = WriteEncoder::new(version);
//! #     encoder.series_with(&[("__name__", "errors_total")], |series| series.metadata(&errors));
//! #     encoder.metadata(&errors);
//! #     let message = encoder.finish();
//! let request = decoder.decode(version, message)?;
//! request.metadata().iter().for_each(|metadata| drop(cache.insert(metadata)));
//! request.series().for_each(|series| drop(cache.insert_of(&series)));
//! assert_eq!(cache.of_series("errors_total").unwrap().help, "Sad.");
//! #     drop(request);
//! #     cache = MetadataCache::new(10_000, 4 << 20);
//! # }
//! # Ok::<(), promha_remote_proto::DecodeError>(())
//! ```

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::labels::METRIC_NAME;
use crate::series::{MetadataView, MetricType, SeriesView};

/// Type, help and unit by metric family. It holds a limited number of families and of bytes; when it is full, what
/// was changed longest ago goes.
#[derive(Debug, Clone)]
pub struct MetadataCache {
    max_families: usize,
    max_bytes: usize,
    bytes: usize,
    families: HashMap<Arc<str>, Entry>,
    /// Families by the time of their last change, the oldest first, with the number of that change; older entries
    /// of the same family are passed over.
    order: VecDeque<(Arc<str>, u64)>,
    changes: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    metric_type: MetricType,
    help: Box<str>,
    unit: Box<str>,
    change: u64,
}

/// Suffixes of the series of a family, and the types that have them.
const SUFFIXES: [(&str, &[MetricType]); 6] = [
    ("_bucket", &[MetricType::Histogram, MetricType::GaugeHistogram]),
    ("_sum", &[MetricType::Histogram, MetricType::Summary]),
    ("_count", &[MetricType::Histogram, MetricType::Summary]),
    ("_total", &[MetricType::Counter]),
    ("_info", &[MetricType::Info]),
    ("_created", &[MetricType::Counter, MetricType::Histogram, MetricType::Summary]),
];

impl MetadataCache {
    /// A cache of at most so many families, whose names, helps and units have at most so many bytes together.
    pub fn new(max_families: usize, max_bytes: usize) -> Self {
        Self {
            max_families,
            max_bytes,
            bytes: 0,
            families: HashMap::new(),
            order: VecDeque::new(),
            changes: 0,
        }
    }

    /// Remembers what is known about a family, and tells whether that is news. Takes constant time on average, and
    /// no memory if it is the same as before.
    ///
    /// What alone is larger than the cache is not remembered.
    pub fn insert(&mut self, metadata: &MetadataView<'_>) -> bool {
        if self.family(metadata.family).is_some_and(|known| known == *metadata) {
            return false;
        }
        let added_bytes = metadata.family.len() + metadata.help.len() + metadata.unit.len();
        if self.max_families == 0 || added_bytes > self.max_bytes {
            return false;
        }
        self.remove(metadata.family);
        while self.families.len() >= self.max_families || self.bytes + added_bytes > self.max_bytes {
            self.evict();
        }
        self.changes += 1;
        let (family, change): (Arc<str>, u64) = (metadata.family.into(), self.changes);
        self.bytes += added_bytes;
        self.order.push_back((Arc::clone(&family), change));
        let (help, unit) = (metadata.help.into(), metadata.unit.into());
        self.families.insert(family, Entry { metric_type: metadata.metric_type, help, unit, change });
        self.compact();
        true
    }

    /// Remembers what a series says about its family, and tells whether that is news. Series of write 2 do, without the
    /// name of the family: it is that of the metric, without the suffix that the type gives to its series.
    ///
    /// Senders that know nothing about a family say so with each series; that changes nothing here.
    pub fn insert_of(&mut self, series: &SeriesView<'_>) -> bool {
        let Some(metadata) = series.metadata().filter(|metadata| *metadata != MetadataView::default()) else {
            return false;
        };
        let Some((_, name)) = series.labels().iter().find(|label| label.0 == METRIC_NAME) else {
            return false;
        };
        let with_suffix = SUFFIXES.iter().find_map(|(suffix, types)| {
            types.contains(&metadata.metric_type).then(|| name.strip_suffix(suffix)).flatten()
        });
        self.insert(&MetadataView { family: with_suffix.unwrap_or(name), ..metadata })
    }

    /// What is known about a family. Takes constant time on average.
    pub fn family(&self, family: &str) -> Option<MetadataView<'_>> {
        let (family, entry) = self.families.get_key_value(family)?;
        Some(MetadataView { metric_type: entry.metric_type, family, help: &entry.help, unit: &entry.unit })
    }

    /// What is known about the family that series of this name belong to: the family of the same name, or one
    /// without a suffix that its type gives to its series. Takes constant time on average.
    pub fn of_series(&self, name: &str) -> Option<MetadataView<'_>> {
        let by_suffix = || {
            SUFFIXES.iter().find_map(|(suffix, types)| {
                let found = self.family(name.strip_suffix(suffix)?)?;
                types.contains(&found.metric_type).then_some(found)
            })
        };
        self.family(name).or_else(by_suffix)
    }

    /// How many families there are.
    pub fn len(&self) -> usize {
        self.families.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.families.is_empty()
    }

    fn remove(&mut self, family: &str) {
        if let Some((family, entry)) = self.families.remove_entry(family) {
            self.bytes -= family.len() + entry.help.len() + entry.unit.len();
        }
    }

    fn evict(&mut self) {
        let Some((family, change)) = self.order.pop_front() else {
            return;
        };
        if self.is_current(&family, change) {
            self.remove(&family);
        }
    }

    /// Keeps the order from growing when the same few families change again and again.
    fn compact(&mut self) {
        if self.order.len() > 2 * self.families.len() + 16 {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(family, change)| self.is_current(family, *change));
            self.order = order;
        }
    }

    fn is_current(&self, family: &str, change: u64) -> bool {
        self.families.get(family).is_some_and(|entry| entry.change == change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view<'v>(family: &'v str, help: &'v str) -> MetadataView<'v> {
        MetadataView { metric_type: MetricType::Gauge, family, help, unit: "" }
    }

    #[test]
    fn what_was_changed_longest_ago_goes_first() {
        let mut cache = MetadataCache::new(3, 1_000);
        for family in ["a", "b", "c"] {
            assert!(cache.insert(&view(family, "first")));
        }
        assert!(cache.insert(&view("a", "second")), "changed");
        assert!(!cache.insert(&view("b", "first")), "not changed, and so not younger");
        assert!(cache.insert(&view("d", "first")));
        assert_eq!(cache.len(), 3);
        assert_eq!(cache.family("b"), None);
        assert_eq!(cache.family("a"), Some(view("a", "second")));
    }

    #[test]
    fn series_of_write_2_name_their_family() {
        use crate::negotiate::WriteVersion::V2;
        let series = |name: &str, metadata: Option<MetadataView<'_>>, cache: &mut MetadataCache| {
            let mut encoder = crate::write::WriteEncoder::new(V2);
            let labels = [(METRIC_NAME, name)];
            encoder.series_with(if name.is_empty() { &[] } else { &labels }, |series| {
                metadata.iter().for_each(|metadata| series.metadata(metadata));
            });
            let mut decoder = crate::write::WriteDecoder::default();
            let view = decoder.decode(V2, encoder.finish()).unwrap();
            view.series().map(|series| cache.insert_of(&series)).next().unwrap()
        };
        let mut cache = MetadataCache::new(10, 1_000);
        let histogram = MetadataView { metric_type: MetricType::Histogram, ..view("", "Help.") };
        assert!(series("h_bucket", Some(histogram), &mut cache));
        assert!(!series("h_sum", Some(histogram), &mut cache), "known already");
        assert!(!series("h_count", Some(MetadataView::default()), &mut cache), "nothing is said");
        assert!(!series("h_count", None, &mut cache));
        assert!(!series("", Some(histogram), &mut cache), "nobody knows of what");
        assert_eq!(cache.family("h"), Some(MetadataView { family: "h", ..histogram }));
        assert!(series("g_sum", Some(view("", "")), &mut cache));
        assert_eq!(cache.family("g_sum"), Some(view("g_sum", "")), "a gauge has no suffix");
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn bytes_are_limited_too() {
        let mut cache = MetadataCache::new(1_000, 100);
        let help = "x".repeat(39);
        for family in ["a", "b", "c", "d"] {
            assert!(cache.insert(&view(family, &help)));
            assert!(cache.len() <= 2);
        }
        assert!(cache.family("d").is_some() && cache.family("c").is_some());
        assert!(!cache.insert(&view("e", &"x".repeat(100))), "larger than the cache");
        assert_eq!(cache.len(), 2);
        assert!(!MetadataCache::new(0, 100).insert(&view("a", "")));
    }

    #[test]
    fn changes_take_no_memory_for_ever() {
        let mut cache = MetadataCache::new(10, 1_000);
        for n in 0..10_000 {
            assert!(cache.insert(&view("a", ["one", "two"][n % 2])));
            assert!(cache.order.len() < 30 && cache.bytes == 4);
        }
    }

    #[test]
    fn series_are_found_by_the_suffixes_of_their_type() {
        let mut cache = MetadataCache::new(10, 1_000);
        for (family, metric_type) in [
            ("c", MetricType::Counter),
            ("h", MetricType::Histogram),
            ("s", MetricType::Summary),
            ("g", MetricType::Gauge),
            ("g_total", MetricType::Gauge),
        ] {
            cache.insert(&MetadataView { metric_type, ..view(family, "") });
        }
        for (name, family) in [
            ("c_total", Some("c")),
            ("c", Some("c")),
            ("h_bucket", Some("h")),
            ("h_sum", Some("h")),
            ("s_count", Some("s")),
            ("h_created", Some("h")),
            ("s_bucket", None),
            ("g_total", Some("g_total")),
            ("g_sum", None),
            ("_total", None),
            ("é_total", None),
        ] {
            assert_eq!(cache.of_series(name).map(|found| found.family), family, "{name}");
        }
    }
}
