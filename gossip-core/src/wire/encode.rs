use super::kind;
use super::message::{Ack, Alive, IndirectPing, Ints, Message, Nack, NodeState, Ping, Rumour, Source};
use super::msgpack::{write_bool, write_int, write_map, write_raw, write_str, write_unsigned};

impl Message<'_> {
    /// Appends the message, its type first, byte for byte as memberlist writes it. (Of the numbers that [`Ints`] is about there are
    /// none in these messages so far; those are on streams.)
    pub fn encode(&self, _ints: Ints, into: &mut Vec<u8>) {
        match self {
            Self::Ping(ping) => write_ping(ping, into),
            Self::IndirectPing(ping) => write_indirect_ping(ping, into),
            Self::Ack(ack) => write_ack(ack, into),
            Self::Nack(nack) => write_nack(*nack, into),
            Self::Suspect(rumour) => write_rumour(kind::SUSPECT, rumour, into),
            Self::Alive(alive) => write_alive(alive, into),
            Self::Dead(rumour) => write_rumour(kind::DEAD, rumour, into),
            Self::User(bytes) => {
                into.push(kind::USER);
                into.extend_from_slice(bytes);
            }
            Self::Err(error) => write_err(error, into),
        }
    }
}

fn write_ping(ping: &Ping<'_>, into: &mut Vec<u8>) {
    into.push(kind::PING);
    write_map(2 + source_fields(&ping.source), into);
    into.extend_from_slice(b"\xa4Node");
    write_str(ping.node, into);
    into.extend_from_slice(b"\xa5SeqNo");
    write_unsigned(ping.seq_no.into(), into);
    write_source(&ping.source, into);
}

fn write_indirect_ping(ping: &IndirectPing<'_>, into: &mut Vec<u8>) {
    into.push(kind::INDIRECT_PING);
    write_map(5 + source_fields(&ping.source), into);
    into.extend_from_slice(b"\xa4Nack");
    write_bool(ping.nack, into);
    into.extend_from_slice(b"\xa4Node");
    write_str(ping.node, into);
    into.extend_from_slice(b"\xa4Port");
    write_unsigned(ping.port.into(), into);
    into.extend_from_slice(b"\xa5SeqNo");
    write_unsigned(ping.seq_no.into(), into);
    write_source(&ping.source, into);
    into.extend_from_slice(b"\xa6Target");
    write_raw(ping.target, into);
}

/// What says nothing is left out.
fn source_fields(source: &Source<'_>) -> u8 {
    u8::from(has_addr(source)) + u8::from(!source.node.is_empty()) + u8::from(source.port != 0)
}

fn has_addr(source: &Source<'_>) -> bool {
    source.addr.is_some_and(|addr| !addr.is_empty())
}

fn write_source(source: &Source<'_>, into: &mut Vec<u8>) {
    if has_addr(source) {
        into.extend_from_slice(b"\xaaSourceAddr");
        write_raw(source.addr, into);
    }
    if !source.node.is_empty() {
        into.extend_from_slice(b"\xaaSourceNode");
        write_str(source.node, into);
    }
    if source.port != 0 {
        into.extend_from_slice(b"\xaaSourcePort");
        write_unsigned(source.port.into(), into);
    }
}

fn write_ack(ack: &Ack<'_>, into: &mut Vec<u8>) {
    into.extend_from_slice(b"\x02\x82\xa7Payload");
    write_raw(ack.payload, into);
    into.extend_from_slice(b"\xa5SeqNo");
    write_unsigned(ack.seq_no.into(), into);
}

fn write_nack(nack: Nack, into: &mut Vec<u8>) {
    into.extend_from_slice(b"\x0b\x81\xa5SeqNo");
    write_unsigned(nack.seq_no.into(), into);
}

fn write_rumour(kind: u8, rumour: &Rumour<'_>, into: &mut Vec<u8>) {
    into.push(kind);
    into.extend_from_slice(b"\x83\xa4From");
    write_str(rumour.from, into);
    into.extend_from_slice(b"\xabIncarnation");
    write_unsigned(rumour.incarnation.into(), into);
    into.extend_from_slice(b"\xa4Node");
    write_str(rumour.node, into);
}

fn write_alive(alive: &Alive<'_>, into: &mut Vec<u8>) {
    into.extend_from_slice(b"\x04\x86");
    write_alive_fields(alive, b"\xa4Node", into);
    into.extend_from_slice(b"\xa3Vsn");
    write_raw(alive.vsn, into);
}

/// Appends one entry of a push/pull exchange.
pub(super) fn write_node_state(state: &NodeState<'_>, ints: Ints, into: &mut Vec<u8>) {
    into.push(0x87);
    write_alive_fields(&state.alive, b"\xa4Name", into);
    into.extend_from_slice(b"\xa5State");
    write_int(state.standing as usize, ints, into);
    into.extend_from_slice(b"\xa3Vsn");
    write_raw(state.alive.vsn, into);
}

fn write_alive_fields(alive: &Alive<'_>, node: &[u8; 5], into: &mut Vec<u8>) {
    into.extend_from_slice(b"\xa4Addr");
    write_raw(alive.addr, into);
    into.extend_from_slice(b"\xabIncarnation");
    write_unsigned(alive.incarnation.into(), into);
    into.extend_from_slice(b"\xa4Meta");
    write_raw(alive.meta, into);
    into.extend_from_slice(node);
    write_str(alive.node, into);
    into.extend_from_slice(b"\xa4Port");
    write_unsigned(alive.port.into(), into);
}

fn write_err(error: &str, into: &mut Vec<u8>) {
    into.push(kind::ERR);
    write_map(1, into);
    into.extend_from_slice(b"\xa5Error");
    write_str(error, into);
}
