//! A few nodes, a clock that jumps to what comes next, and a network that only delays and cuts off.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use promha_gossip_core::dissemination::{Source, Verdict};
use promha_gossip_core::membership::MembershipConfig;
use promha_gossip_core::wire::{Codec, CodecConfig};
use promha_gossip_core::{
    Event, Gossip, GossipConfig, Heard, Instant, Key, Replica, StreamId, StreamInput, Transmit, Version,
};

const FIRST_PORT: u16 = 7000;

/// Values by key, of which the largest wins. A message is the key, a line feed, and the value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(BTreeMap<Key, (String, String)>);

impl Board {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        Some(self.0.get(&Key::of(key.as_bytes()))?.1.as_str())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.values().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(crate) fn message_of(key: &str, value: &str) -> Vec<u8> {
        format!("{key}\n{value}").into_bytes()
    }

    fn version_of(value: &str) -> Version {
        // Text sorts as its first bytes do, and then as its whole.
        let mut start = [0; 8];
        start.iter_mut().zip(value.bytes()).for_each(|(place, byte)| *place = byte);
        Version { stamp_ms: u64::from_be_bytes(start), content: Key::of(value.as_bytes()).0 }
    }

    fn set(&mut self, key: &str, value: &str) -> (Key, Version, Verdict) {
        let (name, version) = (Key::of(key.as_bytes()), Self::version_of(value));
        let held = self.0.get(&name).map(|(_, held)| Self::version_of(held));
        let verdict = match held.cmp(&Some(version)) {
            std::cmp::Ordering::Less => Verdict::Fresh,
            std::cmp::Ordering::Equal => Verdict::Known,
            std::cmp::Ordering::Greater => Verdict::Stale,
        };
        if verdict == Verdict::Fresh {
            self.0.insert(name, (key.to_owned(), value.to_owned()));
        }
        (name, version, verdict)
    }
}

impl Source for Board {
    fn message(&self, key: Key, into: &mut Vec<u8>) -> Option<Version> {
        let (key, value) = self.0.get(&key)?;
        into.extend(Self::message_of(key, value));
        Some(Self::version_of(value))
    }
}

impl Replica for Board {
    fn merge(&mut self, message: &[u8], _now_ms: u64, heard: Heard<'_>) {
        let Some((key, value)) = std::str::from_utf8(message).ok().and_then(|text| text.split_once('\n'))
        else {
            return;
        };
        let (key, version, verdict) = self.set(key, value);
        heard(key, version, verdict);
    }

    fn write_all(&self, into: &mut Vec<u8>) {
        for (key, value) in self.iter() {
            into.extend(Self::message_of(key, value));
            into.push(0);
        }
    }

    fn merge_all(&mut self, state: &[u8], now_ms: u64, heard: Heard<'_>) {
        for message in state.split(|&byte| byte == 0) {
            self.merge(message, now_ms, heard);
        }
    }

    fn versions(&self, tell: &mut dyn FnMut(Key, Version)) {
        self.0.iter().for_each(|(&key, (_, value))| tell(key, Self::version_of(value)));
    }
}

/// One end of a connection.
type End = (usize, StreamId);

#[derive(Debug)]
enum Arrival {
    Datagram { from: usize, bytes: Vec<u8> },
    Connect { from: End },
    Connected { stream: StreamId },
    Data { stream: StreamId, bytes: Vec<u8> },
    Closed { stream: StreamId },
    Failed { stream: StreamId },
}

/// Nodes, and what is between them.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) now: Instant,
    pub(crate) latency: Duration,
    pub(crate) datagrams: usize,
    pub(crate) streams: usize,
    nodes: Vec<Gossip<Board>>,
    events: Vec<Vec<Event>>,
    cut: BTreeSet<usize>,
    ends: BTreeMap<End, End>,
    arrivals: BTreeMap<(Instant, u64), (usize, Arrival)>,
    sent: u64,
    recorded: Option<Vec<Vec<u8>>>,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            now: Instant::ORIGIN,
            latency: Duration::from_millis(1),
            datagrams: 0,
            streams: 0,
            nodes: Vec::new(),
            events: Vec::new(),
            cut: BTreeSet::new(),
            ends: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            sent: 0,
            recorded: None,
        }
    }
}

impl Links {
    /// So many nodes that have joined each other.
    pub(crate) fn of(count: usize) -> Self {
        let mut links = Self::default();
        for _ in 0..count {
            links.add();
        }
        (1..count).for_each(|node| links.join(node, 0));
        links
    }

    pub(crate) fn add(&mut self) -> usize {
        self.add_with(Codec::new(CodecConfig::default()).unwrap())
    }

    pub(crate) fn add_with(&mut self, codec: Codec) -> usize {
        let number = self.nodes.len();
        let membership = MembershipConfig::lan(format!("node-{number}"), self.address(number));
        let config = GossipConfig::new(membership, 1_700_000_000_000);
        self.nodes.push(Gossip::new(config, codec, Board::default(), number as u64, self.now).unwrap());
        self.events.push(Vec::new());
        number
    }

    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], FIRST_PORT + node as u16))
    }

    pub(crate) fn node(&self, node: usize) -> &Gossip<Board> {
        &self.nodes[node]
    }

    pub(crate) fn node_mut(&mut self, node: usize) -> &mut Gossip<Board> {
        &mut self.nodes[node]
    }

    pub(crate) fn board(&self, node: usize) -> &Board {
        self.nodes[node].replica()
    }

    pub(crate) fn events(&self, node: usize) -> &[Event] {
        &self.events[node]
    }

    pub(crate) fn join(&mut self, node: usize, to: usize) {
        let (to, now) = (self.address(to), self.now);
        self.nodes[node].join(&[to], now);
        self.flush(node);
    }

    pub(crate) fn leave(&mut self, node: usize) {
        self.nodes[node].leave(self.now);
        self.flush(node);
    }

    pub(crate) fn write(&mut self, node: usize, key: &str, value: &str) {
        self.nodes[node].write(self.now, |board, _, changed| {
            let (key, version, _) = board.set(key, value);
            changed(key, version);
        });
        self.flush(node);
    }

    /// Nothing comes from or to a node any more.
    pub(crate) fn cut(&mut self, node: usize) {
        self.cut.insert(node);
    }

    pub(crate) fn heal(&mut self, node: usize) {
        self.cut.remove(&node);
    }

    /// Keeps all datagrams from now on.
    pub(crate) fn record(&mut self) {
        self.recorded = Some(Vec::new());
    }

    pub(crate) fn recorded(&self) -> Vec<Vec<u8>> {
        self.recorded.clone().unwrap_or_default()
    }

    /// Until everybody knows everybody and all is said.
    pub(crate) fn settle(&mut self) {
        self.run(Duration::from_secs(40));
        let others = self.nodes.len() - 1;
        assert!(self.nodes.iter().all(|node| node.membership().len_active() == others));
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let timeout = |node: usize| self.nodes[node].poll_timeout().map(|at| (at.max(self.now), node));
            let next_timeout = (0..self.nodes.len()).filter_map(timeout).min();
            let next_arrival = self.arrivals.keys().next().map(|(at, _)| *at);
            let next = next_timeout.map(|(at, _)| at).into_iter().chain(next_arrival).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = next;
            if next_arrival == Some(next) {
                let (_, (node, arrival)) = self.arrivals.pop_first().unwrap();
                self.arrive(node, arrival);
            } else if let Some((_, node)) = next_timeout {
                self.nodes[node].handle_timeout(next);
                self.flush(node);
            }
        }
        self.now = end;
    }

    fn arrive(&mut self, node: usize, arrival: Arrival) {
        let now = self.now;
        match arrival {
            Arrival::Datagram { from, bytes } => {
                let from = self.address(from);
                let _ = self.nodes[node].handle_datagram(from, &bytes, now);
            }
            Arrival::Connect { from } => {
                let address = self.address(from.0);
                let stream = self.nodes[node].accept(address, now);
                self.ends.insert(from, (node, stream));
                self.ends.insert((node, stream), from);
                self.send(from.0, Arrival::Connected { stream: from.1 });
            }
            Arrival::Connected { stream } => {
                self.nodes[node].handle_stream(stream, StreamInput::Connected, now);
            }
            Arrival::Data { stream, bytes } => {
                self.nodes[node].handle_stream(stream, StreamInput::Data(&bytes), now);
            }
            Arrival::Closed { stream } => self.nodes[node].handle_stream(stream, StreamInput::Closed, now),
            Arrival::Failed { stream } => self.nodes[node].handle_stream(stream, StreamInput::Failed, now),
        }
        self.flush(node);
    }

    /// Does what a node wants done.
    fn flush(&mut self, node: usize) {
        let mut buffer = Vec::new();
        while let Some(transmit) = self.nodes[node].poll_transmit(&mut buffer, self.now) {
            match transmit {
                Transmit::Datagram { to } => {
                    self.datagrams += 1;
                    if let Some(recorded) = &mut self.recorded {
                        recorded.push(buffer.clone());
                    }
                    if let Some(to) = self.reached(node, to) {
                        self.send(to, Arrival::Datagram { from: node, bytes: buffer.clone() });
                    }
                }
                Transmit::Connect { stream, to } => {
                    self.streams += 1;
                    match self.reached(node, to) {
                        Some(to) => self.send(to, Arrival::Connect { from: (node, stream) }),
                        None => self.send(node, Arrival::Failed { stream }),
                    }
                }
                Transmit::Stream { stream, close } => {
                    let Some(&(to, stream)) = self.ends.get(&(node, stream)) else { continue };
                    if !buffer.is_empty() {
                        self.send(to, Arrival::Data { stream, bytes: buffer.clone() });
                    }
                    if close {
                        self.send(to, Arrival::Closed { stream });
                    }
                }
            }
        }
        self.events[node].extend(std::iter::from_fn(|| self.nodes[node].poll_event()));
    }

    /// The node at an address, if what a node sends comes there.
    fn reached(&self, from: usize, address: SocketAddr) -> Option<usize> {
        let to = (0..self.nodes.len()).find(|&node| self.address(node) == address)?;
        (!self.cut.contains(&from) && !self.cut.contains(&to)).then_some(to)
    }

    fn send(&mut self, to: usize, arrival: Arrival) {
        self.sent += 1;
        self.arrivals.insert((self.now + self.latency, self.sent), (to, arrival));
    }
}
