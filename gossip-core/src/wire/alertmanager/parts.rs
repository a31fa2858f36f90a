use super::super::error::DecodeError;
use super::protobuf::{self, Reader};

/// What one of the states that Alertmanagers share says: a user message holds one, a [`FullState`] one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Part<'a> {
    /// Which state: `nfl` for what was notified, `sil` for silences.
    pub key: &'a str,
    /// Its entries, each behind its length.
    pub data: &'a [u8],
}

impl<'a> Part<'a> {
    /// Reads one. Unknown fields are skipped, those that are missing are empty, of several the last one counts.
    ///
    /// # Errors
    /// Whatever is not protobuf, or has these fields with other types.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (mut part, mut reader) = (Self::default(), Reader::new(bytes));
        while let Some(field) = reader.field()? {
            match field.number {
                1 => part.key = field.str()?,
                2 => part.data = field.bytes()?,
                _ => {}
            }
        }
        Ok(part)
    }

    /// Appends it, byte for byte as Alertmanager writes it.
    pub fn encode(&self, into: &mut Vec<u8>) {
        protobuf::write_bytes(1, self.key.as_bytes(), into);
        protobuf::write_bytes(2, self.data, into);
    }

    fn encoded_bytes(&self) -> usize {
        protobuf::bytes_field_bytes(1, self.key.len()) + protobuf::bytes_field_bytes(2, self.data.len())
    }
}

/// What the user state of a push/pull exchange holds.
#[derive(Clone, Copy, Debug)]
pub struct FullState<'a> {
    reader: Reader<'a>,
}

impl<'a> FullState<'a> {
    /// Reads all parts once, so that whoever iterates over them meets no error. It costs no allocation.
    ///
    /// # Errors
    /// Whatever is not protobuf, or a part that is none.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let state = Self { reader: Reader::new(bytes) };
        let mut reader = state.reader;
        while let Some(field) = reader.field()? {
            if field.number == 1 {
                Part::decode(field.bytes()?).map_err(|error| error.behind(field.at))?;
            }
        }
        Ok(state)
    }

    /// Appends one of these parts.
    pub fn encode<'p>(parts: impl IntoIterator<Item = Part<'p>>, into: &mut Vec<u8>) {
        for part in parts {
            protobuf::write_message(1, part.encoded_bytes(), into);
            part.encode(into);
        }
    }

    /// The parts, in the order in which they are there.
    pub fn parts(&self) -> Parts<'a> {
        Parts { reader: self.reader }
    }
}

/// The parts of a [`FullState`].
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        // They were read once, so there is no error here.
        while let Ok(Some(field)) = self.reader.field() {
            if let (1, Ok(bytes)) = (field.number, field.bytes()) {
                return Part::decode(bytes).ok();
            }
        }
        None
    }
}
