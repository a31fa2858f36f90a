//! What Alertmanager adds: parts and full states, read again once they are written, and frames, cut in two at every byte.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promha_gossip_core::wire::alertmanager::{
    Frame, FrameReader, FullState, Part, write_packet, write_stream,
};

fuzz_target!(|input: &[u8]| {
    if let Ok(part) = Part::decode(input) {
        let mut again = Vec::new();
        part.encode(&mut again);
        assert_eq!(Part::decode(&again), Ok(part));
    }
    if let Ok(state) = FullState::decode(input) {
        let mut again = Vec::new();
        FullState::encode(state.parts(), &mut again);
        assert!(FullState::decode(&again).unwrap().parts().eq(state.parts()));
    }

    let whole = read(&[input]);
    for cut in 0..input.len().min(300) {
        let (start, end) = input.split_at(cut);
        assert_eq!(read(&[start, end]), whole);
    }
    let mut again = Vec::new();
    for (from, datagram) in &whole.0 {
        match (from, datagram) {
            (Some(from), Some(datagram)) => write_packet(*from, datagram, &mut again).unwrap(),
            (None, Some(_)) => return, // From what is no address in numbers.
            (_, None) => write_stream(&mut again),
        }
    }
    assert_eq!(read(&[&again]).0, whole.0);
});

type Found = (Option<std::net::SocketAddr>, Option<Vec<u8>>);

/// The frames, and whether there was no error.
fn read(pieces: &[&[u8]]) -> (Vec<Found>, bool) {
    let (mut reader, mut found) = (FrameReader::new(3_000), Vec::new());
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next_frame() {
                Err(_) => return (found, false),
                Ok(None) => break,
                Ok(Some(Frame::Packet { from, datagram })) => found.push((from, Some(datagram.to_vec()))),
                Ok(Some(_)) => found.push((None, None)),
            }
        }
    }
    (found, true)
}
