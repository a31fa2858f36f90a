use std::net::SocketAddr;

use promha_gossip_core::dissemination::{Config, Dissemination, Speaks};
use promha_gossip_core::wire::{Ints, Packet};
use promha_gossip_core::{Instant, PeerId};
use xxhash_rust::xxh64::xxh64;

use super::control::{asks, is_control};
use super::framing;
use super::table::{Entry, Table};
use crate::simulator::node::{Birth, Node, Queues, Stamp, Told, Transmit, address, number, wall_ms};

/// The dissemination alone, over the plainest state there is. All nodes know each other from the start, and nobody is ever told who is down.
#[derive(Debug)]
pub struct Rumour {
    dissemination: Dissemination,
    table: Table,
    packet: Packet,
    skew_ms: i64,
}

impl Rumour {
    pub fn new(birth: &Birth<'_>, message_bytes: usize, config: Config) -> Self {
        let mut dissemination = Dissemination::new(config, birth.seed, birth.now);
        for peer in (0..birth.nodes).filter(|peer| *peer != birth.number) {
            dissemination.add_peer(PeerId(peer as u32), Speaks::Digests, birth.now);
        }
        let table = Table::new(message_bytes, birth.snapshot);
        for entry in table.entries() {
            dissemination.restore(entry.name(), entry.version);
        }
        let packet = Packet::new(1_300, Ints::Unsigned);
        Self { dissemination, table, packet, skew_ms: birth.skew_ms }
    }

    pub fn dissemination(&self) -> &Dissemination {
        &self.dissemination
    }
}

impl Node for Rumour {
    fn handle_datagram(&mut self, from: SocketAddr, data: &[u8], now: Instant) {
        let from = PeerId(number(from).unwrap() as u32);
        for message in messages(data) {
            if let Some(control) = self.dissemination.control(message) {
                self.dissemination.handle_control(from, control, now).unwrap();
                continue;
            }
            let entry = Entry::read(message);
            let verdict = self.table.learn(entry);
            self.dissemination.heard(from, entry.name(), entry.version, verdict, now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.dissemination.handle_timeout(now);
    }

    fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit> {
        let to = self.dissemination.poll_transmit(&self.table, &mut self.packet)?;
        framing::write(&self.packet, into);
        Some(Transmit::Datagram { to: address(to.index()) })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.dissemination.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<Told> {
        while self.dissemination.poll_event().is_some() {}
        self.table.poll_told()
    }

    fn write(&mut self, key: u64, value: Option<u64>, now: Instant) {
        let entry = self.table.write(key, value, wall_ms(now, self.skew_ms));
        self.dissemination.publish(entry.name(), entry.version, now);
    }

    fn skew(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        Some(self.table.snapshot())
    }

    fn value(&self, key: u64) -> Option<(Stamp, bool)> {
        self.table.value(key)
    }

    fn state(&self) -> u64 {
        xxh64(&self.table.snapshot(), 0)
    }

    fn queues(&self) -> Queues {
        let counters = self.dissemination.stats();
        Queues { messages: counters.hot + counters.lanes, bytes: 0 }
    }

    fn payloads(data: &[u8], visit: &mut dyn FnMut(u64, Stamp)) {
        for message in messages(data).filter(|message| !is_control(message)) {
            let entry = Entry::read(message);
            visit(entry.key, entry.stamp());
        }
    }

    fn asks(data: &[u8]) -> bool {
        messages(data).any(asks)
    }
}

/// What comes after the type of memberlist's message.
fn messages(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    framing::read(data).map(|body| &body[1..])
}
