//! From a chunk to columns.

use crate::bits::BitReader;
use crate::error::{DecodeError, ErrorKind};
use crate::gorilla::ReadWindow;
use crate::wire::{read_uvarint, unzigzag};
use crate::xor::{HEADER_BYTES, sample_count};

/// Appends the samples of `chunk` to the two columns, or, on error, something of any length.
///
/// What this costs is wrong guesses of the processor at which form comes next, and little else: between guesses it is a
/// position that moves on, so that several samples are on their way at once. Hence everything is in variables of one
/// function, and the columns have their length before they are filled.
pub(super) fn decode_samples(
    chunk: &[u8],
    timestamps_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), DecodeError> {
    let count = usize::from(sample_count(chunk)?);
    if count == 0 {
        return Ok(());
    }
    let (first_ms, at) = uvarint(chunk, HEADER_BYTES)?;
    let mut t_ms = unzigzag(first_ms);
    let Some(first_value) = chunk[at..].first_chunk() else {
        return Err(truncated(chunk, at, 8));
    };
    let (mut value_bits, mut window) = (u64::from_be_bytes(*first_value), ReadWindow::default());
    timestamps_ms.push(t_ms);
    values.push(f64::from_bits(value_bits));
    if count == 1 {
        return Ok(());
    }

    // Whole bytes up to here, bits from here on.
    let (mut delta_ms, at) = uvarint(chunk, at + 8)?;
    let mut reader = BitReader::new(chunk, at);
    // The second sample takes at least one bit and the others two: if there is no room for all of them, the chunk ends
    // before that does.
    let rest = (count - 1).min(1 + chunk.len() * 4);
    let room = grow(timestamps_ms, rest).iter_mut().zip(grow(values, rest));
    for (n, (to_ms, to_value)) in room.enumerate() {
        let start = reader.at_byte();
        if n > 0 {
            delta_ms = delta_ms.wrapping_add(read_change_of_delta(&mut reader) as u64);
        }
        t_ms = t_ms.wrapping_add(delta_ms as i64);
        let value = window.read(&mut value_bits, &mut reader);
        // First, because what is read past the end is made up and so are errors in it.
        if let Some(end) = reader.overrun() {
            return Err(truncated(chunk, start, end - start));
        }
        value.map_err(|kind| DecodeError::new(kind, start))?;
        *to_ms = t_ms;
        *to_value = f64::from_bits(value_bits);
    }
    Ok(())
}

/// Makes a column longer by `count` and returns what is new.
fn grow<T: Clone + Default>(column: &mut Vec<T>, count: usize) -> &mut [T] {
    let length = column.len();
    column.resize(length + count, T::default());
    &mut column[length..]
}

/// Reads how much a difference of timestamps differs from the one before.
#[inline(always)]
fn read_change_of_delta(reader: &mut BitReader<'_>) -> i64 {
    let word = reader.peek();
    if word >> 63 == 0 {
        reader.skip(1);
        return 0;
    }
    // As long as intervals vary by seconds at most this is the other form.
    if word >> 62 == 0b10 {
        reader.skip(16);
        return signed(word << 2 >> 50, 14);
    }
    if word >> 60 == 0b1111 {
        reader.skip(4);
        return reader.read(64) as i64;
    }
    let (prefix_bits, bits) = if word >> 61 == 0b110 { (3, 17) } else { (4, 20) };
    reader.skip(prefix_bits + bits);
    signed((word << prefix_bits) >> (64 - bits), bits)
}

/// The number that `raw` stands for. The range is not the one of two's complement: the one value both could mean is the
/// positive one.
#[inline(always)]
fn signed(raw: u64, bits: u32) -> i64 {
    raw as i64 - (i64::from(raw > 1 << (bits - 1)) << bits)
}

/// The varint at `at` and where it ends.
pub(super) fn uvarint(chunk: &[u8], at: usize) -> Result<(u64, usize), DecodeError> {
    let rest = &chunk[at..];
    match read_uvarint(rest) {
        Ok(Some((value, length))) => Ok((value, at + length)),
        Ok(None) => Err(truncated(chunk, at, rest.len() + 1)),
        Err(kind) => Err(DecodeError::new(kind, at)),
    }
}

#[cold]
pub(super) fn truncated(chunk: &[u8], at: usize, needed: usize) -> DecodeError {
    let available_bytes = (chunk.len() - at) as u64;
    DecodeError::new(ErrorKind::Truncated { needed_bytes: needed as u64, available_bytes }, at)
}
