//! Bodies: either encoding, whatever the header says, within the limits.

use promha_remote_proto::negotiate::Encoding;
use promha_remote_proto::{ErrorKind, Limit, Limits, body};

#[test]
fn snappy_is_read_and_limited() {
    let (mut packed, mut plain) = (Vec::new(), vec![1]);
    body::compress(Encoding::Snappy, &[7; 1_000], &mut packed).unwrap();
    let mut limits = Limits::default();
    assert_eq!(body::decompress(Encoding::Snappy, &packed, &limits, &mut plain).unwrap(), [7; 1_000]);

    limits.max_message_bytes = 999;
    let error = body::decompress(Encoding::Snappy, &packed, &limits, &mut plain).unwrap_err();
    let over = |what, limit, found| ErrorKind::OverLimit { what, limit, found };
    assert_eq!(error.kind(), over(Limit::DecompressedBytes, 999, 1_000));
    limits.max_body_bytes = packed.len() - 1;
    let error = body::decompress(Encoding::Snappy, &packed, &limits, &mut plain).unwrap_err();
    assert_eq!(error.kind(), over(Limit::BodyBytes, packed.len() as u64 - 1, packed.len() as u64));
    assert!(plain.is_empty());
}

#[test]
fn a_header_that_says_zstd_of_snappy_is_forgiven() {
    let (mut packed, mut plain) = (Vec::new(), Vec::new());
    body::compress(Encoding::Snappy, b"message", &mut packed).unwrap();
    assert_eq!(
        body::decompress(Encoding::Zstd, &packed, &Limits::default(), &mut plain).unwrap(),
        b"message"
    );
}

#[test]
fn neither_is_an_error_of_the_one_in_the_header() {
    let mut plain = vec![1];
    let error = body::decompress(Encoding::Snappy, b"\x05\x00", &Limits::default(), &mut plain).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Truncated { .. }), "{error}");
    let error = body::decompress(Encoding::Zstd, b"\x05\x00", &Limits::default(), &mut plain).unwrap_err();
    let expected = if cfg!(feature = "zstd") { ErrorKind::Zstd } else { ErrorKind::NoZstd };
    assert_eq!((error.kind(), error.status()), (expected, if cfg!(feature = "zstd") { 400 } else { 415 }));
    assert!(plain.is_empty());
}

#[cfg(feature = "zstd")]
mod zstd {
    use super::*;

    #[test]
    fn zstd_is_read_whatever_the_header_says() {
        let (mut packed, mut plain) = (Vec::new(), Vec::new());
        let message: Vec<u8> = (0..300_000_u32).map(|n| (n / 7) as u8).collect();
        body::compress(Encoding::Zstd, &message, &mut packed).unwrap();
        for encoding in [Encoding::Zstd, Encoding::Snappy] {
            let read = body::decompress(encoding, &packed, &Limits::default(), &mut plain).unwrap();
            assert!(read == message, "{encoding:?}");
        }
        for cut in [0, 3, packed.len() / 2, packed.len() - 1] {
            body::decompress(Encoding::Zstd, &packed[..cut], &Limits::default(), &mut plain).unwrap_err();
            assert!(plain.is_empty(), "cut at {cut}");
        }
    }

    #[test]
    fn zstd_is_limited_by_what_it_declares_and_by_what_it_holds() {
        let message = vec![0; 1 << 20];
        let mut limits = Limits::default();
        limits.max_message_bytes = message.len() - 1;
        let (mut packed, mut plain) = (Vec::new(), Vec::new());
        body::compress(Encoding::Zstd, &message, &mut packed).unwrap();
        let over =
            |found| ErrorKind::OverLimit { what: Limit::DecompressedBytes, limit: (1 << 20) - 1, found };
        let error = body::decompress(Encoding::Zstd, &packed, &limits, &mut plain).unwrap_err();
        assert_eq!(error.kind(), over(1 << 20));
        // A frame without a size: magic, a descriptor that says so, a window of 1 MiB, and blocks of one byte each
        // repeated 128 KiB times.
        let block = |last: u32| ((128 << 10) << 3 | 1 << 1 | last).to_le_bytes();
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 10 << 3];
        for n in 0..8 {
            frame.extend_from_slice(&block(u32::from(n == 7))[..3]);
            frame.push(0);
        }
        limits.max_message_bytes = 1 << 20;
        assert!(body::decompress(Encoding::Zstd, &frame, &limits, &mut plain).unwrap() == message);
        limits.max_message_bytes -= 1;
        let error = body::decompress(Encoding::Zstd, &frame, &limits, &mut plain).unwrap_err();
        assert_eq!(error.kind(), over(1 << 20));
    }
}
