//! A few nodes in virtual time: the smallest driver that there can be.

#![allow(dead_code, reason = "no test needs all of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use promha_gossip_core::membership::{Event, Membership, MembershipConfig, Outgoing};
use promha_gossip_core::wire::{Ack, Alive, Ints, Message, Packet, Rumour, Standing};
use promha_gossip_core::{Instant, PeerId};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const VSN: [u8; 6] = [1, 5, 2, 0, 0, 0];

pub(crate) fn addr(node: usize) -> SocketAddr {
    ([10, 0, (node >> 8) as u8, node as u8], 7_946).into()
}

pub(crate) fn name(node: usize) -> String {
    format!("node-{node}")
}

pub(crate) fn at(seconds: f64) -> Instant {
    Instant::since_origin(Duration::from_secs_f64(seconds))
}

/// Node 0, alone, and what it does; the test is everybody else.
pub(crate) struct Lone {
    pub(crate) membership: Membership,
    pub(crate) now: Instant,
    /// Whether everybody answers its pings.
    pub(crate) answered: bool,
}

impl Lone {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut MembershipConfig)) -> Self {
        let mut config = MembershipConfig::lan(name(0), addr(0));
        change(&mut config);
        let now = at(100.0);
        Self { membership: Membership::new(config, 7, now).unwrap(), now, answered: false }
    }

    pub(crate) fn hear(&mut self, message: Message<'_>) {
        self.membership.handle_message(addr(250), &message, self.now);
    }

    pub(crate) fn hear_alive(&mut self, node: usize, incarnation: u32) {
        self.hear_alive_at(node, incarnation, node);
    }

    /// At the address of another one.
    pub(crate) fn hear_alive_at(&mut self, node: usize, incarnation: u32, place: usize) {
        let ip = ip(addr(place));
        let vsn = Some(VSN.as_slice());
        let (addr, port) = (Some(ip.as_slice()), addr(place).port());
        self.hear(Message::Alive(Alive { incarnation, node: &name(node), addr, port, meta: None, vsn }));
    }

    pub(crate) fn hear_suspect(&mut self, node: usize, incarnation: u32, from: usize) {
        self.hear(Message::Suspect(Rumour { incarnation, node: &name(node), from: &name(from) }));
    }

    pub(crate) fn hear_dead(&mut self, node: usize, incarnation: u32, from: usize) {
        self.hear(Message::Dead(Rumour { incarnation, node: &name(node), from: &name(from) }));
    }

    pub(crate) fn peer(&self, node: usize) -> Option<PeerId> {
        self.membership.peer_of(&name(node))
    }

    pub(crate) fn stands(&self, node: usize) -> Option<(Standing, u32)> {
        let member = self.membership.member(self.peer(node)?)?;
        Some((member.standing(), member.incarnation()))
    }

    /// Lets time pass, timeout by timeout, and returns what was sent, decoded into lines.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<(Outgoing, Vec<String>)> {
        let (until, mut sent) = (self.now + time, self.sent());
        while let Some(next) = self.membership.poll_timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.membership.handle_timeout(self.now);
            sent.extend(self.sent());
        }
        self.now = until;
        sent
    }

    pub(crate) fn sent(&mut self) -> Vec<(Outgoing, Vec<String>)> {
        let mut packet = Packet::new(1_400, Ints::Unsigned);
        let mut sent = Vec::new();
        while let Some(outgoing) = self.membership.poll_transmit(&mut packet) {
            for body in packet.bodies() {
                if let (true, Message::Ping(ping)) = (self.answered, Message::decode(body).unwrap()) {
                    let ack = Message::Ack(Ack { seq_no: ping.seq_no, payload: None });
                    self.membership.handle_message(addr(250), &ack, self.now);
                }
            }
            let messages = match outgoing {
                Outgoing::Datagram { .. } => packet.bodies().map(line).collect(),
                _ => Vec::new(),
            };
            sent.push((outgoing, messages));
        }
        sent
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.membership.poll_event()).collect()
    }
}

/// A message as a line of what matters.
pub(crate) fn line(body: &[u8]) -> String {
    match Message::decode(body).unwrap() {
        Message::Ping(ping) => format!("ping {}", ping.node),
        Message::IndirectPing(request) => format!("indirect {} nack={}", request.node, request.nack),
        Message::Ack(ack) => format!("ack {}", ack.seq_no),
        Message::Nack(nack) => format!("nack {}", nack.seq_no),
        Message::Suspect(rumour) => {
            format!("suspect {} {} from {}", rumour.node, rumour.incarnation, rumour.from)
        }
        Message::Alive(alive) => format!("alive {} {}", alive.node, alive.incarnation),
        Message::Dead(rumour) => format!("dead {} {} from {}", rumour.node, rumour.incarnation, rumour.from),
        other => format!("{other:?}"),
    }
}

pub(crate) fn ip(addr: SocketAddr) -> Vec<u8> {
    match addr.ip() {
        std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
        std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// Several nodes, with a network between them that delays and loses.
pub(crate) struct Cluster {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) latency: Duration,
    /// Of 1,000 datagrams.
    pub(crate) lost: u32,
    pub(crate) datagrams: u64,
    /// Nodes with different numbers do not hear each other.
    pub(crate) side: Vec<u8>,
    travelling: BTreeMap<(Instant, u64), Travelling>,
    begun: u64,
    rng: fastrand::Rng,
    packet: Packet,
    config: fn(usize) -> MembershipConfig,
}

pub(crate) struct Node {
    pub(crate) membership: Membership,
    pub(crate) state: State,
    pub(crate) events: Vec<(Instant, Event)>,
    wakes: Option<Instant>,
    inbox: Vec<Travelling>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Up,
    Paused,
    Down,
}

#[derive(Clone)]
struct Travelling {
    from: usize,
    to: usize,
    what: What,
}

#[derive(Clone)]
enum What {
    Datagram(Vec<Vec<u8>>),
    PushPull { join: bool },
    StreamPing { seq_no: u32, node: String },
    StreamAck { seq_no: u32 },
}

pub(crate) fn lan(node: usize) -> MembershipConfig {
    MembershipConfig::lan(name(node), addr(node))
}

pub(crate) fn plain(node: usize) -> MembershipConfig {
    lan(node).plain()
}

impl Cluster {
    /// So many nodes, which do not know each other.
    pub(crate) fn new(count: usize, seed: u64, config: fn(usize) -> MembershipConfig) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let nodes = (0..count)
            .map(|node| Node {
                membership: Membership::new(config(node), rng.u64(..), Instant::ORIGIN).unwrap(),
                state: State::Up,
                events: Vec::new(),
                wakes: None,
                inbox: Vec::new(),
            })
            .collect();
        Self {
            now: Instant::ORIGIN,
            nodes,
            latency: Duration::from_millis(1),
            lost: 0,
            datagrams: 0,
            side: vec![0; count],
            travelling: BTreeMap::new(),
            begun: 0,
            rng,
            packet: Packet::new(1_400, Ints::Unsigned),
            config,
        }
    }

    /// So many nodes that have joined the first one and know each other.
    pub(crate) fn joined(count: usize, seed: u64, config: fn(usize) -> MembershipConfig) -> Self {
        let mut cluster = Self::new(count, seed, config);
        for node in 1..count {
            cluster.join(node, 0);
        }
        cluster.run_until(|cluster| cluster.all_agree(), 60.0);
        cluster.run(5.0);
        for node in &mut cluster.nodes {
            node.events.clear();
        }
        cluster
    }

    pub(crate) fn join(&mut self, node: usize, with: usize) {
        self.nodes[node].membership.join(&[addr(with)]);
        self.pump(node);
    }

    /// Whether every node that is up takes all that are up for alive, and nobody else.
    pub(crate) fn all_agree(&self) -> bool {
        let up: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.nodes[*node].state == State::Up).collect();
        up.iter().all(|node| {
            let membership = &self.nodes[*node].membership;
            membership.len_active() == up.len() - 1
                && up
                    .iter()
                    .filter(|other| *other != node)
                    .all(|other| self.stands(*node, *other) == Some(Standing::Alive))
        })
    }

    pub(crate) fn stands(&self, node: usize, other: usize) -> Option<Standing> {
        let membership = &self.nodes[node].membership;
        Some(membership.member(membership.peer_of(&name(other))?)?.standing())
    }

    pub(crate) fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.nodes.iter().flat_map(|node| &node.events).filter(|(_, event)| is_it(event)).count()
    }

    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node].state = State::Down;
        self.nodes[node].wakes = None;
    }

    /// Begins anew, with nothing known.
    pub(crate) fn restart(&mut self, node: usize) {
        let seed = self.rng.u64(..);
        self.nodes[node].membership = Membership::new((self.config)(node), seed, self.now).unwrap();
        self.nodes[node].state = State::Up;
        self.pump(node);
    }

    pub(crate) fn pause(&mut self, node: usize) {
        self.nodes[node].state = State::Paused;
    }

    /// A process that runs on finds its timers first, and then what is in its socket.
    pub(crate) fn resume(&mut self, node: usize) {
        self.nodes[node].state = State::Up;
        let now = self.now;
        while self.nodes[node].membership.poll_timeout().is_some_and(|wakes| wakes <= now) {
            self.nodes[node].membership.handle_timeout(now);
        }
        for travelling in std::mem::take(&mut self.nodes[node].inbox) {
            self.arrive(travelling);
        }
        self.pump(node);
    }

    /// After something was done to a node.
    pub(crate) fn wake(&mut self, node: usize) {
        self.pump(node);
    }

    pub(crate) fn run(&mut self, seconds: f64) {
        self.run_until(|_| false, seconds);
    }

    /// Runs until it is so, at most so long; how long it took, if it became so.
    pub(crate) fn run_until(&mut self, is_so: impl Fn(&Self) -> bool, seconds: f64) -> Option<f64> {
        let (begin, end) = (self.now, self.now + Duration::from_secs_f64(seconds));
        loop {
            if is_so(self) {
                return Some((self.now - begin).as_secs_f64());
            }
            let arrival = self.travelling.first_key_value().map(|((at, _), _)| *at);
            let up = self.nodes.iter().enumerate().filter(|(_, node)| node.state == State::Up);
            let wake = up.filter_map(|(at, node)| Some((node.wakes?, at))).min();
            let next = arrival.into_iter().chain(wake.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return None;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                if let Some((_, travelling)) = self.travelling.pop_first() {
                    self.arrive(travelling);
                }
            } else if let Some((_, node)) = wake {
                self.nodes[node].membership.handle_timeout(self.now);
                self.pump(node);
            }
        }
    }

    fn arrive(&mut self, travelling: Travelling) {
        let Travelling { from, to, ref what } = travelling;
        match self.nodes[to].state {
            State::Down => {
                if let What::PushPull { .. } = what {
                    self.nodes[from].membership.handle_push_pull_failed(addr(to));
                }
                return;
            }
            State::Paused => {
                self.nodes[to].inbox.push(travelling);
                return;
            }
            State::Up => {}
        }
        match what {
            What::Datagram(bodies) => {
                for body in bodies {
                    let message = Message::decode(body).unwrap();
                    self.nodes[to].membership.handle_message(addr(from), &message, self.now);
                }
            }
            What::PushPull { join } => self.exchange(from, to, *join),
            What::StreamPing { seq_no, node } => {
                if self.nodes[to].membership.answers_to(node) {
                    self.send(to, from, What::StreamAck { seq_no: *seq_no }, 0);
                }
            }
            What::StreamAck { seq_no } => self.nodes[to].membership.handle_stream_ack(*seq_no, self.now),
        }
        self.pump(to);
    }

    fn exchange(&mut self, from: usize, to: usize, join: bool) {
        let now = self.now;
        if self.nodes[from].state == State::Up
            && let Ok([asks, answers]) = self.nodes.get_disjoint_mut([from, to])
        {
            answers.membership.handle_push_pull(addr(from), asks.membership.nodes(), join, now).unwrap();
            asks.membership.handle_push_pull(addr(to), answers.membership.nodes(), join, now).unwrap();
            self.pump(from);
        }
    }

    /// Does what a node wants done.
    fn pump(&mut self, node: usize) {
        let mut packet = std::mem::replace(&mut self.packet, Packet::new(0, Ints::Unsigned));
        while let Some(outgoing) = self.nodes[node].membership.poll_transmit(&mut packet) {
            match outgoing {
                Outgoing::Datagram { to, .. } => {
                    let bodies = packet.bodies().map(<[u8]>::to_vec).collect();
                    self.datagrams += 1;
                    self.send(node, place(to), What::Datagram(bodies), self.lost);
                }
                Outgoing::PushPull { to, join } => self.send(node, place(to), What::PushPull { join }, 0),
                Outgoing::FallbackPing { to, peer, seq_no } => {
                    let member = self.nodes[node].membership.member(peer).unwrap();
                    let what = What::StreamPing { seq_no, node: member.name().to_owned() };
                    self.send(node, place(to), what, 0);
                }
                other => panic!("{other:?}"),
            }
        }
        self.packet = packet;
        let now = self.now;
        let Node { membership, events, wakes, .. } = &mut self.nodes[node];
        events.extend(std::iter::from_fn(|| membership.poll_event()).map(|event| (now, event)));
        *wakes = membership.poll_timeout();
    }

    fn send(&mut self, from: usize, to: usize, what: What, lost: u32) {
        if to >= self.nodes.len() || self.side[from] != self.side[to] || self.rng.u32(..1_000) < lost {
            return;
        }
        let spread = self.rng.f64();
        self.begun += 1;
        let arrives = self.now + self.latency + self.latency.mul_f64(spread);
        self.travelling.insert((arrives, self.begun), Travelling { from, to, what });
    }
}

fn place(addr: SocketAddr) -> usize {
    let ip = ip(addr);
    usize::from(ip[2]) << 8 | usize::from(ip[3])
}
