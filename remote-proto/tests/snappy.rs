//! Snappy blocks: round trips, damage that is found where it is, and lengths that are only claimed.

use proptest::prelude::*;

use promha_remote_proto::{DecodeError, ErrorKind, Limit, snappy};

#[test]
fn what_was_compressed_comes_back_in_the_same_buffers() {
    let (mut packed, mut plain) = (vec![1; 9], vec![2; 99]);
    for raw in
        [&b""[..], b"a", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &[7; 200_000], &noise(100_000), b"xyz"]
    {
        snappy::compress(raw, &mut packed).unwrap();
        assert_eq!(snappy::decompress(&packed, raw.len(), &mut plain).unwrap(), raw);
        assert_eq!(plain, raw);
    }
}

#[test]
fn every_kind_of_element_is_read() {
    for (what, block, expected) in [
        ("nothing", vec![0], vec![]),
        ("a literal", vec![3, 2 << 2, b'a', b'b', b'c'], b"abc".to_vec()),
        ("a literal with a long length", vec![3, 60 << 2, 2, b'a', b'b', b'c'], b"abc".to_vec()),
        ("one in two bytes", vec![3, 61 << 2, 2, 0, b'a', b'b', b'c'], b"abc".to_vec()),
        ("one in three bytes", vec![3, 62 << 2, 2, 0, 0, b'a', b'b', b'c'], b"abc".to_vec()),
        ("one in four bytes", vec![3, 63 << 2, 2, 0, 0, 0, b'a', b'b', b'c'], b"abc".to_vec()),
        ("a copy that overlaps itself", vec![7, 1 << 2, b'a', b'b', 1 << 2 | 1, 2], b"abababa".to_vec()),
        (
            "a copy with a distance of two bytes",
            vec![4, 1 << 2, b'a', b'b', 1 << 2 | 2, 2, 0],
            b"abab".to_vec(),
        ),
        (
            "a copy with a distance of four bytes",
            vec![4, 1 << 2, b'a', b'b', 1 << 2 | 3, 2, 0, 0, 0],
            b"abab".to_vec(),
        ),
        (
            "a length with leading zeros",
            vec![0x83, 0x80, 0x80, 0x80, 0x00, 2 << 2, b'a', b'b', b'c'],
            b"abc".to_vec(),
        ),
    ] {
        assert_eq!(snappy::decompress(&block, 99, &mut Vec::new()), Ok(&expected[..]), "{what}");
    }
}

#[test]
fn damage_is_named_and_located() {
    use ErrorKind::*;
    let truncated = |needed_bytes, available_bytes| Truncated { needed_bytes, available_bytes };
    for (what, block, kind, offset) in [
        ("no body", vec![], EmptyBody, 0),
        ("half a length", vec![0x80], truncated(2, 1), 0),
        ("a length of six bytes", vec![0x83, 0x80, 0x80, 0x80, 0x80, 0x00], VarintOverflow, 0),
        ("no elements", vec![3], SnappyLength { declared_bytes: 3, found_bytes: 0 }, 1),
        ("too little", vec![3, 1 << 2, b'a', b'b'], SnappyLength { declared_bytes: 3, found_bytes: 2 }, 4),
        ("too much", vec![3, 3 << 2, 0, 0, 0, 0], SnappyLength { declared_bytes: 3, found_bytes: 4 }, 1),
        (
            "too much by a copy",
            vec![5, 1 << 2, b'a', b'b', 1, 2],
            SnappyLength { declared_bytes: 5, found_bytes: 6 },
            4,
        ),
        ("a literal that ends early", vec![3, 2 << 2, b'a', b'b'], truncated(4, 3), 1),
        ("a length of a literal that ends early", vec![3, 61 << 2, 2], truncated(3, 2), 1),
        ("a copy that ends early", vec![9, 1 << 2, b'a', b'b', 2, 1], truncated(3, 2), 4),
        (
            "a copy from before the start",
            vec![9, 1 << 2, b'a', b'b', 1, 3],
            SnappyCopy { distance: 3, written_bytes: 2 },
            4,
        ),
        (
            "a copy from itself",
            vec![9, 1 << 2, b'a', b'b', 1, 0],
            SnappyCopy { distance: 0, written_bytes: 2 },
            4,
        ),
    ] {
        let mut plain = vec![1, 2, 3];
        let error = snappy::decompress(&block, 99, &mut plain).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (kind, offset), "{what}");
        assert!(plain.is_empty(), "{what}");
    }
}

#[test]
fn claims_are_held_against_limit_and_size() {
    let over = |found, limit| ErrorKind::OverLimit { what: Limit::DecompressedBytes, limit, found };
    let kind = |body: &[u8], limit| snappy::decompress(body, limit, &mut Vec::new()).unwrap_err().kind();
    let claims_4_gib = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let claims_more = [0xff, 0xff, 0xff, 0xff, 0x7f, 0];
    assert_eq!(kind(&claims_4_gib, snappy::DEFAULT_LIMIT_BYTES), over(u64::from(u32::MAX), 32 << 20));
    assert_eq!(
        kind(&claims_4_gib, usize::MAX),
        ErrorKind::SnappyImplausible { declared_bytes: u64::from(u32::MAX), body_bytes: 6 }
    );
    assert_eq!(kind(&claims_more, usize::MAX), over((1 << 35) - 1, u64::from(u32::MAX)));
    // 21 bytes and a third for each byte of the body.
    assert_eq!(kind(&[64, 0, 0], 99), ErrorKind::SnappyLength { declared_bytes: 64, found_bytes: 1 });
    assert_eq!(kind(&[65, 0, 0], 99), ErrorKind::SnappyImplausible { declared_bytes: 65, body_bytes: 3 });
    // What is as dense as the format allows is still accepted.
    let mut packed = Vec::new();
    snappy::compress(&[0; 10_000_000], &mut packed).unwrap();
    assert!(packed.len() < 500_000);
    assert_eq!(snappy::decompress(&packed, 10_000_000, &mut Vec::new()).map(<[u8]>::len), Ok(10_000_000));
}

proptest! {
    #[test]
    fn any_bytes_come_back(raw in prop::collection::vec(0..4_u8, 0..3_000)) {
        let (mut packed, mut plain) = (Vec::new(), Vec::new());
        snappy::compress(&raw, &mut packed).unwrap();
        prop_assert_eq!(snappy::decompress(&packed, raw.len(), &mut plain), Ok(&raw[..]));
        if !raw.is_empty() {
            prop_assert!(snappy::decompress(&packed, raw.len() - 1, &mut plain).is_err());
        }
    }

    /// The place of the damage is found by walking over the elements once more; that walk has to find one
    /// whenever decompression failed, and inside the body.
    #[test]
    fn damage_is_always_found(
        raw in prop::collection::vec(0..3_u8, 0..300),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut packed = Vec::new();
        snappy::compress(&raw, &mut packed).unwrap();
        for (index, byte) in damage {
            let at = index.index(packed.len());
            packed[at] = byte;
        }
        for body in [&packed[..], &packed[..cut.index(packed.len())]] {
            let reference = snap::raw::Decoder::new().decompress_vec(body);
            let found: Result<Vec<u8>, DecodeError> =
                snappy::decompress(body, 1 << 20, &mut Vec::new()).map(<[u8]>::to_vec);
            match (reference, found) {
                (Ok(reference), Ok(found)) => prop_assert_eq!(reference, found),
                (Ok(reference), Err(error)) => {
                    let over = matches!(error.kind(), ErrorKind::OverLimit { .. } | ErrorKind::EmptyBody);
                    prop_assert!(over && (reference.len() > 1 << 20 || body.is_empty()), "{}", error);
                }
                (Err(_), Ok(_)) => prop_assert!(false, "accepted"),
                (Err(_), Err(error)) => {
                    prop_assert!(error.offset() <= body.len());
                    if let ErrorKind::SnappyLength { declared_bytes, found_bytes } = error.kind() {
                        prop_assert_ne!(declared_bytes, found_bytes);
                    }
                }
            }
        }
    }
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..length).map(next).collect()
}
