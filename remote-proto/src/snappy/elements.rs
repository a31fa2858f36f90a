//! Blocks whose length is known last.

use std::fmt;

use crate::error::EncodeError;
use crate::snappy::{Compressor, FORMAT_LIMIT_BYTES};
use crate::wire::{put_uvarint, uvarint_bytes};

/// How much is compressed at a time. No compressor looks further back: `snap`, like the original, cuts its input here.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// How much of a block lies in one piece of memory. Growing a single one would need twice its size.
const SEGMENT_BYTES: usize = 256 << 10;

/// The longest literal whose length stands in its tag.
const SHORT_LITERAL_BYTES: usize = 60;

/// What a block consists of, without the length that it begins with.
#[derive(Default)]
pub(crate) struct Elements {
    compressor: Compressor,
    segments: Vec<Vec<u8>>,
    raw_bytes: u64,
    /// Where pieces are compressed.
    scratch: Vec<u8>,
}

impl Elements {
    /// How much was added so far.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// Compresses `raw` and adds it, piece by piece.
    pub(crate) fn add(&mut self, raw: &[u8]) {
        for piece in raw.chunks(PIECE_BYTES) {
            // A piece is far from what a block cannot hold.
            let compressed = self.compressor.compress(piece, &mut self.scratch);
            debug_assert!(compressed.is_ok(), "{compressed:?}");
            let length_bytes = uvarint_bytes(piece.len() as u64);
            let elements = self.scratch.get(length_bytes..).unwrap_or_default();
            match self.segments.last_mut() {
                Some(last) if last.len() + elements.len() <= SEGMENT_BYTES => {
                    last.extend_from_slice(elements)
                }
                _ => {
                    let mut segment = Vec::with_capacity(SEGMENT_BYTES);
                    segment.extend_from_slice(elements);
                    self.segments.push(segment);
                }
            }
            self.raw_bytes += piece.len() as u64;
        }
    }

    /// Sets a place aside where [`insert`](Self::insert) can put something later.
    pub(crate) fn place(&mut self) -> Place {
        // What is added next goes behind it.
        self.segments.extend([Vec::new(), Vec::new()]);
        Place(self.segments.len() - 2)
    }

    /// Puts at most 60 bytes into a place, as they are.
    pub(crate) fn insert(&mut self, place: Place, raw: &[u8]) {
        debug_assert!((1..=SHORT_LITERAL_BYTES).contains(&raw.len()));
        self.segments[place.0] = [&[(raw.len() as u8 - 1) << 2], raw].concat();
        self.raw_bytes += raw.len() as u64;
    }

    /// The block, in pieces, and starts afresh.
    pub(crate) fn finish(&mut self) -> Result<Vec<Vec<u8>>, EncodeError> {
        let mut segments = std::mem::take(&mut self.segments);
        let found_bytes = std::mem::take(&mut self.raw_bytes);
        if found_bytes > FORMAT_LIMIT_BYTES {
            return Err(EncodeError::TooManyBytes { limit_bytes: FORMAT_LIMIT_BYTES, found_bytes });
        }
        let mut header = Vec::new();
        put_uvarint(found_bytes, &mut header);
        segments.insert(0, header);
        segments.retain(|segment| !segment.is_empty());
        Ok(segments)
    }
}

/// A place between elements.
#[derive(Debug)]
pub(crate) struct Place(usize);

impl fmt::Debug for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, raw_bytes, .. } = self;
        f.debug_struct("Elements").field("segments", &segments.len()).field("raw_bytes", raw_bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snappy;

    #[test]
    fn what_was_added_comes_out() {
        let mut elements = Elements::default();
        for length in [0, 1, 59, 60, 61, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3_000_000] {
            let raw: Vec<u8> = (0..length).map(|n| ((n * n % 251) >> (n & 3)) as u8).collect();
            let (head, tail) = raw.split_at(length / 3);
            elements.add(head);
            let place = elements.place();
            elements.add(tail);
            let late = &[7; 60][..(length % 60).max(1)];
            elements.insert(place, late);
            assert_eq!(elements.raw_bytes() as usize, length + late.len());

            let block = elements.finish().unwrap().concat();
            let mut plain = Vec::new();
            let expected = [head, late, tail].concat();
            assert_eq!(snappy::decompress(&block, expected.len(), &mut plain).unwrap(), expected);
        }
        assert_eq!(elements.finish().unwrap(), [[0]]);
    }
}
