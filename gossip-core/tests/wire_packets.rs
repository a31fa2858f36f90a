//! Packets: what is sealed is opened, by whoever should and by nobody else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod wire_common;

use promha_gossip_core::wire::{
    Codec, CodecConfig, EncryptionVersion, ErrorKind, Ints, KeyError, Keyring, Limit, Limits, Message, Nack,
    Packet,
};
use proptest::prelude::*;
use wire_common::made::made;

#[derive(Debug, Clone)]
struct Envelopes {
    label: String,
    compression: bool,
    crc: bool,
    key: Option<Vec<u8>>,
    padded: bool,
    nonce: [u8; 12],
}

impl Envelopes {
    fn codec(&self) -> Codec {
        let encryption = if self.padded { EncryptionVersion::Padded } else { EncryptionVersion::Unpadded };
        let (label, compression) = (self.label.clone(), self.compression);
        let codec =
            Codec::new(CodecConfig { label, compression, encryption, ..CodecConfig::default() }).unwrap();
        match &self.key {
            Some(key) => codec.encrypted(Keyring::new(key).unwrap(), self.nonce),
            None => codec,
        }
    }
}

fn envelopes() -> impl Strategy<Value = Envelopes> {
    let label = prop_oneof![Just(String::new()), "[a-z-]{1,20}", "[a-z]{255}"];
    let key = |len: usize| prop::collection::vec(any::<u8>(), len).prop_map(Some);
    let key = prop_oneof![2 => Just(None), 1 => key(16), 1 => key(24), 1 => key(32)];
    (label, any::<bool>(), any::<bool>(), key, any::<bool>(), any::<[u8; 12]>()).prop_map(
        |(label, compression, crc, key, padded, nonce)| Envelopes {
            label,
            compression,
            crc,
            key,
            padded,
            nonce,
        },
    )
}

fn bodies(codec: &mut Codec, datagram: &[u8]) -> Vec<Vec<u8>> {
    codec.open(datagram).unwrap().map(<[u8]>::to_vec).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_is_opened(envelopes in envelopes(), made in prop::collection::vec(made(), 1..20)) {
        let (mut codec, mut other) = (envelopes.codec(), envelopes.codec());
        let mut packet = codec.packet();
        for made in &made {
            packet.push(&made.message());
        }
        let mut datagram = b"before".to_vec();
        codec.seal(&packet, envelopes.crc, &mut datagram);
        let datagram = datagram.strip_prefix(b"before").unwrap();
        prop_assert!(datagram.len() <= codec.config().limits.packet_bytes, "{} bytes", datagram.len());
        if packet.is_empty() {
            prop_assert!(datagram.is_empty());
            return Ok(());
        }
        let opened = other.open(datagram).unwrap();
        prop_assert_eq!((opened.len(), opened.truncated(), opened.refused()), (packet.len(), 0, 0));
        prop_assert!(opened.clone().eq(packet.bodies()));
        // The same packet and state make the same bytes; a nonce never comes twice.
        let mut again = Vec::new();
        envelopes.codec().seal(&packet, envelopes.crc, &mut again);
        prop_assert_eq!(&again, datagram);
        again.clear();
        codec.seal(&packet, envelopes.crc, &mut again);
        prop_assert_eq!(again == datagram, envelopes.key.is_none());
        prop_assert!(bodies(&mut other, &again).iter().map(Vec::as_slice).eq(packet.bodies()));
    }

    #[test]
    fn a_bit_that_changes_is_noticed(envelopes in envelopes(), made in made(), bit in any::<prop::sample::Index>()) {
        let mut codec = envelopes.codec();
        let mut packet = codec.packet();
        prop_assume!(packet.push(&made.message()));
        let mut datagram = Vec::new();
        codec.seal(&packet, envelopes.crc, &mut datagram);
        let bit = bit.index(8 * datagram.len());
        datagram[bit / 8] ^= 1 << (bit % 8);
        // A label may become the first byte of something else, and so may the type of the checksum.
        let label = if envelopes.label.is_empty() { 0 } else { 2 + envelopes.label.len() };
        // The lowest bit of the version says how what is encrypted is padded, and nothing vouches for that: on the wire of every
        // version, a packet padded may be read as one that is not. No other bit of the version leaves a known one.
        let padding = envelopes.key.is_some() && bit == 8 * label;
        let vouched_for = (envelopes.key.is_some() && !padding) || (0..label).contains(&(bit / 8));
        let noticed = codec.open(&datagram).is_err();
        prop_assert!(noticed || !vouched_for, "bit {bit}");
        if envelopes.key.is_none() && envelopes.crc && bit / 8 > label {
            prop_assert!(noticed, "bit {bit}");
        }
    }

    #[test]
    fn compound_messages_are_taken_apart_as_far_as_they_are_whole(
        parts in prop::collection::vec(prop::collection::vec(8..=8_u8, 0..50), 0..10),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut compound = vec![7, parts.len() as u8];
        parts.iter().for_each(|part| compound.extend_from_slice(&(part.len() as u16).to_be_bytes()));
        let header = compound.len();
        parts.iter().for_each(|part| compound.extend_from_slice(part));
        let len = cut.index(compound.len() + 1);
        let mut codec = Codec::new(CodecConfig::default()).unwrap();
        let opened = codec.open(&compound[..len]);
        if len < header {
            prop_assert!(opened.is_err());
            return Ok(());
        }
        let opened = opened.unwrap();
        let ends = parts.iter().scan(header, |end, part| { *end += part.len(); Some(*end) });
        // What follows a part that is cut off is lost, too, even if it is empty.
        let whole = ends.take_while(|&end| end <= len).count();
        prop_assert_eq!((opened.len(), opened.truncated()), (whole, parts.len() - whole));
        prop_assert!(opened.eq(parts[..whole].iter().map(Vec::as_slice)));
    }

    /// Plain parts, and the same with something among them that is taken apart in another way.
    #[test]
    fn compound_messages_within_compound_ones_are_flat(
        parts in prop::collection::vec(prop::collection::vec(8..=8_u8, 0..50), 1..10),
        depth in 1..4_usize,
    ) {
        let mut bytes = compound(&parts);
        let mut expected = parts.clone();
        for level in 1..depth {
            let side = vec![8, level as u8];
            bytes = compound(&[side.clone(), bytes, side.clone()]);
            expected.insert(0, side.clone());
            expected.push(side);
        }
        let mut codec = Codec::new(CodecConfig::default()).unwrap();
        prop_assert_eq!(bodies(&mut codec, &bytes), expected.clone());
        prop_assert_eq!(bodies(&mut codec, &compressed(&bytes)), expected);
    }
}

fn compound(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut compound = vec![7, parts.len() as u8];
    parts.iter().for_each(|part| compound.extend_from_slice(&(part.len() as u16).to_be_bytes()));
    parts.iter().for_each(|part| compound.extend_from_slice(part));
    compound
}

/// A compressed message that holds these bytes.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    let compressed = weezl::encode::Encoder::new(weezl::BitOrder::Lsb, 8).encode(bytes).unwrap();
    let mut message = b"\x09\x82\xa4Algo\x00\xa3Buf\xdb".to_vec();
    message.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
    message.extend_from_slice(&compressed);
    message
}

#[test]
fn envelopes_within_envelopes_are_limited() {
    let mut codec = Codec::new(CodecConfig::default()).unwrap();
    let nack = b"\x0b\x81\xa5SeqNo\x07".to_vec();
    let mut bytes = nack.clone();
    for depth in 1..=6 {
        bytes = compressed(&bytes);
        match codec.open(&bytes) {
            Ok(opened) => {
                assert!(depth <= 4, "{depth}");
                assert!(opened.eq([&nack[..]]));
            }
            Err(error) => {
                assert!(depth > 4, "{depth}: {error}");
                assert!(matches!(
                    error.kind(),
                    ErrorKind::OverLimit { what: Limit::Depth, limit: 4, found: 5 }
                ));
            }
        }
    }
    // Too deep or broken is one of several: the others are delivered.
    let parts = [nack.clone(), bytes.clone(), b"\x09\x80".to_vec(), b"\x07".to_vec(), nack.clone()];
    let outer = compound(&parts);
    let opened = codec.open(&outer).unwrap();
    assert_eq!((opened.len(), opened.refused(), opened.truncated()), (2, 3, 0));
    assert!(opened.eq([&nack[..], &nack]));
}

#[test]
fn bombs_are_limited_all_together() {
    let mut codec = Codec::new(CodecConfig::default()).unwrap();
    let limit = codec.config().limits.packet_decompressed_bytes;
    let mut zeros = vec![8; limit];
    assert!(codec.open(&compressed(&zeros)).unwrap().eq([&zeros[..]]));
    zeros.push(8);
    let error = codec.open(&compressed(&zeros)).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::OverLimit { what: Limit::DecompressedBytes, limit: 65_536, .. }),
        "{error}"
    );
    // Ten of a tenth of it are too much with themselves around them; the last is refused.
    let tenth = compressed(&vec![8; limit / 10 + 1]);
    let opened = codec.open(&compound(&vec![tenth; 10])).map(|opened| (opened.len(), opened.refused()));
    assert_eq!(opened, Ok((9, 1)));
}

#[test]
fn labels_are_compared() {
    let codec =
        |label: &str| Codec::new(CodecConfig { label: label.to_owned(), ..CodecConfig::default() }).unwrap();
    let sealed = |label: &str| {
        let (mut codec, mut datagram) = (codec(label), Vec::new());
        let mut packet = codec.packet();
        assert!(packet.push(&Message::Nack(Nack { seq_no: 1 })));
        codec.seal(&packet, false, &mut datagram);
        datagram
    };
    let kind = |label: &str, datagram: &[u8]| codec(label).open(datagram).unwrap_err().kind();
    assert_eq!(kind("a", &sealed("b")), ErrorKind::OtherLabel);
    assert_eq!(kind("", &sealed("b")), ErrorKind::OtherLabel);
    assert_eq!(kind("a", &sealed("")), ErrorKind::NoLabel);
    assert_eq!(kind("a", &sealed("aa")), ErrorKind::OtherLabel);
    assert_eq!(kind("a", b"\xf4\x00\x0b"), ErrorKind::EmptyLabel);
    assert_eq!(kind("a", b"\xf4"), ErrorKind::Truncated { needed_bytes: 2, available_bytes: 1 });
    assert_eq!(kind("a", b"\xf4\x03ab"), ErrorKind::Truncated { needed_bytes: 5, available_bytes: 4 });
    assert_eq!(kind("a", b"\xf4\x01a"), ErrorKind::Empty);
    assert_eq!(kind("", b""), ErrorKind::Empty);
    let long = CodecConfig { label: "x".repeat(256), ..CodecConfig::default() };
    let error = Codec::new(long).unwrap_err();
    assert_eq!((error.what, error.limit, error.found), (Limit::LabelBytes, 255, 256));
    assert_eq!(error.to_string(), "bytes of a label: 256 exceed the limit of 255");
}

#[test]
fn checksums_are_compared() {
    let mut codec = Codec::new(CodecConfig::default()).unwrap();
    // Of "123456789", as in every description of this checksum.
    let body = [&[12, 0xcb, 0xf4, 0x39, 0x26][..], b"123456789"].concat();
    assert_eq!(bodies(&mut codec, &body), [b"123456789"]);
    let error = codec.open(&body[..body.len() - 1]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Checksum { declared: 0xcbf4_3926, .. }), "{error}");
    let error = codec.open(b"\x0c\x01\x02").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated { needed_bytes: 5, available_bytes: 3 });
    // Only one of them, and only on the outside.
    let twice = [&[12][..], &crc_fast::crc32_iso_hdlc(&body).to_be_bytes(), &body].concat();
    let inner = bodies(&mut codec, &twice);
    assert_eq!(inner, [&body[..]]);
    assert_eq!(Message::decode(&inner[0]).unwrap_err().kind(), ErrorKind::MessageType { found: 12 });
}

#[test]
fn keys_are_replaced_without_a_gap() {
    let (old, new) = ([1; 16], [2; 32]);
    let codec = |nonce: u8| {
        let codec = Codec::new(CodecConfig { label: "a".into(), ..CodecConfig::default() }).unwrap();
        codec.encrypted(Keyring::new(&old).unwrap(), [nonce; 12])
    };
    let mut nodes = [codec(1), codec(100)];
    let both_understand = |nodes: &mut [Codec; 2]| {
        for (from, to) in [(0, 1), (1, 0)] {
            let (mut packet, mut datagram) = (nodes[from].packet(), Vec::new());
            assert!(packet.push(&Message::Nack(Nack { seq_no: 1 })));
            nodes[from].seal(&packet, true, &mut datagram);
            assert!(nodes[to].open(&datagram).unwrap().eq(packet.bodies()));
        }
    };
    both_understand(&mut nodes);
    for node in 0..2 {
        nodes[node].keyring_mut().unwrap().add(&new).unwrap();
        both_understand(&mut nodes);
    }
    for node in 0..2 {
        nodes[node].keyring_mut().unwrap().promote(&new).unwrap();
        both_understand(&mut nodes);
    }
    for node in 0..2 {
        nodes[node].keyring_mut().unwrap().remove(&old).unwrap();
        both_understand(&mut nodes);
    }
    let mut behind = codec(200);
    let (mut packet, mut datagram) = (behind.packet(), Vec::new());
    assert!(packet.push(&Message::Nack(Nack { seq_no: 1 })));
    behind.seal(&packet, true, &mut datagram);
    let error = nodes[0].open(&datagram).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ErrorKind::Undecryptable { keys: 1 }, 3));
}

#[test]
fn keyrings_say_what_they_do_not_take() {
    let mut keyring = Keyring::new(b"0123456789abcdef").unwrap();
    for length in (0..40).filter(|length| ![16, 24, 32].contains(length)) {
        assert_eq!(keyring.add(&vec![0; length]), Err(KeyError::Length { found_bytes: length }));
    }
    assert_eq!(Keyring::new(&[]).unwrap_err(), KeyError::Length { found_bytes: 0 });
    assert_eq!(keyring.promote(&[1; 16]), Err(KeyError::Unknown { keys: 1 }));
    assert_eq!(keyring.remove(b"0123456789abcdef"), Err(KeyError::Primary));
    assert_eq!(keyring.remove(&[1; 16]), Ok(()));
    for key in [[1; 16], [2; 16], [1; 16]] {
        assert_eq!(keyring.add(&key), Ok(()));
    }
    keyring.promote(&[2; 16]).unwrap();
    assert!(keyring.keys().eq([&[2; 16], b"0123456789abcdef", &[1; 16]]));
    let shown = format!("{keyring:?}");
    assert_eq!(shown, "Keyring { keys: 3, .. }");
}

#[test]
fn a_cluster_without_keys_gets_some_step_by_step() {
    let plain = || Codec::new(CodecConfig::default()).unwrap();
    let keyed = |accept_plain, send_plain| {
        let config = CodecConfig { accept_plain, send_plain, ..CodecConfig::default() };
        Codec::new(config).unwrap().encrypted(Keyring::new(&[1; 16]).unwrap(), [1; 12])
    };
    let understands = |mut from: Codec, mut to: Codec| {
        let (mut packet, mut datagram) = (from.packet(), Vec::new());
        assert!(packet.push(&Message::Nack(Nack { seq_no: 1 })));
        from.seal(&packet, false, &mut datagram);
        match to.open(&datagram) {
            Ok(opened) => opened.eq(packet.bodies()),
            Err(_) => false,
        }
    };
    let step = |n| match n {
        0 => plain(),
        1 => keyed(true, true),
        2 => keyed(true, false),
        _ => keyed(false, false),
    };
    for (from, to) in [(0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)] {
        assert!(understands(step(from), step(to)), "{from} to {to}");
        assert!(understands(step(to), step(from)), "{to} to {from}");
    }
    assert!(!understands(step(0), step(3)) && !understands(step(3), step(0)));
    assert!(!understands(step(1), step(3)));
}

#[test]
fn a_known_packet_is_decrypted() {
    // AES-128-GCM of the specification's test case 4 has associated data of other length; this is its case 2, an all-zero block.
    let sealed = [
        &[1][..],
        &[0; 12],
        &[0x03, 0x88, 0xda, 0xce, 0x60, 0xb6, 0xa3, 0x92, 0xf3, 0x28, 0xc2, 0xb9, 0x71, 0xb2, 0xfe, 0x78],
        &[0xab, 0x6e, 0x47, 0xd4, 0x2c, 0xec, 0x13, 0xbd, 0xf5, 0x3a, 0x67, 0xb2, 0x12, 0x57, 0xbd, 0xdf],
    ]
    .concat();
    let mut codec = Codec::new(CodecConfig::default()).unwrap();
    assert!(codec.keyring_mut().is_none());
    codec = codec.encrypted(Keyring::new(&[0; 16]).unwrap(), [9; 12]);
    assert_eq!(bodies(&mut codec, &sealed), [[0; 16]]);
    for len in 0..sealed.len() {
        assert!(codec.open(&sealed[..len]).is_err(), "{len} bytes");
    }
    let kind = |codec: &mut Codec, sealed: &[u8]| codec.open(sealed).unwrap_err().kind();
    assert_eq!(kind(&mut codec, &[2; 50]), ErrorKind::EncryptionVersion { found: 2 });
    let short = ErrorKind::Truncated { needed_bytes: 45, available_bytes: 44 };
    assert_eq!(kind(&mut codec, &[0; 44]), short);
    // The version is not vouched for; what was not padded has no padding.
    let padded = [&[0][..], &sealed[1..]].concat();
    assert_eq!(kind(&mut codec, &padded), ErrorKind::Padding { found: 0 });
}

#[test]
fn packets_take_as_much_as_fits() {
    let mut packet = Packet::new(1_400, Ints::Unsigned);
    assert_eq!(packet.room_bytes(), 1_396);
    assert!(!packet.push(&Message::User(&[0; 1_396])), "with its type it is one too long");
    assert!(packet.push(&Message::User(&[0; 1_395])));
    assert_eq!(packet.room_bytes(), 0);
    assert!(!packet.push_body(&[0; 1]));
    packet.clear();
    for n in 0..255 {
        assert!(packet.push(&Message::User(&[])), "{n}");
    }
    assert_eq!(packet.room_bytes(), 0);
    assert!(!packet.push(&Message::User(&[])), "255 are the most");
    let mut codec = Codec::new(CodecConfig::default()).unwrap();
    let mut datagram = Vec::new();
    codec.seal(&packet, false, &mut datagram);
    assert_eq!(codec.open(&datagram).unwrap().len(), 255);
    // A limit below what envelopes need leaves no room, and is no reason to panic.
    let limits = Limits { packet_bytes: 3, ..Limits::default() };
    let codec = Codec::new(CodecConfig { limits, ..CodecConfig::default() }).unwrap();
    assert!(!codec.packet().push(&Message::Nack(Nack { seq_no: 1 })));
}
