use std::time::Duration;

use fastrand::Rng;

use super::warm;
use crate::simulator::checks::{Broken, Watch};
use crate::simulator::network::{Link, Network};
use crate::simulator::node::{Birth, Node, Standing, Told};
use crate::simulator::world::Action;

/// What nodes think of each other while some of them are stopped: how often anybody came to hold somebody for suspect or dead who was not
/// down. All are means of the runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pauses {
    /// Of those that ran all the time.
    pub suspected_running: f64,
    pub dead_running: f64,
    /// Of those that were stopped.
    pub suspected_stopped: f64,
    pub dead_stopped: f64,
    pub runs: usize,
}

/// How processes are stopped.
#[derive(Clone, Copy, Debug)]
pub struct Stops {
    pub stopped: Duration,
    /// How long they run in between, and how often they are stopped.
    pub running: Duration,
    pub times: u32,
}

/// Each is stopped once.
pub const ONCE: Stops = Stops { stopped: Duration::from_secs(5), running: Duration::from_secs(1), times: 1 };

/// Each is stopped again and again, as on a host that has too much to do.
pub const AGAIN: Stops =
    Stops { stopped: Duration::from_secs(5), running: Duration::from_millis(1), times: 10 };

/// One in ten is stopped, not all at the same moment; once for each seed.
pub fn pauses<N: Node>(
    nodes: usize,
    link: Link,
    stops: Stops,
    seeds: impl IntoIterator<Item = u64>,
    make: impl Fn(&Birth<'_>) -> N + Clone + 'static,
) -> Pauses {
    let mut sum = Pauses::default();
    for seed in seeds {
        let watch = Wrong { stopped: vec![false; nodes], counts: Pauses::default() };
        let network = Network::new(nodes, link, seed);
        let begin = Duration::from_secs(30);
        let mut world = warm(network, nodes, seed, watch, begin, make.clone());
        world.watch.counts = Pauses::default();
        let mut rng = Rng::with_seed(seed);
        let mut end = begin;
        for node in rng.choose_multiple(0..nodes, (nodes / 10).max(1)) {
            let mut when = begin + Duration::from_micros(rng.u64(..1_000_000));
            for _ in 0..stops.times {
                world.at(when, Action::Pause { node });
                world.at(when + stops.stopped, Action::Resume { node });
                when += stops.stopped + stops.running;
            }
            world.watch.stopped[node] = true;
            end = end.max(when);
        }
        world.run_until(end + Duration::from_secs(30));
        assert_eq!(world.failure, None);
        let counts = world.watch.counts;
        sum.suspected_running += counts.suspected_running;
        sum.dead_running += counts.dead_running;
        sum.suspected_stopped += counts.suspected_stopped;
        sum.dead_stopped += counts.dead_stopped;
        sum.runs += 1;
    }
    let runs = sum.runs.max(1) as f64;
    Pauses {
        suspected_running: sum.suspected_running / runs,
        dead_running: sum.dead_running / runs,
        suspected_stopped: sum.suspected_stopped / runs,
        dead_stopped: sum.dead_stopped / runs,
        runs: sum.runs,
    }
}

struct Wrong {
    /// At some time.
    stopped: Vec<bool>,
    counts: Pauses,
}

impl<N: Node> Watch<N> for Wrong {
    fn told(&mut self, _at_ns: u64, _node: usize, told: &Told) -> Result<(), Broken> {
        let Told::Member { of, standing, .. } = told else { return Ok(()) };
        let counts = &mut self.counts;
        match (standing, self.stopped[*of]) {
            (Standing::Suspect, false) => counts.suspected_running += 1.0,
            (Standing::Dead, false) => counts.dead_running += 1.0,
            (Standing::Suspect, true) => counts.suspected_stopped += 1.0,
            (Standing::Dead, true) => counts.dead_stopped += 1.0,
            _ => {}
        }
        Ok(())
    }
}
