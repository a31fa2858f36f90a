//! What a real Prometheus sent is read, agrees with itself, and is written again byte for byte.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message;

use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameReader, FrameWriter};
use promha_remote_proto::prompb::{MatcherType, ReadRequest, ReadResponse, ResponseType};
use promha_remote_proto::{negotiate, snappy, xor};

const CAPTURES: [&str; 2] = ["live", "made"];

/// A chunk that owns its data: what the frames of a capture hold.
#[derive(Debug, Clone, PartialEq)]
struct OwnedChunk {
    min_ms: i64,
    max_ms: i64,
    data: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
struct OwnedFrame {
    query_index: i64,
    labels: Vec<(String, String)>,
    chunks: Vec<OwnedChunk>,
}

impl OwnedFrame {
    fn write(&self, writer: &mut FrameWriter, into: &mut Vec<u8>) {
        let labels: Vec<_> =
            self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let chunks = self.chunks.iter().map(|chunk| ChunkView {
            min_ms: chunk.min_ms,
            max_ms: chunk.max_ms,
            encoding: ChunkEncoding::Xor,
            data: &chunk.data,
        });
        writer.write(self.query_index, &labels, chunks, into);
    }
}

/// Query and labels of a series, and its samples with the values as bits.
type Samples = BTreeMap<(usize, Vec<(String, String)>), Vec<(i64, u64)>>;

#[test]
fn every_chunk_is_written_again_bit_for_bit() {
    for capture in CAPTURES {
        let mut chunks = 0;
        for chunk in frames(capture).into_iter().flat_map(|frame| frame.chunks) {
            let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
            xor::decode(&chunk.data, &mut timestamps_ms, &mut values).unwrap();
            assert_eq!(usize::from(xor::sample_count(&chunk.data).unwrap()), values.len());
            assert_eq!(timestamps_ms.first(), Some(&chunk.min_ms));
            assert_eq!(timestamps_ms.last(), Some(&chunk.max_ms));

            let mut again = Vec::new();
            xor::encode(&timestamps_ms, &values, &mut again).unwrap();
            assert_eq!(again, chunk.data, "{capture}: the chunk at {} ms", chunk.min_ms);
            chunks += 1;
        }
        assert!(chunks > 20, "{capture}: {chunks} chunks");
    }
}

#[test]
fn frames_are_written_again_byte_for_byte() {
    for capture in CAPTURES {
        let (mut writer, mut again) = (FrameWriter::default(), Vec::new());
        frames(capture).iter().for_each(|frame| frame.write(&mut writer, &mut again));
        assert!(again == answer(capture, "streamed"), "{capture}: other bytes");
    }
}

#[test]
fn streamed_chunks_hold_the_samples_of_the_other_answer() {
    for capture in CAPTURES {
        let (mut streamed, sampled) = (streamed_samples(capture), sampled_samples(capture));
        assert!(!sampled.is_empty());
        // Prometheus leaves fields out that compare equal to 0, and so its samples lose the sign of -0.
        let values = streamed.values_mut().flatten().map(|sample| &mut sample.1);
        values.filter(|bits| f64::from_bits(**bits) == 0.0).for_each(|bits| *bits = 0);
        assert_eq!(streamed, sampled, "{capture}");
    }
}

#[test]
fn pieces_of_any_size_give_the_same_frames() {
    for capture in CAPTURES {
        let (stream, whole) = (answer(capture, "streamed"), frames(capture));
        for piece_bytes in [1, 2, 3, 100, 1_000, 4_096] {
            assert!(read_frames(&stream, piece_bytes) == whole, "{capture} in pieces of {piece_bytes} bytes");
        }
    }
}

#[test]
fn the_captures_show_what_they_are_for() {
    let live = streamed_samples("live");
    let stopped = live.values().filter(|samples| samples.last().is_some_and(|s| s.1 == xor::STALE_NAN_BITS));
    assert!(stopped.count() >= 4, "series that end with a stale marker");
    assert!(live.keys().any(|(query, _)| *query == 1), "an answer to the second query");
    for (_, labels) in live.keys() {
        assert!(labels.contains(&("replica".into(), "a".into())));
    }

    let made = streamed_samples("made");
    let samples_of = |name: &str| {
        let series = made.iter().find(|((_, labels), _)| labels[0] == ("__name__".into(), name.into()));
        series.unwrap_or_else(|| panic!("no {name}")).1
    };
    let timestamps: Vec<i64> = samples_of("edge_delta").iter().map(|s| s.0).collect();
    let changes: Vec<i64> = timestamps.windows(3).map(|t| t[2] - 2 * t[1] + t[0]).collect();
    for edge in [1 << 13, 1 << 16, 1 << 19] {
        for change in [edge - 1, edge, edge + 1, 1 - edge, -edge, -edge - 1] {
            assert!(changes.contains(&change), "{change}");
        }
    }
    let special: Vec<u64> = samples_of("edge_special").iter().map(|s| s.1).collect();
    for value in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 5e-324, f64::MAX, f64::MIN_POSITIVE] {
        assert!(special.contains(&value.to_bits()), "{value}");
    }
    assert!(special.iter().any(|&bits| f64::from_bits(bits).is_nan()));
    assert_eq!(samples_of("edge_single").len(), 1);
    assert_eq!(samples_of("edge_pair").len(), 2);
}

#[test]
fn requests_are_read_and_written_again() {
    for (capture, queries) in [("live", 2), ("made", 1)] {
        for (kind, expected) in
            [("samples", ResponseType::Samples), ("streamed", ResponseType::StreamedXorChunks)]
        {
            let mut plain = Vec::new();
            let body = read_file(&format!("{capture}-{kind}.request"));
            let message = snappy::decompress(&body, snappy::DEFAULT_LIMIT_BYTES, &mut plain).unwrap();
            let request = ReadRequest::decode(message).unwrap();
            assert_eq!(request.queries.len(), queries);
            let matcher = request.queries[0].matchers.last().unwrap();
            assert_eq!((matcher.r#type(), matcher.name.as_str()), (MatcherType::Re, "__name__"));
            assert_eq!(negotiate::response_type(&request.accepted_response_types), Ok(expected));
            assert_eq!(request.encode_to_vec(), message);
        }
    }
}

fn frames(capture: &str) -> Vec<OwnedFrame> {
    let stream = answer(capture, "streamed");
    read_frames(&stream, stream.len())
}

fn read_frames(stream: &[u8], piece_bytes: usize) -> Vec<OwnedFrame> {
    let (mut reader, mut frames) = (FrameReader::default(), Vec::new());
    for piece in stream.chunks(piece_bytes) {
        reader.push(piece);
        while let Some(series) = reader.next_frame().unwrap() {
            let owned = |chunk: ChunkView<'_>| {
                assert_eq!(chunk.encoding, ChunkEncoding::Xor);
                OwnedChunk { min_ms: chunk.min_ms, max_ms: chunk.max_ms, data: chunk.data.to_vec() }
            };
            frames.push(OwnedFrame {
                query_index: series.query_index(),
                labels: series.labels().iter().map(|&(n, v)| (n.into(), v.into())).collect(),
                chunks: series.chunks().map(owned).collect(),
            });
        }
    }
    reader.finish().unwrap();
    frames
}

fn streamed_samples(capture: &str) -> Samples {
    let mut samples = Samples::new();
    for frame in frames(capture) {
        let series = samples.entry((frame.query_index as usize, frame.labels)).or_default();
        for chunk in frame.chunks {
            let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
            xor::decode(&chunk.data, &mut timestamps_ms, &mut values).unwrap();
            series.extend(timestamps_ms.into_iter().zip(values.into_iter().map(f64::to_bits)));
        }
    }
    samples
}

fn sampled_samples(capture: &str) -> Samples {
    let mut plain = Vec::new();
    let body = answer(capture, "samples");
    let message = snappy::decompress(&body, snappy::DEFAULT_LIMIT_BYTES, &mut plain).unwrap();
    let response = ReadResponse::decode(message).unwrap();
    let mut samples = Samples::new();
    for (query, result) in response.results.into_iter().enumerate() {
        for series in result.timeseries {
            let labels = series.labels.into_iter().map(|label| (label.name, label.value)).collect();
            let bits = series.samples.iter().map(|s| (s.timestamp, s.value.to_bits())).collect();
            assert_eq!(samples.insert((query, labels), bits), None);
        }
    }
    samples
}

fn answer(capture: &str, kind: &str) -> Vec<u8> {
    read_file(&format!("{capture}-{kind}.answer"))
}

fn read_file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/read").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
