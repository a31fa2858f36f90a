//! What the simulator asks of a node: the verbs of a gossip state machine, a few commands, and what the checks want to know.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use promha_gossip_core::Instant;
pub use promha_gossip_core::{StreamId, StreamInput, Transmit};

/// The port that every node has.
const PORT: u16 = 7946;

/// Where the node with this number is: numbers and addresses are told from each other by arithmetic, without a map.
pub fn address(number: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0000 + number as u32), PORT))
}

/// The number of the node that is at an address.
pub fn number(address: SocketAddr) -> Option<usize> {
    let SocketAddr::V4(v4) = address else { return None };
    Some(v4.ip().to_bits().checked_sub(0x0a00_0000)? as usize)
}

/// The name of a node.
pub fn name(number: usize) -> String {
    format!("node-{number}")
}

/// The number of the node that has a name.
pub fn named(name: &str) -> Option<usize> {
    name.strip_prefix("node-")?.parse().ok()
}

/// When something was written, and a number that decides between equal times.
pub type Stamp = (u64, u64);

/// What a node says of its peers and of its state, in the words of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Member { of: usize, standing: Standing, incarnation: u32 },
    Value { key: u64, stamp: Stamp, live: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Alive,
    Suspect,
    Dead,
    Left,
    Forgotten,
}

/// How much a node keeps for later. Both have a limit of the node's own kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    pub messages: usize,
    pub bytes: usize,
}

/// What a node is started with.
#[derive(Clone, Copy, Debug)]
pub struct Birth<'a> {
    pub number: usize,
    /// How many nodes the world has.
    pub nodes: usize,
    /// How often it was started before.
    pub life: u32,
    pub seed: u64,
    pub now: Instant,
    /// How far its wall clock is off.
    pub skew_ms: i64,
    /// What it wrote down in an earlier life.
    pub snapshot: Option<&'a [u8]>,
}

/// Unix milliseconds when a simulation starts.
const EPOCH_MS: i64 = 1_750_000_000_000;

/// What the wall clock of a node shows.
pub fn wall_ms(now: Instant, skew_ms: i64) -> u64 {
    (EPOCH_MS + now.as_millis() as i64 + skew_ms) as u64
}

pub fn instant(at_ns: u64) -> Instant {
    Instant::since_origin(Duration::from_nanos(at_ns))
}

pub fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

/// A node. A layer alone can be one: what it has no part in keeps its default.
pub trait Node {
    fn handle_datagram(&mut self, from: SocketAddr, data: &[u8], now: Instant);
    fn handle_timeout(&mut self, now: Instant);
    /// Appends what is to be sent to `into`, which comes empty.
    fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit>;
    fn poll_timeout(&self) -> Option<Instant>;

    fn poll_event(&mut self) -> Option<Told> {
        None
    }

    fn accept(&mut self, _from: SocketAddr, _now: Instant) -> StreamId {
        unreachable!("nobody connects to a node without streams")
    }

    fn handle_stream(&mut self, _stream: StreamId, _input: StreamInput<'_>, _now: Instant) {}

    fn join(&mut self, _seeds: &[SocketAddr], _now: Instant) {}

    fn leave(&mut self, _now: Instant) {}

    /// Writes a value, or deletes it.
    fn write(&mut self, _key: u64, _value: Option<u64>, _now: Instant) {}

    /// Sets the wall clock.
    fn skew(&mut self, _skew_ms: i64) {}

    fn snapshot(&self) -> Option<Vec<u8>> {
        None
    }

    /// What its state holds of a key, and whether that is a value and not a grave.
    fn value(&self, _key: u64) -> Option<(Stamp, bool)> {
        None
    }

    /// A hash that is equal for equal states.
    fn state(&self) -> u64 {
        0
    }

    /// Appends the numbers of those that it holds for alive (a suspect is not dead yet), its own included.
    fn living(&self, _into: &mut Vec<usize>) {}

    /// Whether `living` says something.
    const HAS_MEMBERS: bool = false;

    fn queues(&self) -> Queues {
        Queues::default()
    }

    /// The values that a datagram carries.
    fn payloads(_data: &[u8], _visit: &mut dyn FnMut(u64, Stamp)) {}

    /// Whether a datagram asks for what its sender has not.
    fn asks(_data: &[u8]) -> bool {
        false
    }
}
