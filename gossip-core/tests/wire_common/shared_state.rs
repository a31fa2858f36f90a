//! The states that Alertmanagers share, as the JSON that protobuf prescribes: read from a description of the fields, so that nothing in
//! the data is passed over in silence.
//!
//! Source: `prometheus/alertmanager`, `nflog/nflogpb/nflog.proto` and `silence/silencepb/silence.proto`.

use promha_gossip_core::wire::alertmanager::Part;
use serde_json::{Map, Value, json};

/// A part: its key, and its entries, each of which stands behind its length.
pub(crate) fn part(part: &Part<'_>) -> Value {
    let fields = match part.key {
        "nfl" => MESH_ENTRY,
        "sil" => MESH_SILENCE,
        key => panic!("no state is called {key}"),
    };
    let (mut rest, mut entries) = (part.data, Vec::new());
    while !rest.is_empty() {
        let len = varint(&mut rest);
        entries.push(message(fields, take(&mut rest, len)));
    }
    json!({ "key": part.key, "entries": entries })
}

enum Kind {
    String,
    Bytes,
    /// 32 bits, or an enum.
    Number,
    Bool,
    /// 64 bits: text in JSON.
    Long,
    Longs,
    Message(Fields),
    Messages(Fields),
}

type Fields = &'static [(u64, &'static str, Kind)];

const TIMESTAMP: Fields = &[(1, "seconds", Kind::Long), (2, "nanos", Kind::Number)];
const RECEIVER: Fields =
    &[(1, "group_name", Kind::String), (2, "integration", Kind::String), (3, "idx", Kind::Number)];
const ENTRY: Fields = &[
    (1, "group_key", Kind::Bytes),
    (2, "receiver", Kind::Message(RECEIVER)),
    (3, "group_hash", Kind::Bytes),
    (4, "resolved", Kind::Bool),
    (5, "timestamp", Kind::Message(TIMESTAMP)),
    (6, "firing_alerts", Kind::Longs),
    (7, "resolved_alerts", Kind::Longs),
];
const MESH_ENTRY: Fields = &[(1, "entry", Kind::Message(ENTRY)), (2, "expires_at", Kind::Message(TIMESTAMP))];
const MATCHER: Fields = &[(1, "type", Kind::Number), (2, "name", Kind::String), (3, "pattern", Kind::String)];
const SILENCE: Fields = &[
    (1, "id", Kind::String),
    (2, "matchers", Kind::Messages(MATCHER)),
    (3, "starts_at", Kind::Message(TIMESTAMP)),
    (4, "ends_at", Kind::Message(TIMESTAMP)),
    (5, "updated_at", Kind::Message(TIMESTAMP)),
    (8, "created_by", Kind::String),
    (9, "comment", Kind::String),
];
const MESH_SILENCE: Fields =
    &[(1, "silence", Kind::Message(SILENCE)), (2, "expires_at", Kind::Message(TIMESTAMP))];

fn message(fields: Fields, mut bytes: &[u8]) -> Value {
    let mut object = Map::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let Some((_, name, kind)) = fields.iter().find(|field| field.0 == key >> 3) else {
            panic!("no field has the number {}", key >> 3);
        };
        let mut list = || {
            let list = object.entry(*name).or_insert_with(|| json!([]));
            std::mem::take(list.as_array_mut().unwrap())
        };
        let value = match (kind, key & 7) {
            (Kind::String, 2) => json!(str::from_utf8(delimited(&mut bytes)).unwrap()),
            (Kind::Bytes, 2) => json!(base64(delimited(&mut bytes))),
            (Kind::Number, 0) => json!(varint(&mut bytes)),
            (Kind::Bool, 0) => json!(varint(&mut bytes) == 1),
            (Kind::Long, 0) => json!(varint(&mut bytes).to_string()),
            (Kind::Message(fields), 2) => message(fields, delimited(&mut bytes)),
            (Kind::Messages(fields), 2) => {
                let mut list = list();
                list.push(message(fields, delimited(&mut bytes)));
                list.into()
            }
            (Kind::Longs, 2) => {
                let (mut list, mut packed) = (list(), delimited(&mut bytes));
                while !packed.is_empty() {
                    list.push(json!(varint(&mut packed).to_string()));
                }
                list.into()
            }
            (_, found) => panic!("{name} has the wire type {found}"),
        };
        object.insert((*name).to_owned(), value);
    }
    object.into()
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let len = varint(bytes);
    take(bytes, len)
}

fn take<'a>(bytes: &mut &'a [u8], len: u64) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(len as usize);
    *bytes = rest;
    taken
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
    }
    panic!("a varint of more than ten bytes");
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes(padded);
        for digit in 0..4 {
            let value = number >> (18 - 6 * digit) & 63;
            text.push(if digit > chunk.len() { '=' } else { DIGITS[value as usize].into() });
        }
    }
    text
}
