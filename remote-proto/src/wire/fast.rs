//! The forms in which labels, samples and references almost always come, read in a few steps each.
//!
//! Everything here may say no: whatever has another form is read field by field, with the same result.

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

/// The label that `text` begins with, and what is behind it, if it is a field `key` of less than 128 bytes with a name
/// and a value and nothing else.
///
/// Because all of `text` is UTF-8, a part of it is so if it begins and ends between characters; that is looked at
/// here.
#[inline]
pub(crate) fn label(text: &str, key: u8) -> Option<((&str, &str), &str)> {
    let header: &[u8; 4] = text.as_bytes().first_chunk()?;
    // One load leads from label to label. What is inside is checked, but nothing waits for it.
    let (field, rest) = text.split_at_checked(2 + usize::from(header[1]))?;
    // The key, the length, the key of the name and its length, all looked at together.
    let header = u32::from_le_bytes(*header);
    if header & 0x80ff_80ff != u32::from_le_bytes([key, 0, NAME, 0]) {
        return None;
    }
    let (name, value_field) = field.get(4..)?.split_at_checked((header >> 24) as usize)?;
    // What is left behind key and length is less than 128 bytes.
    let value_length = value_field.len().wrapping_sub(2) as u16;
    if u16::from_le_bytes(*value_field.as_bytes().first_chunk()?) != u16::from(VALUE) | value_length << 8 {
        return None;
    }
    Some(((name, value_field.get(2..)?), rest))
}

/// The part of a series that is text: its labels, and whatever comes behind them by chance. It is looked at twice,
/// but only as far as it goes.
#[inline]
pub(crate) fn text_prefix(series: &[u8]) -> &str {
    std::str::from_utf8(series)
        .or_else(|error| std::str::from_utf8(&series[..error.valid_up_to()]))
        .unwrap_or_default()
}

/// A series that ends with a sample, behind text: the usual one of a write request.
#[inline]
pub(crate) fn text_and_sample(series: &[u8], sample_key: u8) -> Option<(&str, (i64, f64))> {
    let (text, sample) = series.split_last_chunk()?;
    let sample = long_sample(sample, sample_key)?;
    // With another one before it there are many, and looking for text in them is wasted.
    if text.last_chunk().is_some_and(|before| long_sample(before, sample_key).is_some()) {
        return None;
    }
    Some((simdutf8::basic::from_utf8(text).ok()?, sample))
}

/// The string at `at` of a run, and where the next one begins.
#[inline]
pub(crate) fn string(run: &str, at: usize) -> Option<(&str, usize)> {
    let next = at + 2 + usize::from(*run.as_bytes().get(at + 1)?);
    Some((run.get(at + 2..next)?, next))
}

/// The two references that `bytes` begins with, and how many bytes they take, if both are below 2,097,152, as few
/// requests have so many symbols. There may be something else behind them.
#[inline]
pub(crate) fn two_references(bytes: &[u8; 8]) -> Option<(usize, usize, usize)> {
    let (first, word, length) = reference(u64::from_le_bytes(*bytes))?;
    let (second, _, more) = reference(word)?;
    Some((first, second, length + more))
}

/// The reference in the lowest bytes, what is above it, and how many bytes it takes.
#[inline]
fn reference(word: u64) -> Option<(usize, u64, usize)> {
    let first = word as usize & 0x7f;
    if word & 0x80 == 0 {
        return Some((first, word >> 8, 1));
    }
    let second = (word >> 8) as usize & 0x7f;
    if word & 0x8000 == 0 {
        return Some((first | second << 7, word >> 16, 2));
    }
    let third = (word >> 16) as usize & 0x7f;
    (word & 0x80_0000 == 0).then_some((first | second << 7 | third << 14, word >> 24, 3))
}

/// Keys and length in front of the value of a sample with a timestamp of six bytes (from 1971 to 2109), behind the
/// key of the sample itself.
const SAMPLE: [u8; 2] = [16, key(1, WireType::Fixed64)];
/// The same for a sample whose value is 0, which is left out.
const ZERO_SAMPLE: [u8; 2] = [7, TIMESTAMP];
const TIMESTAMP: u8 = key(2, WireType::Varint);

/// The sample that `bytes` begins with, and its length.
#[inline]
pub(crate) fn sample(bytes: &[u8], sample_key: u8) -> Option<((i64, f64), usize)> {
    if let Some(found) = bytes.first_chunk().and_then(|sample| long_sample(sample, sample_key)) {
        return Some((found, 18));
    }
    let &[found, a, b, t0, t1, t2, t3, t4, t5] = bytes.first_chunk::<9>()?;
    if found != sample_key || [a, b] != ZERO_SAMPLE {
        return None;
    }
    Some(((six_byte_varint([t0, t1, t2, t3, t4, t5])?, 0.0), 9))
}

/// The sample that `bytes` are, if they are one with a value.
#[inline]
pub(crate) fn only_sample(bytes: &[u8], sample_key: u8) -> Option<(i64, f64)> {
    long_sample(bytes.try_into().ok()?, sample_key)
}

/// The sample that has just these bytes.
#[inline]
fn long_sample(sample: &[u8; 18], sample_key: u8) -> Option<(i64, f64)> {
    let [found, a, b, value @ .., timestamp_key, t0, t1, t2, t3, t4, t5] = sample;
    if *found != sample_key || [*a, *b] != SAMPLE || *timestamp_key != TIMESTAMP {
        return None;
    }
    let t_ms = six_byte_varint([*t0, *t1, *t2, *t3, *t4, *t5])?;
    Some((t_ms, f64::from_le_bytes(*value)))
}

/// How many samples are read at a time where there are so many.
pub(crate) const BLOCK_SAMPLES: usize = 16;
/// How many bytes they take.
pub(crate) const BLOCK_BYTES: usize = BLOCK_SAMPLES * 18;

/// Appends the samples of a block, if all of them have a value and a timestamp of six bytes.
///
/// What is not of this form is added up and looked at once, so that nothing waits for it.
#[inline]
pub(crate) fn sample_block(block: &[u8; BLOCK_BYTES], sample_key: u8, samples: &mut Vec<(i64, f64)>) -> bool {
    let before = samples.len();
    let head = u64::from_le_bytes([sample_key, SAMPLE[0], SAMPLE[1], 0, 0, 0, 0, 0]);
    let mut others = 0;
    samples.extend(block.as_chunks::<18>().0.iter().map(|sample| {
        let found = word(sample, 0);
        // The last byte of the value, the key of the timestamp, and the timestamp.
        let tail = word(sample, 10);
        others |= found & 0xff_ffff ^ head;
        others |= tail & (CONTINUED << 16 | 0xff00) ^ (SIX_BYTES << 16 | (TIMESTAMP as u64) << 8);
        (join_sevens(tail >> 16), f64::from_bits(word(sample, 3)))
    }));
    if others != 0 {
        samples.truncate(before);
    }
    others == 0
}

/// Eight bytes of a sample, the first one lowest.
#[inline]
fn word(sample: &[u8; 18], at: usize) -> u64 {
    sample[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Writes a sample over the first 18 bytes of `into`, if its timestamp has six.
#[inline]
pub(crate) fn put_sample(sample_key: u8, t_ms: i64, value: f64, into: &mut [u8; 18]) -> bool {
    if !(1 << 35..1 << 42).contains(&t_ms) || value.to_bits() == 0 {
        return false;
    }
    let (value, timestamp) = (value.to_bits(), split_sevens(t_ms));
    let head = u64::from_le_bytes([sample_key, SAMPLE[0], SAMPLE[1], 0, 0, 0, 0, 0]) | value << 24;
    let middle = value >> 40 | (TIMESTAMP as u64) << 24 | timestamp << 32;
    into[..8].copy_from_slice(&head.to_le_bytes());
    into[8..16].copy_from_slice(&middle.to_le_bytes());
    into[16..].copy_from_slice(&((timestamp >> 32) as u16).to_le_bytes());
    true
}

/// Seven bits of each of six bytes, the first ones lowest, if the upper bits of all but the last say so.
#[inline]
fn six_byte_varint(bytes: [u8; 6]) -> Option<i64> {
    let [a, b, c, d, e, f] = bytes;
    let word = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    (word & CONTINUED == SIX_BYTES).then(|| join_sevens(word))
}

/// The bits of six bytes that say whether another one follows, and how they are if there are just these.
const CONTINUED: u64 = 0x8080_8080_8080;
const SIX_BYTES: u64 = 0x0080_8080_8080;

/// The number whose bits stand in six bytes by seven.
#[inline]
fn join_sevens(word: u64) -> i64 {
    // Twice, and then all of them: neighbours move together.
    let word = (word & 0x007f_007f_007f) | (word & 0x7f00_7f00_7f00) >> 1;
    ((word & 0x0000_0000_3fff) | (word & 0x0000_3fff_0000) >> 2 | (word & 0x3fff_0000_0000) >> 4) as i64
}

/// The other way round: six bytes of a number of 36 to 42 bits.
#[inline]
fn split_sevens(value: i64) -> u64 {
    let word = value as u64;
    let word = (word & 0x3fff) | (word & 0xfff_c000) << 2 | (word & 0x3ff_f000_0000) << 4;
    (word & 0x007f_007f_007f) | (word & 0x3f80_3f80_3f80) << 1 | SIX_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_uvarint;

    fn six_bytes(value: i64) -> [u8; 6] {
        let [a, b, c, d, e, f, 0, 0] = split_sevens(value).to_le_bytes() else {
            panic!("{value} has more than six bytes");
        };
        [a, b, c, d, e, f]
    }

    fn sample_bytes(sample_key: u8, t_ms: i64, value: f64) -> Option<[u8; 18]> {
        let mut bytes = [0; 18];
        put_sample(sample_key, t_ms, value, &mut bytes).then_some(bytes)
    }

    #[test]
    fn six_bytes_are_the_varint() {
        for value in [1_i64 << 35, (1 << 42) - 1, 1_700_000_000_000, 0x2aa_aaaa_aaaa, 0x155_5555_5555] {
            let mut expected = Vec::new();
            put_uvarint(value as u64, &mut expected);
            assert_eq!(six_bytes(value)[..], expected, "{value}");
            assert_eq!(six_byte_varint(six_bytes(value)), Some(value));
        }
        let bytes = six_bytes(1_700_000_000_000);
        for bad in 0..6 {
            let mut bytes = bytes;
            bytes[bad] ^= 0x80;
            assert_eq!(six_byte_varint(bytes), None, "byte {bad}");
        }
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
}
