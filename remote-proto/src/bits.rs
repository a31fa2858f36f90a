//! Bits in the order in which Prometheus' chunks hold them: the highest bit of the first byte first.

/// A cursor over bits. Past the end it reads zeros; whoever reads asks [`BitReader::overrun`] afterwards.
#[derive(Debug, Clone, Copy)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Position of the first byte of which no bit counts as loaded.
    next: usize,
    /// The next bits, the first one highest. Behind those that count there may be more, which are then right too.
    loaded: u64,
    /// How many of them count.
    loaded_bits: u32,
}

impl<'a> BitReader<'a> {
    /// Reads `bytes` from the byte `start` on.
    pub(crate) fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, next: start, loaded: 0, loaded_bits: 0 }
    }

    /// How many bytes there are, read or not.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The byte that holds the next bit.
    pub(crate) fn at_byte(&self) -> usize {
        self.at_bits() / 8
    }

    /// How many bits are left, 0 past the end.
    pub(crate) fn left_bits(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.at_bits())
    }

    /// How many bytes are needed for everything read so far, if that is more than there are.
    #[inline]
    pub(crate) fn overrun(&self) -> Option<usize> {
        (self.at_bits() > self.bytes.len() * 8).then(|| self.at_bits().div_ceil(8))
    }

    /// At least the next 56 bits, the first one highest, without moving on.
    #[inline]
    pub(crate) fn peek(&mut self) -> u64 {
        let word = match self.bytes.get(self.next..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(bytes) => u64::from_be_bytes(*bytes),
            None => self.last_word(),
        };
        // As many whole bytes as there is room for are loaded, and bits of one more, which come again later.
        self.loaded |= word >> self.loaded_bits;
        self.next += (63 - self.loaded_bits as usize) / 8;
        self.loaded_bits |= 56;
        self.loaded
    }

    /// Moves on by `count` bits, of those that the last [`peek`](Self::peek) showed.
    #[inline]
    pub(crate) fn skip(&mut self, count: u32) {
        self.loaded <<= count;
        self.loaded_bits -= count;
    }

    /// The next `count` bits, 1 to 64, the last one lowest.
    #[inline]
    pub(crate) fn read(&mut self, count: u32) -> u64 {
        if count <= 56 {
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

    /// Position of the next bit.
    #[inline]
    fn at_bits(&self) -> usize {
        self.next * 8 - self.loaded_bits as usize
    }

    /// The word at `next`, with zeros for the bytes that are not there.
    #[cold]
    fn last_word(&self) -> u64 {
        let mut padded = [0; 8];
        let rest = self.bytes.get(self.next..).unwrap_or_default();
        padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        u64::from_be_bytes(padded)
    }
}

/// Collects bits into bytes.
#[derive(Debug, Clone, Default)]
pub struct BitWriter {
    /// What was written, and room for eight bytes behind it.
    bytes: Vec<u8>,
    /// How many bytes are full.
    full: usize,
    /// The bits that do not fill a byte yet, the first one highest, zeros behind them.
    pending: u64,
    pending_bits: u32,
    /// How many bits the last call to `put` brought.
    last_bits: u32,
}

impl BitWriter {
    /// Appends the lowest `count` bits of `value`, 1 to 64; the bits above are ignored.
    #[inline]
    pub(crate) fn put(&mut self, value: u64, count: u32) {
        if count > 56 {
            self.put_short(value >> 32, count - 32);
            self.put_short(value, 32);
        } else {
            self.put_short(value, count);
        }
        self.last_bits = count;
    }

    /// Appends the lowest `count` bits of `value`, 1 to 56, of which the last `last` are one part for themselves.
    #[inline]
    pub(crate) fn put_parts(&mut self, value: u64, count: u32, last: u32) {
        self.put_short(value, count);
        self.last_bits = last;
    }

    /// Appends up to 56 bits: with those that wait they fit into a word, which is stored as a whole each time.
    #[inline]
    fn put_short(&mut self, value: u64, count: u32) {
        let word = self.pending | value << (64 - count) >> self.pending_bits;
        let bits = self.pending_bits + count;
        if self.bytes.len() < self.full + 8 {
            self.grow();
        }
        if let Some(room) = self.bytes[self.full..].first_chunk_mut() {
            *room = word.to_be_bytes();
        }
        let full_bits = bits & !7;
        self.full += full_bits as usize / 8;
        // 63 bits at most, of which 56 are full.
        self.pending = word << full_bits;
        self.pending_bits = bits & 7;
    }

    #[cold]
    fn grow(&mut self) {
        self.bytes.resize((self.bytes.len() * 2).max(256), 0);
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
        into.extend_from_slice(&self.bytes[..self.full]);
        if self.pending_bits > 0 {
            into.push((self.pending >> 56) as u8);
        } else if self.last_bits != 0 && self.last_bits.is_multiple_of(8) {
            // Prometheus before 3.0 writes whole bytes by opening the byte after them, and that stays open. What is
            // behind the last sample means nothing; later versions leave the byte out.
            into.push(0);
        }
        (self.full, self.pending, self.pending_bits, self.last_bits) = (0, 0, 0, 0);
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
