//! The forms in which labels, samples, chunks and references almost always come, in a few steps each.
//!
//! Everything here may say no: whatever has another form is read or written field by field, with the same result.

use crate::wire::{DELIMITED, FIXED64, VARINT};

/// The key of a field with a number below 16.
pub(crate) const fn key(number: u32, wire_type: WireType) -> u8 {
    (number as u8) << 3 | wire_type as u8
}

/// The wire types that fields of these messages have.
#[derive(Clone, Copy)]
pub(crate) enum WireType {
    Varint = VARINT as isize,
    Fixed64 = FIXED64 as isize,
    Delimited = DELIMITED as isize,
}

const NAME: u8 = key(1, WireType::Delimited);
const VALUE: u8 = key(2, WireType::Delimited);

/// How long the run of fields `key` is that `bytes` begins with, each below 128 bytes, and how many there are.
#[inline]
pub(crate) fn short_run(bytes: &[u8], key: u8) -> (usize, usize) {
    let (mut at, mut count) = (0, 0);
    while let Some(&[found, length]) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let next = at + 2 + usize::from(length);
        if found != key || length >= 0x80 || next > bytes.len() {
            break;
        }
        (at, count) = (next, count + 1);
    }
    (at, count)
}

/// The field `key` at `at` of `text`, if it is a label of less than 128 bytes with a name and a value and nothing
/// else, and where the next field begins.
///
/// Because all of `text` is UTF-8, a part of it is so if it begins and ends between characters; that is looked at
/// here.
#[inline]
pub(crate) fn label(text: &str, at: usize, key: u8) -> Option<((&str, &str), usize)> {
    let bytes = text.as_bytes();
    let &[found, length, name_key, name_length] = bytes.get(at..)?.first_chunk()?;
    if found != key || length >= 0x80 || name_key != NAME {
        return None;
    }
    // One load leads from label to label. What is inside is checked, but nothing waits for it.
    let next = at + 2 + usize::from(length);
    let value_key_at = at + 4 + usize::from(name_length);
    let [value_key, value_length, value @ ..] = bytes.get(value_key_at..next)? else {
        return None;
    };
    // No length is above 127 then.
    if *value_key != VALUE || usize::from(*value_length) != value.len() {
        return None;
    }
    Some(((text.get(at + 4..value_key_at)?, text.get(value_key_at + 2..next)?), next))
}

/// The part of a series that is text: its labels, and whatever comes behind them by chance.
///
/// A series with one sample ends with it, and what is before that is looked at once. One with more samples is looked
/// at twice, but only as far as its labels go.
#[inline]
pub(crate) fn text_prefix(series: &[u8], sample_key: u8) -> &str {
    let is_sample = |bytes: &[u8; 18]| bytes[0] == sample_key && bytes[1] == SAMPLE[0];
    if let Some((labels, last)) = series.split_last_chunk()
        && is_sample(last)
        && !labels.last_chunk().is_some_and(is_sample)
        && let Ok(text) = simdutf8::basic::from_utf8(labels)
    {
        return text;
    }
    std::str::from_utf8(series)
        .or_else(|error| std::str::from_utf8(&series[..error.valid_up_to()]))
        .unwrap_or_default()
}

/// The string at `at` of a run, and where the next one begins.
#[inline]
pub(crate) fn string(run: &str, at: usize) -> Option<(&str, usize)> {
    let next = at + 2 + usize::from(*run.as_bytes().get(at + 1)?);
    Some((run.get(at + 2..next)?, next))
}

/// The reference at `at` and where the next one begins, if it is below 2,097,152, as few requests have so many
/// symbols.
#[inline]
pub(crate) fn reference(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
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
    let (length, start) = reference(bytes, 1)?;
    let next = start + length;
    let (fixed, rest) = bytes.get(start..next)?.split_first_chunk::<CHUNK_FIXED_BYTES>()?;
    let &[min_key, a0, a1, a2, a3, a4, a5, max_key, b0, b1, b2, b3, b4, b5, encoding_key, encoding, data_key] =
        fixed;
    let keys = [min_key, max_key, encoding_key, data_key];
    let (data_length, data_at) = reference(rest, 0)?;
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
    let has_six_bytes = |t_ms| (1 << 35..1 << 42).contains(&t_ms);
    let length = CHUNK_FIXED_BYTES + 2 + data_length;
    if !has_six_bytes(min_ms) || !has_six_bytes(max_ms) || !(1..0x80).contains(&encoding) {
        return None;
    }
    if data_length < 0x80 || length >= 0x80 << 7 {
        return None;
    }
    let two_bytes = |length: usize| (length & 0x7f | 0x80 | length >> 7 << 8) as u64;
    let (min, max) = (to_six_byte_varint(min_ms), to_six_byte_varint(max_ms));
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

/// Keys and length in front of the value of a sample with a timestamp of six bytes (from 1971 to 2109), behind the
/// key of the sample itself.
const SAMPLE: [u8; 2] = [16, key(1, WireType::Fixed64)];
/// The same for a sample whose value is 0, which is left out.
const ZERO_SAMPLE: [u8; 2] = [7, TIMESTAMP];
const TIMESTAMP: u8 = key(2, WireType::Varint);

/// The sample that `bytes` begins with, and its length.
#[inline]
pub(crate) fn sample(bytes: &[u8], sample_key: u8) -> Option<((i64, f64), usize)> {
    if let Some(sample) = bytes.first_chunk::<18>() {
        let [found, a, b, value @ .., timestamp_key, t0, t1, t2, t3, t4, t5] = sample;
        if *found == sample_key && [*a, *b] == SAMPLE && *timestamp_key == TIMESTAMP {
            let t_ms = six_byte_varint([*t0, *t1, *t2, *t3, *t4, *t5])?;
            return Some(((t_ms, f64::from_le_bytes(*value)), 18));
        }
    }
    let &[found, a, b, t0, t1, t2, t3, t4, t5] = bytes.first_chunk::<9>()?;
    if found != sample_key || [a, b] != ZERO_SAMPLE {
        return None;
    }
    Some(((six_byte_varint([t0, t1, t2, t3, t4, t5])?, 0.0), 9))
}

/// The bytes of a sample, if its timestamp has six.
#[inline]
pub(crate) fn sample_bytes(sample_key: u8, t_ms: i64, value: f64) -> Option<[u8; 18]> {
    if !(1 << 35..1 << 42).contains(&t_ms) || value.to_bits() == 0 {
        return None;
    }
    let mut bytes = [0; 18];
    let [t0, t1, t2, t3, t4, t5, ..] = to_six_byte_varint(t_ms).to_le_bytes();
    let [v0, v1, v2, v3, v4, v5, v6, v7] = value.to_le_bytes();
    bytes.copy_from_slice(&[
        sample_key, SAMPLE[0], SAMPLE[1], v0, v1, v2, v3, v4, v5, v6, v7, TIMESTAMP, t0, t1, t2, t3, t4, t5,
    ]);
    Some(bytes)
}

/// Seven bits of each of six bytes, the first ones lowest, if the upper bits of all but the last say so.
#[inline]
fn six_byte_varint(bytes: [u8; 6]) -> Option<i64> {
    let [a, b, c, d, e, f] = bytes;
    let word = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    if word & 0x8080_8080_8080 != 0x0080_8080_8080 {
        return None;
    }
    // Twice, four times, and then all of them: neighbours move together.
    let word = word & 0x7f7f_7f7f_7f7f;
    let word = (word & 0x007f_007f_007f) | (word & 0x7f00_7f00_7f00) >> 1;
    let word = (word & 0x0000_0000_3fff) | (word & 0x0000_3fff_0000) >> 2 | (word & 0x3fff_0000_0000) >> 4;
    Some(word as i64)
}

/// The other way round, for numbers of 36 to 42 bits; the first byte is the lowest.
#[inline]
fn to_six_byte_varint(value: i64) -> u64 {
    let word = value as u64;
    let word = (word & 0x3fff) | (word & 0xfff_c000) << 2 | (word & 0x3ff_f000_0000) << 4;
    let word = (word & 0x007f_007f_007f) | (word & 0x3f80_3f80_3f80) << 1;
    word | 0x0080_8080_8080
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_uvarint;

    #[test]
    fn six_bytes_are_the_varint() {
        for value in [1_i64 << 35, (1 << 42) - 1, 1_700_000_000_000, 0x2aa_aaaa_aaaa, 0x155_5555_5555] {
            let mut expected = Vec::new();
            put_uvarint(value as u64, &mut expected);
            let bytes = six_bytes(value);
            assert_eq!(bytes[..], expected, "{value}");
            assert_eq!(six_byte_varint(bytes), Some(value));
        }
        let bytes = six_bytes(1_700_000_000_000);
        for bad in 0..6 {
            let mut bytes = bytes;
            bytes[bad] ^= 0x80;
            assert_eq!(six_byte_varint(bytes), None, "byte {bad}");
        }
    }

    fn six_bytes(value: i64) -> [u8; 6] {
        let [bytes @ .., _, _] = to_six_byte_varint(value).to_le_bytes();
        bytes
    }

    #[test]
    fn samples_of_other_forms_are_left_to_others() {
        let bytes = sample_bytes(0x12, 1_700_000_000_000, 0.5).unwrap();
        assert_eq!(sample(&bytes, 0x12), Some(((1_700_000_000_000, 0.5), 18)));
        assert_eq!(sample(&bytes, 0x1a), None);
        assert_eq!(sample(&bytes[..17], 0x12), None);
        for at in [0, 1, 2, 11] {
            let mut bytes = bytes;
            bytes[at] ^= 1;
            assert_eq!(sample(&bytes, 0x12), None, "byte {at}");
        }
        assert_eq!(sample_bytes(0x12, (1 << 35) - 1, 1.0), None);
        assert_eq!(sample_bytes(0x12, 1 << 42, 1.0), None);
        assert_eq!(sample_bytes(0x12, 1 << 40, 0.0), None);
        assert!(sample_bytes(0x12, 1 << 40, -0.0).is_some());
    }

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
