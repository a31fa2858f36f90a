//! Varints, keys and lengths of protobuf: the only file that knows how they look as bytes.
//!
//! What is accepted here is what `prost` accepts, so that the views and the owned messages agree on every input.
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

pub(crate) mod fast;
pub(crate) mod open;

use crate::error::{DecodeError, ErrorKind, Limit};

/// Messages and groups inside each other before a body is refused, as in `prost`.
const NESTING_LIMIT: u32 = 100;

/// The most bytes of a varint.
const VARINT_MAX_BYTES: usize = 10;

/// The wire types that have a meaning in these messages. Groups are known only to be skipped.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const DELIMITED: u8 = 2;
const GROUP_START: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED32: u8 = 5;

/// A cursor over the body of one message; its offsets count from the start of the whole input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Offset of the end of `rest` in the whole input. The end does not move while reading, the start does.
    end: usize,
}

/// The key of a field: its number, its wire type, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) number: u32,
    wire_type: u8,
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads `body`, whose first byte stands at `offset` of the whole input.
    pub(crate) fn new(body: &'a [u8], offset: usize) -> Self {
        Self { rest: body, end: offset.saturating_add(body.len()) }
    }

    /// How many bytes are left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// Where the next byte stands in the whole input.
    pub(crate) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// The key of the next field, or `None` at the end of the message.
    #[inline]
    pub(crate) fn next_field(&mut self) -> Result<Option<Field>, DecodeError> {
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
            Ok(key) if key >> 3 != 0 => Err(wire_type_error(key >> 3, wire_type, offset)),
            _ => Err(DecodeError::new(ErrorKind::InvalidKey { key }, offset)),
        }
    }

    /// The value of an integer field; the caller casts it to the type of the field.
    #[inline]
    pub(crate) fn varint(&mut self, field: Field) -> Result<u64, DecodeError> {
        field.expect_wire_type(VARINT)?;
        self.uvarint()
    }

    /// The value of a `bytes` field.
    #[inline]
    pub(crate) fn bytes(&mut self, field: Field) -> Result<&'a [u8], DecodeError> {
        field.expect_wire_type(DELIMITED)?;
        self.delimited()
    }

    /// The value of a `string` field.
    #[inline]
    pub(crate) fn string(&mut self, field: Field) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes(field)?;
        let start = self.offset() - bytes.len();
        std::str::from_utf8(bytes)
            .map_err(|error| DecodeError::new(ErrorKind::InvalidUtf8, start + error.valid_up_to()))
    }

    /// The value of a `double` field.
    #[inline]
    pub(crate) fn double(&mut self, field: Field) -> Result<f64, DecodeError> {
        field.expect_wire_type(FIXED64)?;
        self.double_value()
    }

    /// Gives the values of a repeated integer field to `each`: one of them, or all if they are packed.
    #[inline]
    pub(crate) fn varints(&mut self, field: Field, mut each: impl FnMut(u64)) -> Result<(), DecodeError> {
        self.varints_at(field, |value, _| each(value))
    }

    /// The same, with where each of them stands.
    #[inline]
    pub(crate) fn varints_at(
        &mut self,
        field: Field,
        mut each: impl FnMut(u64, usize),
    ) -> Result<(), DecodeError> {
        if field.wire_type != DELIMITED {
            let offset = self.offset();
            each(self.varint(field)?, offset);
            return Ok(());
        }
        let mut packed = self.message(field)?;
        while !packed.rest.is_empty() {
            let offset = packed.offset();
            each(packed.uvarint()?, offset);
        }
        Ok(())
    }

    /// The same for a repeated `double` field.
    pub(crate) fn doubles(&mut self, field: Field, mut each: impl FnMut(f64)) -> Result<(), DecodeError> {
        if field.wire_type != DELIMITED {
            each(self.double(field)?);
            return Ok(());
        }
        let mut packed = self.message(field)?;
        while !packed.rest.is_empty() {
            each(packed.double_value()?);
        }
        Ok(())
    }

    fn double_value(&mut self) -> Result<f64, DecodeError> {
        match self.rest.split_first_chunk() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(f64::from_le_bytes(*bytes))
            }
            None => Err(self.truncated(8, self.offset())),
        }
    }

    /// The message that comes next, if it is a field with this one-byte key and a length of one or two bytes.
    #[inline]
    pub(crate) fn next_short_message(&mut self, key: u8) -> Option<Reader<'a>> {
        let &[found, first, second] = self.rest.first_chunk()?;
        if found != key {
            return None;
        }
        let (start, length) = if first < 0x80 {
            (2, usize::from(first))
        } else if second < 0x80 {
            (3, usize::from(second) << 7 | usize::from(first & 0x7f))
        } else {
            return None;
        };
        let (message, rest) = self.rest[start..].split_at_checked(length)?;
        self.rest = rest;
        Some(Reader { rest: message, end: self.offset() })
    }

    /// What is left.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Moves on by `count` bytes, which have to be there.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        self.rest = &self.rest[count..];
    }

    /// The value of a field that is itself a message.
    #[inline]
    pub(crate) fn message(&mut self, field: Field) -> Result<Reader<'a>, DecodeError> {
        let rest = self.bytes(field)?;
        Ok(Reader { rest, end: self.offset() })
    }

    /// Passes over a field that nobody asked for, inside `depth` messages (0 in the outermost one).
    pub(crate) fn skip(&mut self, field: Field, depth: u32) -> Result<(), DecodeError> {
        if depth >= NESTING_LIMIT {
            let (limit, found) = (u64::from(NESTING_LIMIT), u64::from(depth) + 1);
            return Err(DecodeError::new(
                ErrorKind::OverLimit { what: Limit::Nesting, limit, found },
                field.offset,
            ));
        }
        match field.wire_type {
            VARINT => self.uvarint().map(drop),
            FIXED64 => self.take(8).map(drop),
            DELIMITED => self.delimited().map(drop),
            FIXED32 => self.take(4).map(drop),
            GROUP_START => self.skip_group(field, depth),
            _ => Err(unmatched_group(field)),
        }
    }

    fn skip_group(&mut self, group: Field, depth: u32) -> Result<(), DecodeError> {
        loop {
            let Some(field) = self.next_field()? else {
                return Err(self.truncated(1, group.offset));
            };
            match field.wire_type {
                GROUP_END if field.number == group.number => return Ok(()),
                GROUP_END => return Err(unmatched_group(field)),
                _ => self.skip(field, depth + 1)?,
            }
        }
    }

    /// A varint without its key.
    #[inline]
    pub(crate) fn uvarint(&mut self) -> Result<u64, DecodeError> {
        if let [first, rest @ ..] = self.rest
            && *first < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        if let [first, second, rest @ ..] = self.rest
            && *second < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*second) << 7 | u64::from(first & 0x7f));
        }
        self.uvarint_slow()
    }

    fn uvarint_slow(&mut self) -> Result<u64, DecodeError> {
        match read_uvarint(self.rest) {
            Ok(Some((value, length))) => {
                self.rest = &self.rest[length..];
                Ok(value)
            }
            Ok(None) => Err(self.truncated(self.rest.len() as u64 + 1, self.offset())),
            Err(kind) => Err(DecodeError::new(kind, self.offset())),
        }
    }

    #[inline]
    fn delimited(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.uvarint()?;
        self.take(length)
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let Some((taken, rest)) = split else {
            return Err(self.truncated(length, self.offset()));
        };
        self.rest = rest;
        Ok(taken)
    }

    #[cold]
    fn truncated(&self, needed_bytes: u64, offset: usize) -> DecodeError {
        let available_bytes = (self.end - offset) as u64;
        DecodeError::new(ErrorKind::Truncated { needed_bytes, available_bytes }, offset)
    }
}

impl Field {
    /// Where the key stands in the whole input.
    pub(crate) fn offset(self) -> usize {
        self.offset
    }

    #[inline]
    fn expect_wire_type(self, expected: u8) -> Result<(), DecodeError> {
        if self.wire_type == expected {
            Ok(())
        } else {
            Err(wire_type_error(self.number, self.wire_type, self.offset))
        }
    }
}

#[cold]
fn wire_type_error(field: u32, found: u8, offset: usize) -> DecodeError {
    DecodeError::new(ErrorKind::WireType { field, found }, offset)
}

#[cold]
fn unmatched_group(field: Field) -> DecodeError {
    DecodeError::new(ErrorKind::UnmatchedGroup { field: field.number }, field.offset)
}

/// The varint at the start of `bytes` and its length; `None` when `bytes` ends inside it.
pub(crate) fn read_uvarint(bytes: &[u8]) -> Result<Option<(u64, usize)>, ErrorKind> {
    let mut value = 0_u64;
    for (i, &byte) in bytes.iter().take(VARINT_MAX_BYTES).enumerate() {
        // The tenth byte has room for one bit only.
        if i == VARINT_MAX_BYTES - 1 && byte > 1 {
            return Err(ErrorKind::VarintOverflow);
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok(Some((value, i + 1)));
        }
    }
    Ok(None)
}

/// The signed integer that is written as this `sint32` or `sint64`.
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// How a signed integer is written as `sint32` or `sint64`.
pub(crate) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// How many bytes [`put_uvarint`] writes: 1 to 10.
pub(crate) fn uvarint_bytes(value: u64) -> usize {
    // Seven bits a byte, and zero takes one byte too.
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends `value` as a varint.
pub(crate) fn put_uvarint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// How many bytes [`put_varint_field`] writes.
pub(crate) fn varint_field_bytes(number: u32, value: u64) -> usize {
    if value == 0 { 0 } else { key_bytes(number) + uvarint_bytes(value) }
}

/// Appends an integer field; zero is the default and is not written.
pub(crate) fn put_varint_field(number: u32, value: u64, into: &mut Vec<u8>) {
    if value != 0 {
        put_key(number, VARINT, into);
        put_uvarint(value, into);
    }
}

/// How many bytes [`put_bytes_field`] writes for a value of `length` bytes.
pub(crate) fn bytes_field_bytes(number: u32, length: usize) -> usize {
    if length == 0 { 0 } else { message_field_bytes(number, length) }
}

/// Appends a `bytes` or `string` field; the empty one is the default and is not written.
pub(crate) fn put_bytes_field(number: u32, value: &[u8], into: &mut Vec<u8>) {
    if !value.is_empty() {
        put_message_header(number, value.len(), into);
        into.extend_from_slice(value);
    }
}

/// How many bytes a field takes that is a message of `length` bytes.
pub(crate) fn message_field_bytes(number: u32, length: usize) -> usize {
    key_bytes(number) + uvarint_bytes(length as u64) + length
}

/// Appends the key and the length of a field that is a message of `length` bytes.
pub(crate) fn put_message_header(number: u32, length: usize, into: &mut Vec<u8>) {
    put_key(number, DELIMITED, into);
    put_uvarint(length as u64, into);
}

/// Appends a `double` field; zero is the default and is not written, but minus zero is.
pub(crate) fn put_double_field(number: u32, value: f64, into: &mut Vec<u8>) {
    if value.to_bits() != 0 {
        put_double(number, value, into);
    }
}

/// Appends a `double` field that stands for itself, zero or not.
pub(crate) fn put_double(number: u32, value: f64, into: &mut Vec<u8>) {
    put_key(number, FIXED64, into);
    into.extend_from_slice(&value.to_le_bytes());
}

/// Appends an integer field that stands for itself, zero or not.
pub(crate) fn put_varint(number: u32, value: u64, into: &mut Vec<u8>) {
    put_key(number, VARINT, into);
    put_uvarint(value, into);
}

/// Appends a packed `double` field, unless there are none.
pub(crate) fn put_doubles_field(number: u32, values: &[f64], into: &mut Vec<u8>) {
    if !values.is_empty() {
        put_message_header(number, values.len() * 8, into);
        values.iter().for_each(|value| into.extend_from_slice(&value.to_le_bytes()));
    }
}

/// Appends a packed integer field, unless there are none.
pub(crate) fn put_varints_field(number: u32, values: impl Iterator<Item = u64> + Clone, into: &mut Vec<u8>) {
    let length: usize = values.clone().map(uvarint_bytes).sum();
    if length > 0 {
        put_message_header(number, length, into);
        values.for_each(|value| put_uvarint(value, into));
    }
}

fn key_bytes(number: u32) -> usize {
    uvarint_bytes(u64::from(number) << 3)
}

fn put_key(number: u32, wire_type: u8, into: &mut Vec<u8>) {
    put_uvarint(u64::from(number) << 3 | u64::from(wire_type), into);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_know_their_length() {
        let mut edges = vec![0, u64::MAX];
        for bits in 1..64 {
            edges.extend([(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        }
        for value in edges {
            let mut bytes = Vec::new();
            put_uvarint(value, &mut bytes);
            assert_eq!(bytes.len(), uvarint_bytes(value), "{value}");
            assert_eq!(read_uvarint(&bytes), Ok(Some((value, bytes.len()))), "{value}");
            assert_eq!(Reader::new(&bytes, 7).uvarint(), Ok(value));
            for cut in 0..bytes.len() {
                assert_eq!(read_uvarint(&bytes[..cut]), Ok(None), "{value} cut at {cut}");
            }
        }
    }

    #[test]
    fn varints_of_more_than_64_bits_are_refused() {
        let mut bytes = [0xff_u8; 11];
        assert_eq!(read_uvarint(&bytes), Err(ErrorKind::VarintOverflow));
        bytes[9] = 2;
        assert_eq!(read_uvarint(&bytes), Err(ErrorKind::VarintOverflow));
        bytes[9] = 1;
        assert_eq!(read_uvarint(&bytes), Ok(Some((u64::MAX, 10))));
    }

    #[test]
    fn errors_say_where() {
        let offset_of = |body: &[u8]| {
            let mut reader = Reader::new(body, 100);
            loop {
                match reader.next_field().and_then(|field| field.map(|f| reader.skip(f, 0)).transpose()) {
                    Ok(Some(())) => {}
                    Ok(None) => panic!("{body:x?} was accepted"),
                    Err(error) => return (error.offset(), error.kind()),
                }
            }
        };
        let truncated =
            |needed_bytes, available_bytes| ErrorKind::Truncated { needed_bytes, available_bytes };
        assert_eq!(offset_of(&[0x08, 0x80]), (101, truncated(2, 1)));
        assert_eq!(offset_of(&[0x08, 0x01, 0x12, 0x03, 0xaa]), (104, truncated(3, 1)));
        assert_eq!(offset_of(&[0x09, 1, 2, 3, 4, 5, 6, 7]), (101, truncated(8, 7)));
        assert_eq!(offset_of(&[0x0d, 1, 2, 3]), (101, truncated(4, 3)));
        assert_eq!(offset_of(&[0x0b, 0x10, 0x01]), (100, truncated(1, 3)));
        assert_eq!(offset_of(&[0x0b, 0x14]), (101, ErrorKind::UnmatchedGroup { field: 2 }));
        assert_eq!(offset_of(&[0x0c]), (100, ErrorKind::UnmatchedGroup { field: 1 }));
        assert_eq!(offset_of(&[0x00]), (100, ErrorKind::InvalidKey { key: 0 }));
        assert_eq!(offset_of(&[0x0e]), (100, ErrorKind::WireType { field: 1, found: 6 }));
        assert_eq!(offset_of(&[0x80, 0x80, 0x80, 0x80, 0x10]), (100, ErrorKind::InvalidKey { key: 1 << 32 }));
        let deep = [vec![0x0b; 101], vec![0x0c; 101]].concat();
        let nesting = ErrorKind::OverLimit { what: Limit::Nesting, limit: 100, found: 101 };
        assert_eq!(offset_of(&deep), (200, nesting));
    }
}
