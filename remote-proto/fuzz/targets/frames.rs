//! A stream of frames, cut in two at every byte: all cuts give the same, and payloads give what the owned message does.
//!
//! The input is a payload, which gets a right header, and then bytes of another frame as they come.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_remote_proto::DecodeError;
use promha_remote_proto::frame::{FrameReader, FrameWriter};
use promha_remote_proto::prompb::{Chunk, ChunkedReadResponse, ChunkedSeries, Label};
use prost::Message;

type Series = (i64, ChunkedSeries);

fuzz_target!(|input: &[u8]| {
    let Some((&split, input)) = input.split_first() else { return };
    let (payload, noise) = input.split_at(input.len() * usize::from(split) / 255);
    let mut wire = Vec::new();
    prost::encode_length_delimiter(payload.len(), &mut wire).unwrap();
    wire.extend_from_slice(&crc32c::crc32c(payload).to_be_bytes());
    wire.extend_from_slice(payload);
    match (ChunkedReadResponse::decode(payload), read(&[&wire])) {
        (Ok(expected), (found, result)) => {
            assert_eq!(result, Ok(()));
            let expected = expected.chunked_series.into_iter().map(|series| (expected.query_index, series));
            assert!(found.into_iter().eq(expected));
        }
        (Err(_), (_, result)) => assert!(result.is_err()),
    }

    wire.extend_from_slice(noise);
    let whole = read(&[&wire]);
    for cut in 0..wire.len().min(300) {
        let (start, end) = wire.split_at(cut);
        assert_eq!(read(&[start, end]), whole);
    }
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    assert_eq!(read(&bytes), whole);

    // Written again, the series with chunks are the same.
    let (mut writer, mut again) = (FrameWriter::default(), Vec::new());
    for (query_index, series) in &whole.0 {
        let labels: Vec<_> = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
        let chunks = series.chunks.iter().map(|chunk| promha_remote_proto::frame::ChunkView {
            min_ms: chunk.min_time_ms,
            max_ms: chunk.max_time_ms,
            encoding: promha_remote_proto::frame::ChunkEncoding::from_wire(chunk.r#type),
            data: &chunk.data,
        });
        writer.write(*query_index, &labels, chunks, &mut again);
    }
    let with_chunks = whole.0.into_iter().filter(|series| !series.1.chunks.is_empty());
    assert!(read(&[&again]).0.into_iter().eq(with_chunks));
});

fn read(pieces: &[&[u8]]) -> (Vec<Series>, Result<(), DecodeError>) {
    let (mut reader, mut found) = (FrameReader::default(), Vec::new());
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next_frame() {
                Err(error) => return (found, Err(error)),
                Ok(None) => break,
                Ok(Some(view)) => {
                    let chunks = view.chunks().map(|chunk| Chunk {
                        min_time_ms: chunk.min_ms,
                        max_time_ms: chunk.max_ms,
                        r#type: chunk.encoding.to_wire(),
                        data: chunk.data.to_vec().into(),
                    });
                    let labels = view.labels().iter().map(|&(name, value)| Label::new(name, value));
                    let series = ChunkedSeries { labels: labels.collect(), chunks: chunks.collect() };
                    found.push((view.query_index(), series));
                }
            }
        }
    }
    let result = reader.finish();
    (found, result)
}
