use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::Instant;

/// How many requests are remembered at once: more than any cluster that is well sends to one node.
const RELAYS_LIMIT: usize = 1_024;

/// What others asked us to find out: whether a node answers. All take equally long, so the oldest ends first.
#[derive(Clone, Debug, Default)]
pub(super) struct Relays {
    of: VecDeque<Relay>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Relay {
    /// The number of our ping.
    pub(super) seq_no: u32,
    /// The number of the request.
    pub(super) asked_as: u32,
    /// Who asked.
    pub(super) asker: SocketAddr,
    /// Whether the asker wants to know that there is no answer.
    pub(super) nack: bool,
    pub(super) ends: Instant,
}

impl Relays {
    /// Remembers a request, if there is room.
    pub(super) fn begin(&mut self, relay: Relay) -> bool {
        let room = self.of.len() < RELAYS_LIMIT;
        if room {
            self.of.push_back(relay);
        }
        room
    }

    /// The request that our ping of this number was for.
    pub(super) fn answered(&mut self, seq_no: u32) -> Option<Relay> {
        // Numbers were given in order, so the distance from the first one is, too.
        let first = self.of.front()?.seq_no;
        let at = self
            .of
            .binary_search_by_key(&seq_no.wrapping_sub(first), |relay| relay.seq_no.wrapping_sub(first))
            .ok()?;
        self.of.remove(at)
    }

    /// A request that got no answer in time.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Relay> {
        self.deadline().filter(|ends| *ends <= now)?;
        self.of.pop_front()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.of.front().map(|relay| relay.ends)
    }

    pub(super) fn clear(&mut self) {
        self.of.clear();
    }
}
