//! The messages of a packet one after the other, each after its length: the simplest that will do where the wire itself is not tried.

use promha_gossip_core::wire::Packet;

pub fn write(packet: &Packet, into: &mut Vec<u8>) {
    for body in packet.bodies() {
        into.extend_from_slice(&(body.len() as u16).to_le_bytes());
        into.extend_from_slice(body);
    }
}

pub fn read(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk()?;
        let (body, rest) = rest.split_at(u16::from_le_bytes(*length).into());
        data = rest;
        Some(body)
    })
}
