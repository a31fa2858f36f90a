//! What Alertmanager adds: parts and full states, and the frames of its transport over TLS.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::net::SocketAddr;

use promha_gossip_core::wire::alertmanager::{
    DEFAULT_FRAME_BYTES, Frame, FrameReader, FullState, Part, write_packet, write_stream,
};
use promha_gossip_core::wire::{DecodeError, ErrorKind, Limit};
use proptest::prelude::*;

fn part() -> impl Strategy<Value = (String, Vec<u8>)> {
    let data =
        prop_oneof![prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 120..400)];
    (prop_oneof![Just("nfl".to_owned()), "[a-zä]{0,150}"], data)
}

/// Fields that nobody knows, of every type.
fn unknown() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec()),
        Just(b"\x29\x01\x02\x03\x04\x05\x06\x07\x08".to_vec()),
        Just(b"\x2a\x03abc".to_vec()),
        Just(b"\x2b\x28\x01\x33\x3a\x02hi\x34\x2c".to_vec()),
        Just(b"\x2d\x01\x02\x03\x04".to_vec()),
        Just(b"\xfa\xff\xff\xff\x0f\x00".to_vec()),
    ]
}

fn owned(frame: Option<Frame<'_>>) -> Option<(Option<SocketAddr>, Vec<u8>)> {
    match frame? {
        Frame::Stream => Some((None, b"stream".to_vec())),
        Frame::Packet { from, datagram } => Some((from, datagram.to_vec())),
        frame => panic!("{frame:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(parts in prop::collection::vec(part(), 0..5), between in unknown()) {
        let parts: Vec<Part<'_>> = parts.iter().map(|(key, data)| Part { key, data }).collect();
        let (mut state, mut strange) = (Vec::new(), between.clone());
        for part in &parts {
            let mut bytes = between.clone();
            part.encode(&mut bytes);
            prop_assert_eq!(Part::decode(&bytes), Ok(*part));
            prop_assert_eq!(Part::decode(&bytes[between.len()..]), Ok(*part));
            FullState::encode([*part], &mut state);
            FullState::encode([*part], &mut strange);
            strange.extend_from_slice(&between);
        }
        for bytes in [&state, &strange] {
            prop_assert!(FullState::decode(bytes).unwrap().parts().eq(parts.iter().copied()));
        }
    }

    #[test]
    fn frames_come_as_they_were_sent(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        from in prop_oneof![
            (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::from((ip, port))),
            (any::<[u8; 16]>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::from((ip, port))),
        ],
        streams in any::<bool>(),
        piece in 1..400_usize,
    ) {
        let mut sent = Vec::new();
        let mut expected = Vec::new();
        for datagram in &datagrams {
            write_packet(from, datagram, &mut sent).unwrap();
            expected.push((Some(from), datagram.clone()));
        }
        if streams {
            write_stream(&mut sent);
            expected.push((None, b"stream".to_vec()));
        }
        let frames = sent.len();
        sent.extend_from_slice(&[0xee; 3]);
        let (mut reader, mut came) = (FrameReader::new(DEFAULT_FRAME_BYTES), Vec::new());
        for piece in sent.chunks(piece) {
            reader.push(piece);
            while let Some(frame) = owned(reader.next_frame().unwrap()) {
                came.push(frame);
            }
        }
        prop_assert_eq!(came, expected);
        prop_assert_eq!(reader.into_rest(), &sent[frames..]);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(part) = Part::decode(&bytes) {
            let mut again = Vec::new();
            part.encode(&mut again);
            prop_assert_eq!(Part::decode(&again), Ok(part));
        }
        let _ = FullState::decode(&bytes).map(|state| state.parts().count());
        let mut reader = FrameReader::new(50);
        reader.push(&bytes);
        while let Ok(Some(_)) = reader.next_frame() {}
    }
}

#[test]
fn frames_are_those_of_alertmanager() {
    let mut stream = Vec::new();
    write_stream(&mut stream);
    assert_eq!(stream, b"\x08\x00\x00\x00\x0a\x06v0.1.0");
    let mut packet = Vec::new();
    write_packet("[::]:9094".parse().unwrap(), b"abc", &mut packet).unwrap();
    assert_eq!(packet, b"\x1a\x00\x00\x00\x0a\x06v0.1.0\x10\x01\x1a\x09[::]:9094\x22\x03abc");
}

fn refused(frame: &[u8]) -> (ErrorKind, usize) {
    let mut reader = FrameReader::new(100);
    reader.push(frame);
    let error: DecodeError = reader.next_frame().unwrap_err();
    reader.push(b"\x08\x00\x00\x00\x0a\x06v0.1.0");
    assert_eq!(reader.next_frame(), Err(error), "an error stays");
    (error.kind(), error.offset())
}

#[test]
fn frames_that_are_none_are_refused() {
    let over = ErrorKind::OverLimit { what: Limit::FrameBytes, limit: 100, found: 101 };
    assert_eq!(refused(b"\x65\x00\x00\x00"), (over, 0));
    assert_eq!(refused(b"\x00\x00\x00\x00"), (ErrorKind::Frame, 4));
    assert_eq!(refused(b"\x08\x00\x00\x00\x0a\x06v0.2.0"), (ErrorKind::Frame, 4));
    assert_eq!(refused(b"\x0a\x00\x00\x00\x0a\x06v0.1.0\x10\x02"), (ErrorKind::Frame, 4));
    assert_eq!(refused(b"\x02\x00\x00\x00\x00\x01"), (ErrorKind::ProtobufKey { key: 0 }, 4));
    assert_eq!(refused(b"\x02\x00\x00\x00\x08\x01"), (ErrorKind::ProtobufKey { key: 8 }, 5));
    let truncated = ErrorKind::Truncated { needed_bytes: 8, available_bytes: 2 };
    assert_eq!(refused(b"\x03\x00\x00\x00\x0a\x07v"), (truncated, 5));
    let number = b"\x0b\x00\x00\x00\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
    assert_eq!(refused(number), (ErrorKind::Varint, 5));
    let huge = b"\x0b\x00\x00\x00\x0a\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    assert_eq!(refused(huge), (ErrorKind::Truncated { needed_bytes: u64::MAX, available_bytes: 10 }, 5));
    // From where is not always an address in numbers, and not what a packet depends on.
    let mut reader = FrameReader::new(100);
    reader.push(b"\x12\x00\x00\x00\x0a\x06v0.1.0\x10\x01\x1a\x03a:1\x22\x01b");
    assert_eq!(reader.next_frame(), Ok(Some(Frame::Packet { from: None, datagram: b"b" })));
}

#[test]
fn groups_are_skipped_as_they_are_nested() {
    let ok = |bytes: &[u8]| Part::decode(bytes).map(|part| part.key.to_owned());
    assert_eq!(ok(b"\x2b\x2c\x0a\x01k"), Ok("k".into()));
    assert_eq!(ok(b"\x2b\x33\x34\x2c\x0a\x01k"), Ok("k".into()));
    let deep = |depth: usize| [vec![0x2b; depth], vec![0x2c; depth]].concat();
    assert_eq!(ok(&deep(16)), Ok(String::new()));
    let bad = |bytes: &[u8]| Part::decode(bytes).unwrap_err();
    assert_eq!((bad(&deep(17)).kind(), bad(&deep(17)).offset()), (ErrorKind::ProtobufKey { key: 0x2b }, 16));
    assert_eq!(bad(b"\x2b\x34").kind(), ErrorKind::ProtobufKey { key: 0x34 });
    assert_eq!(bad(b"\x2c").kind(), ErrorKind::ProtobufKey { key: 0x2c });
    assert_eq!(bad(b"\x2e").kind(), ErrorKind::ProtobufKey { key: 0x2e });
    assert_eq!(bad(b"\x0a\x01\xff").kind(), ErrorKind::InvalidUtf8);
}
