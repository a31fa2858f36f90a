//! How chunks hold a float next to the one before it: only the bits that changed, in a window that is kept while
//! they fit it. Source: `xorWrite` and `xorRead` in `tsdb/chunkenc/xor.go` of Prometheus.

use crate::bits::{BitReader, BitWriter};
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
    /// Reads the next value: `value` is the one before and becomes this one.
    #[inline]
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

/// The bits that changed last, as a writer sees them: how many are left out at either end.
#[derive(Debug, Clone, Copy)]
pub struct WriteWindow {
    leading: u32,
    trailing: u32,
}

impl Default for WriteWindow {
    /// Before the first change nothing fits.
    fn default() -> Self {
        Self { leading: u32::MAX, trailing: u32::MAX }
    }
}

impl WriteWindow {
    /// Writes a value as its difference to the one before, `old ^ new`.
    #[inline]
    pub(crate) fn write(&mut self, change: u64, bits: &mut BitWriter) {
        if change == 0 {
            bits.put(0, 1);
            return;
        }
        let leading = change.leading_zeros().min(MAX_LEADING);
        let trailing = change.trailing_zeros();
        let (prefix, prefix_bits) = if leading >= self.leading && trailing >= self.trailing {
            (0b10, 2)
        } else {
            *self = Self { leading, trailing };
            let significant = 64 - leading - trailing;
            // 64 does not fit into six bits and becomes 0, which is free: no change has 0 significant bits.
            (0b11 << 11 | u64::from(leading) << 6 | u64::from(significant & 63), 13)
        };
        let significant = 64 - self.leading - self.trailing;
        let changed = change >> self.trailing;
        if prefix_bits + significant <= 56 {
            bits.put_parts(prefix << significant | changed, prefix_bits + significant, significant);
        } else {
            bits.put(prefix, prefix_bits);
            bits.put(changed, significant);
        }
    }
}
