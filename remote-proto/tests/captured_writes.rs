//! What real senders wrote is read, agrees with the owned messages, and is written again.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

mod common {
    pub(crate) mod owned;
}

use std::path::Path;

use prost::Message;

use common::owned;
use promha_remote_proto::labels::{self, Names};
use promha_remote_proto::negotiate::{Encoding, WriteVersion, Written};
use promha_remote_proto::prompb::{WriteRequest, v2};
use promha_remote_proto::series::SeriesView;
use promha_remote_proto::write::{WriteDecoder, WriteEncoder, WriteView};
use promha_remote_proto::{Limits, body};

#[test]
fn version_1_is_written_again_byte_for_byte() {
    for (name, samples, metadata) in
        [("prometheus-samples", 500, 0), ("prometheus-metadata", 0, 202), ("vmagent", 419, 0)]
    {
        let message = message(name);
        let mut decoder = WriteDecoder::default();
        let view = decoder.decode(WriteVersion::V1, &message).unwrap();
        assert_eq!((view.sample_count(), view.metadata().len()), (samples, metadata), "{name}");
        owned::assert_same(&owned::write_v1(&view), &WriteRequest::decode(&message[..]).unwrap());
        check_labels(name, view.series());

        let mut encoder = WriteEncoder::new(WriteVersion::V1);
        view.series().for_each(|series| encoder.series_view(&series));
        view.metadata().iter().for_each(|metadata| encoder.metadata(metadata));
        assert!(encoder.finish() == message, "{name}: other bytes");
    }
}

#[test]
fn version_2_is_written_again_with_the_same_content() {
    for (name, written) in [
        ("prometheus-3-scraped", Written { samples: 1983, histograms: 17, exemplars: 0 }),
        ("prometheus-3-made", Written { samples: 5, histograms: 20, exemplars: 1 }),
    ] {
        let message = message(name);
        let mut decoder = WriteDecoder::default();
        let view = decoder.decode(WriteVersion::V2, &message).unwrap();
        let counted = Written {
            samples: view.sample_count() as u64,
            histograms: view.histogram_count() as u64,
            exemplars: view.exemplar_count() as u64,
        };
        assert_eq!(counted, written, "{name}");
        let expected = owned::resolve(v2::Request::decode(&message[..]).unwrap()).unwrap();
        assert_same(&view, &expected);
        check_labels(name, view.series());
        assert!(view.series().all(|series| series.metadata().is_some()), "{name}");

        // Symbols come in another order than the sender had them.
        let mut encoder = WriteEncoder::new(WriteVersion::V2);
        view.series().for_each(|series| encoder.series_view(&series));
        let again = encoder.finish();
        let mut decoder = WriteDecoder::default();
        assert_same(&decoder.decode(WriteVersion::V2, again).unwrap(), &expected);
        println!("{name}: {} bytes, {} when written again", message.len(), again.len());
        assert!(again.len() <= message.len() + message.len() / 10);
    }
}

#[test]
fn the_histograms_are_of_every_kind() {
    let message = message("prometheus-3-made");
    let mut decoder = WriteDecoder::default();
    let view = decoder.decode(WriteVersion::V2, &message).unwrap();
    let histograms: Vec<_> = view.series().flat_map(|series| series.histograms()).collect();
    let (floats, customs): (Vec<_>, Vec<_>) = (
        histograms.iter().filter(|h| h.is_float()).collect(),
        histograms.iter().filter(|h| h.schema == -53).collect(),
    );
    assert_eq!((histograms.len(), floats.len(), customs.len()), (20, 5, 5));
    assert!(customs.iter().all(|histogram| histogram.custom_values == [0.25, 5.0, 1e9]));
    assert!(floats.iter().all(|histogram| histogram.positive_counts.len() == 3));
}

/// Floats compare by bits in this form.
#[track_caller]
fn assert_same(view: &WriteView<'_, '_>, expected: &[owned::ResolvedSeries]) {
    assert!(format!("{:?}", owned::write_v2(view)) == format!("{expected:?}"));
}

fn check_labels<'v>(name: &str, series: impl Iterator<Item = SeriesView<'v>>) {
    for series in series {
        assert_eq!(
            labels::check_written(series.labels(), Names::Legacy),
            Ok(()),
            "{name}: {:?}",
            series.labels()
        );
    }
}

fn message(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/write/{name}.body"));
    let mut plain = Vec::new();
    body::decompress(Encoding::Snappy, &std::fs::read(path).unwrap(), &Limits::default(), &mut plain)
        .unwrap();
    plain
}
