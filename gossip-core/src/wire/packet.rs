use super::kind;
use super::message::{Ints, Message};
use super::window::{self, WINDOW_BYTES};

/// The most that a packet may have of messages: their number is one byte.
const MAX_BODIES: usize = 255;

/// Type and number before the lengths of several messages.
const COMPOUND_HEADER_BYTES: usize = 2;

/// A length before each of several messages.
const COMPOUND_LENGTH_BYTES: usize = 2;

/// The most that such a length can tell.
const MAX_BODY_BYTES: usize = u16::MAX as usize;

/// Messages that travel together: at most 255, and as many bytes as a datagram may have. A packet is filled by one layer after the other
/// and then sealed (compressed, checked, encrypted, labelled) by a [`Codec`](super::Codec), which also says how much one may hold. Its
/// buffers are used again.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The messages, and behind them room to write the next one into.
    bytes: Vec<u8>,
    /// How many bytes the messages have.
    used: usize,
    /// How long each of them is, as a compound message tells it.
    lengths: Vec<u8>,
    limit_bytes: usize,
    ints: Ints,
    /// What does not fit into the room behind the messages is written here first.
    aside: Vec<u8>,
}

impl Packet {
    /// An empty packet that takes so many bytes, the header of a compound message included.
    pub fn new(limit_bytes: usize, ints: Ints) -> Self {
        let lengths = Vec::with_capacity(COMPOUND_LENGTH_BYTES * MAX_BODIES);
        Self { bytes: Vec::new(), used: 0, lengths, limit_bytes, ints, aside: Vec::new() }
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.used = 0;
        self.lengths.clear();
    }

    /// Whether it holds no message.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.lengths.len() / COMPOUND_LENGTH_BYTES
    }

    /// How long the next message may be.
    pub fn room_bytes(&self) -> usize {
        if self.len() == MAX_BODIES {
            return 0;
        }
        let used = self.used + COMPOUND_HEADER_BYTES + self.lengths.len() + COMPOUND_LENGTH_BYTES;
        self.limit_bytes.saturating_sub(used).min(MAX_BODY_BYTES)
    }

    /// Adds a message if there is room for it, and says whether there was.
    pub fn push(&mut self, message: &Message<'_>) -> bool {
        if let Some(len) = self.window().and_then(|window| window::write(message, window)) {
            return self.close(len);
        }
        let ints = self.ints;
        self.push_with(|into| message.encode(ints, into))
    }

    /// Adds an encoded message, its type first, if there is room for it, and says whether there was.
    pub fn push_body(&mut self, body: &[u8]) -> bool {
        if body.len() > self.room_bytes() {
            return false;
        }
        let end = self.used + body.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[self.used..end].copy_from_slice(body);
        self.close(body.len())
    }

    /// Adds what `write` appends, its type first, if there is room for it, and says whether there was.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut aside = std::mem::take(&mut self.aside);
        aside.clear();
        write(&mut aside);
        let pushed = self.push_body(&aside);
        self.aside = aside;
        pushed
    }

    /// The messages, encoded, in the order in which they were added.
    pub fn bodies(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.lengths.chunks_exact(COMPOUND_LENGTH_BYTES).map(move |length| {
            let end = start + usize::from(u16::from_be_bytes([length[0], length[1]]));
            let body = &self.bytes[start..end];
            start = end;
            body
        })
    }

    /// Appends the messages as they travel: one alone as it is, several as a compound message.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        if self.len() > 1 {
            // At most 255.
            into.extend_from_slice(&[kind::COMPOUND, self.len() as u8]);
            into.extend_from_slice(&self.lengths);
        }
        into.extend_from_slice(&self.bytes[..self.used]);
    }

    /// Room behind the messages.
    #[inline]
    fn window(&mut self) -> Option<&mut [u8; WINDOW_BYTES]> {
        if self.bytes.len() < self.used + WINDOW_BYTES {
            self.bytes.resize(self.used + WINDOW_BYTES, 0);
        }
        self.bytes[self.used..].first_chunk_mut()
    }

    /// Makes a message of the next bytes if there is room for them, and says whether there was.
    #[inline]
    fn close(&mut self, len: usize) -> bool {
        if len > self.room_bytes() {
            return false;
        }
        self.used += len;
        // No message has more than 65,535 bytes: there is no room for it.
        self.lengths.extend_from_slice(&(len as u16).to_be_bytes());
        true
    }
}
