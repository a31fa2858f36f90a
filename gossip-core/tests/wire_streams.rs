//! Streams: what is written is read, however its bytes come, and nothing is taken on trust.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod wire_common;

use promha_gossip_core::wire::{
    Codec, CodecConfig, DecodeError, EncryptionVersion, ErrorKind, Ints, Keyring, Limit, Limits, Message,
    Nack, NodeState, OverLimit, Side, StreamMessage, StreamReader,
};
use proptest::prelude::*;
use wire_common::made::{Made, made};

fn config() -> CodecConfig {
    CodecConfig { label: "prod-eu".into(), ..CodecConfig::default() }
}

fn codec(config: CodecConfig, key: Option<usize>) -> Codec {
    let codec = Codec::new(config).unwrap();
    match key {
        Some(len) => codec.encrypted(Keyring::new(&vec![7; len]).unwrap(), [3; 12]),
        None => codec,
    }
}

/// What came, as it is compared.
#[derive(Debug, PartialEq)]
enum Came {
    Ping(String),
    Ack(String),
    PushPull { join: bool, nodes: Vec<String>, user_state: Vec<u8> },
    User(Vec<u8>),
    Err(String),
}

impl Came {
    fn of(message: &StreamMessage<'_>) -> Self {
        match message {
            StreamMessage::Ping(ping) => Self::Ping(format!("{ping:?}")),
            StreamMessage::Ack(ack) => Self::Ack(format!("{ack:?}")),
            StreamMessage::PushPull(push_pull) => Self::PushPull {
                join: push_pull.join,
                nodes: push_pull.nodes().map(|node| format!("{node:?}")).collect(),
                user_state: push_pull.user_state.to_vec(),
            },
            StreamMessage::User(bytes) => Self::User(bytes.to_vec()),
            StreamMessage::Err(error) => Self::Err((*error).to_owned()),
            message => panic!("{message:?}"),
        }
    }
}

/// Reads a stream whose bytes come in pieces. Before the last one has come there is no message.
fn read<'p>(
    side: Side,
    codec: &Codec,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Result<Option<Came>, DecodeError> {
    let (mut reader, mut came) = (StreamReader::new(side), None);
    for piece in pieces {
        assert!(came.is_none(), "there is a message before all of it has come");
        reader.push(piece);
        let message = reader.next_message(codec).map(|message| message.as_ref().map(Came::of));
        if let Err(error) = message {
            reader.push(b"more");
            assert_eq!(reader.next_message(codec).map(|_| ()), Err(error), "an error stays");
            assert_eq!(reader.finish(), Err(error));
            return Err(error);
        }
        came = message.unwrap();
    }
    assert_eq!(reader.finish().is_ok(), came.is_some());
    if came.is_some() {
        reader.push(b"more");
        assert!(reader.next_message(codec).unwrap().is_none(), "a stream has one message");
    }
    Ok(came)
}

#[derive(Debug, Clone)]
enum What {
    Message(Made),
    User(Vec<u8>),
    PushPull { join: bool, nodes: Vec<Made>, user_state: Vec<u8> },
}

impl What {
    fn write(&self, side: Side, codec: &mut Codec, into: &mut Vec<u8>) {
        match self {
            Self::Message(made) => codec.write_stream(side, &made.message(), into).unwrap(),
            Self::User(bytes) => codec.write_user_message(side, bytes, into).unwrap(),
            Self::PushPull { join, nodes, user_state } => {
                let nodes = nodes.iter().map(Made::node_state);
                codec.write_push_pull(side, *join, nodes, user_state, into).unwrap();
            }
        }
    }

    /// What the other side gets; none for messages that have no place on a stream.
    fn expected(&self) -> Option<Came> {
        Some(match self {
            Self::Message(made) => match made.message() {
                Message::Ping(ping) => Came::Ping(format!("{ping:?}")),
                Message::Ack(ack) => Came::Ack(format!("{ack:?}")),
                Message::Err(error) => Came::Err(error.to_owned()),
                _ => return None,
            },
            Self::User(bytes) => Came::User(bytes.clone()),
            Self::PushPull { join, nodes, user_state } => {
                let nodes = nodes.iter().map(|node| format!("{:?}", node.node_state())).collect();
                Came::PushPull { join: *join, nodes, user_state: user_state.clone() }
            }
        })
    }
}

fn what() -> impl Strategy<Value = What> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..2_000);
    let nodes = prop::collection::vec(made(), 0..6);
    prop_oneof![
        made()
            .prop_filter("user messages have another form", |made| {
                !matches!(made.message(), Message::User(_))
            })
            .prop_map(What::Message),
        bytes().prop_map(What::User),
        (any::<bool>(), nodes, bytes()).prop_map(|(join, nodes, user_state)| What::PushPull {
            join,
            nodes,
            user_state
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        what in what(),
        dialled in any::<bool>(),
        compression in any::<bool>(),
        signed in any::<bool>(),
        padded in any::<bool>(),
        key in prop_oneof![Just(None), Just(Some(16)), Just(Some(24)), Just(Some(32))],
        piece in 1..200_usize,
    ) {
        let ints = if signed { Ints::Signed } else { Ints::Unsigned };
        let encryption = if padded { EncryptionVersion::Padded } else { EncryptionVersion::Unpadded };
        let config = CodecConfig { compression, ints, encryption, ..config() };
        let mut codec = codec(config, key);
        let sides = if dialled { [Side::Dialled, Side::Accepted] } else { [Side::Accepted, Side::Dialled] };
        let mut written = b"before".to_vec();
        what.write(sides[0], &mut codec, &mut written);
        let written = written.strip_prefix(b"before").unwrap();
        let whole = read(sides[1], &codec, [written]);
        let cut = read(sides[1], &codec, written.chunks(piece));
        match what.expected() {
            Some(expected) => {
                prop_assert_eq!(&whole, &Ok(Some(expected)));
                prop_assert_eq!(&cut, &whole);
                for len in [0, 1, written.len() / 2, written.len() - 1] {
                    prop_assert_eq!(read(sides[1], &codec, [&written[..len]]), Ok(None));
                }
            }
            None => {
                let kind = whole.as_ref().unwrap_err().kind();
                prop_assert!(matches!(kind, ErrorKind::MessageType { .. }), "{kind}");
                prop_assert_eq!(cut, whole);
            }
        }
    }
}

#[test]
fn bytes_one_by_one_are_as_good_as_all_at_once() {
    for key in [None, Some(32)] {
        for compression in [false, true] {
            let mut codec = codec(CodecConfig { compression, ..config() }, key);
            let mut written = Vec::new();
            let nodes = [node("a", 1), node("b", 300)];
            let (nodes, state) = (nodes.into_iter(), [5; 300]);
            codec.write_push_pull(Side::Dialled, true, nodes, &state, &mut written).unwrap();
            let whole = read(Side::Accepted, &codec, [&written[..]]).unwrap();
            assert!(whole.is_some());
            assert_eq!(read(Side::Accepted, &codec, written.chunks(1)), Ok(whole));
        }
    }
}

fn node(name: &str, incarnation: u32) -> NodeState<'_> {
    let alive = promha_gossip_core::wire::Alive {
        incarnation,
        node: name,
        addr: Some(&[10, 0, 0, 1]),
        port: 9094,
        meta: None,
        vsn: Some(&[1, 5, 2, 0, 0, 0]),
    };
    NodeState { alive, standing: promha_gossip_core::wire::Standing::Alive }
}

fn refused(side: Side, codec: &Codec, bytes: &[u8]) -> (ErrorKind, usize) {
    let error = read(side, codec, [bytes]).unwrap_err();
    // However they come.
    assert_eq!(read(side, codec, bytes.chunks(1)).map_err(|error| error.kind()), Err(error.kind()));
    (error.kind(), error.offset())
}

#[test]
fn labels_come_from_whoever_dialled() {
    let (mut ours, other) = (codec(config(), None), codec(CodecConfig::default(), None));
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    ours.write_stream(Side::Dialled, &Message::Err("a"), &mut request).unwrap();
    ours.write_stream(Side::Accepted, &Message::Err("a"), &mut answer).unwrap();
    assert_eq!(request, [b"\xf4\x07prod-eu", &answer[..]].concat());
    assert_eq!(refused(Side::Accepted, &other, &request), (ErrorKind::OtherLabel, 0));
    assert_eq!(refused(Side::Accepted, &ours, &answer), (ErrorKind::NoLabel, 0));
    assert_eq!(refused(Side::Dialled, &ours, &request), (ErrorKind::MessageType { found: 244 }, 0));
    assert_eq!(refused(Side::Accepted, &ours, b"\xf4\x00"), (ErrorKind::EmptyLabel, 0));
}

#[test]
fn encryption_is_asked_for() {
    let (mut plain, mut keyed) = (codec(config(), None), codec(config(), Some(16)));
    let mut accepting = codec(CodecConfig { accept_plain: true, send_plain: true, ..config() }, Some(16));
    let written = |codec: &mut Codec| {
        let mut written = Vec::new();
        codec.write_stream(Side::Accepted, &Message::Err("a"), &mut written).unwrap();
        written
    };
    let (of_plain, of_keyed, of_accepting) =
        (written(&mut plain), written(&mut keyed), written(&mut accepting));
    assert_eq!(refused(Side::Dialled, &plain, &of_keyed), (ErrorKind::NoKeys, 0));
    assert_eq!(refused(Side::Dialled, &keyed, &of_plain), (ErrorKind::NotEncrypted, 0));
    assert_eq!(of_accepting, of_plain);
    let came = Ok(Some(Came::Err("a".into())));
    assert_eq!(read(Side::Dialled, &accepting, [&of_plain[..]]), came);
    assert_eq!(read(Side::Dialled, &accepting, [&of_keyed[..]]), came);
    // A length that was changed is not vouched for, nor is a label.
    let mut longer = of_keyed.clone();
    longer[4] -= 1;
    assert_eq!(refused(Side::Dialled, &keyed, &longer), (ErrorKind::Undecryptable { keys: 1 }, 5));
    let elsewhere = codec(CodecConfig { label: "dev".into(), ..config() }, Some(16));
    assert_eq!(refused(Side::Dialled, &elsewhere, &of_keyed), (ErrorKind::Undecryptable { keys: 1 }, 5));
    // What was encrypted and is not whole does not wait for more.
    let mut cut = Vec::new();
    let mut user = codec(CodecConfig { compression: false, ..config() }, Some(16));
    user.write_stream(Side::Accepted, &Message::Nack(Nack { seq_no: 1 }), &mut cut).unwrap();
    assert_eq!(refused(Side::Dialled, &keyed, &cut), (ErrorKind::MessageType { found: 11 }, 0));
}

#[test]
fn what_is_announced_is_limited() {
    let limits = Limits {
        stream_bytes: 10_000,
        encrypted_bytes: 5_000,
        nodes: 100,
        user_state_bytes: 4_000,
        user_message_bytes: 3_000,
        ..Limits::default()
    };
    let config = CodecConfig { limits, label: String::new(), ..config() };
    let (plain, keyed) = (codec(config.clone(), None), codec(config, Some(16)));
    let over = |what, limit, found| ErrorKind::OverLimit { what, limit, found };
    let cases: [(&[u8], ErrorKind, usize); 6] = [
        (b"\x06\x81\xa5Nodes\x65", over(Limit::Nodes, 100, 101), 8),
        (b"\x06\x81\xa5Nodes\xd1\xff\xff", ErrorKind::Number { found: u64::MAX, limit: i64::MAX as u64 }, 8),
        (b"\x06\x81\xacUserStateLen\xcd\x0f\xa1", over(Limit::UserStateBytes, 4_000, 4_001), 15),
        (b"\x08\x81\xaaUserMsgLen\xd2\x00\x00\x0b\xb9", over(Limit::UserMessageBytes, 3_000, 3_001), 13),
        (
            b"\x08\x81\xaaUserMsgLen\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
            ErrorKind::Number { found: u64::MAX, limit: i64::MAX as u64 },
            13,
        ),
        (b"\x07\x00", ErrorKind::MessageType { found: 7 }, 0),
    ];
    for (bytes, kind, offset) in cases {
        assert_eq!(refused(Side::Accepted, &plain, bytes), (kind, offset), "{bytes:?}");
    }
    let encrypted = b"\x0a\x00\x00\x13\x89";
    assert_eq!(refused(Side::Accepted, &keyed, encrypted), (over(Limit::EncryptedBytes, 5_000, 5_001), 1));
    // At the limits there is nothing to say against them.
    for waits in [&b"\x06\x81\xa5Nodes\x64"[..], b"\x08\x81\xaaUserMsgLen\xcd\x0b\xb8"] {
        assert_eq!(read(Side::Accepted, &plain, [waits]), Ok(None));
    }
    // Whatever does not end, ends at the limit of the stream.
    let endless = [&b"\x00\x81\xa1x\xdb\xff\xff\xff\xff"[..], &[0; 9_992]].concat();
    assert_eq!(endless.len(), 10_001);
    assert_eq!(read(Side::Accepted, &plain, [&endless[..10_000]]), Ok(None));
    assert_eq!(
        read(Side::Accepted, &plain, [&endless[..]]).unwrap_err().kind(),
        over(Limit::StreamBytes, 10_000, 10_001)
    );
}

#[test]
fn bombs_end_at_the_limit() {
    let limits = Limits { stream_bytes: 100_000, ..Limits::default() };
    let reading = codec(CodecConfig { limits, ..CodecConfig::default() }, None);
    let (mut writing, mut written) = (codec(CodecConfig::default(), None), Vec::new());
    writing.write_user_message(Side::Dialled, &[0; 99_900], &mut written).unwrap();
    assert!(written.len() < 1_000);
    assert!(read(Side::Accepted, &reading, [&written[..]]).unwrap().is_some());
    written.clear();
    writing.write_user_message(Side::Dialled, &[0; 100_000], &mut written).unwrap();
    let error = read(Side::Accepted, &reading, [&written[..]]).unwrap_err().kind();
    assert!(
        matches!(error, ErrorKind::OverLimit { what: Limit::DecompressedBytes, limit: 100_000, .. }),
        "{error}"
    );
}

#[test]
fn what_is_too_large_is_not_written() {
    let limits = Limits {
        encrypted_bytes: 500,
        nodes: 1,
        user_state_bytes: 1_000,
        user_message_bytes: 1_000,
        ..Limits::default()
    };
    let config = CodecConfig { limits, compression: false, ..config() };
    let (mut plain, mut keyed) = (codec(config.clone(), None), codec(config, Some(16)));
    let mut into = b"before".to_vec();
    let over = |error: Result<(), OverLimit>, into: &[u8]| {
        assert_eq!(into, b"before", "nothing is written");
        let error = error.unwrap_err();
        (error.what, error.limit, error.found)
    };
    let two = [node("a", 1), node("b", 1)];
    let error = plain.write_push_pull(Side::Dialled, false, two.into_iter(), &[], &mut into);
    assert_eq!(over(error, &into), (Limit::Nodes, 1, 2));
    let error = plain.write_push_pull(Side::Dialled, false, [].into_iter(), &[0; 1_001], &mut into);
    assert_eq!(over(error, &into), (Limit::UserStateBytes, 1_000, 1_001));
    let error = plain.write_user_message(Side::Dialled, &[0; 1_001], &mut into);
    assert_eq!(over(error, &into), (Limit::UserMessageBytes, 1_000, 1_001));
    let error = keyed.write_user_message(Side::Dialled, &[0; 500], &mut into);
    assert_eq!(over(error, &into), (Limit::EncryptedBytes, 500, 545));
    keyed.write_user_message(Side::Dialled, &[0; 455], &mut into).unwrap();
}

/// A standing that is not known is nobody's, and no reason to drop the others.
#[test]
fn nodes_of_unknown_standing_are_left_out() {
    let state =
        |name: u8, standing: u8| [&b"\x82\xa4Name\xa1"[..], &[name], b"\xa5State", &[standing]].concat();
    let nodes = [state(b'a', 0), state(b'b', 4), state(b'c', 3), state(b'd', 0x7f)].concat();
    let bytes = [&b"\x06\x82\xa5Nodes\x04\xacUserStateLen\x02"[..], &nodes, b"xy"].concat();
    let mut reader = StreamReader::new(Side::Accepted);
    reader.push(&bytes);
    let codec = codec(CodecConfig::default(), None);
    let Some(StreamMessage::PushPull(push_pull)) = reader.next_message(&codec).unwrap() else {
        panic!("no push/pull");
    };
    let names: Vec<&str> = push_pull.nodes().map(|node| node.alive.node).collect();
    assert_eq!((names, push_pull.user_state), (vec!["a", "c"], &b"xy"[..]));
    // One that is no node at all is a reason.
    let bytes = b"\x06\x81\xa5Nodes\x02\x80\xa1x";
    let expected = (ErrorKind::ValueType { expected: "a map", found: 0xa1 }, 10);
    assert_eq!(refused(Side::Accepted, &codec, bytes), expected);
}

#[test]
fn a_stream_without_a_word_is_told_from_one_that_breaks_off() {
    let (codec, mut reader) = (codec(CodecConfig::default(), None), StreamReader::new(Side::Accepted));
    assert!(reader.next_message(&codec).unwrap().is_none());
    assert_eq!(reader.finish().unwrap_err().kind(), ErrorKind::Empty);
    reader.push(b"\x00\x81");
    assert!(reader.next_message(&codec).unwrap().is_none());
    let truncated = ErrorKind::Truncated { needed_bytes: 3, available_bytes: 2 };
    assert_eq!(reader.finish().unwrap_err().kind(), truncated);
}
