//! Bits in the order in which Prometheus' chunks hold them: the highest bit of the first byte first.

/// A cursor over bits. Past the end it reads zeros; whoever reads asks [`BitReader::overrun`] afterwards.
///
/// It is nothing but a position: where the next value begins follows from the lengths of those before it, and no
/// value has to arrive before the next one is loaded.
#[derive(Debug, Clone, Copy)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Position of the next bit.
    at: usize,
}

impl<'a> BitReader<'a> {
    /// How many bits [`peek`](Self::peek) is sure to show.
    pub(crate) const PEEK_BITS: u32 = 57;

    /// Reads `bytes` from the byte `start` on.
    pub(crate) fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, at: start * 8 }
    }

    /// How many bytes there are, read or not.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The byte that holds the next bit.
    pub(crate) fn at_byte(&self) -> usize {
        self.at / 8
    }

    /// How many bits are left, 0 past the end.
    pub(crate) fn left_bits(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.at)
    }

    /// How many bytes are needed for everything read so far, if that is more than there are.
    #[inline]
    pub(crate) fn overrun(&self) -> Option<usize> {
        (self.at > self.bytes.len() * 8).then(|| self.at.div_ceil(8))
    }

    /// At least the next [`PEEK_BITS`](Self::PEEK_BITS), the first one highest, without moving on.
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        let start = self.at / 8;
        let word = match self.bytes.get(start..start + 8).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => last_word(self.bytes, start),
        };
        word << (self.at % 8)
    }

    /// Moves on by `count` bits.
    #[inline]
    pub(crate) fn skip(&mut self, count: u32) {
        self.at += count as usize;
    }

    /// The next `count` bits, 1 to 64, the last one lowest.
    #[inline]
    pub(crate) fn read(&mut self, count: u32) -> u64 {
        if count <= Self::PEEK_BITS {
            let value = self.peek() >> (64 - count);
            self.skip(count);
            return value;
        }
        let upper = self.peek() >> 32;
        self.skip(32);
        let lower = self.peek() >> (96 - count);
        self.skip(count - 32);
        upper << (count - 32) | lower
    }
}

/// The word at the byte `start`, with zeros for the bytes that are not there.
///
/// No method of the reader: one that is called and not inlined would need the reader to stand in memory.
#[cold]
fn last_word(bytes: &[u8], start: usize) -> u64 {
    let mut padded = [0; 8];
    let rest = bytes.get(start..).unwrap_or_default();
    padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(padded)
}

/// Collects bits into bytes.
#[derive(Debug, Clone, Default)]
pub struct BitWriter {
    /// What was written, and room for more behind it.
    bytes: Vec<u8>,
    end: End,
}

/// Where what was written ends. It is apart from the bytes so that it can be in registers while they are written.
#[derive(Debug, Clone, Copy, Default)]
struct End {
    /// Position of the next bit.
    at: u64,
    /// The bits before it that do not fill a byte yet, the first one highest, zeros behind them.
    pending: u64,
    /// How many bits the last call to `put` brought.
    last_bits: u32,
}

impl BitWriter {
    /// A writer that goes on behind `bytes`.
    pub(crate) fn behind(bytes: Vec<u8>) -> Self {
        let end = End { at: bytes.len() as u64 * 8, ..End::default() };
        Self { bytes, end }
    }

    /// Lets `write` append up to `bytes` bytes, for which it is looked once whether there is room.
    #[inline(always)]
    pub(crate) fn with_room(&mut self, bytes: usize, write: impl FnOnce(&mut BitRoom<'_>)) {
        // Words are stored as a whole, also the last one.
        let needed = self.end.full() + bytes + 8;
        if self.bytes.len() < needed {
            grow(&mut self.bytes, needed);
        }
        let mut room = BitRoom { bytes: &mut self.bytes, end: self.end };
        write(&mut room);
        self.end = room.end;
    }

    /// Appends the lowest `count` bits of `value`, 1 to 64; the bits above are ignored.
    #[inline]
    pub(crate) fn put(&mut self, value: u64, count: u32) {
        self.with_room(8, |room| room.put(value, count));
    }

    /// Appends `value`, which has `count` bits, 1 to 56, of which the last `last` are one part for themselves.
    #[inline]
    pub(crate) fn put_parts(&mut self, value: u64, count: u32, last: u32) {
        self.with_room(8, |room| room.put_parts(value, count, last));
    }

    /// Appends `value` as a varint.
    pub(crate) fn put_uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(value | 0x80, 8);
            value >>= 7;
        }
        self.put(value, 8);
    }

    /// Appends what was collected to `into`, zero bits up to a whole byte, and starts afresh.
    pub(crate) fn finish(&mut self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.bytes[..self.end.full()]);
        into.extend(self.end.last_byte());
        self.end = End::default();
    }

    /// What was collected, zero bits up to a whole byte, behind the bytes that were there before.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.end.full());
        self.bytes.extend(self.end.last_byte());
        self.bytes
    }
}

/// Makes room for `needed` bytes and some more, but not for twice as many: all of it has to be filled first.
#[cold]
fn grow(bytes: &mut Vec<u8>, needed: usize) {
    bytes.resize(needed + 512, 0);
}

impl End {
    /// How many bytes are full.
    #[inline(always)]
    fn full(&self) -> usize {
        (self.at / 8) as usize
    }

    /// The byte that is not full, if there is one.
    fn last_byte(&self) -> Option<u8> {
        // Prometheus before 3.0 writes whole bytes by opening the byte after them, and that stays open. What is
        // behind the last sample means nothing; later versions leave the byte out.
        let open = self.last_bits != 0 && self.last_bits.is_multiple_of(8);
        (!self.at.is_multiple_of(8) || open).then_some((self.pending >> 56) as u8)
    }
}

/// Room for so many bits that nobody has to ask whether there is some for the next ones.
pub(crate) struct BitRoom<'w> {
    bytes: &'w mut [u8],
    end: End,
}

impl BitRoom<'_> {
    /// Appends the lowest `count` bits of `value`, 1 to 64; the bits above are ignored.
    #[inline(always)]
    pub(crate) fn put(&mut self, value: u64, count: u32) {
        let value = value & u64::MAX >> (64 - count);
        if count > 56 {
            self.put_short(value >> 32, count - 32);
            self.put_short(value & 0xffff_ffff, 32);
        } else {
            self.put_short(value, count);
        }
        self.end.last_bits = count;
    }

    /// Appends `value`, which has `count` bits, 1 to 56, of which the last `last` are one part for themselves.
    #[inline(always)]
    pub(crate) fn put_parts(&mut self, value: u64, count: u32, last: u32) {
        self.put_short(value, count);
        self.end.last_bits = last;
    }

    /// Appends up to 56 bits: with those that wait they fit into a word, which is stored as a whole each time.
    #[inline(always)]
    fn put_short(&mut self, value: u64, count: u32) {
        let start = self.end.full();
        // 63 bits at most, of which 56 are full.
        let bits = self.end.at as u32 % 8 + count;
        let word = self.end.pending | value << (64 - bits);
        if let Some(to) = self.bytes.get_mut(start..start + 8).and_then(|bytes| bytes.first_chunk_mut()) {
            *to = word.to_be_bytes();
        }
        self.end.at += u64::from(count);
        self.end.pending = word << (bits & !7);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_at_every_alignment_and_width() {
        for lead in 0..64_u32 {
            for width in 1..=64_u32 {
                let value = 0xa5c3_96f0_0f69_3c5b_u64.rotate_left(width) >> (64 - width);
                let mut writer = BitWriter::default();
                (0..lead).for_each(|_| writer.put(1, 1));
                writer.put(value, width);
                writer.put(0b101, 3);
                let mut bytes = Vec::new();
                writer.finish(&mut bytes);

                let mut reader = BitReader::new(&bytes, 0);
                assert!((0..lead).all(|_| reader.read(1) == 1));
                assert_eq!(reader.read(width), value, "{width} bits after {lead}");
                assert_eq!(reader.read(3), 0b101);
                assert_eq!(reader.overrun(), None);
                reader.skip(8);
                assert_eq!(reader.overrun(), Some(bytes.len() + 1));
            }
        }
    }

    #[test]
    fn a_byte_stays_open_after_whole_bytes_only() {
        let finished = |widths: &[u32]| {
            let (mut writer, mut bytes) = (BitWriter::default(), Vec::new());
            widths.iter().for_each(|&width| writer.put(u64::MAX, width));
            writer.finish(&mut bytes);
            bytes
        };
        assert_eq!(finished(&[]), []);
        assert_eq!(finished(&[8]), [0xff, 0]);
        assert_eq!(finished(&[16]), [0xff, 0xff, 0]);
        assert_eq!(finished(&[1, 8]), [0xff, 0x80]);
        assert_eq!(finished(&[8, 1]), [0xff, 0x80]);
        assert_eq!(finished(&[7, 1]), [0xff]);
        assert_eq!(finished(&[1, 7, 8]), [0xff, 0xff, 0]);
        assert_eq!(finished(&[2, 14]), [0xff, 0xff]);
    }
}
