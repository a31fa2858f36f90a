//! An index as bytes.
//!
//! ```text
//! magic            8 bytes
//! version          4 bytes, lowest first; what follows is of version 1
//! length           8 bytes, lowest first: of the body
//! body             labels: how many, then for each its name, how many values, and these
//!                  shapes: how many, then for each how many labels, and the numbers of these in the order of their names
//!                  series: how many ids, then for each 0, or its shape from 1 on and the numbers of its values
//! checksum         4 bytes, lowest first: CRC32C of everything before
//! ```
//!
//! Numbers of the body are varints, texts have their length before them. Everything that is counted takes a byte at
//! least, so that a number that is too large is known before memory is asked for.

mod reader;

use thiserror::Error;

use self::reader::Reader;
use super::{SEEDS, SeriesIndex};

const MAGIC: &[u8; 8] = b"\x89promha\n";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 20;
const CHECKSUM_BYTES: usize = 4;

/// Why bytes are not an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// They do not begin as a snapshot does.
    #[error("not a snapshot of an index: expected {MAGIC:x?} at byte 0")]
    Foreign,
    /// They are of another version.
    #[error("version {found} of a snapshot (at byte 8); this is version {known}")]
    Version {
        /// What they say.
        found: u32,
        /// What can be read.
        known: u32,
    },
    /// There are more or less of them than they say.
    #[error("a torn snapshot: {found_bytes} bytes, expected {expected_bytes}")]
    Torn {
        /// How many there should be, as far as is known.
        expected_bytes: u64,
        /// How many there are.
        found_bytes: u64,
    },
    /// They have changed since they were written.
    #[error("a damaged snapshot: checksum {found:08x}, expected {expected:08x} (at byte {offset})")]
    Checksum {
        /// What the checksum of the bytes is.
        found: u32,
        /// What they say it is.
        expected: u32,
        /// Where they say so.
        offset: usize,
    },
    /// The checksum is right, but no index is written like this.
    #[error("not what an index is written as: expected {expected} (at byte {offset})")]
    Malformed {
        /// What should have been there.
        expected: &'static str,
        /// Where.
        offset: usize,
    },
}

impl SeriesIndex {
    /// Writes the index, with the ids of its series, so that [`restore`](Self::restore) gives the same. Linear in the
    /// size of the index.
    ///
    /// ```
    /// # use promha_federate::{Selector, SeriesIndex, index::SnapshotError};
    /// let mut index = SeriesIndex::new();
    /// let up = index.insert(&[("__name__", "up"), ("job", "node")])?;
    /// let mut bytes = Vec::new();
    /// index.snapshot(&mut bytes);
    ///
    /// let restored = SeriesIndex::restore(&bytes)?;
    /// assert!(restored.select(&[Selector::parse("up")?]).eq([up]));
    /// assert_eq!(
    ///     SeriesIndex::restore(&bytes[..40]).unwrap_err(),
    ///     SnapshotError::Torn { expected_bytes: 56, found_bytes: 40 }
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend_from_slice(MAGIC);
        to.extend_from_slice(&VERSION.to_le_bytes());
        to.extend_from_slice(&[0; 8]);
        self.write_body(to);
        let length = (to.len() - start - HEADER_BYTES) as u64;
        to[start + HEADER_BYTES - 8..start + HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
        let checksum = crc32c(&to[start..]);
        to.extend_from_slice(&checksum.to_le_bytes());
    }

    /// The index that was [written](Self::snapshot), with the same ids. Memory is taken for what is there, never for
    /// what is merely claimed.
    ///
    /// # Errors
    /// [`SnapshotError`] if the bytes are anything else, or not all of them.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotError> {
        Self::restore_with_seeds(bytes, SEEDS)
    }

    /// The same, with [keys of the hashes](Self::with_seeds), which are not written.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    pub fn restore_with_seeds(bytes: &[u8], seeds: [u64; 4]) -> Result<Self, SnapshotError> {
        let (magic, rest) = bytes.split_at(bytes.len().min(MAGIC.len()));
        if *magic != MAGIC[..magic.len()] {
            return Err(SnapshotError::Foreign);
        }
        let torn = |expected_bytes| SnapshotError::Torn { expected_bytes, found_bytes: bytes.len() as u64 };
        let least = (HEADER_BYTES + CHECKSUM_BYTES) as u64;
        let (version, rest) = rest.split_first_chunk().ok_or(torn(least))?;
        let found = u32::from_le_bytes(*version);
        if found != VERSION {
            return Err(SnapshotError::Version { found, known: VERSION });
        }
        let (length, _) = rest.split_first_chunk().ok_or(torn(least))?;
        let expected_bytes = u64::from_le_bytes(*length).saturating_add(least);
        if expected_bytes != bytes.len() as u64 {
            return Err(torn(expected_bytes));
        }
        let (covered, checksum) = bytes.split_last_chunk().ok_or(torn(least))?;
        let (found, expected) = (crc32c(covered), u32::from_le_bytes(*checksum));
        if found != expected {
            return Err(SnapshotError::Checksum { found, expected, offset: covered.len() });
        }
        Self::with_seeds(seeds).read_body(&mut Reader::new(covered, HEADER_BYTES))
    }

    fn write_body(&self, to: &mut Vec<u8>) {
        write_number(to, self.labels.len());
        let mut places = Vec::with_capacity(self.labels.len());
        for label in &self.labels {
            let values = label.in_order();
            write_text(to, label.name());
            write_number(to, values.len());
            let mut place_of = vec![0u32; label.numbers() as usize];
            for (place, &value) in (0..).zip(&values) {
                write_text(to, label.text(value));
                place_of[value as usize] = place;
            }
            places.push(place_of);
        }
        write_number(to, self.rows.shapes().len());
        for shape in self.rows.shapes() {
            write_number(to, shape.labels().len());
            shape.labels().iter().for_each(|&label| write_number(to, label as usize));
        }
        write_number(to, self.rows.ids());
        for id in 0..self.rows.ids() as u32 {
            let (Some(shape), Some((labels, values))) = (self.rows.shape(id), self.rows.row(id)) else {
                to.push(0);
                continue;
            };
            write_number(to, shape as usize + 1);
            for (&label, &value) in labels.iter().zip(values) {
                write_number(to, places[label as usize][value as usize] as usize);
            }
        }
    }

    /// Fills an index that is empty.
    fn read_body(mut self, reader: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let index = &mut self;
        for number in 0..reader.count("the number of labels")? {
            let at = reader.offset();
            let name = reader.text("a label name")?;
            if index.label_number(name).is_some() {
                return Err(reader.malformed(at, "a label name that has not been there"));
            }
            index.add_label(name);
            let mut last = "";
            for _ in 0..reader.count("the number of values")? {
                let at = reader.offset();
                let text = reader.text("a label value")?;
                if text <= last {
                    return Err(reader.malformed(at, "a label value after the one before"));
                }
                index.labels[number as usize].intern(text, &index.hasher);
                last = text;
            }
        }
        let shapes = index.read_shapes(reader)?;
        for id in 0..reader.count("the number of ids")? {
            index.read_series(reader, id, &shapes)?;
        }
        reader.end()?;
        Ok(self)
    }

    fn read_shapes(&self, reader: &mut Reader<'_>) -> Result<Vec<Vec<u32>>, SnapshotError> {
        let mut shapes = Vec::new();
        for _ in 0..reader.count("the number of shapes")? {
            let mut shape: Vec<u32> = Vec::new();
            for _ in 0..reader.count("the number of labels of a shape")? {
                let at = reader.offset();
                let label = reader.below(self.labels.len() as u32, "the number of a label")?;
                let name = |label: u32| self.labels[label as usize].name();
                if shape.last().is_some_and(|&last| name(last) >= name(label)) {
                    return Err(reader.malformed(at, "a label whose name comes after the one before"));
                }
                shape.push(label);
            }
            shapes.push(shape);
        }
        Ok(shapes)
    }

    fn read_series(
        &mut self,
        reader: &mut Reader<'_>,
        id: u32,
        shapes: &[Vec<u32>],
    ) -> Result<(), SnapshotError> {
        let at = reader.offset();
        let shape = reader.below(shapes.len() as u32 + 1, "0 or the number of a shape")?;
        let Some(shape) = shape.checked_sub(1) else {
            self.rows.skip(id);
            return Ok(());
        };
        let mut row = Vec::with_capacity(shapes[shape as usize].len());
        for &label in &shapes[shape as usize] {
            let values = self.labels[label as usize].numbers();
            row.push((label, reader.below(values, "the number of a value")?));
        }
        if self.find(&row).is_some() {
            return Err(reader.malformed(at, "a series that has not been there"));
        }
        self.add(id, &row);
        Ok(())
    }
}

fn write_number(to: &mut Vec<u8>, number: usize) {
    let mut left = number;
    while left >= 0x80 {
        to.push(left as u8 | 0x80);
        left >>= 7;
    }
    to.push(left as u8);
}

fn write_text(to: &mut Vec<u8>, text: &str) {
    write_number(to, text.len());
    to.extend_from_slice(text.as_bytes());
}

fn crc32c(bytes: &[u8]) -> u32 {
    // The same polynomial under the name of another protocol that has it.
    crc_fast::crc32_iscsi(bytes)
}
