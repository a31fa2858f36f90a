use super::codec::Codec;
use super::config::Limits;
use super::decode::{read_ack, read_err, read_node_state, read_ping};
use super::envelope;
use super::error::{DecodeError, ErrorKind, Limit};
use super::kind;
use super::lzw;
use super::message::{Ack, NodeState, Ping};
use super::msgpack::{Reader, Scan};

/// Which end of a connection this is. Whoever dialled tells the label, whoever accepted does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that opened the connection.
    Dialled,
    /// The one that took it.
    Accepted,
}

/// What is said on a stream. A connection carries one message there and, for most of them, one back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StreamMessage<'a> {
    /// Are you alive? Asked where a packet was not answered.
    Ping(Ping<'a>),
    /// I am.
    Ack(Ack<'a>),
    /// All that a node knows; the answer is the same of the other one.
    PushPull(PushPull<'a>),
    /// What the user of memberlist sends and is too large for a packet. There is no answer.
    User(&'a [u8]),
    /// Why there is no other answer.
    Err(&'a str),
}

/// Half of a push/pull exchange.
#[derive(Clone, Debug)]
pub struct PushPull<'a> {
    /// Whether the sender joins, and does not only compare notes.
    pub join: bool,
    /// What the user of memberlist adds.
    pub user_state: &'a [u8],
    nodes: Nodes<'a>,
}

impl<'a> PushPull<'a> {
    /// What the sender knows of every node, itself included. Entries whose standing is unknown are left out, as memberlist does not
    /// look at them.
    pub fn nodes(&self) -> Nodes<'a> {
        self.nodes.clone()
    }
}

/// The entries of a [`PushPull`]; made to be read once more, which costs no allocation.
#[derive(Clone, Debug)]
pub struct Nodes<'a> {
    reader: Reader<'a>,
    left: u64,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = NodeState<'a>;

    fn next(&mut self) -> Option<NodeState<'a>> {
        while self.left > 0 {
            self.left -= 1;
            // They were read once, so there is no error here.
            if let Ok(Some(state)) = read_node_state(&mut self.reader) {
                return Some(state);
            }
        }
        None
    }
}

/// Reads the message of a stream while its bytes come. Memory grows with the bytes that came (decompressed ones included), never with
/// what they announce, and none of them is looked at twice while others are awaited.
///
/// ```
/// use promha_gossip_core::wire::{Codec, CodecConfig, Message, Ping, Side, Source, StreamMessage, StreamReader};
///
/// let mut codec = Codec::new(CodecConfig::default())?;
/// let ping = Ping { seq_no: 7, node: "b", source: Source::default() };
/// let mut sent = Vec::new();
/// codec.write_stream(Side::Dialled, &Message::Ping(ping), &mut sent)?;
///
/// let mut reader = StreamReader::new(Side::Accepted);
/// let (start, end) = sent.split_at(10);
/// reader.push(start);
/// assert!(reader.next_message(&codec)?.is_none());
/// reader.push(end);
/// assert!(matches!(reader.next_message(&codec)?, Some(StreamMessage::Ping(found)) if found == ping));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StreamReader {
    side: Side,
    stage: Stage,
    /// What came, decrypted where it lies.
    received: Vec<u8>,
    decompressed: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Label,
    /// The type of what is behind the label is not known yet.
    Envelope {
        at: usize,
    },
    Encrypted {
        at: usize,
    },
    /// All of it was encrypted: the plain bytes lie there.
    Decrypted {
        at: usize,
        end: usize,
    },
    Compressed {
        at: usize,
        scan: Scan,
    },
    Message {
        source: Source,
        message: Partial,
    },
    Over,
    Failed(DecodeError),
}

/// Where a message lies, and whether more of it can come.
#[derive(Clone, Copy, Debug)]
enum Source {
    Received { at: usize },
    Decrypted { at: usize, end: usize },
    Decompressed,
}

impl StreamReader {
    /// A reader of what comes in at this end.
    pub fn new(side: Side) -> Self {
        Self { side, stage: Stage::Label, received: Vec::new(), decompressed: Vec::new() }
    }

    /// Takes more bytes, as they come. After the message, or an error, they are ignored, as memberlist does.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.stage, Stage::Over | Stage::Failed(_)) {
            self.received.extend_from_slice(bytes);
        }
    }

    /// The message, once, when all of it has come.
    ///
    /// # Errors
    /// Whatever is no message of a stream, or over a limit. The reader is of no use then and says so again.
    pub fn next_message(&mut self, codec: &Codec) -> Result<Option<StreamMessage<'_>>, DecodeError> {
        match self.advance(codec) {
            Ok(None) => Ok(None),
            Ok(Some((source, message))) => {
                self.stage = Stage::Over;
                let read = message.read(source.bytes(&self.received, &self.decompressed));
                if let Err(error) = read {
                    self.stage = Stage::Failed(error);
                }
                read.map(Some)
            }
            Err(error) => {
                self.stage = Stage::Failed(error);
                Err(error)
            }
        }
    }

    /// Tells the reader that no more bytes come.
    ///
    /// # Errors
    /// A message that is not whole, none at all ([`ErrorKind::Empty`]: the other side has closed the connection without a word), or the
    /// error that there was.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.stage {
            Stage::Over => Ok(()),
            Stage::Failed(error) => Err(error),
            _ if self.received.is_empty() => Err(DecodeError::new(ErrorKind::Empty, 0)),
            _ => Err(truncated(self.received.len())),
        }
    }

    /// Goes from stage to stage as far as the bytes reach.
    fn advance(&mut self, codec: &Codec) -> Result<Option<(Source, Partial)>, DecodeError> {
        let limits = &codec.config.limits;
        loop {
            let next = match &mut self.stage {
                Stage::Over => None,
                Stage::Failed(error) => return Err(*error),
                Stage::Label => self.label(codec)?,
                Stage::Envelope { at } => {
                    let at = *at;
                    self.envelope(codec, at)?
                }
                Stage::Encrypted { at } => {
                    let at = *at;
                    self.encrypted(codec, at)?
                }
                Stage::Decrypted { at, end } => {
                    let (at, end) = (*at, *end);
                    Some(self.decrypted(limits, at, end)?)
                }
                Stage::Compressed { at, scan } => match scan.end(&self.received)? {
                    None => None,
                    Some(end) => {
                        let at = *at;
                        Some(self.decompress(limits, at, end)?)
                    }
                },
                Stage::Message { source, message } => {
                    let bytes = source.bytes(&self.received, &self.decompressed);
                    if message.is_whole(bytes, limits)? {
                        return Ok(Some((*source, *message)));
                    }
                    if !matches!(source, Source::Received { .. }) {
                        return Err(truncated(bytes.len()));
                    }
                    None
                }
            };
            let Some(next) = next else { break };
            self.stage = next;
        }
        let (what, limit, found) = (Limit::StreamBytes, limits.stream_bytes, self.received.len());
        if found > limit {
            let kind = ErrorKind::OverLimit { what, limit: limit as u64, found: found as u64 };
            return Err(DecodeError::new(kind, limit));
        }
        Ok(None)
    }

    fn label(&self, codec: &Codec) -> Result<Option<Stage>, DecodeError> {
        if self.received.is_empty() {
            return Ok(None);
        }
        if self.side == Side::Dialled {
            return Ok(Some(Stage::Envelope { at: 0 }));
        }
        match envelope::check_label(&codec.config.label, &self.received) {
            Ok(at) => Ok(Some(Stage::Envelope { at })),
            Err(error) if matches!(error.kind(), ErrorKind::Truncated { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn envelope(&self, codec: &Codec, at: usize) -> Result<Option<Stage>, DecodeError> {
        Ok(match (self.received.get(at), &codec.sealer) {
            (None, _) => None,
            (Some(&kind::ENCRYPT), Some(_)) => Some(Stage::Encrypted { at }),
            (Some(&kind::ENCRYPT), None) => return Err(DecodeError::new(ErrorKind::NoKeys, at)),
            (Some(_), Some(_)) if !codec.config.accept_plain => {
                return Err(DecodeError::new(ErrorKind::NotEncrypted, at));
            }
            (Some(&kind::COMPRESS), _) => Some(Stage::Compressed { at, scan: Scan::new(at + 1, 1) }),
            (Some(_), _) => {
                let source = Source::Received { at };
                Some(Stage::Message { source, message: Partial::default() })
            }
        })
    }

    fn encrypted(&mut self, codec: &Codec, at: usize) -> Result<Option<Stage>, DecodeError> {
        let Some(len) = self.received[at + 1..].first_chunk() else { return Ok(None) };
        let (len, limit) = (u32::from_be_bytes(*len) as usize, codec.config.limits.encrypted_bytes);
        if len > limit {
            let (what, limit, found) = (Limit::EncryptedBytes, limit as u64, len as u64);
            return Err(DecodeError::new(ErrorKind::OverLimit { what, limit, found }, at + 1));
        }
        let start = at + envelope::STREAM_SEALED_HEADER_BYTES;
        let Some(sealer) = &codec.sealer else {
            return Err(DecodeError::new(ErrorKind::NoKeys, at));
        };
        let Some(sealed) = self.received.get_mut(start..start + len) else { return Ok(None) };
        let associated = envelope::StreamAssociated::new(len as u32, &codec.config.label);
        let plain = sealer.open(associated.bytes(), sealed).map_err(|error| error.behind(start))?;
        Ok(Some(Stage::Decrypted { at: start + plain.start, end: start + plain.end }))
    }

    fn decrypted(&mut self, limits: &Limits, at: usize, end: usize) -> Result<Stage, DecodeError> {
        if self.received[at..end].first() == Some(&kind::COMPRESS) {
            return self.decompress(limits, at, end);
        }
        let source = Source::Decrypted { at, end };
        Ok(Stage::Message { source, message: Partial::default() })
    }

    /// The compressed message that lies there becomes what it holds.
    fn decompress(&mut self, limits: &Limits, at: usize, end: usize) -> Result<Stage, DecodeError> {
        let mut decompressor = lzw::Decoder::default();
        let bytes = &self.received[at + 1..end];
        envelope::decompress(bytes, limits.stream_bytes, &mut decompressor, &mut self.decompressed)
            .map_err(|error| error.behind(at + 1))?;
        self.received = Vec::new();
        Ok(Stage::Message { source: Source::Decompressed, message: Partial::default() })
    }
}

impl Source {
    fn bytes<'b>(&self, received: &'b [u8], decompressed: &'b [u8]) -> &'b [u8] {
        match *self {
            Self::Received { at } => &received[at..],
            Self::Decrypted { at, end } => &received[at..end],
            Self::Decompressed => decompressed,
        }
    }
}

/// How much of a message is known to be there. Places count from its type on.
#[derive(Clone, Copy, Debug, Default)]
enum Partial {
    #[default]
    Type,
    /// All but its header, which is all of most messages.
    Header(Scan),
    Nodes {
        header: PushPullHeader,
        at: usize,
        scan: Scan,
    },
    UserState {
        header: PushPullHeader,
        nodes: usize,
        at: usize,
    },
    UserMessage {
        at: usize,
        len: usize,
    },
    Whole,
}

#[derive(Clone, Copy, Debug, Default)]
struct PushPullHeader {
    join: bool,
    nodes: u64,
    user_state_bytes: usize,
}

impl Partial {
    /// Goes as far as the bytes reach, and says whether that is all of the message.
    fn is_whole(&mut self, bytes: &[u8], limits: &Limits) -> Result<bool, DecodeError> {
        loop {
            let next = match self {
                Self::Type => match bytes.first() {
                    None => return Ok(false),
                    Some(&(kind::PING | kind::ACK | kind::PUSH_PULL | kind::USER | kind::ERR)) => {
                        Self::Header(Scan::new(1, 1))
                    }
                    Some(&found) => return Err(DecodeError::new(ErrorKind::MessageType { found }, 0)),
                },
                Self::Header(scan) => match scan.end(bytes)? {
                    None => return Ok(false),
                    Some(end) => behind_header(bytes, end, limits)?,
                },
                Self::Nodes { header, at, scan } => match scan.end(bytes)? {
                    None => return Ok(false),
                    Some(end) => Self::UserState { header: *header, nodes: *at, at: end },
                },
                Self::UserState { header, at, .. } => {
                    return Ok(bytes.len() - *at >= header.user_state_bytes);
                }
                Self::UserMessage { at, len } => return Ok(bytes.len() - *at >= *len),
                Self::Whole => return Ok(true),
            };
            *self = next;
        }
    }

    /// The message, all of which is there.
    fn read<'a>(&self, bytes: &'a [u8]) -> Result<StreamMessage<'a>, DecodeError> {
        let mut reader = Reader::new(&bytes[1..]);
        let message = match (*self, bytes[0]) {
            (Self::UserMessage { at, len }, _) => return Ok(StreamMessage::User(&bytes[at..at + len])),
            (Self::UserState { header, nodes, at }, _) => {
                return read_push_pull(bytes, header, nodes, at).map(StreamMessage::PushPull);
            }
            (_, kind::PING) => read_ping(&mut reader).map(StreamMessage::Ping),
            (_, kind::ACK) => read_ack(&mut reader).map(StreamMessage::Ack),
            (_, kind::ERR) => read_err(&mut reader).map(StreamMessage::Err),
            (_, found) => return Err(DecodeError::new(ErrorKind::MessageType { found }, 0)),
        };
        message.map_err(|error| error.behind(1))
    }
}

/// What comes behind the header, which ends there.
fn behind_header(bytes: &[u8], end: usize, limits: &Limits) -> Result<Partial, DecodeError> {
    let header = &bytes[1..end];
    let at_header = |error: DecodeError| error.behind(1);
    match bytes[0] {
        kind::PUSH_PULL => {
            let header = read_push_pull_header(header, limits).map_err(at_header)?;
            Ok(Partial::Nodes { header, at: end, scan: Scan::new(end, header.nodes) })
        }
        kind::USER => {
            let len = read_user_header(header, limits).map_err(at_header)?;
            Ok(Partial::UserMessage { at: end, len })
        }
        _ => Ok(Partial::Whole),
    }
}

fn read_push_pull_header(bytes: &[u8], limits: &Limits) -> Result<PushPullHeader, DecodeError> {
    let mut header = PushPullHeader::default();
    Reader::new(bytes).fields(|name, value| {
        match name {
            b"Join" => header.join = value.bool()?,
            b"Nodes" => header.nodes = read_count(value, Limit::Nodes, limits.nodes)? as u64,
            b"UserStateLen" => {
                header.user_state_bytes = read_count(value, Limit::UserStateBytes, limits.user_state_bytes)?;
            }
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(header)
}

fn read_user_header(bytes: &[u8], limits: &Limits) -> Result<usize, DecodeError> {
    let mut len = 0;
    Reader::new(bytes).fields(|name, value| {
        match name {
            b"UserMsgLen" => {
                len = read_count(value, Limit::UserMessageBytes, limits.user_message_bytes)?;
            }
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(len)
}

fn read_count(value: &mut Reader<'_>, what: Limit, limit: usize) -> Result<usize, DecodeError> {
    let at = value.at();
    let (found, limit) = (value.number(i64::MAX.cast_unsigned())?, limit as u64);
    if found > limit {
        return Err(DecodeError::new(ErrorKind::OverLimit { what, limit, found }, at));
    }
    Ok(found as usize)
}

/// Reads every entry once, so that whoever iterates over them meets no error.
fn read_push_pull(
    bytes: &[u8],
    header: PushPullHeader,
    nodes: usize,
    user_state: usize,
) -> Result<PushPull<'_>, DecodeError> {
    let entries = Nodes { reader: Reader::new(&bytes[nodes..user_state]), left: header.nodes };
    let mut reader = entries.reader;
    for _ in 0..header.nodes {
        read_node_state(&mut reader).map_err(|error| error.behind(nodes))?;
    }
    let user_state = &bytes[user_state..user_state + header.user_state_bytes];
    Ok(PushPull { join: header.join, user_state, nodes: entries })
}

fn truncated(available: usize) -> DecodeError {
    let (needed_bytes, available_bytes) = (available as u64 + 1, available as u64);
    DecodeError::new(ErrorKind::Truncated { needed_bytes, available_bytes }, 0)
}
