use super::error::{DecodeError, ErrorKind};
use super::kind;
use super::message::{Ack, Alive, IndirectPing, Message, Nack, NodeState, Ping, Rumour, Source, Standing};
use super::msgpack::Reader;
use super::sorted;

impl<'a> Message<'a> {
    /// Reads one message, its type first, as a codec gives it or [`Message::encode`] writes it. It borrows from the bytes and costs no
    /// allocation. Fields come in any order, unknown ones are skipped, those that are missing or nil are zero or empty, of several of
    /// one name the last one counts, and bytes behind the message do not matter.
    ///
    /// # Errors
    /// Whatever is no such message. A type that is not known, or belongs to an envelope or a stream, is [`ErrorKind::MessageType`];
    /// memberlist drops such a message and goes on with the rest of the packet.
    ///
    /// ```
    /// use promha_gossip_core::wire::{Ints, Message, Nack};
    ///
    /// let (message, mut body) = (Message::Nack(Nack { seq_no: 49 }), Vec::new());
    /// message.encode(Ints::default(), &mut body);
    /// assert_eq!(body, b"\x0b\x81\xa5SeqNo1");
    /// assert_eq!(Message::decode(&body), Ok(message));
    /// ```
    #[inline]
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let Some((&found, rest)) = body.split_first() else {
            return Err(DecodeError::new(ErrorKind::Empty, 0));
        };
        // As memberlist writes them, first; what each of these does not know is for the reader of everything.
        match found {
            kind::PING => {
                if let Some(ping) = sorted::read_ping(rest) {
                    return Ok(Self::Ping(ping));
                }
            }
            kind::ACK => {
                if let Some(ack) = sorted::read_ack(rest) {
                    return Ok(Self::Ack(ack));
                }
            }
            kind::NACK => {
                if let Some(nack) = sorted::read_nack(rest) {
                    return Ok(Self::Nack(nack));
                }
            }
            kind::SUSPECT => {
                if let Some(rumour) = sorted::read_rumour(rest) {
                    return Ok(Self::Suspect(rumour));
                }
            }
            kind::ALIVE => {
                if let Some(alive) = sorted::read_alive(rest) {
                    return Ok(Self::Alive(alive));
                }
            }
            kind::DEAD => {
                if let Some(rumour) = sorted::read_rumour(rest) {
                    return Ok(Self::Dead(rumour));
                }
            }
            kind::USER => return Ok(Self::User(rest)),
            _ => {}
        }
        decode_any(found, rest)
    }
}

/// Whatever is well-formed, also if no memberlist writes it so.
#[cold]
fn decode_any(found: u8, rest: &[u8]) -> Result<Message<'_>, DecodeError> {
    let mut reader = Reader::new(rest);
    let message = match found {
        kind::PING => read_ping(&mut reader).map(Message::Ping),
        kind::INDIRECT_PING => read_indirect_ping(&mut reader).map(Message::IndirectPing),
        kind::ACK => read_ack(&mut reader).map(Message::Ack),
        kind::NACK => read_nack(&mut reader).map(Message::Nack),
        kind::SUSPECT => read_rumour(&mut reader).map(Message::Suspect),
        kind::ALIVE => read_alive(&mut reader).map(Message::Alive),
        kind::DEAD => read_rumour(&mut reader).map(Message::Dead),
        kind::USER => return Ok(Message::User(rest)),
        kind::ERR => read_err(&mut reader).map(Message::Err),
        _ => return Err(DecodeError::new(ErrorKind::MessageType { found }, 0)),
    };
    message.map_err(|error| error.behind(1))
}

pub(super) fn read_ping<'a>(reader: &mut Reader<'a>) -> Result<Ping<'a>, DecodeError> {
    let mut ping = Ping { seq_no: 0, node: "", source: Source::default() };
    reader.fields(|name, value| {
        match name {
            b"SeqNo" => ping.seq_no = value.u32()?,
            b"Node" => ping.node = value.str()?,
            _ => read_source(&mut ping.source, name, value)?,
        }
        Ok(())
    })?;
    Ok(ping)
}

fn read_indirect_ping<'a>(reader: &mut Reader<'a>) -> Result<IndirectPing<'a>, DecodeError> {
    let source = Source::default();
    let mut ping = IndirectPing { seq_no: 0, target: None, port: 0, node: "", nack: false, source };
    reader.fields(|name, value| {
        match name {
            b"SeqNo" => ping.seq_no = value.u32()?,
            b"Target" => ping.target = value.raw()?,
            b"Port" => ping.port = value.u16()?,
            b"Node" => ping.node = value.str()?,
            b"Nack" => ping.nack = value.bool()?,
            _ => read_source(&mut ping.source, name, value)?,
        }
        Ok(())
    })?;
    Ok(ping)
}

fn read_source<'a>(source: &mut Source<'a>, name: &[u8], value: &mut Reader<'a>) -> Result<(), DecodeError> {
    match name {
        b"SourceAddr" => source.addr = value.raw()?,
        b"SourcePort" => source.port = value.u16()?,
        b"SourceNode" => source.node = value.str()?,
        _ => value.skip()?,
    }
    Ok(())
}

pub(super) fn read_ack<'a>(reader: &mut Reader<'a>) -> Result<Ack<'a>, DecodeError> {
    let mut ack = Ack { seq_no: 0, payload: None };
    reader.fields(|name, value| {
        match name {
            b"SeqNo" => ack.seq_no = value.u32()?,
            b"Payload" => ack.payload = value.raw()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(ack)
}

fn read_nack(reader: &mut Reader<'_>) -> Result<Nack, DecodeError> {
    let mut nack = Nack { seq_no: 0 };
    reader.fields(|name, value| {
        match name {
            b"SeqNo" => nack.seq_no = value.u32()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(nack)
}

fn read_rumour<'a>(reader: &mut Reader<'a>) -> Result<Rumour<'a>, DecodeError> {
    let mut rumour = Rumour { incarnation: 0, node: "", from: "" };
    reader.fields(|name, value| {
        match name {
            b"Incarnation" => rumour.incarnation = value.u32()?,
            b"Node" => rumour.node = value.str()?,
            b"From" => rumour.from = value.str()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(rumour)
}

fn read_alive<'a>(reader: &mut Reader<'a>) -> Result<Alive<'a>, DecodeError> {
    let mut alive = Alive { incarnation: 0, node: "", addr: None, port: 0, meta: None, vsn: None };
    reader.fields(|name, value| match name {
        b"Node" => {
            alive.node = value.str()?;
            Ok(())
        }
        _ => read_alive_field(&mut alive, name, value),
    })?;
    Ok(alive)
}

/// One entry of a push/pull exchange; none if its standing is not known.
pub(super) fn read_node_state<'a>(reader: &mut Reader<'a>) -> Result<Option<NodeState<'a>>, DecodeError> {
    let mut alive = Alive { incarnation: 0, node: "", addr: None, port: 0, meta: None, vsn: None };
    let mut standing = 0;
    reader.fields(|name, value| {
        match name {
            b"Name" => alive.node = value.str()?,
            b"State" => standing = value.number(i64::MAX.cast_unsigned())?,
            _ => read_alive_field(&mut alive, name, value)?,
        }
        Ok(())
    })?;
    let standing = match standing {
        0 => Standing::Alive,
        1 => Standing::Suspect,
        2 => Standing::Dead,
        3 => Standing::Left,
        _ => return Ok(None),
    };
    Ok(Some(NodeState { alive, standing }))
}

/// What a message of a living node and an entry of a push/pull exchange have in common.
fn read_alive_field<'a>(
    alive: &mut Alive<'a>,
    name: &[u8],
    value: &mut Reader<'a>,
) -> Result<(), DecodeError> {
    match name {
        b"Incarnation" => alive.incarnation = value.u32()?,
        b"Addr" => alive.addr = value.raw()?,
        b"Port" => alive.port = value.u16()?,
        b"Meta" => alive.meta = value.raw()?,
        b"Vsn" => alive.vsn = value.raw()?,
        _ => value.skip()?,
    }
    Ok(())
}

pub(super) fn read_err<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let mut error = "";
    reader.fields(|name, value| {
        match name {
            b"Error" => error = value.str()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(error)
}
