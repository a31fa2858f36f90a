use super::kind;
use super::message::{Ints, Message};

/// The most that a packet may have of messages: their number is one byte.
const MAX_BODIES: usize = 255;

/// Type and number before the lengths of several messages.
const COMPOUND_HEADER_BYTES: usize = 2;

/// A length before each of several messages.
const COMPOUND_LENGTH_BYTES: usize = 2;

/// The most that such a length can tell.
const MAX_BODY_BYTES: usize = u16::MAX as usize;

/// Messages that travel together: at most 255, and as many bytes as a datagram may have. A packet is filled by one layer after the other
/// and then sealed (compressed, checked, encrypted, labelled) by a codec. Its buffers are used again.
#[derive(Clone, Debug)]
pub struct Packet {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    limit_bytes: usize,
    ints: Ints,
}

impl Packet {
    /// An empty packet that takes so many bytes, the header of a compound message included.
    pub fn new(limit_bytes: usize, ints: Ints) -> Self {
        Self { bytes: Vec::with_capacity(limit_bytes), ends: Vec::new(), limit_bytes, ints }
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Whether it holds no message.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// How long the next message may be.
    pub fn room_bytes(&self) -> usize {
        if self.len() == MAX_BODIES {
            return 0;
        }
        let used = self.bytes.len() + COMPOUND_HEADER_BYTES + (self.len() + 1) * COMPOUND_LENGTH_BYTES;
        self.limit_bytes.saturating_sub(used).min(MAX_BODY_BYTES)
    }

    /// Adds a message if there is room for it, and says whether there was.
    pub fn push(&mut self, message: &Message<'_>) -> bool {
        let ints = self.ints;
        self.push_with(|into| message.encode(ints, into))
    }

    /// Adds an encoded message, its type first, if there is room for it, and says whether there was.
    pub fn push_body(&mut self, body: &[u8]) -> bool {
        if body.len() > self.room_bytes() {
            return false;
        }
        self.bytes.extend_from_slice(body);
        self.ends.push(self.bytes.len());
        true
    }

    /// Adds what `write` appends, its type first, if there is room for it, and says whether there was.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let (start, room) = (self.bytes.len(), self.room_bytes());
        write(&mut self.bytes);
        if self.bytes.len() - start > room {
            self.bytes.truncate(start);
            return false;
        }
        self.ends.push(self.bytes.len());
        true
    }

    /// The messages, encoded, in the order in which they were added.
    pub fn bodies(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends.len()).map(|at| {
            let start = if at == 0 { 0 } else { self.ends[at - 1] };
            &self.bytes[start..self.ends[at]]
        })
    }

    /// Appends the messages as they travel: one alone as it is, several as a compound message.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        if self.len() > 1 {
            // At most 255, of at most 65,535 bytes each.
            into.extend_from_slice(&[kind::COMPOUND, self.len() as u8]);
            for body in self.bodies() {
                into.extend_from_slice(&(body.len() as u16).to_be_bytes());
            }
        }
        into.extend_from_slice(&self.bytes);
    }
}
