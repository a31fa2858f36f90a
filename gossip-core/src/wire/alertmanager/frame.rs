use std::net::SocketAddr;

use super::super::config::OverLimit;
use super::super::error::{DecodeError, ErrorKind, Limit};
use super::protobuf::{self, Reader};

/// The version that every frame tells, and that both sides have to agree on.
const VERSION: &str = "v0.1.0";

/// Before each frame its length, the low byte first.
const LENGTH_BYTES: usize = 4;

const STREAM: u64 = 0;
const PACKET: u64 = 1;

/// The most that a frame may have by default: what a datagram could, and some more. (Alertmanager: 4 GiB.)
pub const DEFAULT_FRAME_BYTES: usize = 128 << 10;

/// A frame of the transport over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// From here on the connection is a stream, as if it were none of TLS. [`FrameReader::into_rest`] gives what came of it.
    Stream,
    /// A datagram. Others may follow.
    Packet {
        /// Who sent it, if that is an address and a port in numbers.
        from: Option<SocketAddr>,
        /// What [`Codec::open`](crate::wire::Codec::open) takes.
        datagram: &'a [u8],
    },
}

/// Reads frames while their bytes come. Memory grows with the bytes that came, never with what a length announces.
///
/// ```
/// use promha_gossip_core::wire::alertmanager::{DEFAULT_FRAME_BYTES, Frame, FrameReader, write_packet};
///
/// let from = "192.0.2.7:9094".parse()?;
/// let mut sent = Vec::new();
/// write_packet(from, b"\x0b\x81\xa5SeqNo1", &mut sent)?;
///
/// let mut reader = FrameReader::new(DEFAULT_FRAME_BYTES);
/// let (start, end) = sent.split_at(10);
/// reader.push(start);
/// assert_eq!(reader.next_frame()?, None);
/// reader.push(end);
/// assert_eq!(reader.next_frame()?, Some(Frame::Packet { from: Some(from), datagram: b"\x0b\x81\xa5SeqNo1" }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FrameReader {
    bytes: Vec<u8>,
    /// How many of the bytes were given out.
    at: usize,
    limit_bytes: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Frames,
    Stream,
    Failed(DecodeError),
}

impl FrameReader {
    /// A reader of frames that have at most so many bytes.
    pub fn new(limit_bytes: usize) -> Self {
        Self { bytes: Vec::new(), at: 0, limit_bytes, state: State::Frames }
    }

    /// Takes more bytes, as they come; after an error none.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Failed(_)) {
            return;
        }
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame, when all of it has come; after [`Frame::Stream`] none.
    ///
    /// # Errors
    /// A frame over the limit, one that is no protobuf, or of another version or kind. As for Alertmanager, the
    /// connection is of no use then, and the reader says so again.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, DecodeError> {
        match self.state {
            State::Frames => {}
            State::Stream => return Ok(None),
            State::Failed(error) => return Err(error),
        }
        let bytes = &self.bytes[self.at..];
        match read_frame(bytes, self.limit_bytes) {
            Ok(None) => Ok(None),
            Ok(Some((frame, end))) => {
                self.at += end;
                if frame == Frame::Stream {
                    self.state = State::Stream;
                }
                Ok(Some(frame))
            }
            Err(error) => {
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    /// What came behind the last frame: after [`Frame::Stream`] the beginning of the stream.
    pub fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.at);
        self.bytes
    }
}

/// A frame and where it ends, if all of it is there. Places in errors count from its length on.
fn read_frame(bytes: &[u8], limit: usize) -> Result<Option<(Frame<'_>, usize)>, DecodeError> {
    let Some((len, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let len = u32::from_le_bytes(*len) as usize;
    if len > limit {
        let (what, limit, found) = (Limit::FrameBytes, limit as u64, len as u64);
        return Err(DecodeError::new(ErrorKind::OverLimit { what, limit, found }, 0));
    }
    let Some(message) = rest.get(..len) else { return Ok(None) };
    let frame = read_message(message).map_err(|error| error.behind(LENGTH_BYTES))?;
    Ok(Some((frame, LENGTH_BYTES + len)))
}

fn read_message(bytes: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let (mut version, mut kind, mut from, mut datagram) = ("", STREAM, "", &b""[..]);
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.field()? {
        match field.number {
            1 => version = field.str()?,
            2 => kind = field.varint()?,
            3 => from = field.str()?,
            4 => datagram = field.bytes()?,
            _ => {}
        }
    }
    match kind {
        STREAM if version == VERSION => Ok(Frame::Stream),
        PACKET if version == VERSION => Ok(Frame::Packet { from: from.parse().ok(), datagram }),
        _ => Err(DecodeError::new(ErrorKind::Frame, 0)),
    }
}

/// Appends the frame that makes a stream of a connection. It is to be written at once, and what follows on its own: Alertmanager loses
/// what a record of TLS has behind a frame.
pub fn write_stream(into: &mut Vec<u8>) {
    into.extend_from_slice(&[2 + VERSION.len() as u8, 0, 0, 0]);
    protobuf::write_bytes(1, VERSION.as_bytes(), into);
}

/// Appends a datagram as a frame; `from` is where the sender listens. Each frame is to be written on its own: Alertmanager loses what a
/// record of TLS has behind one.
///
/// # Errors
/// More than a length of 32 bits can tell. Nothing was appended.
pub fn write_packet(from: SocketAddr, datagram: &[u8], into: &mut Vec<u8>) -> Result<(), OverLimit> {
    let start = into.len();
    into.extend_from_slice(&[0; LENGTH_BYTES]);
    protobuf::write_bytes(1, VERSION.as_bytes(), into);
    protobuf::write_number(2, PACKET, into);
    // What an address takes is short; this way it is written without an allocation.
    let address = Address::of(from);
    protobuf::write_bytes(3, address.bytes(), into);
    let end = into.len() - start - LENGTH_BYTES + protobuf::bytes_field_bytes(4, datagram.len());
    let Ok(len) = u32::try_from(end) else {
        into.truncate(start);
        return Err(OverLimit { what: Limit::FrameBytes, limit: u32::MAX as usize, found: end });
    };
    into[start..start + LENGTH_BYTES].copy_from_slice(&len.to_le_bytes());
    protobuf::write_bytes(4, datagram, into);
    Ok(())
}

/// An address as text.
struct Address {
    text: [u8; 64],
    len: usize,
}

impl Address {
    fn of(address: SocketAddr) -> Self {
        use std::io::Write;
        let mut text = [0; 64];
        let mut free = &mut text[..];
        // 58 bytes are the most that one takes.
        let written = write!(free, "{address}");
        let len = if written.is_ok() { 64 - free.len() } else { 0 };
        Self { text, len }
    }

    fn bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}
