//! Messages: what is written is read again, also when somebody else writes it in another way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod wire_common;

use promha_gossip_core::wire::{
    Ack, Alive, ErrorKind, IndirectPing, Ints, Message, Nack, Packet, Ping, Source,
};
use proptest::prelude::*;
use wire_common::loose::Loose;
use wire_common::made::made;

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut body = b"before".to_vec();
    message.encode(Ints::Unsigned, &mut body);
    assert!(body.starts_with(b"before"));
    body.split_off(6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(made in made()) {
        let message = made.message();
        let body = encode(&message);
        prop_assert_eq!(Message::decode(&body), Ok(message));
        // Nobody looks behind a message, but of a user's all belongs to it.
        if !matches!(message, Message::User(_)) {
            let longer = [&body[..], b"more"].concat();
            prop_assert_eq!(Message::decode(&longer), Ok(message));
        }
    }

    /// The short path of a packet against the general one.
    #[test]
    fn a_packet_holds_what_is_written(messages in prop::collection::vec(made(), 0..8)) {
        let mut packet = Packet::new(1 << 20, Ints::Unsigned);
        let mut expected = Vec::new();
        for made in &messages {
            let body = encode(&made.message());
            let fits = body.len() <= 65_535;
            prop_assert_eq!(packet.push(&made.message()), fits);
            if fits {
                expected.push(body);
            }
        }
        prop_assert!(packet.bodies().eq(expected.iter().map(Vec::as_slice)));
        let mut again = Packet::new(1 << 20, Ints::Unsigned);
        prop_assert!(expected.iter().all(|body| again.push_body(body)));
        prop_assert!(again.bodies().eq(packet.bodies()));
        packet.clear();
        prop_assert!(packet.is_empty() && packet.bodies().len() == 0);
    }

    /// The short path of the reader against the general one: fields in any order, in any encoding, with others between them.
    #[test]
    fn what_others_write_is_read(made in made(), seed in any::<u64>()) {
        let message = made.message();
        let body = Loose { random: fastrand::Rng::with_seed(seed) }.message(&message);
        prop_assert_eq!(Message::decode(&body), Ok(message));
    }

    #[test]
    fn a_message_that_is_cut_off_is_an_error(made in made(), seed in any::<u64>()) {
        let message = made.message();
        if matches!(message, Message::User(_)) {
            return Ok(());
        }
        for body in [encode(&message), Loose { random: fastrand::Rng::with_seed(seed) }.message(&message)] {
            for len in (0..body.len()).rev().step_by(1 + body.len() / 80) {
                let error = Message::decode(&body[..len]).unwrap_err();
                let expected = matches!(error.kind(), ErrorKind::Truncated { needed_bytes, available_bytes }
                    if needed_bytes > available_bytes);
                prop_assert!(expected || (len == 0 && error.kind() == ErrorKind::Empty), "{error}");
                prop_assert!(error.offset() <= len);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut body in prop::collection::vec(any::<u8>(), 0..100), kind in 0..14_u8) {
        if let Some(first) = body.first_mut() {
            *first = kind;
        }
        if let Ok(message) = Message::decode(&body) {
            let again = encode(&message);
            prop_assert_eq!(Message::decode(&again), Ok(message));
        }
    }
}

#[test]
fn fields_that_are_missing_or_nil_are_empty() {
    let source = Source::default();
    let ping = Message::Ping(Ping { seq_no: 0, node: "", source });
    assert_eq!(Message::decode(b"\x00\x80"), Ok(ping));
    assert_eq!(Message::decode(b"\x00\xc0"), Ok(ping));
    assert_eq!(Message::decode(b"\x00\x82\xa5SeqNo\xc0\xa4Node\xc0"), Ok(ping));
    let target = Message::decode(b"\x01\x82\xa4Nack\xc0\xa6Target\xa0");
    let ping = IndirectPing { seq_no: 0, target: Some(&[]), port: 0, node: "", nack: false, source };
    assert_eq!(target, Ok(Message::IndirectPing(ping)));
    assert_eq!(
        Message::decode(b"\x04\x80"),
        Ok(Message::Alive(Alive { incarnation: 0, node: "", addr: None, port: 0, meta: None, vsn: None }))
    );
    // Of several the last one counts.
    let twice = Message::decode(b"\x02\x83\xa5SeqNo\x07\xa7Payload\xa1x\xa5SeqNo\x08");
    assert_eq!(twice, Ok(Message::Ack(Ack { seq_no: 8, payload: Some(b"x") })));
    // Names are told apart by case.
    assert_eq!(Message::decode(b"\x0b\x81\xa5seqNo\x07"), Ok(Message::Nack(Nack { seq_no: 0 })));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases: &[(&[u8], ErrorKind, usize)] = &[
        (b"", ErrorKind::Empty, 0),
        (b"\x06\x80", ErrorKind::MessageType { found: 6 }, 0),
        (b"\x07\x00", ErrorKind::MessageType { found: 7 }, 0),
        (b"\x63\x80", ErrorKind::MessageType { found: 0x63 }, 0),
        (b"\xf4\x01a", ErrorKind::MessageType { found: 0xf4 }, 0),
        (b"\x0b", ErrorKind::Truncated { needed_bytes: 1, available_bytes: 0 }, 1),
        (b"\x0b\x90", ErrorKind::ValueType { expected: "a map", found: 0x90 }, 1),
        (b"\x0b\x81\x01\x01", ErrorKind::ValueType { expected: "a string or bytes", found: 1 }, 2),
        (b"\x0b\x81\xa5SeqNo\xa0", ErrorKind::ValueType { expected: "a number", found: 0xa0 }, 8),
        (b"\x0b\x81\xa5SeqNo\xca\0\0\0\0", ErrorKind::ValueType { expected: "a number", found: 0xca }, 8),
        (b"\x0b\x81\xa5SeqNo\xff", ErrorKind::Number { found: u64::MAX, limit: u32::MAX as u64 }, 8),
        (
            b"\x0b\x81\xa5SeqNo\xd0\x80",
            ErrorKind::Number { found: (-128_i64) as u64, limit: u32::MAX as u64 },
            8,
        ),
        (
            b"\x0b\x81\xa5SeqNo\xcf\0\0\0\x01\0\0\0\0",
            ErrorKind::Number { found: 1 << 32, limit: u32::MAX as u64 },
            8,
        ),
        (b"\x04\x81\xa4Port\xce\0\x01\0\0", ErrorKind::Number { found: 65_536, limit: 65_535 }, 7),
        (b"\x01\x81\xa4Nack\x01", ErrorKind::ValueType { expected: "a bool", found: 1 }, 7),
        (b"\x04\x81\xa4Node\xa1\xff", ErrorKind::InvalidUtf8, 7),
        (
            b"\x04\x81\xa4Node\xdb\xff\xff\xff\xff",
            ErrorKind::Truncated { needed_bytes: 0x1_0000_0004, available_bytes: 5 },
            7,
        ),
        (b"\x04\x81\xa1x\xc1", ErrorKind::ValueType { expected: "a value", found: 0xc1 }, 4),
        // Four billion values that are not there are found out at once.
        (
            b"\x04\x81\xa1x\xdd\xff\xff\xff\xff",
            ErrorKind::Truncated { needed_bytes: u32::MAX as u64, available_bytes: 0 },
            9,
        ),
        (b"\x04\xdf\xff\xff\xff\xff", ErrorKind::Truncated { needed_bytes: 1, available_bytes: 0 }, 6),
    ];
    for &(body, kind, offset) in cases {
        let error = Message::decode(body).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, offset), "{body:?}");
    }
}

#[test]
fn depth_of_what_is_skipped_costs_nothing() {
    let mut body = b"\x0b\x82\xa1x".to_vec();
    body.extend(std::iter::repeat_n(0x91, 1_000_000));
    body.push(0xc0);
    body.extend_from_slice(b"\xa5SeqNo\x07");
    assert_eq!(Message::decode(&body), Ok(Message::Nack(Nack { seq_no: 7 })));
}
