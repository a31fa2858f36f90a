use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use promha_gossip_core::Instant;

use crate::simulator::node::{Birth, Node, Queues, Stamp, Told, Transmit, address, wall_ms};

const ROUND: Duration = Duration::from_millis(200);
const FAN_OUT: usize = 3;
const PACKET_BYTES: usize = 1_300;

/// memberlist's rule for what its user sends, and nothing else: every round to three peers by chance whatever was sent least often, each
/// so many times. All nodes are known from the start.
#[derive(Debug)]
pub struct Retransmit {
    number: usize,
    nodes: usize,
    rng: Rng,
    /// How often each is sent.
    limit: u32,
    known: Vec<(u64, Stamp)>,
    /// What is sent yet, and how often it was.
    queue: Vec<(u32, u64, Stamp)>,
    told: Vec<Told>,
    /// To whom it sends in this round, all different.
    targets: Vec<usize>,
    next: Instant,
    skew_ms: i64,
    payload_bytes: usize,
}

impl Retransmit {
    /// A node whose rounds are at its own time.
    pub fn new(birth: &Birth<'_>, multiplier: u32, payload_bytes: usize) -> Self {
        let mut node = Self::in_step(birth, multiplier, payload_bytes);
        node.next += Duration::from_nanos(node.rng.u64(..ROUND.as_nanos() as u64));
        node
    }

    /// A node whose rounds are at the same time as everybody's, as theory has it.
    pub fn in_step(birth: &Birth<'_>, multiplier: u32, payload_bytes: usize) -> Self {
        let limit = multiplier * ((birth.nodes + 1) as f64).log10().ceil() as u32;
        Self {
            number: birth.number,
            nodes: birth.nodes,
            rng: Rng::with_seed(birth.seed),
            limit,
            known: Vec::new(),
            queue: Vec::new(),
            told: Vec::new(),
            targets: Vec::new(),
            next: birth.now,
            skew_ms: birth.skew_ms,
            payload_bytes,
        }
    }

    fn learn(&mut self, key: u64, stamp: Stamp) {
        match self.known.binary_search_by_key(&key, |known| known.0) {
            Ok(at) if self.known[at].1 >= stamp => return,
            Ok(at) => self.known[at].1 = stamp,
            Err(at) => self.known.insert(at, (key, stamp)),
        }
        self.queue.retain(|queued| queued.1 != key);
        self.queue.push((0, key, stamp));
        self.told.push(Told::Value { key, stamp, live: true });
    }
}

impl Node for Retransmit {
    fn handle_datagram(&mut self, _from: SocketAddr, data: &[u8], _now: Instant) {
        Self::payloads(data, &mut |key, stamp| self.learn(key, stamp));
    }

    fn handle_timeout(&mut self, now: Instant) {
        while self.next <= now {
            self.next += ROUND;
        }
        self.targets.clear();
        while !self.queue.is_empty() && self.targets.len() < FAN_OUT.min(self.nodes - 1) {
            let to = (self.number + self.rng.usize(1..self.nodes)) % self.nodes;
            if !self.targets.contains(&to) {
                self.targets.push(to);
            }
        }
    }

    fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit> {
        let to = self.targets.pop()?;
        if self.queue.is_empty() {
            return None;
        }
        self.queue.sort_by_key(|queued| queued.0);
        for (sent, key, stamp) in self.queue.iter_mut().take(PACKET_BYTES / self.payload_bytes) {
            *sent += 1;
            let end = into.len() + self.payload_bytes;
            for number in [self.payload_bytes as u64, *key, stamp.0, stamp.1] {
                into.extend_from_slice(&number.to_le_bytes());
            }
            into.resize(end, 0);
        }
        let limit = self.limit;
        self.queue.retain(|queued| queued.0 < limit);
        Some(Transmit::Datagram { to: address(to) })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }

    fn poll_event(&mut self) -> Option<Told> {
        self.told.pop()
    }

    fn write(&mut self, key: u64, value: Option<u64>, now: Instant) {
        self.learn(key, (wall_ms(now, self.skew_ms), value.unwrap_or(0)));
    }

    fn value(&self, key: u64) -> Option<(Stamp, bool)> {
        let at = self.known.binary_search_by_key(&key, |known| known.0).ok()?;
        Some((self.known[at].1, true))
    }

    fn queues(&self) -> Queues {
        Queues { messages: self.queue.len(), bytes: self.queue.len() * self.payload_bytes }
    }

    fn payloads(data: &[u8], visit: &mut dyn FnMut(u64, Stamp)) {
        let number = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap());
        let mut at = 0;
        while at < data.len() {
            visit(number(at + 8), (number(at + 16), number(at + 24)));
            at += number(at) as usize;
        }
    }
}
