use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use promha_gossip_core::dissemination::{Config, Dissemination, Source, Speaks, Verdict};
use promha_gossip_core::wire::{Ints, Packet};
use promha_gossip_core::{Instant, Key, PeerId, Version};
use xxhash_rust::xxh64::xxh64;

use super::framing;
use crate::simulator::node::{Birth, Node, Queues, Stamp, Told, Transmit, address, number, wall_ms};

/// The type of a message of memberlist's user.
const USER: u8 = 8;

/// What control messages begin with, and their kinds.
const CONTROL: &[u8] = b"\x0a\x06promha\x12";
const DIGEST: u8 = 2;
const DIGEST_ASKS: u8 = 1;
const WANT_RANGES_LIST: [u8; 3] = [3, 4, 5];

/// The dissemination alone, over the plainest state there is. All nodes know each other from the start, and nobody is ever told who is down.
#[derive(Debug)]
pub struct Rumour {
    dissemination: Dissemination,
    state: State,
    packet: Packet,
    told: VecDeque<Told>,
    skew_ms: i64,
}

/// The last writer wins; graves stay.
#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Key, Entry>,
    /// How long a message is.
    message_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    version: Version,
    live: bool,
}

/// Key, stamp, content and whether it lives; the rest of a message is padding.
const ENTRY_BYTES: usize = 25;

impl Rumour {
    pub fn new(birth: &Birth<'_>, message_bytes: usize, config: Config) -> Self {
        let mut dissemination = Dissemination::new(config, birth.seed, birth.now);
        for peer in (0..birth.nodes).filter(|peer| *peer != birth.number) {
            dissemination.add_peer(PeerId(peer as u32), Speaks::Digests, birth.now);
        }
        let mut state = State { entries: BTreeMap::new(), message_bytes };
        for entry in birth.snapshot.unwrap_or_default().chunks_exact(ENTRY_BYTES).map(Entry::read) {
            state.entries.insert(entry.name(), entry);
            dissemination.restore(entry.name(), entry.version);
        }
        let packet = Packet::new(1_300, Ints::Unsigned);
        Self { dissemination, state, packet, told: VecDeque::new(), skew_ms: birth.skew_ms }
    }

    pub fn dissemination(&self) -> &Dissemination {
        &self.dissemination
    }

    fn learn(&mut self, entry: Entry) -> Verdict {
        let before = self.state.entries.get(&entry.name()).map(|known| known.version);
        match before.cmp(&Some(entry.version)) {
            std::cmp::Ordering::Greater => Verdict::Stale,
            std::cmp::Ordering::Equal => Verdict::Known,
            std::cmp::Ordering::Less => {
                self.state.entries.insert(entry.name(), entry);
                let Entry { key, live, .. } = entry;
                self.told.push_back(Told::Value { key, stamp: stamp(entry.version), live });
                Verdict::Fresh
            }
        }
    }
}

impl Source for State {
    fn message(&self, key: Key, into: &mut Vec<u8>) -> Option<Version> {
        let entry = self.entries.get(&key)?;
        let start = into.len();
        entry.write(into);
        into.resize(into.len().max(start + self.message_bytes), 0);
        Some(entry.version)
    }
}

impl Entry {
    fn name(&self) -> Key {
        Key::of(&self.key.to_le_bytes())
    }

    fn write(&self, into: &mut Vec<u8>) {
        for number in [self.key, self.version.stamp_ms, self.version.content] {
            into.extend_from_slice(&number.to_le_bytes());
        }
        into.push(self.live.into());
    }

    fn read(data: &[u8]) -> Self {
        let number = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap());
        let version = Version { stamp_ms: number(8), content: number(16) };
        Self { key: number(0), version, live: data[24] == 1 }
    }
}

impl Node for Rumour {
    fn handle_datagram(&mut self, from: SocketAddr, data: &[u8], now: Instant) {
        let from = PeerId(number(from).unwrap() as u32);
        for message in framing::read(data).map(|body| &body[1..]) {
            if let Some(control) = self.dissemination.control(message) {
                self.dissemination.handle_control(from, control, now).unwrap();
                continue;
            }
            let entry = Entry::read(message);
            let verdict = self.learn(entry);
            self.dissemination.heard(from, entry.name(), entry.version, verdict, now);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.dissemination.handle_timeout(now);
    }

    fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit> {
        let to = self.dissemination.poll_transmit(&self.state, &mut self.packet)?;
        framing::write(&self.packet, into);
        Some(Transmit::Datagram { to: address(to.index()) })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.dissemination.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<Told> {
        while self.dissemination.poll_event().is_some() {}
        self.told.pop_front()
    }

    fn write(&mut self, key: u64, value: Option<u64>, now: Instant) {
        let before = self.value(key).map_or(0, |(stamp, _)| stamp.0);
        let stamp_ms = wall_ms(now, self.skew_ms).max(before + 1);
        let content = xxh64(&value.unwrap_or(u64::MAX).to_le_bytes(), 0);
        let entry = Entry { key, version: Version { stamp_ms, content }, live: value.is_some() };
        self.learn(entry);
        self.dissemination.publish(entry.name(), entry.version, now);
    }

    fn skew(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        self.state.entries.values().for_each(|entry| entry.write(&mut data));
        Some(data)
    }

    fn value(&self, key: u64) -> Option<(Stamp, bool)> {
        let entry = self.state.entries.get(&Key::of(&key.to_le_bytes()))?;
        Some((stamp(entry.version), entry.live))
    }

    fn state(&self) -> u64 {
        let mut data = Vec::new();
        self.state.entries.values().for_each(|entry| entry.write(&mut data));
        xxh64(&data, 0)
    }

    fn queues(&self) -> Queues {
        let counters = self.dissemination.stats();
        Queues { messages: counters.hot + counters.lanes, bytes: 0 }
    }

    fn payloads(data: &[u8], visit: &mut dyn FnMut(u64, Stamp)) {
        for message in framing::read(data).filter(|body| body[0] == USER).map(|body| &body[1..]) {
            if !message.starts_with(CONTROL) {
                let Entry { key, version, .. } = Entry::read(message);
                visit(key, stamp(version));
            }
        }
    }

    fn asks(data: &[u8]) -> bool {
        framing::read(data).any(|body| {
            let control = body[1..].strip_prefix(CONTROL).map(|control| {
                // The length is a varint of one byte or two.
                &control[1 + usize::from(control[0] >> 7)..]
            });
            match control {
                Some([_, DIGEST, flags, ..]) => flags & DIGEST_ASKS != 0,
                Some([_, kind, ..]) => WANT_RANGES_LIST.contains(kind),
                _ => false,
            }
        })
    }
}

fn stamp(version: Version) -> Stamp {
    (version.stamp_ms, version.content)
}
