//! How chunks hold a float next to the one before it: only the bits that changed, in a window that is kept while
//! they fit it. Source: `xorWrite` and `xorRead` in `tsdb/chunkenc/xor.go` of Prometheus.

use crate::bits::{BitReader, BitRoom};
use crate::error::ErrorKind;

/// Values may have up to 64 leading zero bits in common, but five bits say how many.
const MAX_LEADING: u32 = 31;

/// The bits that changed last, as a reader sees them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadWindow {
    leading: u32,
    significant: u32,
}

impl Default for ReadWindow {
    /// A chunk that was opened again for appending may reuse a window before it described one; that is then
    /// the whole value.
    fn default() -> Self {
        Self { leading: 0, significant: 64 }
    }
}

impl ReadWindow {
    /// How many bits stand before it, and do not change.
    #[inline(always)]
    pub(crate) fn leading(&self) -> u32 {
        self.leading
    }

    /// How many bits it has.
    #[inline(always)]
    pub(crate) fn significant(&self) -> u32 {
        self.significant
    }

    /// Reads the next value: `value` is the one before and becomes this one.
    #[inline(always)]
    pub(crate) fn read(&mut self, value: &mut u64, reader: &mut BitReader<'_>) -> Result<(), ErrorKind> {
        let word = reader.peek();
        if word >> 63 == 0 {
            reader.skip(1);
            return Ok(());
        }
        if word >> 62 == 0b10 {
            reader.skip(2);
        } else {
            reader.skip(13);
            self.leading = (word >> 57) as u32 & 31;
            self.significant = match (word >> 51) as u32 & 63 {
                0 => 64,
                significant => significant,
            };
            if self.leading + self.significant > 64 {
                let (leading, significant) = (self.leading as u8, self.significant as u8);
                return Err(ErrorKind::ChunkWindow { leading, significant });
            }
        }
        let change = reader.read(self.significant);
        *value ^= change << (64 - self.leading - self.significant);
        Ok(())
    }
}

/// The bits that changed last, as a writer sees them.
#[derive(Debug, Clone, Copy)]
pub struct WriteWindow {
    /// The bits that are not in the window: a change that has none of them fits.
    outside: u64,
    trailing: u32,
    significant: u32,
}

impl Default for WriteWindow {
    /// Before the first change nothing fits.
    fn default() -> Self {
        Self { outside: u64::MAX, trailing: 0, significant: 0 }
    }
}

impl WriteWindow {
    /// The most bytes that [`write`](Self::write) appends, `head` not counted.
    pub(crate) const MAX_BYTES: usize = (2 + 5 + 6 + 64_usize).div_ceil(8);

    /// Writes a value as its difference to the one before, `old ^ new`, behind the lowest `head_bits` of `head`, which
    /// are 0 to 24.
    #[inline(always)]
    pub(crate) fn write(&mut self, (head, head_bits): (u64, u32), change: u64, room: &mut BitRoom<'_>) {
        if change == 0 {
            room.put_parts(head << 1, head_bits + 1, 1);
            return;
        }
        let (head, head_bits) = if change & self.outside == 0 {
            (head << 2 | 0b10, head_bits + 2)
        } else {
            *self = Self::around(change);
            // 64 does not fit into six bits and becomes 0, which is free: no change has 0 significant bits.
            let leading = 64 - self.significant - self.trailing;
            let described = u64::from(leading << 6 | self.significant & 63);
            (head << 13 | 0b11 << 11 | described, head_bits + 13)
        };
        let Self { trailing, significant, .. } = *self;
        let changed = change >> trailing;
        if head_bits + significant <= 56 {
            room.put_parts(head << significant | changed, head_bits + significant, significant);
        } else {
            room.put_parts(head, head_bits, 0);
            room.put(changed, significant);
        }
    }

    /// The bits of a change that is not 0.
    #[inline(always)]
    fn around(change: u64) -> Self {
        let leading = change.leading_zeros().min(MAX_LEADING);
        let trailing = change.trailing_zeros();
        let significant = 64 - leading - trailing;
        Self { outside: !(u64::MAX >> (64 - significant) << trailing), trailing, significant }
    }
}
