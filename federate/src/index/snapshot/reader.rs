//! Numbers and texts out of bytes that cannot be trusted.

use super::SnapshotError;

/// What is left of the body.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn malformed(&self, offset: usize, expected: &'static str) -> SnapshotError {
        SnapshotError::Malformed { expected, offset }
    }

    /// How many things follow, of which each takes a byte at least.
    pub(super) fn count(&mut self, expected: &'static str) -> Result<u32, SnapshotError> {
        let at = self.offset;
        let count = self.number(expected)?;
        if count as usize > self.bytes.len() - self.offset {
            return Err(self.malformed(at, expected));
        }
        Ok(count)
    }

    pub(super) fn below(&mut self, limit: u32, expected: &'static str) -> Result<u32, SnapshotError> {
        let at = self.offset;
        let number = self.number(expected)?;
        if number < limit { Ok(number) } else { Err(self.malformed(at, expected)) }
    }

    pub(super) fn text(&mut self, expected: &'static str) -> Result<&'a str, SnapshotError> {
        let at = self.offset;
        let len = self.count(expected)? as usize;
        let text = std::str::from_utf8(&self.bytes[self.offset..self.offset + len]);
        self.offset += len;
        text.map_err(|_| self.malformed(at, expected))
    }

    pub(super) fn end(&self) -> Result<(), SnapshotError> {
        if self.offset < self.bytes.len() {
            return Err(self.malformed(self.offset, "the end of the series"));
        }
        Ok(())
    }

    /// A varint of at most 32 bits.
    fn number(&mut self, expected: &'static str) -> Result<u32, SnapshotError> {
        let at = self.offset;
        let mut number = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = *self.bytes.get(self.offset).ok_or(self.malformed(at, expected))?;
            self.offset += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(number).map_err(|_| self.malformed(at, expected));
            }
        }
        Err(self.malformed(at, expected))
    }
}
