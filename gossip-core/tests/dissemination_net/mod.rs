//! A network in virtual time, from a seed: latency, loss, bandwidth, crashes.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use promha_gossip_core::dissemination::{Config, Dissemination, Event, Source, Speaks, Verdict};
use promha_gossip_core::wire::{Ints, Packet};
use promha_gossip_core::{Instant, Key, PeerId, Version};

/// memberlist's.
pub(crate) const PACKET_BYTES: usize = 1400;

const TYPE_USER: u8 = 8;

/// What a node holds. A message is key, version, and so many bytes in all.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) held: BTreeMap<Key, Version>,
    pub(crate) message_bytes: usize,
}

impl Source for Store {
    fn message(&self, key: Key, into: &mut Vec<u8>) -> Option<Version> {
        let version = *self.held.get(&key)?;
        let start = into.len();
        for number in [key.0, version.stamp_ms, version.content] {
            into.extend_from_slice(&number.to_le_bytes());
        }
        into.resize(start + self.message_bytes.max(24), 0);
        Some(version)
    }
}

/// What a message says.
pub(crate) fn parse(message: &[u8]) -> (Key, Version) {
    let number = |at: usize| u64::from_le_bytes(message[at..at + 8].try_into().unwrap());
    (Key(number(0)), Version { stamp_ms: number(8), content: number(16) })
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn at_ms(at: u64) -> Instant {
    Instant::ORIGIN + ms(at)
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) gossip: Dissemination,
    pub(crate) store: Store,
    pub(crate) alive: bool,
    /// A real Alertmanager: it takes what it gets.
    pub(crate) mute: bool,
    pub(crate) events: Vec<Event>,
    wake_at: Instant,
}

impl Node {
    /// Takes a message, as the owner of the content would.
    pub(crate) fn judge(&mut self, key: Key, version: Version) -> Verdict {
        let held = self.store.held.get(&key).copied();
        if held == Some(version) {
            return Verdict::Known;
        }
        if held > Some(version) {
            return Verdict::Stale;
        }
        self.store.held.insert(key, version);
        Verdict::Fresh
    }
}

/// A message that was put into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) key: Key,
    pub(crate) version: Version,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) latency_ms: std::ops::Range<u64>,
    pub(crate) loss: f64,
    /// Of each pair of nodes, each direction; 0 is endless.
    pub(crate) bytes_per_s: u64,
}

impl Default for Link {
    fn default() -> Self {
        Self { latency_ms: 1..10, loss: 0.0, bytes_per_s: 0 }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) link: Link,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Sent>,
    /// The messages that came, and when each control message came.
    pub(crate) heard: Vec<Sent>,
    pub(crate) told: Vec<(Instant, u32, u32)>,
    /// Whether each message is noted, or only counted.
    pub(crate) notes: bool,
    pub(crate) payloads: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) controls: u64,
    pub(crate) control_bytes: u64,
    pub(crate) packets: u64,
    rng: fastrand::Rng,
    queue: BinaryHeap<Reverse<(Instant, u64, u32, u32)>>,
    bodies: BTreeMap<u64, Vec<Vec<u8>>>,
    next: u64,
    /// When each link has sent all that it was given.
    free_at: BTreeMap<(u32, u32), Instant>,
    packet: Packet,
}

const TIMER: u32 = u32::MAX;

impl Net {
    /// Nodes that all know each other.
    pub(crate) fn new(count: u32, config: &Config, link: Link, seed: u64) -> Self {
        Self::mixed(count, 0, config, link, seed)
    }

    /// The last ones of them speak only messages.
    pub(crate) fn mixed(count: u32, mute: u32, config: &Config, link: Link, seed: u64) -> Self {
        let start = Instant::ORIGIN;
        let mut rng = fastrand::Rng::with_seed(seed);
        let node = |number: u32| {
            let mut gossip = Dissemination::new(config.clone(), rng.u64(..), start);
            for peer in (0..count).filter(|&peer| peer != number) {
                let speaks = if peer >= count - mute { Speaks::Messages } else { Speaks::Digests };
                gossip.add_peer(PeerId(peer), speaks, start);
            }
            let store = Store { held: BTreeMap::new(), message_bytes: 200 };
            let mute = number >= count - mute;
            Node { gossip, store, alive: true, mute, events: Vec::new(), wake_at: Instant::NEVER }
        };
        let nodes = (0..count).map(node).collect();
        let mut net = Self {
            nodes,
            link,
            now: start,
            sent: Vec::new(),
            heard: Vec::new(),
            told: Vec::new(),
            notes: true,
            payloads: 0,
            payload_bytes: 0,
            controls: 0,
            control_bytes: 0,
            packets: 0,
            rng,
            queue: BinaryHeap::new(),
            bodies: BTreeMap::new(),
            next: 0,
            free_at: BTreeMap::new(),
            packet: Packet::new(PACKET_BYTES, Ints::Unsigned),
        };
        (0..count).for_each(|number| net.flush(number));
        net
    }

    /// A node starts anew, and knows nothing.
    pub(crate) fn restart(&mut self, number: u32, config: &Config, seed: u64) {
        let (now, count) = (self.now, self.nodes.len() as u32);
        let mut gossip = Dissemination::new(config.clone(), seed, now);
        for peer in (0..count).filter(|&peer| peer != number) {
            gossip.add_peer(PeerId(peer), Speaks::Digests, now);
        }
        let node = &mut self.nodes[number as usize];
        node.store.held.clear();
        (node.gossip, node.alive, node.wake_at) = (gossip, true, Instant::NEVER);
        self.flush(number);
    }

    /// A node has known something for long.
    pub(crate) fn restore(&mut self, number: u32, key: Key, version: Version) {
        let node = &mut self.nodes[number as usize];
        node.store.held.insert(key, version);
        node.gossip.restore(key, version);
    }

    /// A node makes something new of a key.
    pub(crate) fn publish(&mut self, number: u32, key: Key, version: Version) {
        self.publish_silently(number, key, version);
        self.flush(number);
    }

    /// As `publish`, but what is to be sent waits.
    pub(crate) fn publish_silently(&mut self, number: u32, key: Key, version: Version) {
        let now = self.now;
        let node = &mut self.nodes[number as usize];
        node.store.held.insert(key, version);
        node.gossip.publish(key, version, now);
    }

    /// Runs until it is over, or until a moment. Says whether it was over.
    pub(crate) fn run(&mut self, until: Instant, mut is_over: impl FnMut(&Self) -> bool) -> bool {
        while !is_over(self) {
            match self.queue.peek() {
                Some(&Reverse((at, ..))) if at <= until => self.step(),
                _ => {
                    self.now = until;
                    return false;
                }
            }
        }
        true
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        self.run(self.now + duration, |_| false);
    }

    /// Whether all living nodes hold the same, and at least this.
    pub(crate) fn is_everywhere(&self, key: Key, version: Version) -> bool {
        self.nodes.iter().filter(|node| node.alive).all(|node| node.store.held.get(&key) == Some(&version))
    }

    pub(crate) fn converged(&self) -> bool {
        let mut living = self.nodes.iter().filter(|node| node.alive);
        let Some(first) = living.next() else { return true };
        living.all(|node| node.store.held == first.store.held)
    }

    fn step(&mut self) {
        let Some(Reverse((at, id, from, to))) = self.queue.pop() else { return };
        self.now = at;
        if from == TIMER {
            let node = &mut self.nodes[to as usize];
            if node.wake_at == at {
                node.wake_at = Instant::NEVER;
                if node.alive {
                    node.gossip.handle_timeout(at);
                    self.flush(to);
                }
            }
            return;
        }
        let bodies = self.bodies.remove(&id).unwrap();
        if self.nodes[to as usize].alive {
            bodies.iter().for_each(|body| self.deliver(from, to, body));
            self.flush(to);
        }
    }

    pub(crate) fn deliver(&mut self, from: u32, to: u32, body: &[u8]) {
        let (now, node) = (self.now, &mut self.nodes[to as usize]);
        let (&kind, message) = body.split_first().unwrap();
        assert_eq!(kind, TYPE_USER);
        if let Some(control) = node.gossip.control(message) {
            assert!(!node.mute, "a peer that does not speak it");
            node.gossip.handle_control(PeerId(from), control, now).unwrap();
            if self.notes {
                self.told.push((now, from, to));
            }
        } else {
            let (key, version) = parse(message);
            if self.notes {
                self.heard.push(Sent { at: now, from, to, key, version });
            }
            let verdict = node.judge(key, version);
            if !node.mute {
                node.gossip.heard(PeerId(from), key, version, verdict, now);
            }
        }
    }

    /// Sends what a node has to send.
    pub(crate) fn flush(&mut self, number: u32) {
        if self.nodes[number as usize].mute {
            return;
        }
        let mut packet = self.packet.clone();
        while let Some(to) = self.poll(number, &mut packet) {
            self.carry(number, to, &packet);
        }
        let node = &mut self.nodes[number as usize];
        while let Some(event) = node.gossip.poll_event() {
            node.events.push(event);
        }
        if let Some(at) = node.gossip.poll_timeout() {
            let at = at.max(self.now);
            if at < node.wake_at {
                node.wake_at = at;
                self.queue.push(Reverse((at, self.next, TIMER, number)));
                self.next += 1;
            }
        }
    }

    /// The next packet of a node, counted.
    pub(crate) fn poll(&mut self, number: u32, packet: &mut Packet) -> Option<u32> {
        let node = &mut self.nodes[number as usize];
        let to = node.gossip.poll_transmit(&node.store, packet)?.0;
        self.packets += 1;
        let mut keys = Vec::new();
        for body in packet.bodies() {
            if node.gossip.control(&body[1..]).is_some() {
                self.controls += 1;
                self.control_bytes += body.len() as u64;
                continue;
            }
            self.payloads += 1;
            self.payload_bytes += body.len() as u64;
            let (key, version) = parse(&body[1..]);
            assert_eq!(node.store.held.get(&key), Some(&version), "only the newest travels");
            assert!(!keys.contains(&key), "a key twice in a packet");
            keys.push(key);
            if self.notes {
                self.sent.push(Sent { at: self.now, from: number, to, key, version });
            }
        }
        Some(to)
    }

    fn carry(&mut self, from: u32, to: u32, packet: &Packet) {
        let bodies: Vec<Vec<u8>> = packet.bodies().map(<[u8]>::to_vec).collect();
        let bytes: usize = bodies.iter().map(|body| body.len() + 2).sum();
        assert!(bytes + 2 <= PACKET_BYTES);
        let mut leaves_at = self.now;
        if self.link.bytes_per_s > 0 {
            let free_at = self.free_at.entry((from, to)).or_default();
            let takes = Duration::from_secs_f64((bytes as f64 + 30.0) / self.link.bytes_per_s as f64);
            leaves_at = (*free_at).max(self.now) + takes;
            *free_at = leaves_at;
        }
        if self.rng.f64() < self.link.loss {
            return;
        }
        let latency = Duration::from_micros(
            self.rng.u64(self.link.latency_ms.start * 1000..self.link.latency_ms.end * 1000),
        );
        self.queue.push(Reverse((leaves_at + latency, self.next, from, to)));
        self.bodies.insert(self.next, bodies);
        self.next += 1;
    }
}
