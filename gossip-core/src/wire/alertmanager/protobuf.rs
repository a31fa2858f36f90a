//! As much of protobuf as three small messages need.

use super::super::error::{DecodeError, ErrorKind};

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const BYTES: u8 = 2;
const GROUP: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED_32: u8 = 5;

/// How deep groups may be within each other that are skipped. No message of Alertmanager has any.
const GROUPS: usize = 16;

/// Reads the fields of a message, in the order in which they are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A field: its number and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) value: Value<'a>,
    /// Where the value begins.
    pub(super) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Of a type that no known field has; it was skipped.
    Other,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next field, if there is one.
    pub(super) fn field(&mut self) -> Result<Option<Field<'a>>, DecodeError> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let (number, wire_type) = self.key()?;
        let at = self.at;
        let value = match wire_type {
            VARINT => Value::Varint(self.varint()?),
            BYTES => Value::Bytes(self.bytes()?),
            _ => {
                self.at = start;
                self.skip()?;
                Value::Other
            }
        };
        Ok(Some(Field { number, value, at }))
    }

    /// Goes past a field, with all that is in it if it is a group.
    fn skip(&mut self) -> Result<(), DecodeError> {
        let (mut open, mut depth) = ([0; GROUPS], 0);
        loop {
            let start = self.at;
            let (number, wire_type) = self.key()?;
            let bad = DecodeError::new(ErrorKind::ProtobufKey { key: key_of(number, wire_type) }, start);
            match wire_type {
                VARINT => {
                    self.varint()?;
                }
                FIXED_64 => {
                    self.take(8, start)?;
                }
                BYTES => {
                    self.bytes()?;
                }
                FIXED_32 => {
                    self.take(4, start)?;
                }
                GROUP if depth < GROUPS => {
                    open[depth] = number;
                    depth += 1;
                }
                GROUP_END if depth > 0 && open[depth - 1] == number => depth -= 1,
                _ => return Err(bad),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn key(&mut self) -> Result<(u32, u8), DecodeError> {
        let start = self.at;
        let key = self.varint()?;
        match u32::try_from(key >> 3) {
            Ok(number @ 1..0x2000_0000) => Ok((number, (key & 7) as u8)),
            _ => Err(DecodeError::new(ErrorKind::ProtobufKey { key }, start)),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.at;
        let len = self.varint()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX), start)
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let start = self.at;
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1, start)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // The tenth byte has room for one bit.
                if shift == 63 && byte > 1 {
                    break;
                }
                return Ok(number);
            }
        }
        Err(DecodeError::new(ErrorKind::Varint, start))
    }

    fn take(&mut self, len: usize, start: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, _)) = self.bytes[self.at..].split_at_checked(len) else {
            let needed_bytes = ((self.at - start) as u64).saturating_add(len as u64);
            let available_bytes = (self.bytes.len() - start) as u64;
            return Err(DecodeError::new(ErrorKind::Truncated { needed_bytes, available_bytes }, start));
        };
        self.at += len;
        Ok(taken)
    }
}

fn key_of(number: u32, wire_type: u8) -> u64 {
    u64::from(number) << 3 | u64::from(wire_type)
}

impl<'a> Field<'a> {
    /// What it holds, as bytes.
    pub(super) fn bytes(&self) -> Result<&'a [u8], DecodeError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Varint(_) | Value::Other => Err(self.mistyped(VARINT)),
        }
    }

    /// What it holds, as a string.
    pub(super) fn str(&self) -> Result<&'a str, DecodeError> {
        let error = DecodeError::new(ErrorKind::InvalidUtf8, self.at);
        std::str::from_utf8(self.bytes()?).map_err(|_| error)
    }

    /// What it holds, as a number.
    pub(super) fn varint(&self) -> Result<u64, DecodeError> {
        match self.value {
            Value::Varint(number) => Ok(number),
            Value::Bytes(_) | Value::Other => Err(self.mistyped(BYTES)),
        }
    }

    fn mistyped(&self, wire_type: u8) -> DecodeError {
        DecodeError::new(ErrorKind::ProtobufKey { key: key_of(self.number, wire_type) }, self.at)
    }
}

/// Appends a field of bytes; one that is empty is left out, as in Go.
pub(super) fn write_bytes(number: u32, bytes: &[u8], into: &mut Vec<u8>) {
    if !bytes.is_empty() {
        write_message(number, bytes.len(), into);
        into.extend_from_slice(bytes);
    }
}

/// Appends the key and the length of a field whose bytes follow.
pub(super) fn write_message(number: u32, len: usize, into: &mut Vec<u8>) {
    write_varint(key_of(number, BYTES), into);
    write_varint(len as u64, into);
}

/// Appends a field of a number; zero is left out, as in Go.
pub(super) fn write_number(number: u32, value: u64, into: &mut Vec<u8>) {
    if value != 0 {
        write_varint(key_of(number, VARINT), into);
        write_varint(value, into);
    }
}

/// How many bytes a field of so many bytes takes.
pub(super) fn bytes_field_bytes(number: u32, len: usize) -> usize {
    match len {
        0 => 0,
        _ => varint_bytes(key_of(number, BYTES)) + varint_bytes(len as u64) + len,
    }
}

fn varint_bytes(number: u64) -> usize {
    ((u64::BITS - (number | 1).leading_zeros()) as usize).div_ceil(7)
}

fn write_varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}
