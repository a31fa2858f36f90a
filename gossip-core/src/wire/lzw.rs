//! LZW as Go's `compress/lzw` writes it: codes from the low bit on, literals of 8 bits, at most 12 bits a code.
//!
//! An own one, because of what happens when all codes are used up: Go begins anew one code earlier than the encoders for images do,
//! so that theirs give other bytes from about 4,000 codes on.

use super::error::{DecodeError, ErrorKind, Limit};

const CLEAR: u16 = 256;
const END: u16 = 257;
const FIRST_BITS: u32 = 9;
const MAX_BITS: u32 = 12;
const CODES: usize = 1 << MAX_BITS;
const LAST_CODE: u16 = (CODES - 1) as u16;

/// Four times as many as there are codes, so that chains stay short.
const SLOTS: usize = 4 * CODES;

/// Writes what Go's writer writes. It keeps its table, so that only the first use allocates.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// What a code was given to: 12 bits of the code that it goes on from, 8 bits of the byte behind it, and the code, 12 bits. Zero is
    /// free, as no code below 258 is ever given.
    slots: Vec<u32>,
    /// Which slots are taken. To empty those alone is cheap for a packet, which takes a few hundred of them.
    taken: Vec<u16>,
}

impl Encoder {
    /// Appends the input, compressed.
    pub(super) fn encode(&mut self, input: &[u8], into: &mut Vec<u8>) {
        self.clear();
        let mut bits = BitWriter::new(into);
        bits.write(CLEAR);
        if let Some((&first, rest)) = input.split_first() {
            self.encode_behind(first.into(), rest, &mut bits);
        }
        bits.write(END);
        bits.finish();
    }

    fn encode_behind(&mut self, first: u16, rest: &[u8], bits: &mut BitWriter<'_>) {
        let (mut code, mut highest) = (first, END);
        for &byte in rest {
            let key = u32::from(code) << 8 | u32::from(byte);
            let slot = match self.find(key) {
                Ok(longer) => {
                    code = longer;
                    continue;
                }
                Err(slot) => slot,
            };
            bits.write(code);
            code = byte.into();
            if count_up(&mut highest, bits) {
                self.slots[slot] = key << MAX_BITS | u32::from(highest);
                self.taken.push(slot as u16);
            } else {
                self.clear();
            }
        }
        bits.write(code);
        count_up(&mut highest, bits);
    }

    /// The code of a key, or the slot where it belongs.
    fn find(&self, key: u32) -> Result<u16, usize> {
        let mut slot = (key >> 12 ^ key) as usize % SLOTS;
        loop {
            match self.slots[slot] {
                0 => return Err(slot),
                entry if entry >> MAX_BITS == key => return Ok((entry % CODES as u32) as u16),
                _ => slot = (slot + 1) % SLOTS,
            }
        }
    }

    fn clear(&mut self) {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
            self.taken.reserve(CODES);
        }
        for slot in self.taken.drain(..) {
            self.slots[usize::from(slot)] = 0;
        }
    }
}

/// Gives the next code. Codes get longer as there are more of them; before the last one all are taken back, and it says no.
fn count_up(highest: &mut u16, bits: &mut BitWriter<'_>) -> bool {
    *highest += 1;
    if *highest == LAST_CODE {
        bits.write(CLEAR);
        bits.width = FIRST_BITS;
        *highest = END;
        return false;
    }
    if *highest == 1 << bits.width {
        bits.width += 1;
    }
    true
}

struct BitWriter<'b> {
    into: &'b mut Vec<u8>,
    bits: u32,
    len: u32,
    width: u32,
}

impl<'b> BitWriter<'b> {
    fn new(into: &'b mut Vec<u8>) -> Self {
        Self { into, bits: 0, len: 0, width: FIRST_BITS }
    }

    fn write(&mut self, code: u16) {
        self.bits |= u32::from(code) << self.len;
        self.len += self.width;
        while self.len >= 8 {
            self.into.push(self.bits as u8);
            self.bits >>= 8;
            self.len -= 8;
        }
    }

    fn finish(self) {
        if self.len > 0 {
            self.into.push(self.bits as u8);
        }
    }
}

/// Reads what Go's reader reads. What a code stands for lies in the output already, so a code is where it begins there and how long it
/// is, and reading one is a copy within the output.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    strings: Vec<Output>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Output {
    start: u32,
    len: u32,
}

impl Decoder {
    /// Appends the input, decompressed, which may be `limit` bytes.
    ///
    /// # Errors
    /// Input that ends before its end is told, a code that was not given, and more than `limit`: then `into` is as it was, apart from
    /// its capacity. It never grew beyond what was decompressed.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        limit: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let from = into.len();
        self.strings.resize(CODES, Output::default());
        let decoded = self.decode_codes(input, limit.min(u32::MAX as usize), into);
        if decoded.is_err() {
            into.truncate(from);
        }
        decoded
    }

    fn decode_codes(&mut self, input: &[u8], limit: usize, into: &mut Vec<u8>) -> Result<(), DecodeError> {
        let from = into.len();
        let mut bits = BitReader { input, at: 0, bits: 0, len: 0, width: FIRST_BITS };
        // The code that is given next; behind a clear code the first string gives none.
        let (mut next, mut last) = (END, None::<Output>);
        loop {
            let code = bits.read()?;
            if code == CLEAR {
                (next, last) = (END, None);
                bits.width = FIRST_BITS;
                continue;
            }
            if code == END {
                return Ok(());
            }
            // It is given to what was last and the first byte of what comes, which may be just that.
            let given = last.map(|last| Output { start: last.start, len: last.len + 1 });
            let string = match given {
                _ if code < CLEAR => None,
                _ if code < next => Some(self.strings[usize::from(code)]),
                Some(given) if code == next => Some(given),
                _ => return Err(bits.error(ErrorKind::LzwCode { found: code, highest: next })),
            };
            let (start, len) = (into.len(), string.map_or(1, |string| string.len as usize));
            if start - from + len > limit {
                let (what, found) = (Limit::DecompressedBytes, (start - from + len) as u64);
                return Err(bits.error(ErrorKind::OverLimit { what, limit: limit as u64, found }));
            }
            match string {
                None => into.push(code as u8),
                Some(string) => {
                    let begin = from + string.start as usize;
                    // All of it is there, but for the last byte of the one that is just given.
                    let there = len.min(start - begin);
                    into.extend_from_within(begin..begin + there);
                    if there < len {
                        into.push(into[begin]);
                    }
                }
            }
            last = None;
            if usize::from(next) < CODES {
                if let Some(given) = given {
                    self.strings[usize::from(next)] = given;
                }
                next += 1;
                if next == 1 << bits.width && bits.width < MAX_BITS {
                    bits.width += 1;
                }
                if usize::from(next) < CODES {
                    last = Some(Output { start: (start - from) as u32, len: len as u32 });
                }
            }
        }
    }
}

struct BitReader<'a> {
    input: &'a [u8],
    at: usize,
    bits: u32,
    len: u32,
    width: u32,
}

impl BitReader<'_> {
    fn read(&mut self) -> Result<u16, DecodeError> {
        while self.len < self.width {
            let Some(&byte) = self.input.get(self.at) else {
                let kind = ErrorKind::Truncated { needed_bytes: 1, available_bytes: 0 };
                return Err(DecodeError::new(kind, self.at));
            };
            self.bits |= u32::from(byte) << self.len;
            self.len += 8;
            self.at += 1;
        }
        let code = self.bits & ((1 << self.width) - 1);
        self.bits >>= self.width;
        self.len -= self.width;
        Ok(code as u16)
    }

    /// An error at the last byte of the code that was read.
    fn error(&self, kind: ErrorKind) -> DecodeError {
        DecodeError::new(kind, self.at - 1)
    }
}

#[cfg(test)]
mod tests;
