use std::time::Duration;

use super::warm;
use crate::simulator::checks::{Broken, Watch};
use crate::simulator::network::{Latency, Link, Network};
use crate::simulator::node::{Birth, Node, Told};
use crate::simulator::world::Action;

/// Many updates at once on a thin line.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// When everybody had all; nothing if not within two minutes.
    pub all: Option<Duration>,
    /// Pairs of a node and an update that were missing then.
    pub missing: usize,
    pub datagrams: u64,
    pub bytes: u64,
    pub stream_bytes: u64,
    /// Dropped because too much was waiting.
    pub lost: u64,
}

/// So many updates are written at once on the first node.
pub fn storm<N: Node>(
    nodes: usize,
    updates: usize,
    bytes_per_s: u64,
    seed: u64,
    make: impl Fn(&Birth<'_>) -> N + Clone + 'static,
) -> Storm {
    let link =
        Link { bytes_per_s: Some(bytes_per_s), ..Link::clean(Latency::Fixed(Duration::from_micros(500))) };
    let watch = Arrivals { have: vec![vec![false; updates]; nodes], missing: nodes * updates, at_ns: 0 };
    let begin = Duration::from_secs(10);
    let mut world = warm(Network::new(nodes, link, seed), nodes, seed, watch, begin, make);
    let (before, streamed) = (world.counts, world.streams.counts.bytes);
    for key in 0..updates as u64 {
        world.act(&Action::Write { node: 0, key, value: Some(key) });
    }
    while world.watch.missing > 0 && world.now() < begin + Duration::from_secs(120) {
        world.run_until(world.now() + Duration::from_millis(10));
        assert_eq!(world.failure, None);
    }
    Storm {
        all: (world.watch.missing == 0).then(|| Duration::from_nanos(world.watch.at_ns) - begin),
        missing: world.watch.missing,
        datagrams: world.counts.sent - before.sent,
        bytes: world.counts.sent_bytes - before.sent_bytes,
        stream_bytes: world.streams.counts.bytes - streamed,
        lost: world.counts.lost - before.lost,
    }
}

struct Arrivals {
    have: Vec<Vec<bool>>,
    missing: usize,
    at_ns: u64,
}

impl<N: Node> Watch<N> for Arrivals {
    fn told(&mut self, at_ns: u64, node: usize, told: &Told) -> Result<(), Broken> {
        if let Told::Value { key, .. } = told
            && let Some(have) = self.have[node].get_mut(*key as usize)
            && !std::mem::replace(have, true)
        {
            self.missing -= 1;
            self.at_ns = at_ns;
        }
        Ok(())
    }
}
