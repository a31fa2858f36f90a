//! XOR chunks: round trips, the encoding bit by bit, and damaged chunks.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

use proptest::prelude::*;

use promha_remote_proto::xor::{self, MAX_SAMPLES, STALE_NAN_BITS, XorEncoder};
use promha_remote_proto::{DecodeError, EncodeError, ErrorKind};

mod common {
    pub(crate) mod plain_xor;
}

use common::plain_xor;

type Columns = (Vec<i64>, Vec<u64>);

#[test]
fn the_empty_chunk_is_two_bytes() {
    assert_eq!(encode(&[]), [0, 0]);
    assert_eq!(decode(&[0, 0]), Ok((vec![], vec![])));
}

#[test]
fn each_part_is_written_as_its_table_says() {
    // The first sample: zigzag varint, eight bytes of value; the byte after whole bytes stays open.
    assert_eq!(encode(&[(-2, 1.0)]), hex("0001 03 3ff0000000000000 00"));
    // The second: varint of the difference, and the same value as one bit.
    assert_eq!(encode(&[(0, 0.0), (300, 0.0)]), hex("0002 00 0000000000000000 ac02 00"));
    // A difference below zero is a varint of ten bytes.
    assert_eq!(encode(&[(1, 0.0), (0, 0.0)]), hex("0002 02 0000000000000000 ffffffffffffffffff01 00"));
    // From the third on: how much the difference differs, then the value (here the same: one 0).
    for (change_ms, bits) in [
        (0, "0"),
        (1, "10 00000000000001"),
        (-1, "10 11111111111111"),
        (8_192, "10 10000000000000"),
        (-8_191, "10 10000000000001"),
        (8_193, "110 00010000000000001"),
        (-8_192, "110 11110000000000000"),
        (65_536, "110 10000000000000000"),
        (-65_535, "110 10000000000000001"),
        (65_537, "1110 00010000000000000001"),
        (-65_536, "1110 11110000000000000000"),
        (524_288, "1110 10000000000000000000"),
        (-524_287, "1110 10000000000000000001"),
        (524_289, "1111 0000000000000000000000000000000000000000000010000000000000000001"),
        (-524_288, "1111 1111111111111111111111111111111111111111111110000000000000000000"),
    ] {
        let chunk = encode(&[(0, 0.0), (1_000_000, 0.0), (2_000_000 + change_ms, 0.0)]);
        assert_eq!(tail(&chunk, 14), padded(&format!("0 {bits} 0")), "{change_ms}");
        assert_eq!(decode(&chunk).unwrap().0[2], 2_000_000 + change_ms);
    }
}

#[test]
fn values_reuse_the_window_of_the_last_change_when_they_fit() {
    let chunk = |bits: &[u64]| {
        let samples: Vec<_> = bits.iter().map(|&bits| (0, f64::from_bits(bits))).collect();
        let chunk = encode(&samples);
        assert_eq!(decode(&chunk).unwrap().1, bits);
        chunk
    };
    for (what, values, expected) in [
        ("one bit in the middle", vec![0, 1 << 40], "11 10111 000001 1"),
        ("the window again", vec![0, 5 << 40, 4 << 40], "11 10101 000011 101"),
        ("more than 31 leading zeros", vec![0, 1], "11 11111 100001 000000000000000000000000000000001"),
        ("64 significant bits", vec![0, 1 << 63 | 1], &format!("11 00000 000000 1{}1", "0".repeat(62))),
    ] {
        let rest = if what == "the window again" { " 0 10 001" } else { "" };
        assert_eq!(tail(&chunk(&values), 12), padded(&format!("{expected}{rest}")), "{what}");
    }
    // A change outside of the window opens another one, also when that is the smaller one.
    let other = tail(&chunk(&[0, 5 << 40, 5 << 40 | 1 << 39]), 12);
    assert_eq!(other, padded("11 10101 000011 101  0  11 11000 000001 1"));
    // The clamp to 31 leading zeros makes the window wider than the change.
    let clamped = tail(&chunk(&[0, 2, 0, 1 << 32]), 12);
    assert_eq!(clamped, padded(&format!("11 11111 100000 {0}1  0 10 {0}1  0 10 1{0}", "0".repeat(31))));
}

#[test]
fn a_window_may_be_reused_before_there_was_one() {
    // What an appender writes that was opened again on a chunk with equal values only.
    let mut bits = String::from("10");
    bits.extend((0..64).rev().map(|n| if 0x8000_0000_0000_0001_u64 >> n & 1 == 1 { '1' } else { '0' }));
    let chunk = [hex("0002 00 0000000000000000 01"), padded(&bits)].concat();
    assert_eq!(decode(&chunk), Ok((vec![0, 1], vec![0, 1 << 63 | 1])));
}

#[test]
fn a_marker_is_found_in_a_window_that_holds_the_exponent() {
    // From the second sample on the window is the lower part of the exponent, and all fits into it: 0x7f8 becomes 0x7ff, and
    // the mantissa has its bit already.
    let bits = |exponent: u64| f64::from_bits(exponent << 52 | 2);
    let values = [0x7f8, 0x7f0, 0x7f7, 0x7f8, 0x7f0, 0x7ff, 0x7f0];
    let samples: Vec<_> = (0..).map(|n| n * 15_000).zip(values.map(bits)).collect();
    let chunk = encode(&samples);
    assert_eq!(decode(&chunk).unwrap().1[5], STALE_NAN_BITS);
    assert_eq!(xor::has_stale_marker(&chunk), Ok(true));
    assert_eq!(xor::has_stale_marker(&encode(&samples[..5])), Ok(false));
}

#[test]
fn what_stands_after_the_last_sample_is_ignored() {
    let mut chunk = encode(&[(1, 1.0), (2, 2.0), (3, 3.0)]);
    let expected = decode(&chunk);
    chunk.extend([0xff; 20]);
    assert_eq!(decode(&chunk), expected);
}

#[test]
fn an_encoder_starts_afresh_after_each_chunk() {
    let samples = [(5, 1.5), (10, 2.5), (16, -2.5), (16, 0.0)];
    let (mut encoder, mut twice) = (XorEncoder::new(), vec![9]);
    for _ in 0..2 {
        samples.iter().for_each(|&(t_ms, value)| encoder.push(t_ms, value));
        assert_eq!((encoder.len(), encoder.is_empty()), (4, false));
        encoder.finish(&mut twice);
        assert_eq!((encoder.len(), encoder.is_empty()), (0, true));
    }
    assert_eq!(twice, [vec![9], encode(&samples), encode(&samples)].concat());
}

#[test]
fn a_chunk_holds_so_many_samples_and_no_more() {
    let column: Vec<i64> = (0..=MAX_SAMPLES as i64).collect();
    let values = vec![0.0; column.len()];
    let mut chunk = Vec::new();
    xor::encode(&column[1..], &values[1..], &mut chunk).unwrap();
    assert_eq!(xor::sample_count(&chunk), Ok(65_535));
    assert_eq!(decode(&chunk).unwrap().0, column[1..]);

    let before = chunk.clone();
    let too_many = EncodeError::TooManySamples { limit: 65_535, found: 65_536 };
    assert_eq!(xor::encode(&column, &values, &mut chunk), Err(too_many));
    let uneven = EncodeError::UnevenColumns { timestamps: 65_536, values: 65_535 };
    assert_eq!(xor::encode(&column, &values[1..], &mut chunk), Err(uneven));
    assert_eq!(chunk, before);
}

#[test]
#[should_panic(expected = "at most 65535 samples")]
fn a_sample_too_many_panics() {
    let mut encoder = XorEncoder::new();
    (0..=MAX_SAMPLES as i64).for_each(|t_ms| encoder.push(t_ms, 0.0));
}

#[test]
fn damage_is_named_and_located() {
    let truncated = |needed_bytes, available_bytes| ErrorKind::Truncated { needed_bytes, available_bytes };
    for (what, chunk, kind, offset) in [
        ("no bytes", vec![], truncated(2, 0), 0),
        ("half a count", vec![0], truncated(2, 1), 0),
        ("no first timestamp", hex("0001"), truncated(1, 0), 2),
        ("half a first timestamp", hex("0001 80"), truncated(2, 1), 2),
        ("a first timestamp too large", hex("0001 ffffffffffffffffff02 00"), ErrorKind::VarintOverflow, 2),
        ("half a first value", hex("0001 00 0000"), truncated(8, 2), 3),
        ("no difference", hex("0002 00 0000000000000000"), truncated(1, 0), 11),
        ("no second value", hex("0002 00 0000000000000000 01"), truncated(1, 0), 12),
        // 0: the same; 0 0: the same again, and so on for eight bits. The fifth sample is in the next byte.
        ("no sixth sample", hex("0006 00 0000000000000000 01 00"), truncated(2, 1), 12),
        (
            "31 leading zeros and 34 bits",
            hex("0002 00 0000000000000000 01 ff1000000000"),
            ErrorKind::ChunkWindow { leading: 31, significant: 34 },
            12,
        ),
        (
            "1 leading zero and 64 bits",
            hex("0002 00 0000000000000000 01 c2000000000000000000"),
            ErrorKind::ChunkWindow { leading: 1, significant: 64 },
            12,
        ),
    ] {
        let (mut timestamps_ms, mut values) = (vec![7], vec![7.0, 8.0]);
        let error = xor::decode(&chunk, &mut timestamps_ms, &mut values).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, offset), "{what}");
        assert_eq!((timestamps_ms, values), (vec![7], vec![7.0, 8.0]), "{what}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(samples in samples_strategy()) {
        let chunk = encode(&samples);
        prop_assert_eq!(xor::sample_count(&chunk).map(usize::from), Ok(samples.len()));
        let expected: Columns = samples.iter().map(|&(t_ms, value)| (t_ms, value.to_bits())).unzip();
        prop_assert_eq!(decode(&chunk), Ok(expected));
    }

    #[test]
    fn bytes_are_those_of_the_plain_way(samples in samples_strategy()) {
        let bits: Vec<_> = samples.iter().map(|&(t_ms, value)| (t_ms, value.to_bits())).collect();
        let chunk = plain_xor::encode(&bits);
        prop_assert_eq!(&encode(&samples), &chunk, "from columns");
        let (mut encoder, mut pushed) = (XorEncoder::new(), Vec::new());
        samples.iter().for_each(|&(t_ms, value)| encoder.push(t_ms, value));
        encoder.finish(&mut pushed);
        prop_assert_eq!(&pushed, &chunk, "sample by sample");
    }

    #[test]
    fn chunks_are_read_as_in_the_plain_way(
        samples in samples_strategy(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        open in any::<bool>(),
    ) {
        let mut chunk = encode(&samples);
        damage.iter().for_each(|(index, byte)| *index.get_mut(&mut chunk) = *byte);
        if !open {
            chunk.truncate(cut.index(chunk.len() + 1));
        }
        let plain = plain_xor::decode(&chunk).map(|samples| samples.into_iter().unzip());
        prop_assert_eq!(decode(&chunk).map_err(|error| error.offset()), plain);
        prop_assert_eq!(xor::has_stale_marker(&chunk), has_stale_marker(&chunk));
    }

    #[test]
    fn a_stale_marker_is_found_wherever_it_is(
        samples in samples_strategy(),
        plain_counter in any::<bool>(),
        at in any::<prop::sample::Index>(),
    ) {
        let value = |n: usize, value: f64| if plain_counter { n as f64 * 10.0 } else { value };
        let mut samples: Vec<_> =
            samples.iter().enumerate().map(|(n, &(t_ms, old))| (t_ms, value(n, old))).collect();
        let chunk = encode(&samples);
        prop_assert_eq!(xor::has_stale_marker(&chunk), has_stale_marker(&chunk));
        if !samples.is_empty() {
            at.get_mut(&mut samples).1 = f64::from_bits(STALE_NAN_BITS);
            prop_assert_eq!(xor::has_stale_marker(&encode(&samples)), Ok(true));
        }
    }

    #[test]
    fn every_cut_is_noticed(samples in samples_strategy()) {
        // Up to the last sample no byte can be spared; one byte may stay open behind it.
        let chunk = encode(&samples);
        for cut in 0..chunk.len().saturating_sub(1) {
            let error = decode(&chunk[..cut]).unwrap_err();
            prop_assert!(matches!(error.kind(), ErrorKind::Truncated { .. }), "{}", error);
            prop_assert!(error.offset() <= cut);
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..100), count in 0..20_u16) {
        let chunk = [&count.to_be_bytes()[..], &noise].concat();
        prop_assert_eq!(xor::has_stale_marker(&chunk), has_stale_marker(&chunk));
        if let Ok((timestamps_ms, values)) = decode(&chunk) {
            prop_assert_eq!((timestamps_ms.len(), values.len()), (usize::from(count), usize::from(count)));
            // Written again it is another chunk perhaps, but the same samples.
            let samples: Vec<_> = timestamps_ms.into_iter().zip(values.into_iter().map(f64::from_bits)).collect();
            prop_assert_eq!(decode(&encode(&samples)), decode(&chunk));
        }
    }
}

fn samples_strategy() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let step_ms = prop_oneof![
        4 => Just(15_000_i64),
        4 => 14_800..15_200_i64,
        2 => -700_000..700_000_i64,
        1 => any::<i64>(),
    ];
    let value = prop_oneof![
        4 => (0..20_i32).prop_map(f64::from),
        2 => any::<f64>(),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => prop::sample::select(vec![f64::INFINITY, f64::NAN, f64::from_bits(STALE_NAN_BITS)]),
        1 => (0..64_u32).prop_map(|bit| f64::from_bits(1 << bit)),
    ];
    prop::collection::vec((step_ms, value), 0..130).prop_map(|steps| {
        let mut t_ms = 1_700_000_000_000_i64;
        let next = |(step_ms, value)| {
            t_ms = t_ms.wrapping_add(step_ms);
            (t_ms, value)
        };
        steps.into_iter().map(next).collect()
    })
}

fn encode(samples: &[(i64, f64)]) -> Vec<u8> {
    let (timestamps_ms, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
    let mut chunk = Vec::new();
    xor::encode(&timestamps_ms, &values, &mut chunk).unwrap();
    chunk
}

/// The columns of a chunk, values as bits.
fn decode(chunk: &[u8]) -> Result<Columns, DecodeError> {
    let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
    xor::decode(chunk, &mut timestamps_ms, &mut values)?;
    Ok((timestamps_ms, values.into_iter().map(f64::to_bits).collect()))
}

/// Whether a stale marker is in a chunk, in the plain way.
fn has_stale_marker(chunk: &[u8]) -> Result<bool, DecodeError> {
    decode(chunk).map(|(_, values)| values.contains(&STALE_NAN_BITS))
}

/// The bytes that follow the first `count` ones.
fn tail(chunk: &[u8], count: usize) -> Vec<u8> {
    chunk[count..].to_vec()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Bits as bytes, zeros behind them up to a whole byte.
fn padded(text: &str) -> Vec<u8> {
    let bits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').map(|byte| byte - b'0').collect();
    bits.chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |value, (n, bit)| value | bit << (7 - n)))
        .collect()
}
