//! Writes messages of the usual size into memory that is there already: a comparison and a store or two for each field, where a growing
//! buffer costs a call. What is longer is left to [`Message::encode`], which writes the same.

use super::kind;
use super::message::{Ack, Alive, Message, Ping, Raw, Rumour};

/// More than a message with names and bytes of less than 32 has.
pub(super) const WINDOW_BYTES: usize = 256;

/// The most bytes whose length is told by one byte.
const SHORT_BYTES: usize = 31;

/// Writes a message at the front and gives its length; none if it does not fit, or is none of those that fill packets.
#[inline]
pub(super) fn write(message: &Message<'_>, bytes: &mut [u8; WINDOW_BYTES]) -> Option<usize> {
    let mut window = Window { bytes, at: 0 };
    match message {
        Message::Ping(ping) => window.ping(ping)?,
        Message::Ack(ack) => window.ack(ack)?,
        Message::Suspect(rumour) => window.rumour(kind::SUSPECT, rumour)?,
        Message::Alive(alive) => window.alive(alive)?,
        Message::Dead(rumour) => window.rumour(kind::DEAD, rumour)?,
        Message::User(message) => {
            window.put(&[kind::USER])?;
            window.bytes.get_mut(window.at..window.at + message.len())?.copy_from_slice(message);
            window.at += message.len();
        }
        Message::IndirectPing(_) | Message::Nack(_) | Message::Err(_) => return None,
    }
    Some(window.at)
}

struct Window<'w> {
    bytes: &'w mut [u8; WINDOW_BYTES],
    at: usize,
}

impl Window<'_> {
    #[inline(always)]
    fn ping(&mut self, ping: &Ping<'_>) -> Option<()> {
        let source = &ping.source;
        // With all that says who asks; a map of fewer fields is not usual.
        let addr = source.addr.filter(|addr| !addr.is_empty() && !source.node.is_empty())?;
        self.put(b"\x00\x85\xa4Node")?;
        self.short(ping.node.as_bytes())?;
        self.put(b"\xa5SeqNo")?;
        self.number(ping.seq_no)?;
        self.put(b"\xaaSourceAddr")?;
        self.short(addr)?;
        self.put(b"\xaaSourceNode")?;
        self.short(source.node.as_bytes())?;
        self.put(b"\xaaSourcePort")?;
        if source.port == 0 {
            return None;
        }
        self.number(source.port.into())
    }

    #[inline(always)]
    fn ack(&mut self, ack: &Ack<'_>) -> Option<()> {
        self.put(b"\x02\x82\xa7Payload")?;
        self.raw::<0>(ack.payload)?;
        self.put(b"\xa5SeqNo")?;
        self.number(ack.seq_no)
    }

    #[inline(always)]
    fn rumour(&mut self, kind: u8, rumour: &Rumour<'_>) -> Option<()> {
        self.put(&[kind, 0x83, 0xa4, b'F', b'r', b'o', b'm'])?;
        self.short(rumour.from.as_bytes())?;
        self.put(b"\xabIncarnation")?;
        self.number(rumour.incarnation)?;
        self.put(b"\xa4Node")?;
        self.short(rumour.node.as_bytes())
    }

    #[inline(always)]
    fn alive(&mut self, alive: &Alive<'_>) -> Option<()> {
        self.put(b"\x04\x86\xa4Addr")?;
        self.raw::<4>(alive.addr)?;
        self.put(b"\xabIncarnation")?;
        self.number(alive.incarnation)?;
        self.put(b"\xa4Meta")?;
        self.raw::<0>(alive.meta)?;
        self.put(b"\xa4Node")?;
        self.short(alive.node.as_bytes())?;
        self.put(b"\xa4Port")?;
        self.number(alive.port.into())?;
        self.put(b"\xa3Vsn")?;
        self.raw::<6>(alive.vsn)
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, bytes: &[u8; N]) -> Option<()> {
        *self.bytes.get_mut(self.at..)?.first_chunk_mut()? = *bytes;
        self.at += N;
        Some(())
    }

    /// Bytes of which there are `N` most of the time.
    #[inline(always)]
    fn raw<const N: usize>(&mut self, raw: Raw<'_>) -> Option<()> {
        let Some(bytes) = raw else { return self.put(&[0xc0]) };
        match <&[u8; N]>::try_from(bytes) {
            Ok(bytes) => {
                self.put(&[0xa0 | N as u8])?;
                self.put(bytes)
            }
            Err(_) => self.short(bytes),
        }
    }

    /// Copies in two pieces that overlap, which costs less than a call would.
    #[inline(always)]
    fn short(&mut self, bytes: &[u8]) -> Option<()> {
        let len = bytes.len();
        if len > SHORT_BYTES {
            return None;
        }
        self.put(&[0xa0 | len as u8])?;
        let into = self.bytes.get_mut(self.at..self.at + len)?;
        if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
            *into.first_chunk_mut()? = *first;
            *into.last_chunk_mut()? = *last;
        } else {
            into.copy_from_slice(bytes);
        }
        self.at += len;
        Some(())
    }

    #[inline(always)]
    fn number(&mut self, number: u32) -> Option<()> {
        let [a, b, c, d] = number.to_be_bytes();
        match number {
            0..0x80 => self.put(&[d]),
            0x80..0x100 => self.put(&[0xcc, d]),
            0x100..0x1_0000 => self.put(&[0xcd, c, d]),
            _ => self.put(&[0xce, a, b, c, d]),
        }
    }
}
