//! What allocates and what does not: warm buffers are enough, and claims do not move the allocator.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

use allocation_counter::measure;

use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameReader, FrameWriter};
use promha_remote_proto::histogram::{
    Count, DEFAULT_MAX_BUCKETS, HistogramEncoder, HistogramView, Histograms, Number, Span,
};
use promha_remote_proto::negotiate::Encoding;
use promha_remote_proto::xor::{self, XorEncoder};
use promha_remote_proto::{DecodeError, ErrorKind, Limits, body, snappy};

/// The allocations of the second of two runs.
fn warm(mut run: impl FnMut()) -> u64 {
    run();
    measure(run).count_total
}

#[test]
fn frames_are_written_and_read_without_allocating() {
    let data = [3_u8; 500];
    let chunks =
        (0..50).map(|n| ChunkView { min_ms: n, max_ms: n, encoding: ChunkEncoding::Xor, data: &data });
    let labels: Vec<_> = (0..20).map(|_| ("a_label", "and its value")).collect();
    let (mut writer, mut wire) = (FrameWriter::new(2_000), Vec::new());
    let allocations = warm(|| {
        wire.clear();
        (0..10).for_each(|query_index| writer.write(query_index, &labels, chunks.clone(), &mut wire));
    });
    assert_eq!(allocations, 0, "writing");

    let mut reader = FrameReader::default();
    let mut damaged = wire.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (what, stream) in [("reading", &wire), ("reading a damaged stream", &damaged)] {
        let mut read = 0;
        let allocations = warm(|| {
            reader.clear();
            read = 0;
            for piece in stream.chunks(777) {
                reader.push(piece);
                if count(&mut reader, &mut read).is_err() {
                    break;
                }
            }
        });
        assert!(read > 500 - 50, "{what}: {read} chunks");
        assert_eq!(allocations, 0, "{what}");
    }
}

#[test]
fn a_series_that_is_refused_gives_its_memory_back() {
    let mut good = Vec::new();
    let chunk = ChunkView { min_ms: 0, max_ms: 0, encoding: ChunkEncoding::Xor, data: b"x" };
    FrameWriter::default().write(0, &[("name", "value"); 40], [chunk], &mut good);
    // The same with a value that is not UTF-8 in the last label.
    let at = good.windows(5).rposition(|window| window == b"value").unwrap();
    let mut payload = good[6..].to_vec();
    payload[at - 6] = 0xff;
    let bad = [&good[..2], &crc32c::crc32c(&payload).to_be_bytes(), &payload].concat();

    let mut reader = FrameReader::default();
    let mut seen = Vec::with_capacity(9);
    let allocations = warm(|| {
        seen.clear();
        for stream in [&good, &bad, &good] {
            reader.clear();
            reader.push(stream);
            let mut read = 0;
            seen.push(count(&mut reader, &mut read).map(|()| read));
        }
    });
    assert_eq!((&seen[0], &seen[2]), (&Ok(1), &Ok(1)));
    assert_eq!(seen[1].as_ref().unwrap_err().kind(), ErrorKind::InvalidUtf8);
    assert_eq!(allocations, 0);
}

#[test]
fn a_reader_holds_one_frame_and_no_claim() {
    // A frame that claims 50,000,000 bytes, of which few arrive.
    let mut reader = FrameReader::default();
    let arrived = [&[0x80, 0xe1, 0xeb, 0x17][..], &[0; 1_000]].concat();
    let info = measure(|| {
        reader.push(&arrived);
        assert!(reader.next_frame().unwrap().is_none());
    });
    assert!(info.bytes_max < 4_096, "{} bytes", info.bytes_max);

    // A long stream in pieces that do not end where frames do.
    let (mut wire, data) = (Vec::new(), [7_u8; 10_000]);
    let chunk = ChunkView { min_ms: 0, max_ms: 0, encoding: ChunkEncoding::Xor, data: &data };
    (0..500).for_each(|n| FrameWriter::default().write(n, &[("a", "b")], [chunk], &mut wire));
    let (mut reader, mut read) = (FrameReader::default(), 0);
    let info = measure(|| {
        for piece in wire.chunks(4_096) {
            reader.push(piece);
            count(&mut reader, &mut read).unwrap();
        }
    });
    assert_eq!((read, reader.finish()), (500, Ok(())));
    assert!(info.bytes_max < 64 << 10, "{} bytes for a stream of {}", info.bytes_max, wire.len());
}

#[test]
fn chunks_are_decoded_and_encoded_without_allocating() {
    let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
    let (mut encoder, mut chunk) = (XorEncoder::new(), Vec::new());
    let allocations = warm(|| {
        chunk.clear();
        (0..120).for_each(|n| encoder.push(15_000 * n, n as f64 / 3.0));
        encoder.finish(&mut chunk);
        timestamps_ms.clear();
        values.clear();
        xor::decode(&chunk, &mut timestamps_ms, &mut values).unwrap();
        // Cut off: the columns stay as they were, and so does their memory.
        let cut = &chunk[..chunk.len() / 2];
        xor::decode(cut, &mut timestamps_ms, &mut values).unwrap_err();
        assert_eq!(values.len(), 120);
        assert!(!xor::has_stale_marker(&chunk).unwrap());
    });
    assert_eq!(allocations, 0);

    let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
    let info = measure(|| {
        xor::decode(&[0xff, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0], &mut timestamps_ms, &mut values)
            .unwrap_err();
    });
    assert!(info.bytes_max < 2_000, "{} bytes for a claim of 65,535 samples", info.bytes_max);
}

#[test]
fn chunks_of_histograms_are_decoded_and_encoded_without_allocating() {
    histograms::<u64>(&HistogramView {
        count: Some(Count::Int(7)),
        positive_deltas: &[3, -1],
        negative_deltas: &[2],
        ..HistogramView::default()
    });
    histograms::<f64>(&HistogramView {
        count: Some(Count::Float(7.5)),
        positive_counts: &[3.5, 2.0],
        negative_counts: &[2.0],
        ..HistogramView::default()
    });
}

fn histograms<N: Number>(base: &HistogramView<'_>) {
    let [mut pushed, mut decoded, mut picked] = [(); 3].map(|()| Histograms::<N>::new());
    let (mut encoder, mut chunk) = (HistogramEncoder::new(), Vec::new());
    let (positive_spans, negative_spans) =
        (&[Span { offset: 1, length: 2 }], &[Span { offset: 0, length: 1 }]);
    let allocations = warm(|| {
        pushed.clear();
        for n in 0..120 {
            let view =
                HistogramView { t_ms: 15_000 * n, sum: n as f64, positive_spans, negative_spans, ..*base };
            assert_eq!(pushed.push(&view), Ok(true));
        }
        chunk.clear();
        encoder.encode(&pushed, 0..120, &mut chunk).unwrap();
        for data in [&chunk[..], &chunk[..chunk.len() / 2], &chunk] {
            assert_eq!(decoded.decode(data, DEFAULT_MAX_BUCKETS).is_ok(), data.len() == chunk.len());
        }
        picked.clear();
        assert_eq!((picked.push_from(&decoded, 0..60), decoded.len()), (60, 120));
        assert_eq!(decoded.views().map(|view| view.positive_spans.len()).sum::<usize>(), 120);
    });
    assert_eq!(allocations, 0);
}

/// A body that is refused is tried as zstd too, which takes memory of its own where it is built in.
#[test]
fn bodies_are_decompressed_without_allocating() {
    let (mut good, mut plain) = (Vec::new(), Vec::new());
    body::compress(Encoding::Snappy, &[5; 50_000], &mut good).unwrap();
    let bodies =
        if cfg!(feature = "zstd") { vec![&good[..]; 2] } else { vec![&good[..], &good[..99], &good] };
    let limits = Limits::default();
    let allocations = warm(|| {
        for &body in &bodies {
            let read = body::decompress(Encoding::Snappy, body, &limits, &mut plain);
            assert_eq!(read.is_ok(), body.len() == good.len());
        }
    });
    assert_eq!(allocations, 0);
}

#[test]
fn snappy_decompresses_without_allocating_and_believes_no_claim() {
    let (mut good, mut plain) = (Vec::new(), Vec::new());
    snappy::compress(&[5; 50_000], &mut good).unwrap();
    let bad = &good[..good.len() - 1];
    let allocations = warm(|| {
        for body in [&good[..], bad, &good[..]] {
            assert_eq!(snappy::decompress(body, 50_000, &mut plain).is_ok(), body.len() == good.len());
        }
    });
    assert_eq!(allocations, 0);

    let (mut compressor, mut packed) = (snappy::Compressor::new(), Vec::new());
    let allocations = warm(|| compressor.compress(&[5; 50_000], &mut packed).unwrap());
    assert_eq!((allocations, &packed), (0, &good), "compressing");

    for body in [&[0xff, 0xff, 0xff, 0x0f, 0, 0][..], &[0xff, 0xff, 0xff, 0xff, 0x0f]] {
        let mut plain = Vec::new();
        let info = measure(|| {
            snappy::decompress(body, snappy::DEFAULT_LIMIT_BYTES, &mut plain).unwrap_err();
        });
        assert_eq!(info.count_total, 0, "{body:x?}");
    }
}

/// Counts the chunks of all series that are there.
fn count(reader: &mut FrameReader, read: &mut usize) -> Result<(), DecodeError> {
    while let Some(series) = reader.next_frame()? {
        *read += series.chunks().len();
    }
    Ok(())
}
