//! A stream, whole and in pieces: both give the same, and what is given is read again once it is written.
//!
//! The last byte also chooses pieces and envelopes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_gossip_core::wire::{
    Codec, CodecConfig, ErrorKind, Ints, Keyring, Limits, Message, Side, StreamMessage, StreamReader,
};

fuzz_target!(|bytes: &[u8]| {
    let choice = bytes.last().copied().unwrap_or_default();
    let codec = codec(choice, true);
    let whole = read(&codec, [bytes]);
    let pieces = read(&codec, bytes.chunks(1 + usize::from(choice >> 3)));
    match (&whole, &pieces) {
        (Err(one), Err(other)) if one != other => {
            // More came with the piece that was too much.
            assert!(
                matches!((one, other), (ErrorKind::OverLimit { .. }, ErrorKind::OverLimit { .. })),
                "{one} {other}"
            );
        }
        _ => assert_eq!(whole, pieces),
    }
    let Ok(Some((_, again))) = whole else { return };
    assert_eq!(
        read(&self::codec(choice, false), [&again[..]]).map(|read| read.map(|read| read.0)),
        pieces.map(|read| read.map(|read| read.0))
    );
});

/// What came, shown, and written again.
fn read<'p>(
    codec: &Codec,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Result<Option<(String, Vec<u8>)>, ErrorKind> {
    let mut reader = StreamReader::new(Side::Accepted);
    for piece in pieces {
        reader.push(piece);
        let Some(message) = reader.next_message(codec).map_err(|error| error.kind())? else { continue };
        let (mut again, mut writing) = (Vec::new(), self::codec(0, false));
        let shown = match &message {
            StreamMessage::Ping(ping) if ping.source.addr == Some(&[]) => return Ok(None), // Left out the second time.
            StreamMessage::Ping(ping) => {
                writing.write_stream(Side::Dialled, &Message::Ping(*ping), &mut again).unwrap();
                format!("{ping:?}")
            }
            StreamMessage::Ack(ack) => {
                writing.write_stream(Side::Dialled, &Message::Ack(*ack), &mut again).unwrap();
                format!("{ack:?}")
            }
            StreamMessage::Err(error) => {
                writing.write_stream(Side::Dialled, &Message::Err(error), &mut again).unwrap();
                format!("{error:?}")
            }
            StreamMessage::User(bytes) => {
                writing.write_user_message(Side::Dialled, bytes, &mut again).unwrap();
                format!("{bytes:?}")
            }
            StreamMessage::PushPull(push_pull) => {
                let nodes: Vec<_> = push_pull.nodes().collect();
                let shown = format!("{} {nodes:?} {:?}", push_pull.join, push_pull.user_state);
                let (join, state) = (push_pull.join, push_pull.user_state);
                writing.write_push_pull(Side::Dialled, join, nodes.into_iter(), state, &mut again).unwrap();
                shown
            }
            message => panic!("{message:?}"),
        };
        return Ok(Some((shown, again)));
    }
    Ok(None)
}

fn codec(choice: u8, limited: bool) -> Codec {
    let ints = if choice & 4 == 4 { Ints::Signed } else { Ints::Unsigned };
    let stream_bytes = if limited { 1 << 20 } else { 40 << 20 };
    let limits = Limits { stream_bytes, ..Limits::default() };
    let config = CodecConfig {
        ints,
        compression: choice & 2 == 2,
        accept_plain: true,
        limits,
        ..CodecConfig::default()
    };
    let codec = Codec::new(config).unwrap();
    match choice & 1 {
        0 => codec,
        _ => codec.encrypted(Keyring::new(&[7; 16]).unwrap(), [choice; 12]),
    }
}
