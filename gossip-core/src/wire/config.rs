use thiserror::Error;

use super::error::Limit;
use super::message::Ints;

/// The most that a label may have of bytes: its length is one.
pub(super) const MAX_LABEL_BYTES: usize = 255;

/// How a cluster speaks. All nodes of it have to agree on the label; the rest only says how this node writes, and what it takes.
///
/// ```
/// use promha_gossip_core::wire::CodecConfig;
///
/// let config = CodecConfig { label: "prod-eu".into(), compression: false, ..CodecConfig::default() };
/// assert_eq!(config.limits.packet_bytes, 1_400);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecConfig {
    /// The name of the cluster, at most 255 bytes; empty for none. What comes with another one is refused.
    pub label: String,
    /// Whether packets are compressed where that makes them smaller, and streams always. What is compressed is always read. Default:
    /// yes.
    pub compression: bool,
    /// How numbers are written that are `int` in Go. Both ways are always read. Default: without a sign.
    pub ints: Ints,
    /// How what is encrypted is padded. Both ways are always read. Default: not at all.
    pub encryption: EncryptionVersion,
    /// Whether, although there are keys, what is not encrypted is read, too: on the way from a cluster without keys to one with them,
    /// while some nodes have none yet. Default: no.
    pub accept_plain: bool,
    /// Whether, although there are keys, nothing is encrypted: the step before that. Default: no.
    pub send_plain: bool,
    /// What is too much.
    pub limits: Limits,
}

impl Default for CodecConfig {
    fn default() -> Self {
        Self {
            label: String::new(),
            compression: true,
            ints: Ints::default(),
            encryption: EncryptionVersion::default(),
            accept_plain: false,
            send_plain: false,
            limits: Limits::default(),
        }
    }
}

/// How what is encrypted is padded. A packet says so in a byte for which the encryption does not vouch, as memberlist's do: whoever can
/// change that byte on its way can have padding read as content, or the end of the content as padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum EncryptionVersion {
    /// To whole blocks of 16 bytes (PKCS #7): what nodes of protocol version 1 read.
    Padded = 0,
    /// Not at all.
    #[default]
    Unpadded = 1,
}

/// What is too much, in both directions where both know it. The defaults are memberlist's, but for the two that are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most that a packet has when it is written, label and encryption included: 1,400, so that it fits a datagram anywhere.
    pub packet_bytes: usize,
    /// The most that a compressed packet holds, all that is compressed within it together: 64 KiB, as nobody puts more into a datagram
    /// (memberlist: 40 MiB, which 30 kB can hold).
    pub packet_decompressed_bytes: usize,
    /// How many compressed and compound messages may be within each other in a packet: 4, where senders use 2 (memberlist: any
    /// number).
    pub depth: usize,
    /// The most that arrives on a stream, and the most that a compressed one holds: 40 MiB.
    pub stream_bytes: usize,
    /// The most that is encrypted on a stream: 20 MiB.
    pub encrypted_bytes: usize,
    /// The most entries in a push/pull exchange: 1,048,576.
    pub nodes: usize,
    /// The largest user state in a push/pull exchange: 20 MiB.
    pub user_state_bytes: usize,
    /// The largest user message on a stream: 20 MiB.
    pub user_message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes: 1_400,
            packet_decompressed_bytes: 64 << 10,
            depth: 4,
            stream_bytes: 40 << 20,
            encrypted_bytes: 20 << 20,
            nodes: 1 << 20,
            user_state_bytes: 20 << 20,
            user_message_bytes: 20 << 20,
        }
    }
}

/// What was to be written, or a configuration, is over a limit. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what}: {found} exceed the limit of {limit}")]
#[non_exhaustive]
pub struct OverLimit {
    /// What is limited.
    pub what: Limit,
    /// The limit in force.
    pub limit: usize,
    /// How much there is.
    pub found: usize,
}

impl OverLimit {
    pub(super) fn check(what: Limit, limit: usize, found: usize) -> Result<(), Self> {
        if found > limit { Err(Self { what, limit, found }) } else { Ok(()) }
    }
}
