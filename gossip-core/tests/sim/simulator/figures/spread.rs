use std::time::Duration;

use fastrand::Rng;

use super::{middle_and_last, warm};
use crate::simulator::checks::{Broken, Watch};
use crate::simulator::network::{Link, Network};
use crate::simulator::node::{Birth, Node, Told};
use crate::simulator::world::{Action, World};

/// The key that is written.
const KEY: u64 = 0xfeed;

/// How one update comes to everybody.
#[derive(Clone, Debug)]
pub struct Case {
    pub nodes: usize,
    pub link: Link,
    /// The share of nodes that crash in the moment of the update, which nobody knows yet.
    pub crashed: f64,
    /// How long the nodes have to know each other before.
    pub warm: Duration,
    /// How long they are watched after.
    pub watched: Duration,
}

/// What one update came to.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// When the last of the living had it; nothing if some never had.
    pub all: Option<Duration>,
    pub missed: usize,
    /// How often the update itself was sent, whether or not it arrived.
    pub payloads: u64,
    /// Datagrams with the update in them.
    pub datagrams: u64,
    /// The bytes of all datagrams in the time of the watch.
    pub bytes: u64,
    pub living: usize,
}

/// Many updates.
#[derive(Clone, Debug)]
pub struct Summary {
    pub nodes: usize,
    pub runs: usize,
    /// The middle one, the mean and the last one of those that reached everybody.
    pub median: Duration,
    pub mean: Duration,
    pub last: Duration,
    /// The share of updates that missed somebody.
    pub missed: f64,
    pub payloads_per_node: f64,
    pub payloads: f64,
    pub datagrams: f64,
    pub bytes_per_node: f64,
}

/// One update, for each seed.
pub fn spread<N: Node>(
    case: &Case,
    seeds: impl IntoIterator<Item = u64>,
    make: impl Fn(&Birth<'_>) -> N + Clone + 'static,
) -> Summary {
    let runs: Vec<Spread> = seeds.into_iter().map(|seed| once(case, seed, make.clone())).collect();
    Summary::of(case.nodes, &runs)
}

fn once<N: Node>(case: &Case, seed: u64, make: impl FnMut(&Birth<'_>) -> N + 'static) -> Spread {
    let network = Network::new(case.nodes, case.link, seed);
    let watch = Follow { reached: vec![false; case.nodes], count: 0, at_ns: 0, payloads: 0, datagrams: 0 };
    let mut world = warm(network, case.nodes, seed, watch, case.warm, make);
    let mut rng = Rng::with_seed(seed);
    let crashed = (case.nodes as f64 * case.crashed).ceil() as usize;
    let gone = rng.choose_multiple(1..case.nodes, crashed);
    for &node in &gone {
        world.act(&Action::Crash { node, silent: true });
        world.watch.reached[node] = true;
    }
    let living = case.nodes - gone.len();
    let sent_bytes = world.counts.sent_bytes;
    world.act(&Action::Write { node: 0, key: KEY, value: Some(seed) });
    let (start, end) = (world.now(), world.now() + case.watched);
    run_while(&mut world, end, |watch| watch.count < living);
    let all = (world.watch.count == living).then(|| Duration::from_nanos(world.watch.at_ns) - start);
    // What is said after everybody knows counts as well.
    run_while(&mut world, end, |_| true);
    Spread {
        all,
        missed: living - world.watch.count,
        payloads: world.watch.payloads,
        datagrams: world.watch.datagrams,
        bytes: world.counts.sent_bytes - sent_bytes,
        living,
    }
}

fn run_while<N: Node>(world: &mut World<N, Follow>, end: Duration, goes_on: impl Fn(&Follow) -> bool) {
    while world.now() < end && goes_on(&world.watch) {
        let next = world.now() + Duration::from_millis(10);
        world.run_until(next.min(end));
        assert_eq!(world.failure, None);
    }
}

/// Follows the update.
struct Follow {
    reached: Vec<bool>,
    count: usize,
    /// When the last one had it so far.
    at_ns: u64,
    payloads: u64,
    datagrams: u64,
}

impl<N: Node> Watch<N> for Follow {
    fn sent(&mut self, _at_ns: u64, _from: usize, _to: usize, data: &[u8]) -> Result<(), Broken> {
        let before = self.payloads;
        N::payloads(data, &mut |key, _| self.payloads += u64::from(key == KEY));
        self.datagrams += u64::from(self.payloads > before);
        Ok(())
    }

    fn told(&mut self, at_ns: u64, node: usize, told: &Told) -> Result<(), Broken> {
        if let Told::Value { key: KEY, .. } = told
            && !std::mem::replace(&mut self.reached[node], true)
        {
            self.count += 1;
            self.at_ns = at_ns;
        }
        Ok(())
    }
}

impl Summary {
    fn of(nodes: usize, runs: &[Spread]) -> Self {
        let times: Vec<Duration> = runs.iter().filter_map(|run| run.all).collect();
        let (median, last) = middle_and_last(times.iter().copied()).unwrap_or_default();
        let mean = |of: fn(&Spread) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
        Self {
            nodes,
            runs: runs.len(),
            median,
            mean: times.iter().sum::<Duration>() / times.len().max(1) as u32,
            last,
            missed: mean(|run| f64::from(u8::from(run.missed > 0))),
            payloads_per_node: mean(|run| run.payloads as f64 / run.living as f64),
            payloads: mean(|run| run.payloads as f64),
            datagrams: mean(|run| run.datagrams as f64),
            bytes_per_node: mean(|run| run.bytes as f64 / run.living as f64),
        }
    }

    /// The last one, in rounds.
    pub fn rounds(&self, round: Duration) -> (f64, f64) {
        let of = |time: Duration| time.as_secs_f64() / round.as_secs_f64();
        (of(self.mean), of(self.last))
    }
}
