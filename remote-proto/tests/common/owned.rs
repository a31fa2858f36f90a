//! What views show, as owned messages.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use promha_remote_proto::prompb::{
    Exemplar, Label, LabelMatcher, MetricMetadata, Query, QueryResult, ReadHints, ReadRequest, ReadResponse,
    Sample, TimeSeries, WriteRequest, v2,
};
use promha_remote_proto::read::{AnswerView, RequestView};
use promha_remote_proto::series::{ExemplarView, MetadataView, SeriesView};
use promha_remote_proto::write::WriteView;

/// Compares two messages to the bit: in one form NaNs keep their payload, in the other zeros keep their sign.
#[track_caller]
pub fn assert_same<M: prost::Message + std::fmt::Debug>(a: &M, b: &M) {
    assert_eq!(a.encode_to_vec(), b.encode_to_vec());
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
}

pub fn write_v1(view: &WriteView<'_, '_>) -> WriteRequest {
    WriteRequest {
        timeseries: view.series().map(|view| series(&view)).collect(),
        metadata: view.metadata().iter().map(metadata).collect(),
    }
}

pub fn answer(view: &AnswerView<'_, '_>) -> ReadResponse {
    let result = |result: promha_remote_proto::read::ResultView<'_>| QueryResult {
        timeseries: result.series().map(|view| series(&view)).collect(),
    };
    ReadResponse { results: view.results().map(result).collect() }
}

pub fn series(view: &SeriesView<'_>) -> TimeSeries {
    TimeSeries {
        labels: labels(view.labels()),
        samples: view.samples().iter().map(|&(timestamp, value)| Sample { value, timestamp }).collect(),
        exemplars: view.exemplars().map(|view| exemplar(&view)).collect(),
        histograms: view.histograms().map(|view| view.to_message()).collect(),
    }
}

pub fn labels(labels: &[(&str, &str)]) -> Vec<Label> {
    labels.iter().map(|&(name, value)| Label::new(name, value)).collect()
}

fn exemplar(view: &ExemplarView<'_>) -> Exemplar {
    Exemplar { labels: labels(view.labels), value: view.value, timestamp: view.t_ms }
}

fn metadata(view: &MetadataView<'_>) -> MetricMetadata {
    MetricMetadata {
        r#type: view.metric_type.to_wire(),
        metric_family_name: view.family.into(),
        help: view.help.into(),
        unit: view.unit.into(),
    }
}

/// A series of write 2 with its strings in place of references.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedSeries {
    pub series: TimeSeries,
    pub starts_ms: Vec<i64>,
    /// Type, help and unit.
    pub metadata: Option<(i32, String, String)>,
}

pub fn write_v2(view: &WriteView<'_, '_>) -> Vec<ResolvedSeries> {
    let resolved = |view: SeriesView<'_>| {
        let starts_ms = match view.sample_starts_ms() {
            [] => vec![0; view.samples().len()],
            starts_ms => starts_ms.to_vec(),
        };
        let metadata =
            view.metadata().map(|view| (view.metric_type.to_wire(), view.help.into(), view.unit.into()));
        ResolvedSeries { series: series(&view), starts_ms, metadata }
    };
    view.series().map(resolved).collect()
}

/// The same from the owned message; `None` if its references are not right.
pub fn resolve(request: v2::Request) -> Option<Vec<ResolvedSeries>> {
    let symbols = request.symbols;
    let symbol = |reference: u32| match symbols.get(reference as usize) {
        None if reference == 0 => Some(String::new()),
        symbol => symbol.cloned(),
    };
    let labels = |references: &[u32]| -> Option<Vec<Label>> {
        let pairs = references.chunks(2).map(|pair| match *pair {
            [name, value] => {
                Some(Label::new(symbols.get(name as usize)?.as_str(), symbols.get(value as usize)?.as_str()))
            }
            _ => None,
        });
        pairs.collect()
    };
    let resolved = |series: v2::TimeSeries| {
        let exemplar = |exemplar: &v2::Exemplar| {
            let labels = labels(&exemplar.labels_refs)?;
            Some(Exemplar { labels, value: exemplar.value, timestamp: exemplar.timestamp })
        };
        let metadata = match series.metadata {
            Some(m) => Some((m.r#type, symbol(m.help_ref)?, symbol(m.unit_ref)?)),
            None => None,
        };
        let samples = series.samples.iter();
        Some(ResolvedSeries {
            starts_ms: samples.clone().map(|sample| sample.start_timestamp).collect(),
            series: TimeSeries {
                labels: labels(&series.labels_refs)?,
                samples: samples.map(|s| Sample { value: s.value, timestamp: s.timestamp }).collect(),
                exemplars: series.exemplars.iter().map(exemplar).collect::<Option<_>>()?,
                histograms: series.histograms,
            },
            metadata,
        })
    };
    request.timeseries.into_iter().map(resolved).collect()
}

pub fn request(view: &RequestView<'_, '_>) -> ReadRequest {
    let query = |query: promha_remote_proto::read::QueryView<'_>| Query {
        start_timestamp_ms: query.start_ms,
        end_timestamp_ms: query.end_ms,
        matchers: query
            .matchers
            .iter()
            .map(|m| LabelMatcher { r#type: m.op.to_wire(), name: m.name.into(), value: m.value.into() })
            .collect(),
        hints: query.hints.map(|hints| ReadHints {
            step_ms: hints.step_ms,
            func: hints.func.into(),
            start_ms: hints.start_ms,
            end_ms: hints.end_ms,
            grouping: hints.grouping.iter().map(|&name| name.into()).collect(),
            by: hints.by,
            range_ms: hints.range_ms,
        }),
    };
    ReadRequest {
        queries: view.queries().map(query).collect(),
        accepted_response_types: view.accepted_response_types().to_vec(),
    }
}
