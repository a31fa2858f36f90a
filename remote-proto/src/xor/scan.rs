//! What can be said of a chunk's values without having them.

use crate::bits::BitReader;
use crate::gorilla::ReadWindow;
use crate::xor::decode::uvarint;
use crate::xor::{HEADER_BYTES, sample_count};

/// The bits that are all set in NaNs and infinities, and in no number.
const EXPONENT: u64 = 0x7ff << 52;
/// A change behind so many bits leaves sign and exponent as they are.
const EXPONENT_END: u32 = 12;

/// What a sample looks like that can be stepped over: the prefixes of its two parts, and how long it is.
#[derive(Clone, Copy)]
struct Form {
    /// Where the prefixes stand in a word.
    mask: u64,
    prefixes: u64,
    bits: u32,
}

impl Form {
    /// That of no sample.
    const NONE: Self = Self { mask: 0, prefixes: 1, bits: 0 };

    /// A sample whose time is like the one at the beginning of `word`, and whose value begins with a prefix of so many bits
    /// and has so many on the whole.
    #[inline(always)]
    fn new(word: u64, time: Change, (prefix, prefix_bits): (u64, u32), value_bits: u32) -> Self {
        if time.bits + prefix_bits > BitReader::PEEK_BITS {
            return Self::NONE;
        }
        let time_mask = !(u64::MAX >> time.prefix_bits);
        let value_mask = !(u64::MAX >> prefix_bits) >> time.bits;
        let prefixes = word & time_mask | prefix << (u64::BITS - prefix_bits) >> time.bits;
        Self { mask: time_mask | value_mask, prefixes, bits: time.bits + value_bits }
    }

    #[inline(always)]
    fn is_of(self, word: u64) -> bool {
        word & self.mask == self.prefixes
    }
}

/// Whether every value of `chunk` is surely a number, neither NaN nor infinite. Of a damaged chunk nothing is sure.
///
/// Hardly a sample changes its exponent, as the window or the first bits in it show. The others are stepped over, and most of
/// them look like the one before.
pub(super) fn all_are_numbers(chunk: &[u8]) -> bool {
    look(chunk).unwrap_or(false)
}

/// `None` if the chunk is damaged.
fn look(chunk: &[u8]) -> Option<bool> {
    let count = usize::from(sample_count(chunk).ok()?);
    if count == 0 {
        return Some(true);
    }
    let (_, at) = uvarint(chunk, HEADER_BYTES).ok()?;
    // Of the later values only sign and exponent are right.
    let mut value_bits = u64::from_be_bytes(*chunk[at..].first_chunk()?);
    let mut numbers = is_number(value_bits);
    if count == 1 {
        return Some(numbers);
    }
    let (_, at) = uvarint(chunk, at + 8).ok()?;
    let (mut reader, mut window) = (BitReader::new(chunk, at), ReadWindow::default());
    window.read(&mut value_bits, &mut reader).ok()?;
    numbers &= is_number(value_bits);
    let mut form = Form::NONE;
    // As for decoding: if there is no room for all of them, the chunk ends before that does.
    for _ in 2..count.min(2 + chunk.len() * 4) {
        let word = reader.peek();
        if form.is_of(word) {
            reader.skip(form.bits);
            continue;
        }
        let time = Change::at(word);
        reader.skip(time.bits);
        let is_same = reader.peek() >> 63 == 0;
        window.read(&mut value_bits, &mut reader).ok()?;
        numbers &= is_number(value_bits);
        form = if is_same {
            Form::new(word, time, (0, 1), 1)
        } else {
            // The bits of the exponent that are in the window are not to change.
            let zeros = EXPONENT_END.saturating_sub(window.leading()).min(window.significant());
            Form::new(word, time, (0b10 << zeros, 2 + zeros), 2 + window.significant())
        };
    }
    reader.overrun().is_none().then_some(numbers)
}

fn is_number(value_bits: u64) -> bool {
    value_bits & EXPONENT != EXPONENT
}

/// The change of the difference of timestamps: how long it is, and how much of that is its prefix.
#[derive(Clone, Copy)]
struct Change {
    bits: u32,
    prefix_bits: u32,
}

impl Change {
    /// That at the beginning of `word`.
    #[inline(always)]
    fn at(word: u64) -> Self {
        let (prefix_bits, rest) = match word.leading_ones() {
            0 => (1, 0),
            1 => (2, 14),
            2 => (3, 17),
            3 => (4, 20),
            _ => (4, 64),
        };
        Self { bits: prefix_bits + rest, prefix_bits }
    }
}
