use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use promha_gossip_core::Instant;

use crate::simulator::node::{Birth, Node, Transmit, address};

/// Sends what it gets on to somebody else: the least that a node can do, to measure the simulator by.
#[derive(Debug)]
pub struct Bounce {
    nodes: usize,
    bytes: usize,
    rng: Rng,
    /// To be sent on.
    owed: u32,
    next: Instant,
}

impl Bounce {
    pub fn new(birth: &Birth<'_>, bytes: usize) -> Self {
        let mut rng = Rng::with_seed(birth.seed);
        let next = birth.now + Duration::from_micros(rng.u64(..1_000_000));
        Self { nodes: birth.nodes, bytes, rng, owed: 10, next }
    }
}

impl Node for Bounce {
    fn handle_datagram(&mut self, _from: SocketAddr, _data: &[u8], _now: Instant) {
        self.owed += 1;
    }

    fn handle_timeout(&mut self, now: Instant) {
        while self.next <= now {
            self.next += Duration::from_secs(1);
        }
    }

    fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit> {
        self.owed = self.owed.checked_sub(1)?;
        into.resize(self.bytes, self.owed as u8);
        Some(Transmit::Datagram { to: address(self.rng.usize(..self.nodes)) })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }
}
