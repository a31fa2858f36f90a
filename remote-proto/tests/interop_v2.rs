//! Remote write 2 with a real Prometheus: what is written is taken, counted, sent on by it, and taken once more; and it is
//! what is read again. Runs with `PROMHA_INTEROP=1`, which needs a Prometheus 3 by the name of `prometheus-3`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

mod common {
    pub(crate) mod http;
    pub(crate) mod owned;
    pub(crate) mod peers;
    pub(crate) mod port;
    pub(crate) mod server;
}

use std::collections::BTreeMap;
use std::net::TcpListener;

use prost::Message;

use common::http::{self, accept, answer};
use common::owned;
use common::peers::{again, is_wanted, now_ms, post, prometheus_3, sampled, streamed};
use promha_remote_proto::frame::ChunkEncoding;
use promha_remote_proto::histogram::{Count, HistogramView, ResetHint, Span};
use promha_remote_proto::negotiate::{self, Outcome, RetryPolicy, WriteVersion, Written, header};
use promha_remote_proto::prompb::{Exemplar, Histogram, Sample, v2};
use promha_remote_proto::series::{ExemplarView, MetadataView, MetricType};
use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
use promha_remote_proto::{Limits, body, xor};

const PATH: &str = "/api/v1/write";

/// What is known of a series when all its parts are put together.
#[derive(Debug, Clone, PartialEq, Default)]
struct Known {
    samples: Vec<Sample>,
    histograms: Vec<Histogram>,
    exemplars: Vec<Exemplar>,
    metadata: Option<(MetricType, String, String)>,
}

#[test]
fn what_is_written_is_taken_sent_on_and_read_again() {
    if !is_wanted() {
        return;
    }
    let sink = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let relay = prometheus_3(&format!(
        "remote_write: [{{ url: 'http://{}/', protobuf_message: io.prometheus.write.v2.Request, \
         send_exemplars: true, send_native_histograms: true, queue_config: {{ max_shards: 1 }} }}]",
        sink.local_addr().unwrap()
    ));
    let receiver = prometheus_3("");

    // A Prometheus sends on nothing that is older than its start.
    let start_ms = now_ms() + 1_000;
    let mut encoder = WriteEncoder::new(WriteVersion::V2);
    write_all(&mut encoder, start_ms);
    let message = encoder.finish();
    let mut decoder = WriteDecoder::new(Limits::default());
    let mut expected = BTreeMap::new();
    let view = decoder.decode(WriteVersion::V2, message).unwrap();
    view.series().for_each(|series| learn(&series, &mut expected));
    let all = Written {
        samples: view.sample_count() as u64,
        histograms: view.histogram_count() as u64,
        exemplars: view.exemplar_count() as u64,
    };
    assert_eq!((all.samples, all.histograms, all.exemplars), (5, 20, 1));
    drop(view);
    let answered = post(&relay, PATH, WriteVersion::V2, message);
    assert_eq!((outcome(&answered), written(&answered)), (Outcome::Done, Some(all)), "{}", answered.text());

    // What the relay sends on, with all that it has scraped itself.
    let (mut known, mut plain, mut own) = (BTreeMap::new(), Vec::new(), 0);
    while !expected.iter().all(|(name, series)| known.get(name).is_some_and(|k| is_whole(k, series)))
        || own < 100
    {
        assert!(now_ms() < start_ms + 120_000, "{known:?}");
        let (request, socket) = accept(&sink).unwrap();
        let content_encoding = request.header(header::CONTENT_ENCODING);
        let version =
            negotiate::write_version(request.header(header::CONTENT_TYPE), content_encoding).unwrap();
        assert_eq!(version, WriteVersion::V2);
        let encoding = negotiate::content_encoding(content_encoding).unwrap();
        let message = body::decompress(encoding, &request.body, &Limits::default(), &mut plain).unwrap();
        let view = decoder.decode(version, message).unwrap();
        let twin = owned::resolve(v2::Request::decode(message).unwrap()).unwrap();
        assert_eq!(format!("{:?}", owned::write_v2(&view)), format!("{twin:?}"));
        let counted = Written {
            samples: view.sample_count() as u64,
            histograms: view.histogram_count() as u64,
            exemplars: view.exemplar_count() as u64,
        };
        answer(socket, "204 No Content", &counted.headers()).unwrap();
        for series in view.series() {
            learn(&series, &mut known);
            own += usize::from(series.metadata().is_some_and(|metadata| !metadata.help.is_empty()));
        }

        let mut encoder = WriteEncoder::new(WriteVersion::V2);
        view.series().for_each(|series| encoder.series_view(&series));
        let answered = post(&receiver, PATH, WriteVersion::V2, encoder.finish());
        let result = (outcome(&answered), written(&answered));
        assert_eq!(result, (Outcome::Done, Some(counted)), "{}", answered.text());
    }
    for (name, series) in &expected {
        assert_eq!(known.get(name), Some(series), "{name}");
    }

    // Both are read again, streamed and sampled, and chunks are the same when they are encoded again.
    for server in [&relay, &receiver] {
        let answer = sampled(server.port, "made_.+");
        let mut read = BTreeMap::new();
        for series in &answer.results[0].timeseries {
            let known: &mut Known = read.entry(series.labels[0].value.clone()).or_default();
            known.samples.extend(&series.samples);
            known.histograms.extend(series.histograms.iter().map(comparable));
        }
        assert_eq!(read.len(), expected.len(), "{:?}", read.keys());
        for (name, series) in &expected {
            // This server leaves custom bounds out of samples.
            let without_bounds = |h: &Histogram| Histogram { custom_values: vec![], ..h.clone() };
            let histograms: Vec<_> = series.histograms.iter().map(without_bounds).collect();
            assert_eq!(
                (&read[name].samples, &read[name].histograms),
                (&series.samples, &histograms),
                "{name}"
            );
        }
        let mut chunks = 0;
        for (name, (encoding, data)) in streamed(server.port, "made_.+")
            .into_iter()
            .flat_map(|(name, chunks)| chunks.into_iter().map(move |chunk| (name.clone(), chunk)))
        {
            let histograms = match encoding {
                ChunkEncoding::Xor => {
                    let (mut timestamps_ms, mut values, mut again) = (Vec::new(), Vec::new(), Vec::new());
                    xor::decode(&data, &mut timestamps_ms, &mut values).unwrap();
                    xor::encode(&timestamps_ms, &values, &mut again).unwrap();
                    assert_eq!(again, data, "{name}");
                    assert_eq!(values.len(), expected[&name].samples.len());
                    Vec::new()
                }
                ChunkEncoding::Histogram => again::<u64>(&data),
                ChunkEncoding::FloatHistogram => again::<f64>(&data),
                other => panic!("{name}: {other:?}"),
            };
            let histograms: Vec<_> = histograms.iter().map(comparable).collect();
            assert_eq!(histograms, expected[&name].histograms, "{name}");
            chunks += 1;
        }
        assert_eq!(chunks, expected.len());
    }
}

#[test]
fn what_is_refused_is_counted() {
    if !is_wanted() {
        return;
    }
    let server = prometheus_3("");
    let t_ms = now_ms();
    let write = |all: &[(&str, f64)]| {
        let mut encoder = WriteEncoder::new(WriteVersion::V2);
        all.iter().for_each(|&(name, value)| encoder.series(&[("__name__", name)], [(t_ms, value)]));
        let answered = post(&server, PATH, WriteVersion::V2, encoder.finish());
        (answered.status(), outcome(&answered), written(&answered).map(|written| written.samples))
    };
    assert_eq!(write(&[("made_first", 1.0)]), (204, Outcome::Done, Some(1)));
    let again = [("made_second", 1.0), ("made_first", 2.0), ("made_third", 1.0)];
    assert_eq!(write(&again), (400, Outcome::GiveUp, Some(2)), "one sample of three is there already");

    // Version 1 is refused here (Prometheus 3.5 stores it all the same), and such an answer confirms nothing.
    let mut encoder = WriteEncoder::new(WriteVersion::V1);
    encoder.series(&[("__name__", "made_before")], [(t_ms, 1.0)]);
    let answered = post(&server, PATH, WriteVersion::V1, encoder.finish());
    assert_eq!((answered.status(), outcome(&answered), written(&answered)), (415, Outcome::GiveUp, None));
}

fn outcome(answer: &http::Message) -> Outcome {
    RetryPolicy::default().outcome(answer.status(), answer.header(header::RETRY_AFTER), 0)
}

fn written(answer: &http::Message) -> Option<Written> {
    Written::from_headers(|name| answer.header(name)).unwrap()
}

/// Five series: floats with an exemplar, and histograms of each kind.
fn write_all(encoder: &mut WriteEncoder, start_ms: i64) {
    let metadata =
        MetadataView { metric_type: MetricType::Counter, family: "", help: "Made.", unit: "bytes" };
    let at = |n: i64| start_ms + 1_000 * n;
    encoder.series_with(&[("__name__", "made_floats"), ("zone", "é")], |series| {
        (0..5).for_each(|n| series.sample(at(n), n as f64 / 3.0, start_ms - 1));
        let labels = [("trace_id", "7")];
        series.exemplar(&ExemplarView { labels: &labels, value: 0.5, t_ms: at(4) });
        series.metadata(&metadata);
    });
    let spans = [Span { offset: -1, length: 2 }, Span { offset: 3, length: 1 }];
    let two = [Span { offset: 0, length: 2 }];
    for (name, base) in [
        (
            "made_ints",
            HistogramView { count: Some(Count::Int(0)), zero_count: Some(Count::Int(1)), ..made() },
        ),
        (
            "made_floathists",
            HistogramView { count: Some(Count::Float(0.0)), zero_count: Some(Count::Float(0.5)), ..made() },
        ),
        (
            "made_customs",
            HistogramView {
                count: Some(Count::Int(0)),
                schema: -53,
                zero_threshold: 0.0,
                custom_values: &[0.25, 5.0, 1e9],
                ..made()
            },
        ),
        (
            "made_gauges",
            HistogramView {
                count: Some(Count::Int(0)),
                zero_count: Some(Count::Int(1)),
                reset_hint: ResetHint::Gauge,
                ..made()
            },
        ),
    ] {
        encoder.series_with(&[("__name__", name)], |series| {
            for n in 0..5 {
                // Buckets of 2 + n, 1 + n and, but for custom ones, once more 1 and as many negative ones.
                let (n_int, n_float) = (2 + n as u64, 2.0 + n as f64);
                let (ints, floats) = ([n + 2, -1, -n], [n_float, n_float - 1.0, 1.0]);
                let mut view = HistogramView { t_ms: at(n), sum: n_float * 1.5, ..base };
                match base.count {
                    Some(Count::Int(_)) if base.schema == -53 => {
                        (view.positive_spans, view.positive_deltas) = (&two, &ints[..2]);
                        view.count = Some(Count::Int(2 * n_int - 1));
                    }
                    Some(Count::Int(_)) => {
                        (view.positive_spans, view.positive_deltas) = (&spans, &ints);
                        (view.negative_spans, view.negative_deltas) = (&two, &ints[..2]);
                        view.count = Some(Count::Int(1 + 4 * n_int - 1));
                    }
                    _ => {
                        (view.positive_spans, view.positive_counts) = (&spans, &floats);
                        (view.negative_spans, view.negative_counts) = (&two, &floats[..2]);
                        view.count = Some(Count::Float(0.5 + 4.0 * n_float - 1.0));
                    }
                }
                series.histogram(&view);
            }
            series.metadata(&MetadataView { metric_type: MetricType::Histogram, ..metadata });
        });
    }
}

fn made() -> HistogramView<'static> {
    HistogramView { schema: 3, zero_threshold: 1e-128, ..HistogramView::default() }
}

/// Adds the parts of a series to what is known of it.
fn learn(series: &promha_remote_proto::series::SeriesView<'_>, known: &mut BTreeMap<String, Known>) {
    let name = series.labels().iter().find(|label| label.0 == "__name__").unwrap().1;
    if !name.starts_with("made_") {
        return;
    }
    let parts = owned::series(series);
    let known = known.entry(name.to_owned()).or_default();
    known.samples.extend(parts.samples);
    known.exemplars.extend(parts.exemplars);
    known.histograms.extend(parts.histograms.iter().map(comparable));
    if let Some(metadata) = series.metadata() {
        known.metadata = Some((metadata.metric_type, metadata.help.to_owned(), metadata.unit.to_owned()));
    }
}

/// Whether as much is known as there is.
fn is_whole(known: &Known, all: &Known) -> bool {
    (known.samples.len(), known.histograms.len()) >= (all.samples.len(), all.histograms.len())
        && known.exemplars.len() >= all.exemplars.len()
}

/// What of a histogram is the same wherever it is read: whether there was a counter reset before it is noticed on the way,
/// and custom buckets have no zero bucket, which some say and some leave out.
fn comparable(histogram: &Histogram) -> Histogram {
    let mut histogram = histogram.clone();
    histogram.reset_hint = 0;
    if histogram.schema == -53 {
        histogram.zero_count = None;
    }
    histogram
}
