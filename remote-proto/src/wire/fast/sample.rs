//! Samples whose timestamps have six bytes.

use super::six_bytes::{CONTINUED, SIX_BYTES, has_six_bytes, join_sevens, six_byte_varint, split_sevens};
use super::{WireType, key};

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
    if !has_six_bytes(t_ms) || value.to_bits() == 0 {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_bytes(sample_key: u8, t_ms: i64, value: f64) -> Option<[u8; 18]> {
        let mut bytes = [0; 18];
        put_sample(sample_key, t_ms, value, &mut bytes).then_some(bytes)
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
