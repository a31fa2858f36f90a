//! What real Alertmanagers were seen to send (`testdata/memberlist/`; `PROMHA_VECTORS=<dir>` reads `<dir>/memberlist/` instead): all of
//! it is read, field by field as described, and written again byte for byte.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod wire_common;

use promha_gossip_core::wire::alertmanager::{FullState, Part};
use promha_gossip_core::wire::{
    Alive, Codec, CodecConfig, IndirectPing, Ints, Message, NodeState, Ping, Raw, Rumour, Side, Source,
    StreamMessage, StreamReader,
};
use serde_json::{Map, Value, json};
use wire_common::shared_state;
use wire_common::vectors::{Vector, vectors};

/// Written by the version that gives some numbers a sign, with one of 128 or more in it.
const SIGNED: [&str; 1] = ["t7-tcp-pushPull-resp-3.bin"];

/// What is not the same when it is written again: nothing, as all choices that Go makes here are made the same way each time.
const NOT_DETERMINISTIC: [&str; 0] = [];

#[test]
fn packets_decode_to_what_is_described() {
    let mut cases = 0;
    for vector in vectors().iter().filter(|vector| !vector.stream) {
        let mut codec = codec(vector.label(), true, Ints::Unsigned);
        let bodies: Vec<&[u8]> = codec.open(&vector.bytes).unwrap().collect();
        let messages: Vec<Value> =
            bodies.iter().map(|body| message_json(&Message::decode(body).unwrap())).collect();
        assert_eq!(in_envelopes(&vector.bytes, messages), vector.decoded, "{}", vector.name);
        cases += 1;
    }
    println!("{cases} packets");
    assert!(cases > 0);
}

#[test]
fn streams_decode_to_what_is_described() {
    let mut cases = 0;
    for vector in vectors().iter().filter(|vector| vector.stream) {
        let ints = if SIGNED.contains(&&vector.name[..]) { Ints::Signed } else { Ints::Unsigned };
        let (read, plain) =
            read_stream(vector, |message| (stream_json(message), write(message, false, ints).len()));
        let mut described = Vec::new();
        if vector.bytes[0] == 9 {
            described.push(json!(["compress", compressed_bytes(&vector.bytes), plain]));
        }
        described.push(read);
        assert_eq!(Value::from(described), vector.decoded, "{}", vector.name);
        cases += 1;
    }
    println!("{cases} streams");
    assert!(cases > 0);
}

#[test]
fn packets_are_written_again_byte_for_byte() {
    let (mut cases, mut different) = (0, Vec::new());
    for vector in vectors().iter().filter(|vector| !vector.stream) {
        let mut codec = codec(vector.label(), true, Ints::Unsigned);
        let mut packet = codec.packet();
        for body in codec.open(&vector.bytes).unwrap() {
            assert!(packet.push(&Message::decode(body).unwrap()), "{}: no room", vector.name);
        }
        let mut again = Vec::new();
        codec.seal(&packet, behind_label(&vector.bytes)[0] == 12, &mut again);
        if again != vector.bytes {
            different.push(vector.name.clone());
        }
        cases += 1;
    }
    println!("{cases} packets, {} of them not the same", different.len());
    assert_eq!(different, NOT_DETERMINISTIC);
    assert!(cases > 0);
}

#[test]
fn streams_are_written_again_byte_for_byte() {
    let (mut cases, mut signed, mut different) = (0, Vec::new(), Vec::new());
    for vector in vectors().iter().filter(|vector| vector.stream) {
        let compressed = vector.bytes[0] == 9;
        let again = |ints| read_stream(vector, |message| write(message, compressed, ints));
        cases += 1;
        if again(Ints::Unsigned) == vector.bytes {
            continue;
        }
        // Who writes them with a sign is told among those who took part.
        if vector.source.contains("main") && again(Ints::Signed) == vector.bytes {
            signed.push(vector.name.clone());
        } else {
            different.push(vector.name.clone());
        }
    }
    println!("{cases} streams, {} with signed numbers, {} not the same", signed.len(), different.len());
    assert_eq!(different, NOT_DETERMINISTIC);
    if std::env::var_os("PROMHA_VECTORS").is_none() {
        assert_eq!(signed, SIGNED);
    }
    assert!(cases > 0);
}

#[test]
fn what_alertmanagers_share_is_written_again_byte_for_byte() {
    let (mut parts, mut states) = (0, 0);
    for vector in vectors() {
        if vector.stream {
            read_stream(&vector, |message| match message {
                StreamMessage::User(bytes) => parts += part_again(bytes),
                StreamMessage::PushPull(push_pull) => {
                    let mut again = Vec::new();
                    FullState::encode(FullState::decode(push_pull.user_state).unwrap().parts(), &mut again);
                    assert_eq!(again, push_pull.user_state, "{}", vector.name);
                    states += 1;
                }
                _ => {}
            });
            continue;
        }
        let mut codec = codec(vector.label(), true, Ints::Unsigned);
        for body in codec.open(&vector.bytes).unwrap() {
            if let Message::User(bytes) = Message::decode(body).unwrap() {
                parts += part_again(bytes);
            }
        }
    }
    println!("{parts} parts, {states} full states");
    assert!(parts > 0 && states > 0);
}

fn part_again(bytes: &[u8]) -> usize {
    let mut again = Vec::new();
    Part::decode(bytes).unwrap().encode(&mut again);
    assert_eq!(again, bytes);
    1
}

fn codec(label: &str, compression: bool, ints: Ints) -> Codec {
    Codec::new(CodecConfig { label: label.to_owned(), compression, ints, ..CodecConfig::default() }).unwrap()
}

fn read_stream<T>(vector: &Vector, take: impl FnOnce(&StreamMessage<'_>) -> T) -> T {
    let codec = codec("", true, Ints::Unsigned);
    let mut reader = StreamReader::new(Side::Accepted);
    reader.push(&vector.bytes);
    let taken = take(&reader.next_message(&codec).unwrap().unwrap());
    assert!(reader.next_message(&codec).unwrap().is_none());
    reader.finish().unwrap();
    taken
}

fn write(message: &StreamMessage<'_>, compression: bool, ints: Ints) -> Vec<u8> {
    let (mut codec, mut written) = (codec("", compression, ints), Vec::new());
    match message {
        StreamMessage::Ping(ping) => {
            codec.write_stream(Side::Dialled, &Message::Ping(*ping), &mut written).unwrap();
        }
        StreamMessage::Ack(ack) => {
            codec.write_stream(Side::Accepted, &Message::Ack(*ack), &mut written).unwrap();
        }
        StreamMessage::User(bytes) => {
            codec.write_user_message(Side::Dialled, bytes, &mut written).unwrap();
        }
        StreamMessage::PushPull(push_pull) => {
            let nodes: Vec<NodeState<'_>> = push_pull.nodes().collect();
            let (nodes, state) = (nodes.into_iter(), push_pull.user_state);
            codec.write_push_pull(Side::Dialled, push_pull.join, nodes, state, &mut written).unwrap();
        }
        message => panic!("{message:?} was not captured"),
    }
    written
}

// --- The form of the descriptions -------------------------------------------------------------------------------

/// What a packet's envelopes say, read by hand, around its messages.
fn in_envelopes(mut packet: &[u8], messages: Vec<Value>) -> Value {
    let mut outer = Vec::new();
    if packet[0] == 244 {
        let label = &packet[2..2 + usize::from(packet[1])];
        outer.push(json!(["label", str::from_utf8(label).unwrap()]));
        packet = behind_label(packet);
    }
    outer.push(match packet[0] {
        12 => {
            let declared = u32::from_be_bytes(packet[1..5].try_into().unwrap());
            json!(["crc", format!("{declared:#x}"), true, [in_compression(&packet[5..], messages)]])
        }
        _ => in_compression(packet, messages),
    });
    outer.into()
}

fn behind_label(packet: &[u8]) -> &[u8] {
    if packet[0] == 244 { &packet[2 + usize::from(packet[1])..] } else { packet }
}

fn in_compression(packet: &[u8], mut messages: Vec<Value>) -> Value {
    let inner = match messages.len() {
        1 => messages.swap_remove(0),
        count => json!(["compound", count, messages]),
    };
    if packet[0] == 9 { json!(["compress", 0, compressed_bytes(packet), [inner]]) } else { inner }
}

/// The length of `Buf`, behind type, map and the field before.
fn compressed_bytes(message: &[u8]) -> usize {
    assert_eq!(message[..12], *b"\x09\x82\xa4Algo\x00\xa3Buf");
    match message[12] {
        short @ 0xa0..=0xbf => usize::from(short & 0x1f),
        0xda => usize::from(u16::from_be_bytes([message[13], message[14]])),
        other => panic!("{other:#x} is not how a length begins"),
    }
}

fn message_json(message: &Message<'_>) -> Value {
    match message {
        Message::Ping(ping) => json!(["ping", ping_json(ping)]),
        Message::IndirectPing(ping) => json!(["indirectPing", indirect_ping_json(ping)]),
        Message::Ack(ack) => ack_json(ack.seq_no, ack.payload),
        Message::Nack(nack) => json!(["nackResp", { "SeqNo": nack.seq_no }]),
        Message::Suspect(rumour) => json!(["suspect", rumour_json(rumour)]),
        Message::Alive(alive) => json!(["alive", alive_json(alive, "Node")]),
        Message::Dead(rumour) => json!(["dead", rumour_json(rumour)]),
        Message::User(bytes) => json!(["user", shared_state::part(&Part::decode(bytes).unwrap())]),
        message => panic!("{message:?} was not captured"),
    }
}

fn stream_json(message: &StreamMessage<'_>) -> Value {
    match message {
        StreamMessage::Ping(ping) => json!(["ping", ping_json(ping)]),
        StreamMessage::Ack(ack) => ack_json(ack.seq_no, ack.payload),
        StreamMessage::User(bytes) => {
            let part = shared_state::part(&Part::decode(bytes).unwrap());
            json!(["user", { "UserMsgLen": bytes.len() }, part])
        }
        StreamMessage::PushPull(push_pull) => {
            let nodes: Vec<Value> = push_pull.nodes().map(|state| state_json(&state)).collect();
            let state = FullState::decode(push_pull.user_state).unwrap();
            let parts: Vec<Value> = state.parts().map(|part| shared_state::part(&part)).collect();
            let header = json!({
                "Join": push_pull.join, "Nodes": nodes.len(), "UserStateLen": push_pull.user_state.len(),
            });
            json!(["pushPull", header, nodes, parts])
        }
        message => panic!("{message:?} was not captured"),
    }
}

fn ping_json(ping: &Ping<'_>) -> Value {
    let mut fields = source_json(&ping.source);
    fields.insert("Node".into(), json!(ping.node));
    fields.insert("SeqNo".into(), json!(ping.seq_no));
    fields.into()
}

fn indirect_ping_json(ping: &IndirectPing<'_>) -> Value {
    let mut fields = source_json(&ping.source);
    fields.insert("Nack".into(), json!(ping.nack));
    fields.insert("Node".into(), json!(ping.node));
    fields.insert("Port".into(), json!(ping.port));
    fields.insert("SeqNo".into(), json!(ping.seq_no));
    fields.insert("Target".into(), raw_json(ping.target));
    fields.into()
}

fn source_json(source: &Source<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    if source.addr.is_some() {
        fields.insert("SourceAddr".into(), raw_json(source.addr));
    }
    if !source.node.is_empty() {
        fields.insert("SourceNode".into(), json!(source.node));
    }
    if source.port != 0 {
        fields.insert("SourcePort".into(), json!(source.port));
    }
    fields
}

fn ack_json(seq_no: u32, payload: Raw<'_>) -> Value {
    json!(["ackResp", { "SeqNo": seq_no, "Payload": raw_json(payload) }])
}

fn rumour_json(rumour: &Rumour<'_>) -> Value {
    json!({ "From": rumour.from, "Incarnation": rumour.incarnation, "Node": rumour.node })
}

fn state_json(state: &NodeState<'_>) -> Value {
    let mut fields = alive_json(&state.alive, "Name");
    fields["State"] = json!(state.standing as u8);
    fields
}

fn alive_json(alive: &Alive<'_>, node: &str) -> Value {
    json!({
        "Addr": raw_json(alive.addr), "Incarnation": alive.incarnation, "Meta": raw_json(alive.meta),
        node: alive.node, "Port": alive.port, "Vsn": raw_json(alive.vsn),
    })
}

fn raw_json(raw: Raw<'_>) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    raw.map_or(Value::Null, |bytes| json!({ "hex": hex(bytes) }))
}
