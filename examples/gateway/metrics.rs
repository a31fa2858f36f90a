//! What the gateway counts. Names are relative: the registry adds `promha_gateway_`.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use promha_remote_proto::prompb::ResponseType;

use promha_merge::Counts;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct UpstreamLabels {
    group: String,
    upstream: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    group: String,
    upstream: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct GroupLabel {
    group: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TypeLabel {
    response_type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HandlingLabel {
    handling: &'static str,
}

/// All of the gateway's counters. Clones count into the same ones.
#[derive(Clone, Debug)]
pub struct Metrics {
    upstream_requests: Family<OutcomeLabels, Counter>,
    upstream_durations: Family<UpstreamLabels, Histogram, fn() -> Histogram>,
    upstream_bytes: Family<UpstreamLabels, Counter>,
    degraded_reads: Family<UpstreamLabels, Counter>,
    partial_reads: Family<GroupLabel, Counter>,
    failed_reads: Family<GroupLabel, Counter>,
    queries: Family<TypeLabel, Counter>,
    chunks: Family<HandlingLabel, Counter>,
    /// Series that left the gateway.
    pub series: Counter,
    /// Reads under way.
    pub reads_in_flight: Gauge,
}

impl Metrics {
    /// Registers everything in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let durations: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 9));
        let metrics = Self {
            upstream_requests: Family::default(),
            upstream_durations: Family::new_with_constructor(durations),
            upstream_bytes: Family::default(),
            degraded_reads: Family::default(),
            partial_reads: Family::default(),
            failed_reads: Family::default(),
            queries: Family::default(),
            chunks: Family::default(),
            series: Counter::default(),
            reads_in_flight: Gauge::default(),
        };
        registry.register(
            "upstream_requests",
            "Reads of an upstream by how they ended",
            metrics.upstream_requests.clone(),
        );
        registry.register_with_unit(
            "upstream_request_duration",
            "From the request to the end of the upstream's answer",
            Unit::Seconds,
            metrics.upstream_durations.clone(),
        );
        registry.register("upstream_received_bytes", "Bytes of answers", metrics.upstream_bytes.clone());
        registry.register(
            "degraded_reads",
            "Reads that went on without this upstream, because others of its group answered",
            metrics.degraded_reads.clone(),
        );
        registry.register(
            "partial_reads",
            "Reads answered without this group",
            metrics.partial_reads.clone(),
        );
        registry.register(
            "failed_reads",
            "Reads that failed because this group did",
            metrics.failed_reads.clone(),
        );
        registry.register("queries", "Queries by the type of the answer", metrics.queries.clone());
        registry.register(
            "chunks",
            "Chunks of upstreams: passed on as bytes, collapsed into an identical one, dropped because another replica lacks nothing in their span; and how many were decoded to know",
            metrics.chunks.clone(),
        );
        registry.register("series", "Series that were sent", metrics.series.clone());
        registry.register("reads_in_flight", "Reads under way", metrics.reads_in_flight.clone());
        metrics
    }

    /// The counters of one upstream; they exist, at zero, from now on.
    pub fn upstream(&self, group: &str, upstream: &str) -> UpstreamMetrics {
        let labels = UpstreamLabels { group: group.to_owned(), upstream: upstream.to_owned() };
        drop(self.degraded_reads.get_or_create(&labels));
        for family in [&self.partial_reads, &self.failed_reads] {
            drop(family.get_or_create(&GroupLabel { group: group.to_owned() }));
        }
        let ours = UpstreamMetrics {
            bytes: self.upstream_bytes.get_or_create_owned(&labels),
            durations: self.upstream_durations.get_or_create_owned(&labels),
            requests: self.upstream_requests.clone(),
            labels,
        };
        drop(ours.requests.get_or_create(&ours.outcome("ok")));
        ours
    }

    /// A read goes on without this upstream.
    pub fn degraded(&self, group: &str, upstream: &str) {
        let labels = UpstreamLabels { group: group.to_owned(), upstream: upstream.to_owned() };
        self.degraded_reads.get_or_create(&labels).inc();
    }

    /// A read is answered without this group.
    pub fn partial(&self, group: &str) {
        self.partial_reads.get_or_create(&GroupLabel { group: group.to_owned() }).inc();
    }

    /// A read fails because of this group.
    pub fn failed(&self, group: &str) {
        self.failed_reads.get_or_create(&GroupLabel { group: group.to_owned() }).inc();
    }

    /// Queries are answered in this type.
    pub fn queries(&self, response_type: ResponseType, queries: usize) {
        let response_type = match response_type {
            ResponseType::Samples => "samples",
            ResponseType::StreamedXorChunks => "streamed",
        };
        self.queries.get_or_create(&TypeLabel { response_type }).inc_by(queries as u64);
    }

    /// Adds what became of a series' chunks: what has been counted now, and what had been before it.
    pub fn merged(&self, now: Counts, before: Counts) {
        self.series.inc();
        for (handling, count) in [
            ("passed", now.passed - before.passed),
            ("collapsed", now.collapsed - before.collapsed),
            ("dropped", now.dropped - before.dropped),
            ("decoded", now.decoded - before.decoded),
        ] {
            self.chunks.get_or_create(&HandlingLabel { handling }).inc_by(count);
        }
    }
}

/// The counters of one upstream.
#[derive(Clone, Debug)]
pub struct UpstreamMetrics {
    labels: UpstreamLabels,
    bytes: Counter,
    durations: Histogram,
    requests: Family<OutcomeLabels, Counter>,
}

impl UpstreamMetrics {
    /// Bytes of an answer have arrived.
    pub fn received(&self, bytes: usize) {
        self.bytes.inc_by(bytes as u64);
    }

    /// A read has ended.
    pub fn ended(&self, outcome: &'static str, took: Duration) {
        self.requests.get_or_create(&self.outcome(outcome)).inc();
        self.durations.observe(took.as_secs_f64());
    }

    fn outcome(&self, outcome: &'static str) -> OutcomeLabels {
        let UpstreamLabels { group, upstream } = self.labels.clone();
        OutcomeLabels { group, upstream, outcome }
    }
}
