//! The engine: nodes, a network between them, and time that jumps from one event to the next. One seed is one run, byte for byte.

mod action;
mod faults;
mod traffic;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use xxhash_rust::xxh64::xxh64;

use super::checks::{Broken, Watch};
use super::network::{Fate, Network};
use super::node::{Birth, Node, Transmit, address, instant, nanos, number};
use super::streams::{Due, Streams};
use super::wheel::Wheel;

pub use action::{Action, Running};

/// How often a node may ask to be woken at one moment, and how many packets it may send at once, before that counts as a fault.
const SPINS: u32 = 1_000;
const BURST: u32 = 200_000;

/// How much a socket keeps for a process that does not read: what Linux does by default.
const SOCKET_BYTES: usize = 212_992;

/// A place for a node: it stays when the node crashes.
pub struct Seat<N> {
    pub node: Option<N>,
    pub running: Running,
    /// It said that it leaves.
    pub leaving: bool,
    pub skew_ms: i64,
    /// How often it was started again.
    pub life: u32,
    /// Since when it is as it is.
    pub since_ns: u64,
    snapshot: Option<Vec<u8>>,
    /// When an event will wake it; later than it wants, never.
    wake_ns: u64,
    woken_ns: u64,
    spins: u32,
    inbox: VecDeque<Due>,
    socket: VecDeque<u32>,
    socket_bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub sent: u64,
    pub sent_bytes: u64,
    pub delivered: u64,
    pub lost: u64,
    pub twice: u64,
    /// To nodes that are not there.
    pub unheard: u64,
    /// A socket was full.
    pub overrun: u64,
    /// Longer than the network takes.
    pub too_long: u64,
    pub wakes: u64,
}

/// A check that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub check: &'static str,
    pub at: Duration,
    pub what: String,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Wake(u32),
    Datagram(u32),
    Stream(u32),
    Action(u32),
}

#[derive(Debug, Default)]
struct Datagram {
    from: u32,
    to: u32,
    bytes: Vec<u8>,
}

/// Starts a node.
pub type Make<N> = Box<dyn FnMut(&Birth<'_>) -> N>;

pub struct World<N, W> {
    pub seats: Vec<Seat<N>>,
    pub network: Network,
    pub watch: W,
    pub counts: Counts,
    pub streams: Streams,
    /// The first check that did not hold; nothing happens after it.
    pub failure: Option<Failure>,
    make: Make<N>,
    now_ns: u64,
    wheel: Wheel<Event>,
    datagrams: Vec<Datagram>,
    unused: Vec<u32>,
    spare: Vec<Vec<u8>>,
    dues: Vec<Due>,
    unused_dues: Vec<u32>,
    actions: Vec<Option<Action>>,
    rng: Rng,
    /// A hash of everything that was delivered, when, from whom and to whom.
    trace: u64,
    trail: Vec<u64>,
}

impl<N: Node, W: Watch<N>> World<N, W> {
    /// A world in which nobody was started yet.
    pub fn new(nodes: usize, network: Network, seed: u64, watch: W, make: Make<N>) -> Self {
        let seat = |_| Seat {
            node: None,
            running: Running::Unborn,
            leaving: false,
            skew_ms: 0,
            life: 0,
            since_ns: 0,
            snapshot: None,
            wake_ns: u64::MAX,
            woken_ns: 0,
            spins: 0,
            inbox: VecDeque::new(),
            socket: VecDeque::new(),
            socket_bytes: 0,
        };
        Self {
            seats: (0..nodes).map(seat).collect(),
            network,
            watch,
            counts: Counts::default(),
            streams: Streams::new(nodes),
            failure: None,
            make,
            now_ns: 0,
            wheel: Wheel::new(),
            datagrams: Vec::new(),
            unused: Vec::new(),
            spare: Vec::new(),
            dues: Vec::new(),
            unused_dues: Vec::new(),
            actions: Vec::new(),
            rng: Rng::with_seed(seed),
            trace: seed,
            trail: Vec::new(),
        }
    }

    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.now_ns)
    }

    /// A hash of all deliveries so far.
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// The hash after every 1,024 deliveries, to tell where two runs part.
    pub fn trail(&self) -> &[u64] {
        &self.trail
    }

    /// How many events are to come.
    pub fn pending(&self) -> usize {
        self.wheel.len()
    }

    /// Lets something happen then.
    pub fn at(&mut self, when: Duration, action: Action) {
        self.actions.push(Some(action));
        self.wheel.put(nanos(when).max(self.now_ns), Event::Action(self.actions.len() as u32 - 1));
    }

    /// Runs up to that time, or to the first check that does not hold; whether all held.
    pub fn run_until(&mut self, until: Duration) -> bool {
        let until_ns = nanos(until);
        while self.failure.is_none() {
            let Some((at_ns, event)) = self.wheel.take(until_ns) else { break };
            self.now_ns = at_ns;
            match event {
                Event::Datagram(place) => self.arrive(place),
                Event::Wake(seat) => self.wake(seat as usize),
                Event::Stream(place) => self.stream_due(place),
                Event::Action(place) => {
                    if let Some(action) = self.actions[place as usize].take() {
                        self.act(&action);
                    }
                }
            }
        }
        if self.failure.is_none() {
            self.now_ns = self.now_ns.max(until_ns);
        }
        self.failure.is_none()
    }

    /// Has a datagram arrive now, as if that node had sent it.
    pub fn inject(&mut self, from: usize, to: usize, data: &[u8]) {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.extend_from_slice(data);
        self.put_datagram(from, to, bytes, self.now_ns);
    }

    /// Asks the checks of the end: whether everybody agrees.
    pub fn settled(&mut self) -> Result<(), Failure> {
        match self.watch.settled(self.now_ns, &self.seats) {
            Ok(()) => Ok(()),
            Err(broken) => Err(Failure { check: broken.check, at: self.now(), what: broken.what }),
        }
    }

    fn wake(&mut self, seat: usize) {
        if self.seats[seat].wake_ns != self.now_ns || self.seats[seat].running != Running::Up {
            // Another wake-up took its place, or it is stopped and will be late.
            return;
        }
        self.counts.wakes += 1;
        let now = instant(self.now_ns);
        let place = &mut self.seats[seat];
        place.wake_ns = u64::MAX;
        let Some(node) = &mut place.node else { return };
        if node.poll_timeout().is_none_or(|due| due > now) {
            self.schedule(seat);
            return;
        }
        place.spins = if place.woken_ns == self.now_ns { place.spins + 1 } else { 0 };
        place.woken_ns = self.now_ns;
        if place.spins > SPINS {
            self.fail("no_spin", format!("node {seat} wants to be woken at once for ever"));
            return;
        }
        node.handle_timeout(now);
        self.drain(seat);
    }

    fn arrive(&mut self, place: u32) {
        let Datagram { from, to, .. } = self.datagrams[place as usize];
        let (from, to) = (from as usize, to as usize);
        let seat = &mut self.seats[to];
        match (&mut seat.node, seat.running) {
            (Some(node), Running::Up) => {
                let bytes = std::mem::take(&mut self.datagrams[place as usize].bytes);
                self.counts.delivered += 1;
                self.trace =
                    xxh64(&bytes, self.trace ^ self.now_ns.rotate_left(20) ^ (from as u64) << 32 ^ to as u64);
                if self.counts.delivered & 1023 == 0 {
                    self.trail.push(self.trace);
                }
                node.handle_datagram(address(from), &bytes, instant(self.now_ns));
                let held = self.watch.received(self.now_ns, from, to, &bytes);
                self.datagrams[place as usize].bytes = bytes;
                self.recycle(place);
                self.note(held);
                self.drain(to);
            }
            (_, Running::Paused) => {
                let length = self.datagrams[place as usize].bytes.len();
                if seat.socket_bytes + length > SOCKET_BYTES {
                    self.counts.overrun += 1;
                    self.recycle(place);
                } else {
                    seat.socket_bytes += length;
                    seat.socket.push_back(place);
                }
            }
            _ => {
                self.counts.unheard += 1;
                self.recycle(place);
            }
        }
    }

    /// Does something to a node and then what it wants done.
    fn with(&mut self, seat: usize, then: impl FnOnce(&mut N)) {
        if let Some(node) = &mut self.seats[seat].node {
            then(node);
            self.drain(seat);
        }
    }

    /// Asks a node until it has nothing more to send or to say.
    fn drain(&mut self, seat: usize) {
        let mut burst = 0;
        loop {
            let Some(node) = &mut self.seats[seat].node else { return };
            let mut bytes = self.spare.pop().unwrap_or_default();
            let Some(transmit) = node.poll_transmit(&mut bytes) else {
                bytes.clear();
                self.spare.push(bytes);
                break;
            };
            self.transmit(seat, transmit, bytes);
            burst += 1;
            if burst > BURST {
                self.fail("no_spin", format!("node {seat} never stops to send"));
                return;
            }
        }
        let Some(node) = &mut self.seats[seat].node else { return };
        let mut held = Ok(());
        while let Some(told) = node.poll_event() {
            held = held.and(self.watch.told(self.now_ns, seat, &told));
        }
        held = held.and(self.watch.stepped(self.now_ns, seat, node));
        self.note(held);
        self.schedule(seat);
    }

    fn schedule(&mut self, seat: usize) {
        let place = &mut self.seats[seat];
        let Some(due) = place.node.as_ref().and_then(Node::poll_timeout) else { return };
        let due_ns = nanos(due.elapsed()).max(self.now_ns);
        // What is later than the next wake-up is looked at then.
        if due_ns < place.wake_ns {
            place.wake_ns = due_ns;
            self.wheel.put(due_ns, Event::Wake(seat as u32));
        }
    }

    fn transmit(&mut self, from: usize, transmit: Transmit, bytes: Vec<u8>) {
        match transmit {
            Transmit::Datagram { to } => return self.send(from, number(to), bytes),
            Transmit::Connect { stream, to } => {
                let to = number(to).filter(|to| *to < self.seats.len()).unwrap_or(from);
                let due = self.streams.connect(from, stream, to, self.now_ns, &mut self.network);
                due.into_iter().for_each(|due| self.put_due(due));
            }
            Transmit::Stream { stream, close } => {
                let due = self.streams.write(from, stream, &bytes, close, self.now_ns, &mut self.network);
                due.into_iter().for_each(|due| self.put_due(due));
            }
        }
        self.give_back(bytes);
    }

    fn send(&mut self, from: usize, to: Option<usize>, bytes: Vec<u8>) {
        self.counts.sent += 1;
        self.counts.sent_bytes += bytes.len() as u64;
        let Some(to) = to.filter(|to| *to < self.seats.len()) else {
            self.counts.unheard += 1;
            return self.give_back(bytes);
        };
        let held = self.watch.sent(self.now_ns, from, to, &bytes);
        self.note(held);
        if bytes.len() > self.network.mtu_bytes {
            self.counts.too_long += 1;
            return self.give_back(bytes);
        }
        match self.network.carry(from, to, bytes.len(), self.now_ns) {
            Fate::Lost => {
                self.counts.lost += 1;
                self.give_back(bytes);
            }
            Fate::Once(at_ns) => self.put_datagram(from, to, bytes, at_ns),
            Fate::Twice(at_ns, again_ns) => {
                self.counts.twice += 1;
                let mut copy = self.spare.pop().unwrap_or_default();
                copy.extend_from_slice(&bytes);
                self.put_datagram(from, to, bytes, at_ns);
                self.put_datagram(from, to, copy, again_ns);
            }
        }
    }

    fn put_datagram(&mut self, from: usize, to: usize, bytes: Vec<u8>, at_ns: u64) {
        let datagram = Datagram { from: from as u32, to: to as u32, bytes };
        let place = match self.unused.pop() {
            Some(place) => {
                self.datagrams[place as usize] = datagram;
                place
            }
            None => {
                self.datagrams.push(datagram);
                self.datagrams.len() as u32 - 1
            }
        };
        self.wheel.put(at_ns, Event::Datagram(place));
    }

    fn recycle(&mut self, place: u32) {
        let bytes = std::mem::take(&mut self.datagrams[place as usize].bytes);
        self.give_back(bytes);
        self.unused.push(place);
    }

    fn give_back(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.spare.push(bytes);
    }

    fn note(&mut self, held: Result<(), Broken>) {
        self.failure = self.failure.take().or(failure(self.now_ns, held));
    }

    fn fail(&mut self, check: &'static str, what: String) {
        self.note(Err(Broken { check, what }));
    }
}

fn failure(at_ns: u64, held: Result<(), Broken>) -> Option<Failure> {
    let Broken { check, what } = held.err()?;
    Some(Failure { check, at: Duration::from_nanos(at_ns), what })
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {:.3} s: {}", self.check, self.at.as_secs_f64(), self.what)
    }
}
