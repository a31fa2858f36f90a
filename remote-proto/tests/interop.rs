//! Real senders and receivers: what they send is read and, written again, taken. Runs with `PROMHA_INTEROP=1`, which
//! needs the programs `prometheus`, `vmagent`, `victoria-metrics` and `influxd`.

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
use std::path::Path;

use prost::Message;

use common::http::{accept, answer};
use common::owned;
use common::peers::{
    again, influx, is_wanted, now_ms, prometheus, sampled, streamed, victoria_metrics, vmagent, write,
};
use promha_remote_proto::frame::ChunkEncoding;
use promha_remote_proto::histogram::HistogramView;
use promha_remote_proto::negotiate::{self, WriteVersion, header};
use promha_remote_proto::prompb::{self, ReadResponse, WriteRequest};
use promha_remote_proto::read::AnswerEncoder;
use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
use promha_remote_proto::{Limits, body, snappy, xor};

#[test]
fn what_real_senders_write_is_taken_by_real_receivers() {
    if !is_wanted() {
        return;
    }
    let sink = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let sink_port = sink.local_addr().unwrap().port();
    let scraped = prometheus(&format!(
        "remote_write: [{{ url: 'http://127.0.0.1:{sink_port}/prometheus', metadata_config: {{ send_interval: 5s }} }}]"
    ));
    let _agent = vmagent("vmagent", scraped.port, &format!("http://127.0.0.1:{sink_port}/vmagent"), &[]);
    let receivers = [
        (prometheus(""), "/api/v1/write"),
        (victoria_metrics("victoria-metrics"), "/api/v1/write"),
        (influx(), "/api/v1/prom/write?db=promha"),
    ];

    let mut seen: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let is_enough = |seen: &BTreeMap<String, [usize; 3]>| {
        ["/prometheus", "/vmagent"]
            .iter()
            .all(|path| seen.get(*path).is_some_and(|[bodies, ..]| *bodies >= 3))
            && seen["/prometheus"][2] > 0
    };
    let (mut decoder, mut plain) = (WriteDecoder::new(Limits::default()), Vec::new());
    while !is_enough(&seen) {
        let (request, socket) = accept(&sink).unwrap();
        answer(socket, "204 No Content", &[]).unwrap();
        let path = request.first_line.split(' ').nth(1).unwrap().to_owned();
        let content_encoding = request.header(header::CONTENT_ENCODING);
        let version =
            negotiate::write_version(request.header(header::CONTENT_TYPE), content_encoding).unwrap();
        let encoding = negotiate::content_encoding(content_encoding).unwrap();
        let message = body::decompress(encoding, &request.body, &Limits::default(), &mut plain).unwrap();
        let view = decoder.decode(version, message).unwrap();
        let expected = WriteRequest::decode(message).unwrap();
        assert_eq!(owned::write_v1(&view).encode_to_vec(), expected.encode_to_vec());
        let [bodies, samples, metadata] = seen.entry(path).or_default();
        (*bodies, *samples, *metadata) =
            (*bodies + 1, *samples + view.sample_count(), *metadata + view.metadata().len());

        let mut encoder = WriteEncoder::new(WriteVersion::V1);
        view.series().for_each(|series| encoder.series_view(&series));
        view.metadata().iter().for_each(|metadata| encoder.metadata(metadata));
        let again = encoder.finish();
        receivers.iter().for_each(|(receiver, path)| write(receiver, path, again));
    }
    println!("{seen:?}");
    assert!(seen.values().all(|[_, samples, _]| *samples > 300), "{seen:?}");
}

#[test]
fn real_answers_are_read_and_written_again() {
    if !is_wanted() {
        return;
    }
    let mut server = prometheus("");
    let written = shifted_histograms();
    let mut encoder = WriteEncoder::new(WriteVersion::V1);
    for series in &written.timeseries {
        let name = series.labels[0].value.as_str();
        encoder.series_with(&[("__name__", name)], |writer| {
            for histogram in &series.histograms {
                HistogramView::with_message(histogram, |view| writer.histogram(view));
            }
        });
    }
    write(&server, "/api/v1/write", encoder.finish());
    let port = server.port;
    server.wait_until("done with a few scrapes", || {
        let up = sampled(port, "up");
        up.results[0].timeseries.first().is_some_and(|series| series.samples.len() > 3)
    });

    // Histograms, streamed: as they were written, and bit for bit the same when encoded again.
    let mut read: BTreeMap<String, Vec<prompb::Histogram>> = BTreeMap::new();
    let mut answer = AnswerEncoder::new();
    for (name, chunks) in streamed(port, "h_.+") {
        for (encoding, data) in chunks {
            let histograms = match encoding {
                ChunkEncoding::Histogram => again::<u64>(&data),
                ChunkEncoding::FloatHistogram => again::<f64>(&data),
                other => panic!("{name}: {other:?}"),
            };
            read.entry(name.clone()).or_default().extend(histograms);
        }
        answer.series_with(&[("__name__", &name)], |writer| {
            for histogram in &read[&name] {
                HistogramView::with_message(histogram, |view| writer.histogram(view));
            }
        });
    }
    assert_eq!(read.len(), written.timeseries.len());
    for series in &written.timeseries {
        let found = &read[&series.labels[0].value];
        assert_eq!(found.len(), series.histograms.len(), "{:?}", series.labels);
        for (found, expected) in found.iter().zip(&series.histograms) {
            let numbers =
                |h: &prompb::Histogram| (h.timestamp, h.sum.to_bits(), h.count, h.zero_count, h.schema);
            assert_eq!(numbers(found), numbers(expected), "{:?}", series.labels);
        }
    }
    // As an answer with samples, which this server does not give for histograms.
    let response = ReadResponse::decode(answer.finish()).unwrap();
    assert_eq!(response.results[0].timeseries.len(), read.len());

    // Floats, streamed and sampled: the same.
    let sampled = sampled(port, "up|scrape_duration_seconds");
    let mut floats = 0;
    let streamed: BTreeMap<_, _> = streamed(port, "up|scrape_duration_seconds").into_iter().collect();
    for series in &sampled.results[0].timeseries {
        let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
        for (_, data) in &streamed[&series.labels[0].value] {
            xor::decode(data, &mut timestamps_ms, &mut values).unwrap();
        }
        // The later of the two answers may have more.
        for (n, sample) in series.samples.iter().enumerate() {
            assert_eq!((sample.timestamp, sample.value.to_bits()), (timestamps_ms[n], values[n].to_bits()));
            floats += 1;
        }
    }
    assert!(floats > 6, "{floats} samples");
}

/// Some of the histograms of the test data, as if they had just been observed: a fresh server takes nothing that is
/// much older than what it has.
fn shifted_histograms() -> WriteRequest {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/histogram/made.written");
    let mut plain = Vec::new();
    let block = std::fs::read(path).unwrap();
    let message = snappy::decompress(&block, snappy::DEFAULT_LIMIT_BYTES, &mut plain).unwrap();
    let mut request = WriteRequest::decode(message).unwrap();
    let wanted = ["h_growing", "h_float_growing", "h_steady", "h_resets", "h_negative", "h_pair"];
    request.timeseries.retain(|series| wanted.contains(&series.labels[0].value.as_str()));
    for series in &mut request.timeseries {
        series.histograms.truncate(100);
        for (histogram, n) in series.histograms.iter_mut().zip(0..) {
            histogram.timestamp = now_ms() - 100_000 + 1_000 * n;
        }
    }
    request
}
