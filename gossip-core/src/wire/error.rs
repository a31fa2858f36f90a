use thiserror::Error;

/// Why some bytes could not be read, and where in them. Nothing that a failed call was given has changed in a way the caller can see,
/// unless the function says so.
///
/// ```
/// use promha_gossip_core::wire::{DecodeError, ErrorKind, Message};
///
/// let error = Message::decode(&[2, 0x82, 0xa7]).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Truncated { needed_bytes: 8, available_bytes: 1 });
/// assert_eq!(error.offset(), 2);
/// assert_eq!(error.to_string(), "truncated: needs 8 bytes, 1 left (at byte 2)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} (at byte {offset})")]
pub struct DecodeError {
    kind: ErrorKind,
    offset: usize,
}

impl DecodeError {
    pub(crate) const fn new(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// The same error, of a piece that begins so many bytes later.
    pub(crate) const fn behind(self, bytes: usize) -> Self {
        Self { kind: self.kind, offset: self.offset + bytes }
    }

    /// What is wrong.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where: the first byte of the smallest piece that is bad, from the start of what was given to the function. What was compressed
    /// or encrypted counts from its own start.
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

/// What is wrong with the bytes. The numbers are what was found and what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no byte at all where at least a type has to be.
    #[error("nothing where a message has to be")]
    Empty,

    /// The bytes end before the piece does.
    #[error("truncated: needs {needed_bytes} bytes, {available_bytes} left")]
    Truncated {
        /// How many bytes the piece needs from its start on, or at least needs when its length is not known.
        needed_bytes: u64,
        /// How many there are.
        available_bytes: u64,
    },

    /// A type of message that is not known, or that cannot stand where it stands. memberlist logs such a message and goes on.
    #[error("type {found} is not that of a message here")]
    MessageType {
        /// The type found.
        found: u8,
    },

    /// A value of another type than its field has.
    #[error("expected {expected}, found the byte {found:#04x}")]
    ValueType {
        /// What the field holds.
        expected: &'static str,
        /// The first byte of the value.
        found: u8,
    },

    /// A number that does not fit into its field; one below zero is told as the number without a sign that has its bits.
    #[error("the number {found} is not within 0 and {limit}")]
    Number {
        /// The number found.
        found: u64,
        /// The largest that fits.
        limit: u64,
    },

    /// A name that is not UTF-8.
    #[error("a name is not UTF-8")]
    InvalidUtf8,
}
