//! Takes compound and compressed messages apart, within each other as they may be.

use std::ops::Range;
use std::slice;

use super::config::Limits;
use super::envelope;
use super::error::{DecodeError, ErrorKind, Limit};
use super::kind;
use super::lzw;

/// The messages of a datagram, in the order in which they were packed.
#[derive(Clone, Debug)]
pub struct Bodies<'c> {
    found: Found<'c>,
    truncated: usize,
    refused: usize,
}

#[derive(Clone, Debug)]
enum Found<'c> {
    /// Whole parts of a compound message, one behind the other, and how long each of them is.
    Parts { lengths: slice::ChunksExact<'c, u8>, rest: &'c [u8] },
    /// Messages here and there in the packet, and in what was decompressed of it.
    Pieces { pieces: slice::Iter<'c, Piece>, packet: &'c [u8], decompressed: &'c [u8] },
}

impl Bodies<'_> {
    /// How many messages were announced, but cut off.
    pub fn truncated(&self) -> usize {
        self.truncated
    }

    /// How many messages were compressed or compound ones among others, and could not be read.
    pub fn refused(&self) -> usize {
        self.refused
    }
}

impl<'c> Iterator for Bodies<'c> {
    type Item = &'c [u8];

    #[inline]
    fn next(&mut self) -> Option<&'c [u8]> {
        match &mut self.found {
            Found::Parts { lengths, rest } => {
                let len = be_u16(lengths.next()?);
                let (body, behind) = rest.split_at_checked(len)?;
                *rest = behind;
                Some(body)
            }
            Found::Pieces { pieces, packet, decompressed } => {
                let piece = pieces.next()?;
                let bytes = if piece.decompressed { decompressed } else { packet };
                bytes.get(piece.start..piece.end)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.found {
            Found::Parts { lengths, .. } => lengths.size_hint(),
            Found::Pieces { pieces, .. } => pieces.size_hint(),
        }
    }
}

impl ExactSizeIterator for Bodies<'_> {}

/// The messages of a compound one that holds neither compressed nor further compound ones, as almost all of them; what else it may be is
/// taken apart piece by piece.
fn plain_parts(packet: &[u8]) -> Option<Bodies<'_>> {
    let [kind::COMPOUND, parts, bytes @ ..] = packet else { return None };
    let parts = usize::from(*parts);
    let (lengths, bodies) = bytes.split_at_checked(2 * parts)?;
    let (mut rest, mut whole) = (bodies, 0);
    for length in lengths.chunks_exact(2) {
        let Some((body, behind)) = rest.split_at_checked(be_u16(length)) else { break };
        if let Some(&(kind::COMPOUND | kind::COMPRESS)) = body.first() {
            return None;
        }
        rest = behind;
        whole += 1;
    }
    let lengths = lengths[..2 * whole].chunks_exact(2);
    let found = Found::Parts { lengths, rest: bodies };
    Some(Bodies { found, truncated: parts - whole, refused: 0 })
}

/// The number in two bytes.
#[inline]
fn be_u16(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// Where a message lies.
#[derive(Clone, Copy, Debug)]
struct Piece {
    decompressed: bool,
    start: usize,
    end: usize,
}

impl Piece {
    /// The same bytes without the first ones.
    fn behind(self, bytes: usize) -> Self {
        Self { start: self.start + bytes, ..self }
    }

    fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// What was taken apart, in buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    pieces: Vec<Piece>,
    decompressed: Vec<u8>,
    /// Compressed bytes that were compressed once more; rarely used.
    twice_compressed: Vec<u8>,
    decompressor: lzw::Decoder,
    truncated: usize,
    refused: usize,
}

impl Unpacked {
    /// The messages of a packet without envelopes other than these two. The work is bounded by the bytes there are, decompressed ones
    /// included, times the depth.
    pub(super) fn unpack<'c>(
        &'c mut self,
        packet: &'c [u8],
        limits: &Limits,
    ) -> Result<Bodies<'c>, DecodeError> {
        if let Some(bodies) = plain_parts(packet) {
            return Ok(bodies);
        }
        self.pieces.clear();
        self.decompressed.clear();
        (self.truncated, self.refused) = (0, 0);
        if packet.is_empty() {
            return Err(DecodeError::new(ErrorKind::Empty, 0));
        }
        let whole = Piece { decompressed: false, start: 0, end: packet.len() };
        self.message(packet, whole, limits, 0)?;
        let pieces = self.pieces.iter();
        let found = Found::Pieces { pieces, packet, decompressed: &self.decompressed };
        Ok(Bodies { found, truncated: self.truncated, refused: self.refused })
    }

    fn message(
        &mut self,
        packet: &[u8],
        piece: Piece,
        limits: &Limits,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let envelope = self.bytes(packet, piece).first();
        let (Some(&kind::COMPOUND) | Some(&kind::COMPRESS)) = envelope else {
            self.pieces.push(piece);
            return Ok(());
        };
        if depth == limits.depth {
            let (what, limit, found) = (Limit::Depth, depth as u64, depth as u64 + 1);
            return Err(DecodeError::new(ErrorKind::OverLimit { what, limit, found }, piece.start));
        }
        let inner = piece.behind(1);
        if envelope == Some(&kind::COMPOUND) {
            return self.compound(packet, inner, limits, depth);
        }
        let decompressed = self.decompress(packet, inner, limits);
        let decompressed = decompressed.map_err(|error| error.behind(inner.start))?;
        self.message(packet, decompressed, limits, depth + 1)
    }

    /// As many parts as are whole; a part that cannot be taken apart itself is no reason to drop the others.
    fn compound(
        &mut self,
        packet: &[u8],
        piece: Piece,
        limits: &Limits,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let bytes = self.bytes(packet, piece);
        let available_bytes = bytes.len() as u64;
        let parts = usize::from(bytes.first().copied().unwrap_or_default());
        let Some(lengths_bytes) = bytes.get(1..1 + 2 * parts).map(<[u8]>::len) else {
            let needed_bytes = 1 + 2 * parts as u64;
            let kind = ErrorKind::Truncated { needed_bytes, available_bytes };
            return Err(DecodeError::new(kind, piece.start));
        };
        let lengths_at = piece.start + 1;
        let mut rest = piece.behind(1 + lengths_bytes);
        for part in 0..parts {
            let at = lengths_at + 2 * part;
            let source = if piece.decompressed { &self.decompressed } else { packet };
            let len = be_u16(&source[at..at + 2]);
            if len > rest.range().len() {
                self.truncated += parts - part;
                break;
            }
            let body = Piece { end: rest.start + len, ..rest };
            rest = rest.behind(len);
            if self.message(packet, body, limits, depth + 1).is_err() {
                self.refused += 1;
            }
        }
        Ok(())
    }

    /// What a compressed message, without its type, holds.
    fn decompress(&mut self, packet: &[u8], piece: Piece, limits: &Limits) -> Result<Piece, DecodeError> {
        let Self { decompressed, twice_compressed, decompressor, .. } = self;
        let bytes = if piece.decompressed {
            twice_compressed.clear();
            twice_compressed.extend_from_slice(&decompressed[piece.range()]);
            twice_compressed
        } else {
            &packet[piece.range()]
        };
        let start = decompressed.len();
        let limit = limits.packet_decompressed_bytes.saturating_sub(start);
        envelope::decompress(bytes, limit, decompressor, decompressed)?;
        if decompressed.len() == start {
            return Err(DecodeError::new(ErrorKind::Empty, 0));
        }
        Ok(Piece { decompressed: true, start, end: decompressed.len() })
    }

    fn bytes<'b>(&'b self, packet: &'b [u8], piece: Piece) -> &'b [u8] {
        let bytes = if piece.decompressed { &self.decompressed } else { packet };
        &bytes[piece.range()]
    }
}
