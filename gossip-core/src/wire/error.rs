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

    /// More of something than the limit allows.
    #[error("{what}: {found} exceed the limit of {limit}")]
    OverLimit {
        /// What is limited.
        what: Limit,
        /// The limit in force.
        limit: u64,
        /// What was found, or what a length claims; at least so many, when it was given up there.
        found: u64,
    },

    /// The label of another cluster, or one where none is expected.
    #[error("another label")]
    OtherLabel,

    /// No label, where there has to be one.
    #[error("no label")]
    NoLabel,

    /// A label without a single byte.
    #[error("an empty label")]
    EmptyLabel,

    /// What arrived has another checksum than was sent.
    #[error("checksum mismatch: {declared:08x} was sent, the bytes have {computed:08x}")]
    Checksum {
        /// CRC-32 as it was sent.
        declared: u32,
        /// CRC-32 of the bytes that follow it.
        computed: u32,
    },

    /// A way to encrypt that is not known.
    #[error("version {found} of the encryption is not known")]
    EncryptionVersion {
        /// The version found.
        found: u8,
    },

    /// None of the keys opens it: another cluster's, or changed on its way.
    #[error("none of {keys} keys decrypts it")]
    Undecryptable {
        /// How many keys were tried.
        keys: usize,
    },

    /// The padding behind the plain bytes is not one.
    #[error("the padding of {found} bytes is none")]
    Padding {
        /// How many bytes it claims.
        found: u8,
    },

    /// It is encrypted, and there is no key.
    #[error("encrypted, and there are no keys")]
    NoKeys,

    /// It is not encrypted, and has to be.
    #[error("not encrypted, and there are keys")]
    NotEncrypted,

    /// A way to compress that is not known.
    #[error("compression {found} is not known")]
    Compression {
        /// The number of it.
        found: u8,
    },

    /// A code of LZW that was not given before.
    #[error("LZW: the code {found} where {highest} is the highest")]
    LzwCode {
        /// The code found.
        found: u16,
        /// The highest that can stand there.
        highest: u16,
    },

    /// A key or a type of a field that protobuf does not have.
    #[error("{key} is not the key of a protobuf field")]
    ProtobufKey {
        /// The key, field number and wire type together.
        key: u64,
    },

    /// A number of more than 64 bits.
    #[error("a number of more than 64 bits")]
    Varint,

    /// A version or a kind of a frame that is not known.
    #[error("a frame of another version or kind")]
    Frame,
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Limit {
    /// What a compressed packet or stream holds.
    #[error("decompressed bytes")]
    DecompressedBytes,
    /// Compressed and compound messages within each other.
    #[error("envelopes within each other")]
    Depth,
    /// What arrived on a stream.
    #[error("bytes on a stream")]
    StreamBytes,
    /// What is encrypted on a stream.
    #[error("encrypted bytes on a stream")]
    EncryptedBytes,
    /// Entries of a push/pull exchange.
    #[error("nodes in a push/pull exchange")]
    Nodes,
    /// The state of the user of memberlist in a push/pull exchange.
    #[error("bytes of user state")]
    UserStateBytes,
    /// What the user of memberlist sends on a stream.
    #[error("bytes of a user message")]
    UserMessageBytes,
    /// The label of a cluster.
    #[error("bytes of a label")]
    LabelBytes,
    /// A frame of Alertmanager's TLS transport.
    #[error("bytes of a frame")]
    FrameBytes,
}
