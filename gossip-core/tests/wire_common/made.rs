//! Messages of any kind and content.

use promha_gossip_core::wire::{
    Ack, Alive, IndirectPing, Message, Nack, NodeState, Ping, Rumour, Source, Standing,
};
use proptest::prelude::*;

/// What a message borrows.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    kind: u8,
    number: u32,
    ports: [u16; 2],
    names: [String; 2],
    raws: [Option<Vec<u8>>; 3],
    yes: bool,
}

impl Made {
    pub(crate) fn message(&self) -> Message<'_> {
        let [node, other] = self.names.each_ref().map(String::as_str);
        let [first, second, third] = self.raws.each_ref().map(Option::as_deref);
        let [port, source_port] = self.ports;
        let seq_no = self.number;
        // What is empty is left out, and then missing.
        let addr = second.filter(|addr| !addr.is_empty());
        let source = Source { addr, port: source_port, node: other };
        match self.kind {
            0 => Message::Ping(Ping { seq_no, node, source }),
            1 => {
                let nack = self.yes;
                Message::IndirectPing(IndirectPing { seq_no, target: first, port, node, nack, source })
            }
            2 => Message::Ack(Ack { seq_no, payload: first }),
            3 => Message::Nack(Nack { seq_no }),
            4 => Message::Suspect(Rumour { incarnation: seq_no, node, from: other }),
            5 => Message::Dead(Rumour { incarnation: seq_no, node, from: other }),
            6 => Message::User(first.unwrap_or_default()),
            7 => Message::Err(node),
            _ => Message::Alive(self.alive(third)),
        }
    }

    pub(crate) fn node_state(&self) -> NodeState<'_> {
        let standings = [Standing::Alive, Standing::Suspect, Standing::Dead, Standing::Left];
        let standing = standings[usize::from(self.kind) % standings.len()];
        NodeState { alive: self.alive(self.raws[2].as_deref()), standing }
    }

    fn alive<'m>(&'m self, vsn: Option<&'m [u8]>) -> Alive<'m> {
        Alive {
            incarnation: self.number,
            node: &self.names[0],
            addr: self.raws[0].as_deref(),
            port: self.ports[0],
            meta: self.raws[1].as_deref(),
            vsn,
        }
    }
}

pub(crate) fn made() -> impl Strategy<Value = Made> {
    let names = [name(), name()];
    let raws = [raw(), raw(), raw()];
    (0..11_u8, number(), [port(), port()], names, raws, any::<bool>())
        .prop_map(|(kind, number, ports, names, raws, yes)| Made { kind, number, ports, names, raws, yes })
}

/// Of the usual length mostly, sometimes empty, long, or not ASCII.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[0-9A-Z]{26}",
        3 => "[ -~]{0,40}",
        1 => "[ -~\u{e4}\u{20ac}\u{1f600}]{0,12}",
        1 => "[a-z]{240,300}",
    ]
}

fn raw() -> impl Strategy<Value = Option<Vec<u8>>> {
    let bytes = |len: std::ops::Range<usize>| prop::collection::vec(any::<u8>(), len).prop_map(Some);
    prop_oneof![
        2 => Just(None),
        6 => prop_oneof![bytes(0..1), bytes(4..5), bytes(6..7), bytes(16..17)],
        3 => bytes(0..40),
        1 => bytes(240..400),
        1 => bytes(65_530..65_545),
    ]
}

/// Of every length that a number can have.
fn number() -> impl Strategy<Value = u32> {
    (any::<u32>(), 0..32_u32).prop_map(|(number, shift)| number >> shift)
}

fn port() -> impl Strategy<Value = u16> {
    (any::<u16>(), 0..16_u32).prop_map(|(number, shift)| number >> shift)
}
