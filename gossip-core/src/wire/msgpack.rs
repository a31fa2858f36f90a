//! MessagePack as memberlist writes it, which is its first edition: strings and bytes are one type, and it has no more than 32 bits of
//! length. What the second edition added for strings and bytes is read and never written.

use super::error::{DecodeError, ErrorKind};
use super::message::{Ints, Raw};

/// Reads values from the front of some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// How one value begins.
enum Head {
    Nil,
    Bool(bool),
    /// A number without a sign, or one with a sign that is not below zero.
    Number(u64),
    /// Below zero.
    Negative(i64),
    Float(usize),
    Raw(usize),
    Array(u64),
    Map(u64),
    Extension(usize),
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// How many pairs a map has; nil counts as a map without any, as it leaves everything at zero.
    pub(super) fn map(&mut self) -> Result<u64, DecodeError> {
        let start = self.at;
        match self.head()? {
            Head::Map(pairs) => Ok(pairs),
            Head::Nil => Ok(0),
            _ => Err(self.mistyped("a map", start)),
        }
    }

    /// Reads a map, and gives each name with a reader of its value to `field`, which must read exactly that value.
    pub(super) fn fields(
        &mut self,
        mut field: impl FnMut(&'a [u8], &mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        for _ in 0..self.map()? {
            let name = self.raw()?.unwrap_or_default();
            field(name, self)?;
        }
        Ok(())
    }

    /// A string or bytes, of either edition.
    pub(super) fn raw(&mut self) -> Result<Raw<'a>, DecodeError> {
        let start = self.at;
        match self.head()? {
            Head::Nil => Ok(None),
            Head::Raw(len) => Ok(Some(self.take(len, start)?)),
            _ => Err(self.mistyped("a string or bytes", start)),
        }
    }

    /// A string; nil is the empty one.
    pub(super) fn str(&mut self) -> Result<&'a str, DecodeError> {
        let start = self.at;
        let raw = self.raw()?.unwrap_or_default();
        std::str::from_utf8(raw).map_err(|_| DecodeError::new(ErrorKind::InvalidUtf8, start))
    }

    /// A number, with or without a sign, that is not below zero and at most `limit`; nil is zero.
    pub(super) fn number(&mut self, limit: u64) -> Result<u64, DecodeError> {
        let start = self.at;
        let found = match self.head()? {
            Head::Number(found) if found <= limit => return Ok(found),
            Head::Nil => return Ok(0),
            Head::Number(found) => found,
            Head::Negative(found) => found.cast_unsigned(),
            _ => return Err(self.mistyped("a number", start)),
        };
        Err(DecodeError::new(ErrorKind::Number { found, limit }, start))
    }

    /// A number of at most 32 bits.
    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(self.number(u32::MAX.into())? as u32)
    }

    /// A number of at most 16 bits.
    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(self.number(u16::MAX.into())? as u16)
    }

    /// Yes or no; nil is no.
    pub(super) fn bool(&mut self) -> Result<bool, DecodeError> {
        let start = self.at;
        match self.head()? {
            Head::Bool(found) => Ok(found),
            Head::Nil => Ok(false),
            _ => Err(self.mistyped("a bool", start)),
        }
    }

    /// Goes past one value of any type.
    pub(super) fn skip(&mut self) -> Result<(), DecodeError> {
        let mut values = 1_u64;
        while values > 0 {
            values = values - 1 + self.skip_head()?;
            let left = self.bytes.len() - self.at;
            if values > left as u64 {
                return Err(truncated(values, left, self.at));
            }
        }
        Ok(())
    }

    /// Goes past one value without what it holds, and gives how many values it holds. To count what is still to come instead of
    /// descending makes depth cost nothing; each value takes a byte at least, so the bytes bound the work.
    fn skip_head(&mut self) -> Result<u64, DecodeError> {
        let start = self.at;
        match self.head()? {
            Head::Nil | Head::Bool(_) | Head::Number(_) | Head::Negative(_) => Ok(0),
            Head::Float(len) | Head::Raw(len) | Head::Extension(len) => {
                self.take(len, start)?;
                Ok(0)
            }
            Head::Array(len) => Ok(len),
            Head::Map(pairs) => Ok(2 * pairs),
        }
    }

    fn head(&mut self) -> Result<Head, DecodeError> {
        let start = self.at;
        let byte = self.take(1, start)?[0];
        Ok(match byte {
            0x00..=0x7f => Head::Number(byte.into()),
            0x80..=0x8f => Head::Map((byte & 0x0f).into()),
            0x90..=0x9f => Head::Array((byte & 0x0f).into()),
            0xa0..=0xbf => Head::Raw((byte & 0x1f).into()),
            0xc0 => Head::Nil,
            0xc1 => return Err(self.mistyped("a value", start)),
            0xc2 | 0xc3 => Head::Bool(byte == 0xc3),
            0xc4 | 0xd9 => Head::Raw(self.big_endian(1, start)? as usize),
            0xc5 | 0xda => Head::Raw(self.big_endian(2, start)? as usize),
            0xc6 | 0xdb => Head::Raw(self.big_endian(4, start)? as usize),
            0xc7 => Head::Extension(1 + self.big_endian(1, start)? as usize),
            0xc8 => Head::Extension(1 + self.big_endian(2, start)? as usize),
            0xc9 => Head::Extension(1 + self.big_endian(4, start)? as usize),
            0xca => Head::Float(4),
            0xcb => Head::Float(8),
            0xcc => Head::Number(self.big_endian(1, start)?),
            0xcd => Head::Number(self.big_endian(2, start)?),
            0xce => Head::Number(self.big_endian(4, start)?),
            0xcf => Head::Number(self.big_endian(8, start)?),
            0xd0 => signed((self.big_endian(1, start)? as i8).into()),
            0xd1 => signed((self.big_endian(2, start)? as i16).into()),
            0xd2 => signed((self.big_endian(4, start)? as i32).into()),
            0xd3 => signed(self.big_endian(8, start)? as i64),
            0xd4..=0xd8 => Head::Extension(1 + (1 << (byte - 0xd4))),
            0xdc => Head::Array(self.big_endian(2, start)?),
            0xdd => Head::Array(self.big_endian(4, start)?),
            0xde => Head::Map(self.big_endian(2, start)?),
            0xdf => Head::Map(self.big_endian(4, start)?),
            0xe0..=0xff => Head::Negative((byte as i8).into()),
        })
    }

    fn big_endian(&mut self, len: usize, start: usize) -> Result<u64, DecodeError> {
        let bytes = self.take(len, start)?;
        Ok(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// The next bytes, of a value that began at `start`.
    fn take(&mut self, len: usize, start: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, _)) = self.bytes[self.at..].split_at_checked(len) else {
            let needed = (self.at - start) as u64 + len as u64;
            return Err(truncated(needed, self.bytes.len() - start, start));
        };
        self.at += len;
        Ok(taken)
    }

    fn mistyped(&self, expected: &'static str, start: usize) -> DecodeError {
        DecodeError::new(ErrorKind::ValueType { expected, found: self.bytes[start] }, start)
    }
}

fn signed(number: i64) -> Head {
    u64::try_from(number).map_or(Head::Negative(number), Head::Number)
}

fn truncated(needed_bytes: u64, available_bytes: usize, offset: usize) -> DecodeError {
    DecodeError::new(ErrorKind::Truncated { needed_bytes, available_bytes: available_bytes as u64 }, offset)
}

/// Looks for the end of some values while their bytes still come, and looks at none of them twice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    at: usize,
    values: u64,
}

impl Scan {
    /// Of so many values, the first of which begins there.
    pub(super) fn new(at: usize, values: u64) -> Self {
        Self { at, values }
    }

    /// Where they end, if all of them have come; `bytes` are all that came so far.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        let mut reader = Reader { bytes, at: self.at };
        while self.values > 0 {
            match reader.skip_head() {
                Ok(inner) => self.values = self.values - 1 + inner,
                Err(error) if matches!(error.kind(), ErrorKind::Truncated { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
            self.at = reader.at;
        }
        Ok(Some(self.at))
    }
}

/// Appends the number of pairs of a map, at most 15, which then follow.
pub(super) fn write_map(pairs: u8, into: &mut Vec<u8>) {
    into.push(0x80 | pairs);
}

/// Appends a string, in the fewest bytes.
pub(super) fn write_str(text: &str, into: &mut Vec<u8>) {
    write_bytes(text.as_bytes(), into);
}

/// Appends bytes or nil.
pub(super) fn write_raw(raw: Raw<'_>, into: &mut Vec<u8>) {
    match raw {
        None => into.push(0xc0),
        Some(bytes) => write_bytes(bytes, into),
    }
}

fn write_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    let len = bytes.len();
    if len < 32 {
        into.push(0xa0 | len as u8);
    } else if let Ok(len) = u16::try_from(len) {
        into.push(0xda);
        into.extend_from_slice(&len.to_be_bytes());
    } else {
        // Nothing of more than 4 GiB is ever written: limits are far below.
        into.push(0xdb);
        into.extend_from_slice(&(len as u32).to_be_bytes());
    }
    into.extend_from_slice(bytes);
}

/// How many bytes come before so many.
pub(super) fn bytes_header_bytes(len: usize) -> usize {
    match len {
        0..32 => 1,
        32..0x1_0000 => 3,
        _ => 5,
    }
}

/// Appends a number that has no sign in Go, in the fewest bytes.
pub(super) fn write_unsigned(number: u64, into: &mut Vec<u8>) {
    if number < 128 {
        into.push(number as u8);
    } else if let Ok(number) = u8::try_from(number) {
        into.extend_from_slice(&[0xcc, number]);
    } else if let Ok(number) = u16::try_from(number) {
        into.push(0xcd);
        into.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        into.push(0xce);
        into.extend_from_slice(&number.to_be_bytes());
    } else {
        into.push(0xcf);
        into.extend_from_slice(&number.to_be_bytes());
    }
}

/// Appends a number that is `int` in Go.
pub(super) fn write_int(number: usize, ints: Ints, into: &mut Vec<u8>) {
    if ints == Ints::Unsigned || number < 128 {
        write_unsigned(number as u64, into);
    } else if let Ok(number) = i16::try_from(number) {
        into.push(0xd1);
        into.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        into.push(0xd2);
        into.extend_from_slice(&number.to_be_bytes());
    } else {
        into.push(0xd3);
        into.extend_from_slice(&(number as u64).to_be_bytes());
    }
}

/// Appends yes or no.
pub(super) fn write_bool(yes: bool, into: &mut Vec<u8>) {
    into.push(if yes { 0xc3 } else { 0xc2 });
}
