//! Varints, keys and lengths of protobuf: the only file that knows how they look as bytes.
//!
//! What is accepted here is what `prost` accepts. Source: <https://protobuf.dev/programming-guides/encoding/>.

use crate::exposition::error::{ExpositionError, ExpositionErrorKind as Kind};

/// Messages and groups inside each other before they are refused, as in `prost`.
const NESTING_LIMIT: u32 = 100;

/// The most bytes of a varint.
const VARINT_MAX_BYTES: usize = 10;

/// The wire types. Groups are known only to be skipped.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const DELIMITED: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

/// A cursor over the body of one message; its offsets count from the start of the whole input.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of the end of `rest` in the whole input. The end does not move while reading, the start does.
    end: usize,
    /// Messages around this one.
    depth: u32,
}

/// The key of a field: its number, its wire type, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) number: u32,
    wire_type: u8,
    pub(super) offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads a whole input.
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input, end: input.len(), depth: 0 }
    }

    /// Where the next byte stands in the whole input.
    pub(super) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// How many bytes are left.
    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    /// There is nothing more to read.
    pub(super) fn close(&mut self) {
        self.rest = &[];
    }

    /// The next of messages that follow each other with their lengths in front, which take at most five bytes.
    pub(super) fn next_delimited(&mut self) -> Result<Option<Reader<'a>>, ExpositionError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let offset = self.offset();
        let length = self.uvarint()?;
        if self.offset() - offset > 5 {
            return Err(ExpositionError::in_bytes(Kind::VarintOverflow, offset));
        }
        let rest = self.take(length)?;
        Ok(Some(Reader { rest, end: self.offset(), depth: 0 }))
    }

    /// The key of the next field, or `None` at the end of the message.
    #[inline]
    pub(super) fn next_field(&mut self) -> Result<Option<Field>, ExpositionError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let offset = self.offset();
        let key = self.uvarint()?;
        let wire_type = (key & 7) as u8;
        match u32::try_from(key) {
            Ok(key) if key >> 3 != 0 && wire_type <= FIXED32 => {
                Ok(Some(Field { number: key >> 3, wire_type, offset }))
            }
            _ => Err(ExpositionError::in_bytes(Kind::InvalidKey { key }, offset)),
        }
    }

    /// The value of an integer field; the caller casts it to the type of the field.
    #[inline]
    pub(super) fn varint(&mut self, field: Field) -> Result<u64, ExpositionError> {
        field.expect_wire_type(VARINT)?;
        self.uvarint()
    }

    /// The value of a `string` field.
    #[inline]
    pub(super) fn string(&mut self, field: Field) -> Result<&'a str, ExpositionError> {
        field.expect_wire_type(DELIMITED)?;
        let length = self.uvarint()?;
        let bytes = self.take(length)?;
        let start = self.offset() - bytes.len();
        std::str::from_utf8(bytes)
            .map_err(|error| ExpositionError::in_bytes(Kind::InvalidUtf8, start + error.valid_up_to()))
    }

    /// The value of a `double` field.
    #[inline]
    pub(super) fn double(&mut self, field: Field) -> Result<f64, ExpositionError> {
        field.expect_wire_type(FIXED64)?;
        self.double_value()
    }

    /// The value of a field that is itself a message.
    #[inline]
    pub(super) fn message(&mut self, field: Field) -> Result<Reader<'a>, ExpositionError> {
        field.expect_wire_type(DELIMITED)?;
        let length = self.uvarint()?;
        let rest = self.take(length)?;
        Ok(Reader { rest, end: self.offset(), depth: self.depth + 1 })
    }

    /// Gives the values of a repeated integer field to `each`: one of them, or all if they are packed.
    pub(super) fn varints(
        &mut self,
        field: Field,
        mut each: impl FnMut(u64) -> Result<(), Kind>,
    ) -> Result<(), ExpositionError> {
        let refused = |kind| ExpositionError::in_bytes(kind, field.offset);
        if field.wire_type != DELIMITED {
            return each(self.varint(field)?).map_err(refused);
        }
        let mut packed = self.message(field)?;
        while !packed.rest.is_empty() {
            each(packed.uvarint()?).map_err(refused)?;
        }
        Ok(())
    }

    /// The same for a repeated `double` field.
    pub(super) fn doubles(
        &mut self,
        field: Field,
        mut each: impl FnMut(f64) -> Result<(), Kind>,
    ) -> Result<(), ExpositionError> {
        let refused = |kind| ExpositionError::in_bytes(kind, field.offset);
        if field.wire_type != DELIMITED {
            return each(self.double(field)?).map_err(refused);
        }
        let mut packed = self.message(field)?;
        while !packed.rest.is_empty() {
            each(packed.double_value()?).map_err(refused)?;
        }
        Ok(())
    }

    /// Passes over a field that nobody asked for.
    #[cold]
    pub(super) fn skip(&mut self, field: Field) -> Result<(), ExpositionError> {
        self.skip_at(field, self.depth)
    }

    fn skip_at(&mut self, field: Field, depth: u32) -> Result<(), ExpositionError> {
        if depth >= NESTING_LIMIT {
            return Err(ExpositionError::in_bytes(Kind::Nesting { limit: NESTING_LIMIT }, field.offset));
        }
        match field.wire_type {
            VARINT => self.uvarint().map(drop),
            FIXED64 => self.take(8).map(drop),
            DELIMITED => {
                let length = self.uvarint()?;
                self.take(length).map(drop)
            }
            FIXED32 => self.take(4).map(drop),
            GROUP_START => loop {
                let Some(inner) = self.next_field()? else {
                    return Err(self.truncated(1, field.offset));
                };
                match inner.wire_type {
                    GROUP_END if inner.number == field.number => return Ok(()),
                    _ => self.skip_at(inner, depth + 1)?,
                }
            },
            // The end of a group that was not begun.
            _ => Err(wire_type_error(field)),
        }
    }

    #[inline]
    fn uvarint(&mut self) -> Result<u64, ExpositionError> {
        match self.rest {
            [first, rest @ ..] if *first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*first))
            }
            [first, second, rest @ ..] if *second < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*second) << 7 | u64::from(first & 0x7f))
            }
            _ => self.long_uvarint(),
        }
    }

    fn long_uvarint(&mut self) -> Result<u64, ExpositionError> {
        let mut value = 0_u64;
        for (i, &byte) in self.rest.iter().take(VARINT_MAX_BYTES).enumerate() {
            // The tenth byte has room for one bit only.
            if i == VARINT_MAX_BYTES - 1 && byte > 1 {
                return Err(ExpositionError::in_bytes(Kind::VarintOverflow, self.offset()));
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(self.truncated(self.rest.len() as u64 + 1, self.offset()))
    }

    #[inline]
    fn double_value(&mut self) -> Result<f64, ExpositionError> {
        match self.rest.split_first_chunk() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(f64::from_le_bytes(*bytes))
            }
            None => Err(self.truncated(8, self.offset())),
        }
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], ExpositionError> {
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let Some((taken, rest)) = split else {
            return Err(self.truncated(length, self.offset()));
        };
        self.rest = rest;
        Ok(taken)
    }

    #[cold]
    fn truncated(&self, needed_bytes: u64, offset: usize) -> ExpositionError {
        let available_bytes = (self.end - offset) as u64;
        ExpositionError::in_bytes(Kind::Truncated { needed_bytes, available_bytes }, offset)
    }
}

impl Field {
    #[inline]
    fn expect_wire_type(self, expected: u8) -> Result<(), ExpositionError> {
        if self.wire_type == expected { Ok(()) } else { Err(wire_type_error(self)) }
    }
}

#[cold]
fn wire_type_error(field: Field) -> ExpositionError {
    ExpositionError::in_bytes(Kind::WireType { field: field.number, found: field.wire_type }, field.offset)
}

/// The signed integer that is written as this `sint32` or `sint64`.
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
