//! Chunks of streamed answers.

use super::six_bytes::{has_six_bytes, six_byte_varint, split_sevens};
use super::{WireType, key};

/// A chunk of samples whose times take six bytes each (from 1971 to 2109) and whose fields are all there, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsualChunk<'a> {
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
    pub(crate) encoding: u8,
    pub(crate) data: &'a [u8],
}

/// The chunk that `bytes` begins with, and its length as a field.
#[inline]
pub(crate) fn chunk(bytes: &[u8], chunk_key: u8) -> Option<(UsualChunk<'_>, usize)> {
    if *bytes.first()? != chunk_key {
        return None;
    }
    let (message_length, start) = length(bytes, 1)?;
    let next = start + message_length;
    let (fixed, rest) = bytes.get(start..next)?.split_first_chunk::<CHUNK_FIXED_BYTES>()?;
    let &[min_key, a0, a1, a2, a3, a4, a5, max_key, b0, b1, b2, b3, b4, b5, encoding_key, encoding, data_key] =
        fixed;
    let keys = [min_key, max_key, encoding_key, data_key];
    let (data_length, data_at) = length(rest, 0)?;
    let data = &rest[data_at..];
    if keys != CHUNK_KEYS || encoding >= 0x80 || data.len() != data_length {
        return None;
    }
    let (min_ms, max_ms) =
        (six_byte_varint([a0, a1, a2, a3, a4, a5])?, six_byte_varint([b0, b1, b2, b3, b4, b5])?);
    Some((UsualChunk { min_ms, max_ms, encoding, data }, next))
}

/// What stands before the samples of such a chunk, if they are 128 to 16,364 bytes: lengths have two bytes then.
/// [`CHUNK_HEAD_BYTES`] of them, as words whose first byte is the lowest: put together from bytes, they would have to wait
/// for each other in memory.
#[inline]
pub(crate) fn chunk_head(
    chunk_key: u8,
    (min_ms, max_ms): (i64, i64),
    encoding: i32,
    data_length: usize,
) -> Option<[u64; 3]> {
    let length = CHUNK_FIXED_BYTES + 2 + data_length;
    if !has_six_bytes(min_ms) || !has_six_bytes(max_ms) || !(1..0x80).contains(&encoding) {
        return None;
    }
    if data_length < 0x80 || length >= 0x80 << 7 {
        return None;
    }
    let two_bytes = |length: usize| (length & 0x7f | 0x80 | length >> 7 << 8) as u64;
    let (min, max) = (split_sevens(min_ms), split_sevens(max_ms));
    let [min_key, max_key, encoding_key, data_key] = CHUNK_KEYS.map(u64::from);
    Some([
        u64::from(chunk_key) | two_bytes(length) << 8 | min_key << 24 | min << 32,
        min >> 32 | max_key << 16 | max << 24,
        max >> 40
            | encoding_key << 8
            | (encoding as u64) << 16
            | data_key << 24
            | two_bytes(data_length) << 32,
    ])
}

/// How many bytes [`chunk_head`] has.
pub(crate) const CHUNK_HEAD_BYTES: usize = 22;

/// The bytes of a chunk before the length of its samples.
const CHUNK_FIXED_BYTES: usize = 17;

/// The keys of the fields of a chunk.
const CHUNK_KEYS: [u8; 4] = [
    key(1, WireType::Varint),
    key(2, WireType::Varint),
    key(3, WireType::Varint),
    key(4, WireType::Delimited),
];

/// The length at `at`, if it is below 2,097,152, and where it ends.
#[inline]
fn length(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = usize::from(*bytes.get(at)?);
    if first < 0x80 {
        return Some((first, at + 1));
    }
    let second = usize::from(*bytes.get(at + 1)?);
    if second < 0x80 {
        return Some((first & 0x7f | second << 7, at + 2));
    }
    let third = usize::from(*bytes.get(at + 2)?);
    (third < 0x80).then_some((first & 0x7f | (second & 0x7f) << 7 | third << 14, at + 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_cut_as_they_are_written() {
        const T_MS: (i64, i64) = (1 << 35, (1 << 42) - 1);
        let written = |times_ms, encoding, data: &[u8]| {
            let words = chunk_head(0x12, times_ms, encoding, data.len())?;
            Some([&words.map(u64::to_le_bytes).concat()[..CHUNK_HEAD_BYTES], data].concat())
        };
        for length in [128, 129, 255, 300, 16_364] {
            let data = vec![7; length];
            let bytes = written(T_MS, 1, &data).unwrap();
            let expected = UsualChunk { min_ms: T_MS.0, max_ms: T_MS.1, encoding: 1, data: &data };
            assert_eq!(chunk(&bytes, 0x12), Some((expected, bytes.len())), "{length}");
            assert_eq!(chunk(&[&bytes[..], b"rest"].concat(), 0x12).unwrap().1, bytes.len());
            assert_eq!(chunk(&bytes, 0x1a), None);
            for cut in 0..bytes.len() {
                assert_eq!(chunk(&bytes[..cut], 0x12), None, "{length} bytes cut at {cut}");
            }
            // Keys, lengths and the bits that say how long a varint is.
            for at in [0, 1, 2, 3, 4, 9, 10, 11, 16, 17, 19, 20, 21] {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x80;
                assert_eq!(chunk(&bytes, 0x12), None, "byte {at}");
            }
        }
        for (times_ms, encoding, length) in [
            (T_MS, 1, 127),
            (T_MS, 1, 16_365),
            (T_MS, 0, 200),
            (T_MS, 128, 200),
            (T_MS, -1, 200),
            ((T_MS.0 - 1, T_MS.1), 1, 200),
            ((T_MS.0, T_MS.1 + 1), 1, 200),
        ] {
            assert_eq!(written(times_ms, encoding, &vec![7; length]), None);
        }
    }
}
