//! The wire: what it costs to read and write a packet of ten messages, beside structs that rmp-serde reads and writes in a compound
//! loop by hand.
//!
//! Both borrow names and bytes, and no message is moved once it is made. rmp-serde cannot write bytes as memberlist does (its `bin` is
//! of another edition), so that what it writes has other markers and about as many bytes; it reads what memberlist writes. What the
//! sides make of a packet is compared before anything is timed.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has to stop")]

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use promha_benches as _;
use promha_gossip_core::wire::{Ack, Alive, Codec, CodecConfig, Message, Packet, Ping, Raw, Rumour, Source};
use serde::{Deserialize, Serialize};

criterion_group!(benches, decode_packet, encode_packet);
criterion_main!(benches);

fn decode_packet(c: &mut Criterion) {
    let (mut codec, mut datagram) = (codec(), Vec::new());
    let packet = packed(&codec, &messages());
    codec.seal(&packet, false, &mut datagram);
    let ours: Vec<Message<'_>> = messages().to_vec();
    assert!(codec.open(&datagram).unwrap().map(|body| Message::decode(body).unwrap()).eq(ours.clone()));
    let theirs: Vec<Rival<'_>> = Compound::of(&datagram).map(|body| Rival::decode(body).unwrap()).collect();
    assert!(theirs.iter().map(Rival::message).eq(ours));

    let mut group = group(c, "decode-packet", "compound-10");
    group.throughput(Throughput::Bytes(datagram.len() as u64));
    group.bench_function("promha", |b| {
        b.iter(|| {
            for body in codec.open(black_box(&datagram)).unwrap() {
                assert!(black_box(&Message::decode(body)).is_ok());
            }
        });
    });
    group.bench_function("rmp-serde", |b| {
        b.iter(|| {
            for body in Compound::of(black_box(&datagram)) {
                assert!(black_box(&Rival::decode(body)).is_ok());
            }
        });
    });
    group.finish();
}

fn encode_packet(c: &mut Criterion) {
    let mut codec = codec();
    let messages = messages();
    let mut packet = packed(&codec, &messages);
    let mut ours = Vec::new();
    codec.seal(&packet, false, &mut ours);
    let rivals = messages.map(|message| Rival::of(&message));
    let mut theirs = Vec::new();
    write_compound(&rivals, &mut theirs);
    assert!(Compound::of(&theirs).map(|body| Message::decode(body).unwrap()).eq(messages));
    let differ = ours.len().abs_diff(theirs.len());
    assert!(differ < 50, "{differ} bytes more or less");
    assert_eq!(compound(&rivals), theirs);

    let mut group = group(c, "encode-packet", "compound-10");
    group.throughput(Throughput::Bytes(ours.len() as u64));
    group.bench_function("promha", |b| {
        b.iter(|| {
            packet.clear();
            for message in black_box(&messages) {
                packet.push(message);
            }
            ours.clear();
            codec.seal(&packet, false, &mut ours);
            black_box(&ours).len()
        });
    });
    // As memberlist and most users do it: a buffer for each message, and one for all of them.
    group.bench_function("rmp-serde", |b| b.iter(|| black_box(compound(black_box(&rivals))).len()));
    // With care: everything is written where it is to be, into memory that is there.
    group.bench_function("rmp-serde-in-place", |b| {
        b.iter(|| {
            theirs.clear();
            write_compound(black_box(&rivals), &mut theirs);
            black_box(&theirs).len()
        });
    });
    group.finish();
}

fn group<'c>(c: &'c mut Criterion, operation: &str, input: &str) -> BenchmarkGroup<'c, WallTime> {
    c.benchmark_group(format!("gossip-core/{operation}/{input}"))
}

/// Without compression, which the rival does not have.
fn codec() -> Codec {
    Codec::new(CodecConfig { compression: false, ..CodecConfig::default() }).unwrap()
}

fn packed(codec: &Codec, messages: &[Message<'_>]) -> Packet {
    let mut packet = codec.packet();
    assert!(messages.iter().all(|message| packet.push(message)), "no room");
    packet
}

/// As a node of a small cluster of Alertmanagers sends them while one goes and another comes: a probe and an answer, what is said of
/// nodes, and two notifications.
fn messages() -> [Message<'static>; 10] {
    let name = |n: usize| {
        ["01M8111EDJ8FHCV4W2WG29MTPN", "01M8111EJJNHW46K6QXE4M53P9", "01M8111EVE83J9KDNFS5B4J50J"][n]
    };
    let source = Source { addr: Some(&[192, 168, 7, 31]), port: 9094, node: name(0) };
    let alive = |n, incarnation| {
        Message::Alive(Alive {
            incarnation,
            node: name(n),
            addr: Some(&[192, 168, 7, 31]),
            port: 9094,
            meta: Some(&[]),
            vsn: Some(&[1, 5, 2, 0, 0, 0]),
        })
    };
    let rumour = |n| Rumour { incarnation: 3, node: name(n), from: name(0) };
    let user = |entry: &'static [u8]| Message::User(entry);
    [
        Message::Ping(Ping { seq_no: 70_000, node: name(1), source }),
        Message::Ack(Ack { seq_no: 69_999, payload: Some(&[]) }),
        alive(0, 1),
        alive(1, 4),
        alive(2, 200),
        Message::Suspect(rumour(1)),
        Message::Suspect(rumour(2)),
        Message::Dead(rumour(2)),
        user(&[b'n'; 88]),
        user(&[b'n'; 88]),
    ]
}

// --- The rival --------------------------------------------------------------------------------------------------

/// A message as serde knows it.
#[derive(Debug, Clone, Copy)]
enum Rival<'a> {
    Ping(RivalPing<'a>),
    Ack(RivalAck<'a>),
    Suspect(RivalRumour<'a>),
    Alive(RivalAlive<'a>),
    Dead(RivalRumour<'a>),
    User(&'a [u8]),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RivalPing<'a> {
    node: &'a str,
    seq_no: u32,
    #[serde(borrow, default, with = "serde_bytes", skip_serializing_if = "Option::is_none")]
    source_addr: Raw<'a>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    source_node: &'a str,
    #[serde(default)]
    source_port: u16,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RivalAck<'a> {
    #[serde(borrow, with = "serde_bytes")]
    payload: Raw<'a>,
    seq_no: u32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RivalRumour<'a> {
    from: &'a str,
    incarnation: u32,
    node: &'a str,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RivalAlive<'a> {
    #[serde(borrow, with = "serde_bytes")]
    addr: Raw<'a>,
    incarnation: u32,
    #[serde(borrow, with = "serde_bytes")]
    meta: Raw<'a>,
    node: &'a str,
    port: u16,
    #[serde(borrow, with = "serde_bytes")]
    vsn: Raw<'a>,
}

impl<'a> Rival<'a> {
    fn decode(body: &'a [u8]) -> Result<Self, rmp_serde::decode::Error> {
        let (kind, rest) = body.split_first().unwrap();
        Ok(match kind {
            0 => Self::Ping(rmp_serde::from_slice(rest)?),
            2 => Self::Ack(rmp_serde::from_slice(rest)?),
            3 => Self::Suspect(rmp_serde::from_slice(rest)?),
            4 => Self::Alive(rmp_serde::from_slice(rest)?),
            5 => Self::Dead(rmp_serde::from_slice(rest)?),
            8 => Self::User(rest),
            kind => panic!("no message of type {kind}"),
        })
    }

    fn encode(&self, into: &mut Vec<u8>) {
        match self {
            Self::Ping(message) => write_named(0, message, into),
            Self::Ack(message) => write_named(2, message, into),
            Self::Suspect(message) => write_named(3, message, into),
            Self::Alive(message) => write_named(4, message, into),
            Self::Dead(message) => write_named(5, message, into),
            Self::User(bytes) => {
                into.push(8);
                into.extend_from_slice(bytes);
            }
        }
    }

    fn encoded(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.encode(&mut body);
        body
    }

    fn of(message: &Message<'a>) -> Self {
        let rumour = |&Rumour { incarnation, node, from }| RivalRumour { from, incarnation, node };
        match message {
            &Message::Ping(Ping { seq_no, node, source: Source { addr, port, node: source_node } }) => {
                Self::Ping(RivalPing { node, seq_no, source_addr: addr, source_node, source_port: port })
            }
            &Message::Ack(Ack { seq_no, payload }) => Self::Ack(RivalAck { payload, seq_no }),
            Message::Suspect(message) => Self::Suspect(rumour(message)),
            Message::Dead(message) => Self::Dead(rumour(message)),
            &Message::Alive(Alive { incarnation, node, addr, port, meta, vsn }) => {
                Self::Alive(RivalAlive { addr, incarnation, meta, node, port, vsn })
            }
            Message::User(bytes) => Self::User(bytes),
            message => panic!("{message:?} is not in the mix"),
        }
    }

    fn message(&self) -> Message<'a> {
        let rumour = |&RivalRumour { from, incarnation, node }| Rumour { incarnation, node, from };
        match self {
            &Self::Ping(RivalPing { node, seq_no, source_addr, source_node, source_port }) => {
                let source = Source { addr: source_addr, port: source_port, node: source_node };
                Message::Ping(Ping { seq_no, node, source })
            }
            &Self::Ack(RivalAck { payload, seq_no }) => Message::Ack(Ack { seq_no, payload }),
            Self::Suspect(message) => Message::Suspect(rumour(message)),
            Self::Dead(message) => Message::Dead(rumour(message)),
            &Self::Alive(RivalAlive { addr, incarnation, meta, node, port, vsn }) => {
                Message::Alive(Alive { incarnation, node, addr, port, meta, vsn })
            }
            Self::User(bytes) => Message::User(bytes),
        }
    }
}

fn write_named(kind: u8, message: &impl Serialize, into: &mut Vec<u8>) {
    into.push(kind);
    message.serialize(&mut rmp_serde::Serializer::new(into).with_struct_map()).unwrap();
}

/// A compound message with its messages written in place.
fn write_compound(messages: &[Rival<'_>], into: &mut Vec<u8>) {
    into.extend_from_slice(&[7, messages.len() as u8]);
    let lengths_at = into.len();
    into.resize(lengths_at + 2 * messages.len(), 0);
    for (n, message) in messages.iter().enumerate() {
        let start = into.len();
        message.encode(into);
        let len = (into.len() - start) as u16;
        into[lengths_at + 2 * n..lengths_at + 2 * n + 2].copy_from_slice(&len.to_be_bytes());
    }
}

/// A compound message of messages that were written one by one, as memberlist does it.
fn compound(messages: &[Rival<'_>]) -> Vec<u8> {
    let bodies: Vec<Vec<u8>> = messages.iter().map(Rival::encoded).collect();
    let mut compound = vec![7, messages.len() as u8];
    for body in &bodies {
        compound.extend_from_slice(&(body.len() as u16).to_be_bytes());
    }
    for body in &bodies {
        compound.extend_from_slice(body);
    }
    compound
}

/// The messages of a compound one.
struct Compound<'a> {
    lengths: std::slice::ChunksExact<'a, u8>,
    rest: &'a [u8],
}

impl<'a> Compound<'a> {
    fn of(datagram: &'a [u8]) -> Self {
        assert_eq!(datagram[0], 7);
        let (lengths, rest) = datagram[2..].split_at(2 * usize::from(datagram[1]));
        Self { lengths: lengths.chunks_exact(2), rest }
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = self.lengths.next()?;
        let (body, rest) = self.rest.split_at(usize::from(u16::from_be_bytes([length[0], length[1]])));
        self.rest = rest;
        Some(body)
    }
}
