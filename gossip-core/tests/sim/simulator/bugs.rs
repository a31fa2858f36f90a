//! Known bugs of others as scenarios: what led to each, and what must hold instead. Each is played with any kind of node.

use std::time::Duration;

use super::checks::{Agreement, Broken, Checks, NoResurrection, Watch};
use super::network::{Link, Network, Set};
use super::node::{Birth, Node, Standing, Told};
use super::world::{Action, Failure, World};

/// What is given for a cluster to agree again.
const BOUND: Duration = Duration::from_secs(60);

/// Nodes whose incarnations are high, because they were stopped and refuted what was said of them, are all restarted, or all but the
/// first. They begin with low incarnations again, and must be taken in all the same.
///
/// Source: hashicorp/memberlist, issue 311.
pub fn mass_restart<N: Node>(
    nodes: usize,
    seed: u64,
    all: bool,
    make: impl Fn(&Birth<'_>) -> N + 'static,
) -> Result<(), Failure> {
    let mut world = cluster(nodes, seed, make);
    for _ in 0..3 {
        for node in 0..nodes {
            world.act(&Action::Pause { node });
            pass(&mut world, Duration::from_secs(3))?;
            world.act(&Action::Resume { node });
            pass(&mut world, Duration::from_secs(1))?;
        }
    }
    pass(&mut world, BOUND)?;
    let restarted = usize::from(!all)..nodes;
    for node in restarted.clone() {
        world.act(&Action::Crash { node, silent: false });
    }
    pass(&mut world, Duration::from_secs(2))?;
    for node in restarted {
        let seeds = (0..nodes).filter(|seed| *seed != node).collect();
        world.act(&Action::Restart { node, with_state: false, seeds });
    }
    agree(&mut world)
}

/// Why a node does not hear for a while what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// Its process is stopped, and it is cut off.
    Stopped,
    /// It crashes, and starts again with what it wrote down before.
    Down,
}

/// While one node is away another crashes. All others hold that one for dead, and after a while have forgotten it. Then the first comes
/// back, which still holds it for alive: nobody may believe that.
///
/// Source: quickwit-oss/chitchat, issue 155.
pub fn dead_state_returns<N: Node>(
    nodes: usize,
    seed: u64,
    why: Away,
    time: Duration,
    make: impl Fn(&Birth<'_>) -> N + 'static,
) -> Result<(), Failure> {
    let mut world = cluster(nodes, seed, make);
    let (away, dead) = (nodes - 2, nodes - 1);
    match why {
        Away::Stopped => {
            let (one, rest) = (Set::of([away]), Set::of((0..nodes).filter(|node| *node != away)));
            world.act(&Action::Pause { node: away });
            world.act(&Action::Cut { id: 1, from: one.clone(), to: rest.clone() });
            world.act(&Action::Cut { id: 2, from: rest, to: one });
        }
        Away::Down => {
            world.act(&Action::Snapshot { node: away });
            world.act(&Action::Crash { node: away, silent: true });
        }
    }
    world.act(&Action::Crash { node: dead, silent: true });
    pass(&mut world, time)?;
    world.act(&Action::Calm);
    let seeds = (0..away).collect();
    world.act(&Action::Restart { node: away, with_state: true, seeds });
    agree(&mut world)
}

/// A node is suspect, says that it lives, and lives. That it was suspect must not kill it later.
pub fn suspicion_survives<N: Node>(
    nodes: usize,
    seed: u64,
    restarts: bool,
    make: impl Fn(&Birth<'_>) -> N + 'static,
) -> Result<(), Failure> {
    let mut world = cluster(nodes, seed, make);
    let node = nodes - 1;
    if restarts {
        world.act(&Action::Crash { node, silent: true });
    } else {
        world.act(&Action::Pause { node });
    }
    pass(&mut world, Duration::from_secs(3))?;
    if restarts {
        let seeds = (0..node).collect();
        world.act(&Action::Restart { node, with_state: false, seeds });
    } else {
        world.act(&Action::Resume { node });
    }
    // So long does what is on its way take, and what says that it lives.
    pass(&mut world, Duration::from_millis(1_500))?;
    world.watch.0.push(Box::new(NobodyDies));
    pass(&mut world, BOUND)?;
    agree(&mut world)
}

struct NobodyDies;

impl<N> Watch<N> for NobodyDies {
    fn told(&mut self, _at_ns: u64, node: usize, told: &Told) -> Result<(), Broken> {
        match told {
            Told::Member { of, standing: Standing::Dead, incarnation } => Err(Broken {
                check: "nobody_dies",
                what: format!("node {node} holds life {incarnation} of node {of} for dead, which runs"),
            }),
            _ => Ok(()),
        }
    }
}

/// Nodes that know each other.
pub fn cluster<N: Node>(
    nodes: usize,
    seed: u64,
    make: impl Fn(&Birth<'_>) -> N + 'static,
) -> World<N, Checks<N>> {
    let checks = Checks(vec![Box::new(NoResurrection::new(nodes)), Box::new(Agreement)]);
    let network = Network::new(nodes, Link::lan(), seed);
    let mut world = World::new(nodes, network, seed, checks, Box::new(make));
    for node in 0..nodes {
        let seeds = (0..nodes).filter(|seed| *seed != node).collect();
        world.at(Duration::from_millis(100 * node as u64), Action::Start { node, seeds });
    }
    world.run_until(Duration::from_secs(20));
    world.settled().unwrap();
    world
}

pub fn pass<N: Node>(world: &mut World<N, Checks<N>>, time: Duration) -> Result<(), Failure> {
    let until = world.now() + time;
    world.run_until(until);
    world.failure.clone().map_or(Ok(()), Err)
}

/// All agree in time, and stay so.
pub fn agree<N: Node>(world: &mut World<N, Checks<N>>) -> Result<(), Failure> {
    pass(world, BOUND)?;
    for _ in 0..30 {
        pass(world, Duration::from_secs(1))?;
        world.settled()?;
    }
    Ok(())
}
