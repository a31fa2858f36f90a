//! A scenario from a seed: a network of some temper, nodes that pause, crash, restart, leave and write, cuts that come and go; then calm, in
//! which everything must come to agree and stay so.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;

use super::checks::{Checks, all};
use super::network::{Latency, Link, Network, Set};
use super::node::{Birth, Node, Queues};
use super::world::{Action, Counts, Failure, World};

/// How a kind of node is to be tried.
#[derive(Clone, Debug)]
pub struct Trial {
    pub nodes: Range<usize>,
    /// How long faults go on.
    pub storm: Duration,
    /// How long after the last fault all must agree.
    pub bound: Duration,
    /// How long they must then go on to.
    pub hold: Duration,
    pub limit: Queues,
    /// Whether the kind of node takes wall clocks that are off, and by how much at most.
    pub skew_ms: i64,
    /// How late a datagram may come, now and then.
    pub latest: Duration,
    /// A check that is left out.
    pub without: Option<String>,
}

impl Default for Trial {
    fn default() -> Self {
        Self {
            nodes: 2..13,
            storm: Duration::from_secs(60),
            bound: Duration::from_secs(90),
            hold: Duration::from_secs(20),
            limit: Queues { messages: 10_000, bytes: 4 << 20 },
            skew_ms: 5_000,
            latest: Duration::from_secs(40),
            without: None,
        }
    }
}

/// What is to happen.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub nodes: usize,
    pub link: Link,
    pub actions: Vec<(Duration, Action)>,
    pub trial: Trial,
}

/// What happened.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub failure: Option<Failure>,
    /// How long after the last fault all agreed.
    pub agreed: Option<Duration>,
    pub trace: u64,
    pub trail: Vec<u64>,
    pub counts: Counts,
}

impl Plan {
    /// The scenario of a seed.
    pub fn of(seed: u64, trial: &Trial) -> Self {
        let mut rng = Rng::with_seed(seed);
        let nodes = rng.usize(trial.nodes.clone());
        let link = link(&mut rng);
        let mut plan = Self { seed, nodes, link, actions: Vec::new(), trial: trial.clone() };
        plan.births(&mut rng);
        let faults = rng.usize(1..30);
        for _ in 0..faults {
            plan.fault(&mut rng);
        }
        plan.writes(&mut rng);
        plan.actions.sort_by_key(|action| action.0);
        plan
    }

    /// Plays it.
    pub fn run<N: Node + 'static>(&self, make: impl Fn(&Birth<'_>) -> N + 'static) -> Outcome {
        let network = Network::new(self.nodes, self.link, self.seed);
        let checks: Checks<N> = all(self.nodes, self.trial.limit, self.trial.without.as_deref());
        let mut world = World::new(self.nodes, network, self.seed, checks, Box::new(make));
        for (when, action) in &self.actions {
            world.at(*when, action.clone());
        }
        let calm = self.trial.storm;
        world.at(calm, Action::Calm);
        world.run_until(calm);
        let mut agreed = None;
        let mut failure = None;
        let mut now = calm;
        while world.failure.is_none() && failure.is_none() && now < calm + self.trial.bound + self.trial.hold
        {
            now += Duration::from_millis(500);
            world.run_until(now);
            match (world.settled(), agreed) {
                (Ok(()), None) => agreed = Some(now - calm),
                // It may differ for a moment as long as it has time to agree again.
                (Err(_), Some(_)) if now <= calm + self.trial.bound => agreed = None,
                (Err(broken), _) if now > calm + self.trial.bound => failure = Some(broken),
                _ => {}
            }
        }
        Outcome {
            failure: world.failure.clone().or(failure),
            agreed,
            trace: world.trace(),
            trail: world.trail().to_vec(),
            counts: world.counts,
        }
    }

    /// Plays it twice: the same must happen.
    pub fn run_twice<N: Node + 'static>(&self, make: impl Fn(&Birth<'_>) -> N + Clone + 'static) -> Outcome {
        let (mut first, second) = (self.run(make.clone()), self.run(make));
        if first.trace != second.trace && first.failure.is_none() {
            let same = first.trail.iter().zip(&second.trail).take_while(|(a, b)| a == b).count();
            let what = format!(
                "the second run is another one, between deliveries {} and {}",
                same * 1024,
                (same + 1) * 1024
            );
            first.failure = Some(Failure { check: "same_seed_same_bytes", at: Duration::ZERO, what });
        }
        first
    }

    /// Fewer faults that still break the same check: halves are left out, then quarters, and so on to single ones.
    pub fn shrink(&self, breaks: impl Fn(&Self) -> bool) -> Self {
        let mut plan = self.clone();
        let mut part = plan.actions.len().div_ceil(2);
        while part > 0 {
            let mut at = 0;
            while at < plan.actions.len() {
                let mut fewer = plan.clone();
                let end = (at + part).min(fewer.actions.len());
                let gone: Vec<_> = fewer.actions.drain(at..end).collect();
                // Who is never started would only be missing.
                let starts = gone.iter().any(|(_, action)| matches!(action, Action::Start { .. }));
                if !starts && breaks(&fewer) {
                    plan = fewer;
                } else {
                    at = end;
                }
            }
            part /= 2;
        }
        plan
    }

    fn births(&mut self, rng: &mut Rng) {
        for node in 0..self.nodes {
            // Some come late. All are given all others, as an operator would do, some of whom are not there yet.
            let when =
                if rng.f64() < 0.8 { Duration::from_millis(rng.u64(..1_000)) } else { self.sometime(rng) };
            let seeds = (0..self.nodes).filter(|seed| *seed != node).collect();
            if self.trial.skew_ms > 0 && rng.f64() < 0.3 {
                let skew_ms = rng.i64(-self.trial.skew_ms..=self.trial.skew_ms);
                self.actions.push((Duration::ZERO, Action::Skew { node, skew_ms }));
            }
            self.actions.push((when, Action::Start { node, seeds }));
        }
    }

    fn fault(&mut self, rng: &mut Rng) {
        let node = rng.usize(..self.nodes);
        let when = self.sometime(rng);
        let lasts = Duration::from_millis([500, 3_000, 10_000, 30_000][rng.usize(..4)] + rng.u64(..2_000));
        let until = (when + lasts).min(self.trial.storm);
        let seeds: Vec<usize> = (0..self.nodes).filter(|seed| *seed != node).collect();
        match rng.u32(..10) {
            0 | 1 => {
                let half: Vec<usize> = (0..self.nodes).filter(|_| rng.bool()).collect();
                let rest: Vec<usize> = (0..self.nodes).filter(|other| !half.contains(other)).collect();
                let (id, both) = (self.actions.len() as u32, rng.bool());
                let (from, to) = (Set::of(half), Set::of(rest));
                if both {
                    self.actions.push((when, Action::Cut { id, from: to.clone(), to: from.clone() }));
                }
                self.actions.push((when, Action::Cut { id, from, to }));
                self.actions.push((until, Action::Heal { id }));
            }
            2 => {
                // Now and then what was said long ago comes yet.
                let latest_ms = self.trial.latest.as_millis() as u64;
                let longest_ms = [latest_ms.min(1_000), latest_ms][rng.usize(..2)];
                let weather = Action::Weather {
                    loss: rng.u32(..400),
                    duplicate: rng.u32(..100),
                    held: rng.u32(..300),
                    held_for: Duration::from_millis(rng.u64(..longest_ms)),
                };
                self.actions.push((when, weather));
            }
            3 | 4 => {
                self.actions.push((when, Action::Pause { node }));
                self.actions.push((until, Action::Resume { node }));
            }
            5..=7 => {
                let with_state = rng.bool();
                if with_state {
                    self.actions.push((when - when / 10, Action::Snapshot { node }));
                }
                self.actions.push((when, Action::Crash { node, silent: rng.bool() }));
                if rng.f64() < 0.8 {
                    self.actions.push((until, Action::Restart { node, with_state, seeds }));
                }
            }
            8 => {
                self.actions.push((when, Action::Leave { node }));
                let gone = (when + Duration::from_secs(2)).min(self.trial.storm);
                self.actions.push((gone, Action::Crash { node, silent: rng.bool() }));
                if rng.bool() {
                    self.actions.push((
                        (gone + lasts).min(self.trial.storm),
                        Action::Restart { node, with_state: rng.bool(), seeds },
                    ));
                }
            }
            _ => {
                self.actions.push((when, Action::Poke { node }));
                if self.trial.skew_ms > 0 {
                    let skew_ms = rng.i64(-self.trial.skew_ms..=self.trial.skew_ms);
                    self.actions.push((when, Action::Skew { node, skew_ms }));
                }
            }
        }
    }

    fn writes(&mut self, rng: &mut Rng) {
        for _ in 0..rng.usize(..60) {
            let (when, node, key) = (self.sometime(rng), rng.usize(..self.nodes), rng.u64(..10));
            let value = (rng.f64() < 0.75).then(|| rng.u64(..1_000));
            self.actions.push((when, Action::Write { node, key, value }));
        }
    }

    /// When nobody has just been started, and it is not calm yet.
    fn sometime(&self, rng: &mut Rng) -> Duration {
        Duration::from_millis(rng.u64(1_000..self.trial.storm.as_millis() as u64))
    }
}

/// A network of some temper.
fn link(rng: &mut Rng) -> Link {
    let latency = match rng.u32(..4) {
        0 => Latency::Fixed(Duration::from_micros(rng.u64(50..5_000))),
        1 => Latency::Uniform {
            least: Duration::from_micros(rng.u64(50..1_000)),
            most: Duration::from_micros(rng.u64(1_000..50_000)),
        },
        _ => Latency::LogNormal { median: Duration::from_micros(rng.u64(100..20_000)), sigma: rng.f64() },
    };
    let link = Link::clean(latency);
    if rng.bool() { link.lossy(rng.f64() * 0.1) } else { link }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} nodes, {:?}", self.nodes, self.link)?;
        for (when, action) in &self.actions {
            writeln!(out, "{:9.3} s  {action:?}", when.as_secs_f64())?;
        }
        Ok(())
    }
}
