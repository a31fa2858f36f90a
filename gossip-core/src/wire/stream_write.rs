use super::codec::Codec;
use super::config::OverLimit;
use super::encode::write_node_state;
use super::envelope::{self, STREAM_SEALED_HEADER_BYTES, Sealer, StreamAssociated};
use super::error::Limit;
use super::kind;
use super::message::{Message, NodeState};
use super::msgpack::{write_bool, write_int};
use super::stream::Side;

/// What is written on streams, each all that one side says on a connection.
impl Codec {
    /// Appends a message that has no more to it on a stream than in a packet: a ping, its ack, or an error. (Other messages are written
    /// just so and understood by nobody.)
    ///
    /// # Errors
    /// More than may be encrypted at once. Nothing was appended.
    pub fn write_stream(
        &mut self,
        side: Side,
        message: &Message<'_>,
        into: &mut Vec<u8>,
    ) -> Result<(), OverLimit> {
        let ints = self.config.ints;
        self.write_sealed(side, |into| message.encode(ints, into), into)
    }

    /// Appends a message of the user of memberlist.
    ///
    /// # Errors
    /// More than a user message may have, or than may be encrypted at once. Nothing was appended.
    pub fn write_user_message(
        &mut self,
        side: Side,
        message: &[u8],
        into: &mut Vec<u8>,
    ) -> Result<(), OverLimit> {
        let (ints, limit) = (self.config.ints, self.config.limits.user_message_bytes);
        OverLimit::check(Limit::UserMessageBytes, limit, message.len())?;
        let write = |into: &mut Vec<u8>| {
            into.extend_from_slice(b"\x08\x81\xaaUserMsgLen");
            write_int(message.len(), ints, into);
            into.extend_from_slice(message);
        };
        self.write_sealed(side, write, into)
    }

    /// Appends half of a push/pull exchange: every node that is known, this one included, and what the user of memberlist adds.
    ///
    /// # Errors
    /// More nodes or a larger user state than allowed, or more than may be encrypted at once. Nothing was appended.
    pub fn write_push_pull<'n>(
        &mut self,
        side: Side,
        join: bool,
        nodes: impl ExactSizeIterator<Item = NodeState<'n>>,
        user_state: &[u8],
        into: &mut Vec<u8>,
    ) -> Result<(), OverLimit> {
        let (ints, limits) = (self.config.ints, self.config.limits);
        OverLimit::check(Limit::Nodes, limits.nodes, nodes.len())?;
        OverLimit::check(Limit::UserStateBytes, limits.user_state_bytes, user_state.len())?;
        let write = |into: &mut Vec<u8>| {
            into.extend_from_slice(&[kind::PUSH_PULL, 0x83]);
            into.extend_from_slice(b"\xa4Join");
            write_bool(join, into);
            into.extend_from_slice(b"\xa5Nodes");
            write_int(nodes.len(), ints, into);
            into.extend_from_slice(b"\xacUserStateLen");
            write_int(user_state.len(), ints, into);
            nodes.for_each(|state| write_node_state(&state, ints, into));
            into.extend_from_slice(user_state);
        };
        self.write_sealed(side, write, into)
    }

    /// Appends what `write` appends, in its envelopes: compressed, even if that makes it larger, and encrypted, behind the label.
    fn write_sealed(
        &mut self,
        side: Side,
        write: impl FnOnce(&mut Vec<u8>),
        into: &mut Vec<u8>,
    ) -> Result<(), OverLimit> {
        let start = into.len();
        let (config, mut sealer) = (&self.config, envelope::writing(&self.config, &mut self.sealer));
        if side == Side::Dialled {
            envelope::write_label(&config.label, into);
        }
        let sealed_at = into.len();
        if sealer.is_some() {
            into.extend_from_slice(&[kind::ENCRYPT, 0, 0, 0, 0]);
            Sealer::begin(into);
        }
        let plain_at = into.len();
        write(into);
        if config.compression {
            // Not in a buffer that is kept: a state may have 20 MiB.
            let mut compressed = Vec::new();
            self.compressor.encode(&into[plain_at..], &mut compressed);
            into.truncate(plain_at);
            envelope::write_compressed(&compressed, into);
        }
        if let Some(sealer) = &mut sealer {
            let len = envelope::sealed_bytes(config.encryption, into.len() - plain_at);
            // The limit may be set beyond what the length can tell.
            let limit = config.limits.encrypted_bytes.min(u32::MAX as usize);
            if let Err(error) = OverLimit::check(Limit::EncryptedBytes, limit, len) {
                into.truncate(start);
                return Err(error);
            }
            let len = len as u32;
            into[sealed_at + 1..sealed_at + STREAM_SEALED_HEADER_BYTES].copy_from_slice(&len.to_be_bytes());
            let associated = StreamAssociated::new(len, &config.label);
            let sealed_at = sealed_at + STREAM_SEALED_HEADER_BYTES;
            sealer.seal(config.encryption, associated.bytes(), sealed_at, into);
        }
        Ok(())
    }
}
