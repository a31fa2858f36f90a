//! Held against the obvious way to do it, and against another implementation where that does the same.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{CLEAR, CODES, Decoder, END, Encoder, FIRST_BITS, LAST_CODE, MAX_BITS};
use crate::wire::error::{ErrorKind, Limit};

/// Codes and their widths, as they follow from the strings that were seen.
fn obvious_codes(input: &[u8]) -> Vec<(u16, u32)> {
    let (mut known, mut codes) = (HashMap::new(), Vec::new());
    let (mut next, mut width) = (END + 1, FIRST_BITS);
    codes.push((CLEAR, width));
    let mut rest = input;
    while !rest.is_empty() {
        let longest = (1..=rest.len()).take_while(|&len| len == 1 || known.contains_key(&rest[..len])).last();
        let (string, behind) = rest.split_at(longest.unwrap());
        codes.push((known.get(string).copied().unwrap_or(u16::from(string[0])), width));
        rest = behind;
        if next == LAST_CODE {
            codes.push((CLEAR, width));
            known.clear();
            (next, width) = (END + 1, FIRST_BITS);
            continue;
        }
        if next == 1 << width {
            width += 1;
        }
        if let Some(&byte) = rest.first() {
            known.insert([string, &[byte]].concat(), next);
        }
        next += 1;
    }
    codes.push((END, width));
    codes
}

fn obvious_bytes(codes: &[(u16, u32)]) -> Vec<u8> {
    let bit = |&(code, width): &(u16, u32)| (0..width).map(move |bit| (code >> bit & 1) as u8);
    let bits: Vec<u8> = codes.iter().flat_map(bit).collect();
    bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |byte, bit| byte << 1 | bit)).collect()
}

/// What codes stand for, each kept as a string of its own.
fn obvious_decode(input: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut bits = input.iter().flat_map(|byte| (0..8).map(move |bit| u16::from(byte >> bit & 1)));
    let (mut strings, mut last) = (Vec::<Vec<u8>>::new(), None::<Vec<u8>>);
    let (mut output, mut width) = (Vec::new(), FIRST_BITS);
    loop {
        let mut code = 0;
        for bit in 0..width {
            code |= bits.next()? << bit;
        }
        let string = match code {
            CLEAR => {
                strings.clear();
                (last, width) = (None, FIRST_BITS);
                continue;
            }
            END => return Some(output),
            0..CLEAR => vec![code as u8],
            _ => match (strings.get(usize::from(code - END - 1)), &last) {
                (Some(string), _) => string.clone(),
                (None, Some(last)) if usize::from(code - END - 1) == strings.len() => {
                    [&last[..], &last[..1]].concat()
                }
                _ => return None,
            },
        };
        if output.len() + string.len() > limit {
            return None;
        }
        output.extend_from_slice(&string);
        if let Some(last) = last
            && strings.len() + usize::from(END) + 1 < CODES
        {
            strings.push([&last[..], &string[..1]].concat());
        }
        // The code that is given next has to fit, too.
        if strings.len() + usize::from(END) + 1 == 1 << width && width < MAX_BITS {
            width += 1;
        }
        last = Some(string);
    }
}

fn encode(encoder: &mut Encoder, input: &[u8]) -> Vec<u8> {
    let mut compressed = vec![b'x'];
    encoder.encode(input, &mut compressed);
    assert_eq!(compressed.remove(0), b'x', "what is there is kept");
    compressed
}

fn decode(decoder: &mut Decoder, input: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut decompressed = vec![b'x'];
    let decoded = decoder.decode(input, limit, &mut decompressed);
    assert_eq!(decompressed.remove(0), b'x', "what is there is kept");
    match decoded {
        Ok(()) => Some(decompressed),
        Err(_) => {
            assert!(decompressed.is_empty(), "on an error nothing is appended");
            None
        }
    }
}

/// Inputs that repeat themselves much, little, and not at all.
fn inputs() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![0..100_usize, 0..3_000_usize, 8_000..20_000_usize];
    (length, 1..=u8::MAX, any::<u64>(), 1..50_usize).prop_map(|(length, letters, seed, repeat)| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut input = Vec::new();
        while input.len() < length {
            let back = random.usize(..=input.len().min(500));
            match random.usize(..4) {
                0 if back > 0 => input.extend_from_within(input.len() - back..),
                1 => input.extend(std::iter::repeat_n(random.u8(..letters), repeat)),
                _ => input.push(random.u8(..letters)),
            }
        }
        input
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_do_as_the_obvious_ones(inputs in prop::collection::vec(inputs(), 1..3)) {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        for input in inputs {
            let compressed = encode(&mut encoder, &input);
            prop_assert_eq!(&compressed, &obvious_bytes(&obvious_codes(&input)));
            prop_assert_eq!(decode(&mut decoder, &compressed, input.len()), Some(input.clone()));
            prop_assert_eq!(obvious_decode(&compressed, input.len()), Some(input.clone()));
            let other = weezl::decode::Decoder::new(weezl::BitOrder::Lsb, 8).decode(&compressed);
            prop_assert_eq!(other.ok(), Some(input.clone()));
            if let Some(limit) = input.len().checked_sub(1) {
                prop_assert_eq!(decode(&mut decoder, &compressed, limit), None);
            }
        }
    }

    #[test]
    fn any_bytes_are_decoded_as_obviously(start in prop::collection::vec(any::<u8>(), 0..3_000), limit in 0..100_000_usize) {
        let mut decoder = Decoder::default();
        prop_assert_eq!(decode(&mut decoder, &start, limit), obvious_decode(&start, limit));
    }

    #[test]
    fn any_codes_are_decoded_as_obviously(seed in any::<u64>(), codes in 0..6_000_usize, clears in any::<bool>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        // Codes that are given mostly, and the one that is about to be.
        let (mut next, mut width, mut first) = (END, FIRST_BITS, true);
        let mut written = Vec::new();
        for _ in 0..codes {
            let code = match random.u16(..100) {
                0 if clears => CLEAR,
                1..40 => random.u16(..CLEAR),
                40..80 if !first && next > END => next.min(LAST_CODE),
                _ if next > END + 1 => random.u16(END + 1..next),
                _ => random.u16(..CLEAR),
            };
            written.push((code, width));
            if code == CLEAR {
                (next, width, first) = (END, FIRST_BITS, true);
                continue;
            }
            first = false;
            if next < LAST_CODE {
                next += 1;
                if next == 1 << width && width < MAX_BITS {
                    width += 1;
                }
            }
        }
        written.push((END, width));
        let compressed = obvious_bytes(&written);
        let expected = obvious_decode(&compressed, 1 << 24);
        prop_assert!(expected.is_some());
        prop_assert_eq!(decode(&mut Decoder::default(), &compressed, 1 << 24), expected);
    }
}

#[test]
fn what_is_longer_than_the_limit_is_given_up_at_the_limit() {
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    let compressed = encode(&mut encoder, &vec![0; 10 << 20]);
    assert!(compressed.len() < 20_000, "{} bytes", compressed.len());
    let mut into = Vec::new();
    let error = decoder.decode(&compressed, 1 << 16, &mut into).unwrap_err();
    let ErrorKind::OverLimit { what: Limit::DecompressedBytes, limit: 65_536, found } = error.kind() else {
        panic!("{error}");
    };
    assert!(found > 65_536 && found < 65_536 + 4_096, "{found}");
    assert!(into.capacity() <= 2 << 16, "{} bytes were taken", into.capacity());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let mut decoder = Decoder::default();
    let mut error =
        |codes: &[(u16, u32)]| decoder.decode(&obvious_bytes(codes), 100, &mut Vec::new()).unwrap_err();
    let bad = error(&[(CLEAR, 9), (7, 9), (259, 9)]);
    assert_eq!(bad.kind(), ErrorKind::LzwCode { found: 259, highest: 258 });
    assert_eq!(bad.offset(), 3);
    let bad = error(&[(CLEAR, 9), (258, 9)]);
    assert_eq!(bad.kind(), ErrorKind::LzwCode { found: 258, highest: 257 });
    let bad = error(&[(CLEAR, 9), (7, 9)]);
    assert_eq!(bad.kind(), ErrorKind::Truncated { needed_bytes: 1, available_bytes: 0 });
    assert_eq!(bad.offset(), 3);
}
