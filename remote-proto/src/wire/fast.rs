//! The forms in which labels, samples, chunks and references almost always come, in a few steps each.
//!
//! Everything here may say no: whatever has another form is read or written field by field, with the same result.

mod chunk;
mod sample;
mod six_bytes;

pub(crate) use chunk::{CHUNK_HEAD_BYTES, UsualChunk, chunk, chunk_head};
pub(crate) use sample::{
    BLOCK_BYTES, BLOCK_SAMPLES, only_sample, put_sample, sample, sample_block, text_and_sample,
};

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
