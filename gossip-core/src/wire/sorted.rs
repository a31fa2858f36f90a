//! Messages as memberlist writes them: their fields sorted and all there, each number and length in its shortest form. Names are compared
//! together with what stands before them, so that a field costs a comparison or two. Whatever looks different is left to the general
//! reader, which gives the same for these, too.

use super::message::{Ack, Alive, Nack, Ping, Raw, Rumour, Source};

/// The bytes from a field on.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

#[inline(always)]
pub(super) fn read_ping(bytes: &[u8]) -> Option<Ping<'_>> {
    let mut fields = Fields(bytes);
    fields.skip(b"\x85\xa4Node")?;
    let node = fields.str()?;
    fields.skip(b"\xa5SeqNo")?;
    let seq_no = fields.u32()?;
    fields.skip(b"\xaaSourceAddr")?;
    let addr = fields.raw()?;
    fields.skip(b"\xaaSourceNode")?;
    let source_node = fields.str()?;
    fields.skip(b"\xaaSourcePort")?;
    let source = Source { addr, port: fields.u16()?, node: source_node };
    Some(Ping { seq_no, node, source })
}

#[inline(always)]
pub(super) fn read_ack(bytes: &[u8]) -> Option<Ack<'_>> {
    let mut fields = Fields(bytes);
    fields.skip(b"\x82\xa7Payload")?;
    let payload = fields.raw()?;
    fields.skip(b"\xa5SeqNo")?;
    Some(Ack { seq_no: fields.u32()?, payload })
}

#[inline(always)]
pub(super) fn read_nack(bytes: &[u8]) -> Option<Nack> {
    let mut fields = Fields(bytes);
    fields.skip(b"\x81\xa5SeqNo")?;
    Some(Nack { seq_no: fields.u32()? })
}

#[inline(always)]
pub(super) fn read_rumour(bytes: &[u8]) -> Option<Rumour<'_>> {
    let mut fields = Fields(bytes);
    fields.skip(b"\x83\xa4From")?;
    let from = fields.str()?;
    fields.skip(b"\xabIncarnation")?;
    let incarnation = fields.u32()?;
    fields.skip(b"\xa4Node")?;
    Some(Rumour { incarnation, node: fields.str()?, from })
}

#[inline(always)]
pub(super) fn read_alive(bytes: &[u8]) -> Option<Alive<'_>> {
    let mut fields = Fields(bytes);
    fields.skip(b"\x86\xa4Addr")?;
    let addr = fields.raw()?;
    fields.skip(b"\xabIncarnation")?;
    let incarnation = fields.u32()?;
    fields.skip(b"\xa4Meta")?;
    let meta = fields.raw()?;
    fields.skip(b"\xa4Node")?;
    let node = fields.str()?;
    fields.skip(b"\xa4Port")?;
    let port = fields.u16()?;
    fields.skip(b"\xa3Vsn")?;
    let vsn = fields.raw()?;
    Some(Alive { incarnation, node, addr, port, meta, vsn })
}

impl<'a> Fields<'a> {
    #[inline(always)]
    fn skip<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let (found, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        (found == expected).then_some(())
    }

    #[inline(always)]
    fn raw(&mut self) -> Option<Raw<'a>> {
        let (&first, rest) = self.0.split_first()?;
        if first == 0xc0 {
            self.0 = rest;
            return Some(None);
        }
        let (len, rest) = if first & 0xe0 == 0xa0 {
            (usize::from(first & 0x1f), rest)
        } else if first == 0xda {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        } else {
            return None;
        };
        let (bytes, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some(Some(bytes))
    }

    #[inline(always)]
    fn str(&mut self) -> Option<&'a str> {
        let bytes = self.raw()??;
        Some(ascii::AsciiStr::from_ascii(bytes).ok()?.as_str())
    }

    #[inline(always)]
    fn u32(&mut self) -> Option<u32> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        match first {
            0..0x80 => Some(first.into()),
            0xcc => Some(u8::from_be_bytes(self.chunk()?).into()),
            0xcd => Some(u16::from_be_bytes(self.chunk()?).into()),
            0xce => Some(u32::from_be_bytes(self.chunk()?)),
            _ => None,
        }
    }

    #[inline(always)]
    fn u16(&mut self) -> Option<u16> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        match first {
            0..0x80 => Some(first.into()),
            0xcc => Some(u8::from_be_bytes(self.chunk()?).into()),
            0xcd => Some(u16::from_be_bytes(self.chunk()?)),
            _ => None,
        }
    }

    #[inline(always)]
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*chunk)
    }
}
