//! Frames: laws of reading and writing, damaged streams, and the same content as the owned messages.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

use proptest::prelude::*;
use prost::Message;

use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameLimits, FrameReader, FrameWriter};
use promha_remote_proto::histogram::{DEFAULT_MAX_BUCKETS, Histograms};
use promha_remote_proto::prompb::{Chunk, ChunkedReadResponse, ChunkedSeries, Label};
use promha_remote_proto::{DecodeError, ErrorKind, Limit};

/// What a reader hands out, with the query index of its frame.
type Series = (i64, ChunkedSeries);

#[test]
fn a_frame_is_length_checksum_and_message() {
    let chunk = ChunkView { min_ms: -1, max_ms: 300, encoding: ChunkEncoding::Other(-2), data: b"data" };
    let mut wire = Vec::new();
    FrameWriter::default().write(3, &[("a", "b"), ("c", "")], [chunk], &mut wire);

    let payload = message(3, vec![series(&[("a", "b"), ("c", "")], vec![owned(&chunk)])]).encode_to_vec();
    assert_eq!(wire, frame(&payload));
    assert_eq!(wire[..5], [50, 0xba, 0x35, 0x7b, 0xe7], "the checksum has its highest byte first");
}

#[test]
fn a_series_is_split_when_it_reaches_the_limit_and_repeats_its_labels() {
    let labels = [("__name__", "up"), ("job", "node")];
    let data = [7_u8; 100];
    let chunks = |count: i64| (0..count).map(|n| ChunkView { min_ms: n, max_ms: n, ..view(&data) });
    // A chunk of this size is 104 bytes (the first one has no times), the labels are 14 and 11.
    for (limit_bytes, expected) in [
        (0, vec![1, 1, 1, 1, 1]),
        (25, vec![1, 1, 1, 1, 1]),
        (25 + 104, vec![1, 1, 1, 1, 1]),
        (25 + 105, vec![2, 1, 1, 1]),
        (25 + 108 * 2, vec![3, 2]),
        (usize::MAX, vec![5]),
    ] {
        let mut wire = Vec::new();
        FrameWriter::new(limit_bytes).write(0, &labels, chunks(5), &mut wire);
        let read = read(&wire, wire.len()).0;
        let counts: Vec<usize> = read.iter().map(|(_, series)| series.chunks.len()).collect();
        assert_eq!(counts, expected, "limit of {limit_bytes} bytes");
        assert!(read.iter().all(|(_, part)| part.labels == series(&labels, vec![]).labels));
        let joined: Vec<Chunk> = read.into_iter().flat_map(|(_, series)| series.chunks).collect();
        assert_eq!(joined, chunks(5).map(|chunk| owned(&chunk)).collect::<Vec<_>>());
    }
}

#[test]
fn a_series_without_chunks_has_no_frame() {
    let mut wire = Vec::new();
    FrameWriter::default().write(0, &[("a", "b")], [], &mut wire);
    assert!(wire.is_empty());
}

#[test]
fn chunks_of_unknown_encodings_pass_as_bytes() {
    // XOR2 and those with start times, of newer servers, and what nobody knows yet.
    for number in [4, 5, 6, 0, 99, -1] {
        let encoding = ChunkEncoding::from_wire(number);
        let chunk = ChunkView { min_ms: 7, max_ms: 9, encoding, data: &[0, 3, 1, 2] };
        let (mut wire, mut again) = (Vec::new(), Vec::new());
        FrameWriter::default().write(0, &[("a", "b")], [chunk], &mut wire);
        let mut reader = FrameReader::default();
        reader.push(&wire);
        let series = reader.next_frame().unwrap().unwrap();
        assert!(series.chunks().eq([chunk]));
        FrameWriter::default().write(0, series.labels(), series.chunks(), &mut again);
        assert_eq!(again, wire);

        // Whoever wants the samples is told what they are in.
        let (mut timestamps_ms, mut values) = (vec![1], vec![1.0]);
        let (mut ints, mut floats) = (Histograms::<u64>::new(), Histograms::<f64>::new());
        for result in [
            chunk.decode_floats(&mut timestamps_ms, &mut values),
            chunk.decode_histograms(DEFAULT_MAX_BUCKETS, &mut ints),
            chunk.decode_histograms(DEFAULT_MAX_BUCKETS, &mut floats),
        ] {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::ChunkEncoding { found: number });
        }
        assert_eq!((timestamps_ms, values), (vec![1], vec![1.0]));
    }
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let (wire, expected) = three_frames();
    for piece_bytes in 1..=wire.len() {
        assert_eq!(read(&wire, piece_bytes), (expected.clone(), Ok(())), "pieces of {piece_bytes} bytes");
    }
    for cut in 0..=wire.len() {
        let mut reader = FrameReader::default();
        let mut found = Vec::new();
        for piece in [&wire[..cut], &wire[cut..]] {
            reader.push(piece);
            drain(&mut reader, &mut found).unwrap();
        }
        assert_eq!((found, reader.finish()), (expected.clone(), Ok(())), "cut at {cut}");
    }
}

#[test]
fn pieces_may_pile_up_before_they_are_read() {
    let (wire, expected) = three_frames();
    let mut reader = FrameReader::default();
    let mut found = Vec::new();
    for piece in wire.chunks(5) {
        reader.push(piece);
        reader.push(&[]);
        // One series at most, however much is there.
        found.extend(reader.next_frame().unwrap().map(|view| owned_series(&view)));
    }
    drain(&mut reader, &mut found).unwrap();
    assert_eq!((found, reader.finish()), (expected, Ok(())));
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_not_complete() {
    let (wire, expected) = three_frames();
    let ends = frame_ends(&wire);
    for end in 0..wire.len() {
        let (found, result) = read(&wire[..end], 3);
        let whole_frames = ends.iter().filter(|&&frame_end| frame_end <= end).count();
        if ends.contains(&end) || end == 0 {
            assert_eq!(result, Ok(()), "{end}");
        } else {
            let error = result.unwrap_err();
            let start =
                ends.iter().rev().find(|&&frame_end| frame_end < end).map_or(0, |&frame_end| frame_end);
            assert_eq!(error.offset(), start, "{end}");
            let ErrorKind::Truncated { needed_bytes, available_bytes } = error.kind() else {
                panic!("{end}: {error}");
            };
            assert_eq!(available_bytes, (end - start) as u64);
            assert!(needed_bytes > available_bytes);
        }
        assert!(expected.starts_with(&found));
        // The second frame holds two series.
        assert_eq!(found.len(), [0, 1, 3, 4][whole_frames], "{end}");
    }
}

#[test]
fn every_changed_bit_is_noticed() {
    let (wire, expected) = three_frames();
    for bit in 0..wire.len() * 8 {
        let mut damaged = wire.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (found, result) = read(&damaged, 11);
        assert!(result.is_err(), "bit {bit}");
        assert!(expected.starts_with(&found), "bit {bit}");
    }
}

#[test]
fn frames_that_were_not_read_are_not_forgotten() {
    let (wire, _) = three_frames();
    let mut reader = FrameReader::default();
    reader.push(&wire);
    let unread = |reader: &FrameReader| match reader.finish().unwrap_err().kind() {
        ErrorKind::UnreadFrames { unread_bytes } => unread_bytes,
        other => panic!("{other}"),
    };
    assert_eq!(unread(&reader), wire.len() as u64);
    // The first of the two series of the second frame.
    reader.next_frame().unwrap().unwrap();
    reader.next_frame().unwrap().unwrap();
    assert!((1..wire.len() as u64).contains(&unread(&reader)));
    reader.clear();
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn a_frame_over_the_limit_is_refused_before_it_arrives() {
    let mut limits = FrameLimits::default();
    assert_eq!(limits.max_frame_bytes, 50_000_000);
    for (claimed, header) in [(50_000_001_u64, &[0x81, 0xe1, 0xeb, 0x17][..]), (u64::MAX, &MAX_VARINT[..])] {
        let error = read(header, 1).1.unwrap_err();
        let over = ErrorKind::OverLimit { what: Limit::FrameBytes, limit: 50_000_000, found: claimed };
        assert_eq!((error.kind(), error.offset()), (over, 0));
    }

    let (wire, expected) = three_frames();
    // The third frame is the largest; its header is two bytes of length and the checksum.
    let largest = wire.len() - frame_ends(&wire)[1] - 6;
    limits.max_frame_bytes = largest;
    assert_eq!(read_with(limits, &wire, 9), (expected.clone(), Ok(())));
    limits.max_frame_bytes = largest - 1;
    let (found, result) = read_with(limits, &wire, 9);
    assert_eq!(found, expected[..3]);
    assert_eq!(
        result.unwrap_err().offset(),
        frame_ends(&wire)[1],
        "offsets count from the start of the stream"
    );
}

const MAX_VARINT: [u8; 10] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];

#[test]
fn labels_over_the_limit_are_refused() {
    let mut limits = FrameLimits::default();
    limits.max_labels_per_series = 2;
    let with_labels = |count| {
        let labels = vec![("a", "b"); count];
        frame(&message(0, vec![series(&labels, vec![])]).encode_to_vec())
    };
    assert_eq!(read_with(limits, &with_labels(2), 99).1, Ok(()));
    let error = read_with(limits, &with_labels(3), 99).1.unwrap_err();
    let over = ErrorKind::OverLimit { what: Limit::LabelsPerSeries, limit: 2, found: 3 };
    // Five bytes of frame header, two of series, and two labels of eight.
    assert_eq!((error.kind(), error.offset()), (over, 23));
}

#[test]
fn an_error_is_final_until_the_reader_is_cleared() {
    let (wire, expected) = three_frames();
    let mut reader = FrameReader::default();
    let mut damaged = wire.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for _ in 0..2 {
        reader.push(&damaged);
        let mut found = Vec::new();
        let error = drain(&mut reader, &mut found).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Checksum { .. }), "{error}");
        assert_eq!(found, expected[..3]);
        reader.push(&wire);
        assert_eq!(reader.next_frame().map(drop), Err(error));
        assert_eq!(reader.finish(), Err(error));

        reader.clear();
        found.clear();
        reader.push(&wire);
        drain(&mut reader, &mut found).unwrap();
        assert_eq!((&found, reader.finish()), (&expected, Ok(())));
        reader.clear();
    }
}

#[test]
fn an_error_inside_a_series_is_final_too() {
    let bad = field(1, &field(1, &field(1, b"\xff")));
    let good = field(1, &field(1, &field(1, b"a")));
    let mut reader = FrameReader::default();
    reader.push(&frame(&[good.clone(), bad, good].concat()));
    assert_eq!(reader.next_frame().unwrap().unwrap().labels(), [("a", "")]);
    let error = reader.next_frame().map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidUtf8);
    assert_eq!(reader.next_frame().map(drop), Err(error));
    assert_eq!(reader.finish(), Err(error));
}

#[test]
fn groups_may_be_as_deep_as_in_owned_messages() {
    for levels in 0..=2 {
        for depth in 90..110 {
            let groups = [vec![0x5b; depth], vec![0x5c; depth]].concat();
            let in_messages = |numbers: &[u8]| {
                numbers.iter().rev().fold(groups.clone(), |inner, &number| {
                    let mut outer = vec![number << 3 | 2];
                    prost::encode_length_delimiter(inner.len(), &mut outer).unwrap();
                    [outer, inner].concat()
                })
            };
            for path in [[1, 1], [1, 2]] {
                let payload = in_messages(&path[..levels]);
                let (accepted, wire) = (prost_series(&payload).is_some(), frame(&payload));
                assert_eq!(accepted, depth <= 100 - levels, "{depth} groups in {levels} messages");
                assert_eq!(
                    read(&wire, wire.len()).1.is_ok(),
                    accepted,
                    "{depth} groups in {:?}",
                    &path[..levels]
                );
            }
        }
    }
}

#[test]
fn what_is_unusual_but_right_is_read() {
    let label = |name: &[u8], value: &[u8]| field(1, &[&field(1, name)[..], &field(2, value)].concat());
    let unknown =
        [&[0x48, 0x01][..], &[0x53, 0x08, 0x01, 0x54], &[0x5d, 1, 2, 3, 4], &field(12, b"?")].concat();
    for (what, payload, expected) in [
        ("an empty frame", vec![], vec![]),
        ("a frame with an index only", vec![0x10, 0x05], vec![]),
        (
            "the index before its series",
            [vec![0x10, 0x05], field(1, b"")].concat(),
            vec![(5, series(&[], vec![]))],
        ),
        (
            "the last of two indexes",
            [vec![0x10, 0x05], field(1, b""), vec![0x10, 0x06]].concat(),
            vec![(6, series(&[], vec![]))],
        ),
        ("unknown fields", [&unknown[..], &field(1, &unknown)].concat(), vec![(0, series(&[], vec![]))]),
        (
            "chunks before labels",
            field(1, &[field(2, b""), label(b"a", b"b"), field(2, &[0x20 | 2, 1, b'x'])].concat()),
            vec![(
                0,
                series(&[("a", "b")], vec![Chunk::default(), Chunk { data: "x".into(), ..Chunk::default() }]),
            )],
        ),
        (
            "a name twice in a label",
            field(1, &field(1, b"\x0a\x01x\x0a\x01y")),
            vec![(0, series(&[("y", "")], vec![]))],
        ),
        ("times as long varints", field(1, &field(2, &[&[0x08][..], &MAX_VARINT].concat())), {
            vec![(0, series(&[], vec![Chunk { min_time_ms: -1, ..Chunk::default() }]))]
        }),
    ] {
        assert_eq!(prost_series(&payload).as_ref(), Some(&expected), "{what}");
        assert_eq!(read(&frame(&payload), 4), (expected, Ok(())), "{what}");
    }
}

#[test]
fn what_is_wrong_is_refused_and_located() {
    use ErrorKind::*;
    let deep = [vec![0x5b; 200], vec![0x5c; 200]].concat();
    for (what, payload, kind, offset) in [
        ("a series as a number", vec![0x08, 1], WireType { field: 1, found: 0 }, 0),
        ("an index as bytes", vec![0x12, 0], WireType { field: 2, found: 2 }, 0),
        (
            "a series longer than the frame",
            vec![0x0a, 5, 1],
            Truncated { needed_bytes: 5, available_bytes: 1 },
            2,
        ),
        (
            "a label longer than the series",
            field(1, &[0x0a, 9]),
            Truncated { needed_bytes: 9, available_bytes: 0 },
            4,
        ),
        ("a name that is not UTF-8", field(1, &field(1, &field(1, b"ab\xff"))), InvalidUtf8, 8),
        ("a value that is not UTF-8", field(1, &field(1, &field(2, b"\xc3"))), InvalidUtf8, 6),
        ("a chunk type as a double", field(1, &field(2, &[0x19])), WireType { field: 3, found: 1 }, 4),
        ("chunk data as a number", field(1, &field(2, &[0x20, 0])), WireType { field: 4, found: 0 }, 4),
        ("a field number of zero", vec![0x00], InvalidKey { key: 0 }, 0),
        ("an end without a group", field(1, &[0x1c]), UnmatchedGroup { field: 3 }, 2),
        ("groups too deep", deep, OverLimit { what: Limit::Nesting, limit: 100, found: 101 }, 100),
    ] {
        assert_eq!(prost_series(&payload), None, "{what}");
        let wire = frame(&payload);
        let error = read(&wire, wire.len()).1.unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, offset + wire.len() - payload.len()), "{what}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(all in series_strategy(), limit_bytes in 0_usize..300, piece_bytes in 1_usize..64) {
        let (mut writer, mut wire) = (FrameWriter::new(limit_bytes), Vec::new());
        for (query_index, series) in &all {
            let labels: Vec<_> = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
            writer.write(*query_index, &labels, series.chunks.iter().map(borrowed), &mut wire);
        }
        let (parts, result) = read(&wire, piece_bytes);
        prop_assert_eq!(result, Ok(()));

        let mut joined: Vec<Series> = Vec::new();
        let mut parts = parts.into_iter();
        for (query_index, series) in all.iter().filter(|(_, series)| !series.chunks.is_empty()) {
            let mut chunks = Vec::new();
            while chunks.len() < series.chunks.len() {
                let (part_index, part) = parts.next().unwrap();
                prop_assert_eq!((part_index, &part.labels), (*query_index, &series.labels));
                prop_assert!(!part.chunks.is_empty());
                chunks.extend(part.chunks);
            }
            joined.push((*query_index, ChunkedSeries { labels: series.labels.clone(), chunks }));
        }
        prop_assert_eq!(parts.next(), None);
        let expected: Vec<Series> = all.into_iter().filter(|(_, series)| !series.chunks.is_empty()).collect();
        prop_assert_eq!(joined, expected);
    }

    /// Damage inside a payload whose checksum is right: accepted or refused as the owned message is.
    #[test]
    fn views_and_owned_messages_agree(
        all in series_strategy(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..4),
    ) {
        let mut payload = message(7, all.into_iter().map(|(_, series)| series).collect()).encode_to_vec();
        for (index, byte, how) in damage {
            let at = index.index(payload.len() + 1);
            match how {
                0 => payload.insert(at, byte),
                1 if at < payload.len() => payload[at] = byte,
                _ => payload.truncate(at),
            }
        }
        let (found, result) = read(&frame(&payload), 1 << 20);
        match prost_series(&payload) {
            Some(expected) => prop_assert_eq!((found, result), (expected, Ok(()))),
            None => prop_assert!(result.is_err(), "prost refuses it"),
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200), piece_bytes in 1_usize..20) {
        let (found, _) = read(&noise, piece_bytes);
        prop_assert!(found.is_empty() || noise.len() > 5);
        let (framed, result) = read(&frame(&noise), piece_bytes);
        match prost_series(&noise) {
            Some(expected) => prop_assert_eq!((framed, result), (expected, Ok(()))),
            None => prop_assert!(result.is_err()),
        }
    }
}

fn series_strategy() -> impl Strategy<Value = Vec<Series>> {
    let label = ("[a-zé]{0,3}", "[ -~ü]{0,8}").prop_map(|(name, value)| Label { name, value });
    // Times of today and 128 bytes of data make the form that is read and written in few steps.
    let min_ms = prop_oneof![1_600_000_000_000..1_800_000_000_000_i64, any::<i64>()];
    let data = prop::collection::vec(any::<u8>(), 0..300);
    let chunk = (min_ms, 0..1_000_i64, prop_oneof![0..4, any::<i32>()], data).prop_map(
        |(min_time_ms, length_ms, r#type, data)| Chunk {
            min_time_ms,
            max_time_ms: min_time_ms.wrapping_add(length_ms),
            r#type,
            data: data.into(),
        },
    );
    let series = (prop::collection::vec(label, 0..5), prop::collection::vec(chunk, 0..5))
        .prop_map(|(labels, chunks)| ChunkedSeries { labels, chunks });
    prop::collection::vec((prop_oneof![0..3_i64, any::<i64>()], series), 0..5)
}

/// Three frames, of which the second holds two series, and what is in them.
fn three_frames() -> (Vec<u8>, Vec<Series>) {
    let chunk = |n: i64| owned(&ChunkView { min_ms: n, max_ms: n + 9, ..view(b"0123456789") });
    let one = series(&[("__name__", "one")], vec![chunk(1), chunk(20)]);
    let two = series(&[("__name__", "two"), ("job", "x")], vec![chunk(3)]);
    let three = series(&[("__name__", "two"), ("job", "y")], vec![]);
    let four = series(&[], vec![chunk(5); 20]);
    let wire = [
        frame(&message(0, vec![one.clone()]).encode_to_vec()),
        frame(&message(1, vec![two.clone(), three.clone()]).encode_to_vec()),
        frame(&message(2, vec![four.clone()]).encode_to_vec()),
    ];
    (wire.concat(), vec![(0, one), (1, two), (1, three), (2, four)])
}

/// Where each frame of a valid stream ends.
fn frame_ends(mut wire: &[u8]) -> Vec<usize> {
    let (whole, mut ends) = (wire.len(), Vec::new());
    while !wire.is_empty() {
        let length = prost::decode_length_delimiter(wire).unwrap();
        wire = &wire[prost::length_delimiter_len(length) + 4 + length..];
        ends.push(whole - wire.len());
    }
    ends
}

fn read(wire: &[u8], piece_bytes: usize) -> (Vec<Series>, Result<(), DecodeError>) {
    read_with(FrameLimits::default(), wire, piece_bytes)
}

fn read_with(limits: FrameLimits, wire: &[u8], piece_bytes: usize) -> (Vec<Series>, Result<(), DecodeError>) {
    let (mut reader, mut found) = (FrameReader::new(limits), Vec::new());
    for piece in wire.chunks(piece_bytes) {
        reader.push(piece);
        if let Err(error) = drain(&mut reader, &mut found) {
            return (found, Err(error));
        }
    }
    let result = reader.finish();
    (found, result)
}

fn drain(reader: &mut FrameReader, found: &mut Vec<Series>) -> Result<(), DecodeError> {
    while let Some(view) = reader.next_frame()? {
        found.push(owned_series(&view));
    }
    Ok(())
}

fn owned_series(view: &promha_remote_proto::frame::ChunkedSeriesView<'_>) -> Series {
    assert_eq!(view.chunks().len(), view.chunks().count());
    let chunks = view.chunks().map(|chunk| owned(&chunk)).collect();
    (view.query_index(), series(view.labels(), chunks))
}

/// The same through the owned message; `None` if it is refused.
fn prost_series(payload: &[u8]) -> Option<Vec<Series>> {
    let response = ChunkedReadResponse::decode(payload).ok()?;
    Some(response.chunked_series.into_iter().map(|series| (response.query_index, series)).collect())
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    prost::encode_length_delimiter(payload.len(), &mut wire).unwrap();
    wire.extend_from_slice(&crc32c::crc32c(payload).to_be_bytes());
    wire.extend_from_slice(payload);
    wire
}

/// A field of up to 127 bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, value.len() as u8], value].concat()
}

fn message(query_index: i64, chunked_series: Vec<ChunkedSeries>) -> ChunkedReadResponse {
    ChunkedReadResponse { chunked_series, query_index }
}

fn series(labels: &[(&str, &str)], chunks: Vec<Chunk>) -> ChunkedSeries {
    ChunkedSeries { labels: labels.iter().map(|&(name, value)| Label::new(name, value)).collect(), chunks }
}

fn view(data: &[u8]) -> ChunkView<'_> {
    ChunkView { min_ms: 0, max_ms: 0, encoding: ChunkEncoding::Xor, data }
}

fn owned(chunk: &ChunkView<'_>) -> Chunk {
    Chunk {
        min_time_ms: chunk.min_ms,
        max_time_ms: chunk.max_ms,
        r#type: chunk.encoding.to_wire(),
        data: chunk.data.to_vec().into(),
    }
}

fn borrowed(chunk: &Chunk) -> ChunkView<'_> {
    ChunkView {
        min_ms: chunk.min_time_ms,
        max_ms: chunk.max_time_ms,
        encoding: ChunkEncoding::from_wire(chunk.r#type),
        data: &chunk.data,
    }
}
