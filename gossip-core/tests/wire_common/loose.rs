//! Messages in the many ways in which the same could be written.

use promha_gossip_core::wire::{Message, Raw, Rumour, Source};

/// Writes messages as nobody does, and as everybody may.
pub(crate) struct Loose {
    pub(crate) random: fastrand::Rng,
}

type Field<'a> = (&'a str, Value<'a>);

#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a str),
    Raw(Raw<'a>),
    Number(u32),
    Bool(bool),
}

impl Loose {
    pub(crate) fn message(&mut self, message: &Message<'_>) -> Vec<u8> {
        let (kind, fields) = fields(message);
        let mut body = vec![kind];
        let Some(mut fields) = fields else {
            let Message::User(bytes) = message else { panic!("{message:?}") };
            return [&body, *bytes].concat();
        };
        self.random.shuffle(&mut fields);
        // What is empty may be left out.
        fields.retain(|field| !is_empty(field.1) || self.random.bool());
        let unknown = self.random.usize(..3);
        match self.random.u8(..3) {
            0 if fields.len() + unknown < 16 => body.push(0x80 | (fields.len() + unknown) as u8),
            1 => body.extend([0xde, 0, (fields.len() + unknown) as u8]),
            _ => body.extend([0xdf, 0, 0, 0, (fields.len() + unknown) as u8]),
        }
        let mut unknown_at: Vec<usize> = (0..unknown).map(|_| self.random.usize(..=fields.len())).collect();
        unknown_at.sort_unstable();
        for at in 0..=fields.len() {
            for _ in unknown_at.iter().filter(|&&unknown| unknown == at) {
                self.raw(b"Unknown", &mut body);
                self.anything(4, &mut body);
            }
            if let Some(&(name, value)) = fields.get(at) {
                self.raw(name.as_bytes(), &mut body);
                self.value(value, &mut body);
            }
        }
        body
    }

    fn value(&mut self, value: Value<'_>, into: &mut Vec<u8>) {
        match value {
            Value::Text("") | Value::Raw(None) | Value::Number(0) | Value::Bool(false)
                if self.random.bool() =>
            {
                into.push(0xc0);
            }
            Value::Raw(None) => into.push(0xc0),
            Value::Text(text) => self.raw(text.as_bytes(), into),
            Value::Raw(Some(bytes)) => self.raw(bytes, into),
            Value::Number(number) => self.number(number, into),
            Value::Bool(yes) => into.push(0xc2 | u8::from(yes)),
        }
    }

    fn raw(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        let len = bytes.len() as u32;
        let [a, b, c, d] = len.to_be_bytes();
        let second = self.random.bool();
        match self.random.u8(..4) {
            0 if len < 32 => into.push(0xa0 | d),
            1 if len < 256 => into.extend([if second { 0xc4 } else { 0xd9 }, d]),
            2 if len < 65_536 => into.extend([if second { 0xc5 } else { 0xda }, c, d]),
            _ => into.extend([if second { 0xc6 } else { 0xdb }, a, b, c, d]),
        }
        into.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u32, into: &mut Vec<u8>) {
        let [a, b, c, d] = number.to_be_bytes();
        match self.random.u8(..8) {
            0 if number < 0x80 => into.push(d),
            1 if number < 0x100 => into.extend([0xcc, d]),
            2 if number < 0x80 => into.extend([0xd0, d]),
            3 if number < 0x1_0000 => into.extend([0xcd, c, d]),
            4 if number < 0x8000 => into.extend([0xd1, c, d]),
            5 => into.extend([0xce, a, b, c, d]),
            6 if number < 0x8000_0000 => into.extend([0xd2, a, b, c, d]),
            _ => into.extend([if self.random.bool() { 0xcf } else { 0xd3 }, 0, 0, 0, 0, a, b, c, d]),
        }
    }

    /// A value of any type, of this many within each other.
    fn anything(&mut self, depth: u8, into: &mut Vec<u8>) {
        let len = self.random.u8(..4);
        match self.random.u8(..if depth > 0 { 12 } else { 8 }) {
            0 => into.push(0xc0),
            1 => into.push(0xc2),
            2 => {
                let number = 77_777 >> self.random.u8(..17);
                self.number(number, into);
            }
            3 => into.push(0xe0 | len),
            4 => self.raw(&vec![7; usize::from(len) * 20], into),
            5 => into.extend([0xca, 1, 2, 3, 4]),
            6 => into.extend([0xcb, 1, 2, 3, 4, 5, 6, 7, 8]),
            7 => {
                let (head, len): (&[u8], usize) = [
                    (&[0xd4][..], 1),
                    (&[0xd5], 2),
                    (&[0xd6], 4),
                    (&[0xd7], 8),
                    (&[0xd8], 16),
                    (&[0xc7, 3], 3),
                    (&[0xc8, 0, 3], 3),
                    (&[0xc9, 0, 0, 0, 3], 3),
                ][self.random.usize(..8)];
                into.extend_from_slice(head);
                into.extend(std::iter::repeat_n(9, 1 + len));
            }
            8 => {
                into.push(0x90 | len);
                (0..len).for_each(|_| self.anything(depth - 1, into));
            }
            9 => {
                into.extend([0xdc, 0, len]);
                (0..len).for_each(|_| self.anything(depth - 1, into));
            }
            10 => {
                into.extend([0xdd, 0, 0, 0, len]);
                (0..len).for_each(|_| self.anything(depth - 1, into));
            }
            _ => {
                into.push(0x80 | len);
                (0..2 * len).for_each(|_| self.anything(depth - 1, into));
            }
        }
    }
}

fn is_empty(value: Value<'_>) -> bool {
    matches!(value, Value::Text("") | Value::Raw(None) | Value::Number(0) | Value::Bool(false))
}

fn fields<'a>(message: &Message<'a>) -> (u8, Option<Vec<Field<'a>>>) {
    let rumour = |&Rumour { incarnation, node, from }: &Rumour<'a>| {
        let incarnation = ("Incarnation", Value::Number(incarnation));
        vec![incarnation, ("Node", Value::Text(node)), ("From", Value::Text(from))]
    };
    match message {
        Message::Ping(ping) => {
            let mut fields = source(&ping.source);
            fields.extend([("SeqNo", Value::Number(ping.seq_no)), ("Node", Value::Text(ping.node))]);
            (0, Some(fields))
        }
        Message::IndirectPing(ping) => {
            let mut fields = source(&ping.source);
            fields.extend([("SeqNo", Value::Number(ping.seq_no)), ("Node", Value::Text(ping.node))]);
            fields.extend([("Target", Value::Raw(ping.target)), ("Port", Value::Number(ping.port.into()))]);
            fields.push(("Nack", Value::Bool(ping.nack)));
            (1, Some(fields))
        }
        Message::Ack(ack) => {
            (2, Some(vec![("SeqNo", Value::Number(ack.seq_no)), ("Payload", Value::Raw(ack.payload))]))
        }
        Message::Nack(nack) => (11, Some(vec![("SeqNo", Value::Number(nack.seq_no))])),
        Message::Suspect(message) => (3, Some(rumour(message))),
        Message::Dead(message) => (5, Some(rumour(message))),
        Message::Alive(alive) => {
            let mut fields = vec![("Incarnation", Value::Number(alive.incarnation))];
            fields.extend([("Node", Value::Text(alive.node)), ("Port", Value::Number(alive.port.into()))]);
            let raws = [("Addr", alive.addr), ("Meta", alive.meta), ("Vsn", alive.vsn)];
            fields.extend(raws.map(|(name, raw)| (name, Value::Raw(raw))));
            (4, Some(fields))
        }
        Message::User(_) => (8, None),
        Message::Err(error) => (13, Some(vec![("Error", Value::Text(error))])),
        message => panic!("{message:?}"),
    }
}

fn source<'a>(source: &Source<'a>) -> Vec<Field<'a>> {
    vec![
        ("SourceAddr", Value::Raw(source.addr)),
        ("SourcePort", Value::Number(source.port.into())),
        ("SourceNode", Value::Text(source.node)),
    ]
}
