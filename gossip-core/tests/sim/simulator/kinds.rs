//! The kinds of nodes that scenarios can be played with.

use std::time::Duration;

use promha_gossip_core::dissemination::Config;

use super::node::{Birth, Queues};
use super::plan::{Outcome, Plan, Trial};
use super::real::{Rumour, State, Stored, Swim, Table, Whole};
use super::toy::{Flaw, Simple};

/// A kind of node, by name.
pub struct Kind {
    pub name: &'static str,
    pub trial: fn() -> Trial,
    /// Plays a scenario twice, with all checks.
    pub play: fn(&Plan) -> Outcome,
}

pub const KINDS: &[Kind] = &[
    Kind { name: "gossip", trial: gossip, play: |plan| plan.run_twice(gossip_node::<Stored>) },
    Kind { name: "table", trial: gossip, play: |plan| plan.run_twice(gossip_node::<Table>) },
    Kind { name: "swim", trial: swim, play: |plan| plan.run_twice(|birth| Swim::new(birth, |lan| lan)) },
    Kind { name: "rumour", trial: rumour, play: |plan| plan.run_twice(rumour_node) },
    Kind { name: "simple", trial: simple, play: |plan| play_simple(plan, Flaw::None) },
];

pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Whole nodes.
pub fn gossip() -> Trial {
    Trial { nodes: 2..20, limit: Queues { messages: 4_200, bytes: 0 }, ..Trial::default() }
}

pub fn gossip_node<S: State>(birth: &Birth<'_>) -> Whole<S> {
    Whole::new(birth, 100, |config| config)
}

/// The membership alone.
pub fn swim() -> Trial {
    Trial { limit: Queues { messages: 100, bytes: 0 }, ..Trial::default() }
}

/// The dissemination alone.
pub fn rumour() -> Trial {
    Trial { nodes: 2..40, limit: Queues { messages: 4_200, bytes: 0 }, ..Trial::default() }
}

pub fn rumour_node(birth: &Birth<'_>) -> Rumour {
    Rumour::new(birth, 100, Config::default())
}

pub fn simple() -> Trial {
    Trial {
        nodes: 3..8,
        bound: Duration::from_secs(40),
        limit: Queues { messages: 40, bytes: 1 << 20 },
        ..Trial::default()
    }
}

pub fn play_simple(plan: &Plan, flaw: Flaw) -> Outcome {
    plan.run_twice(move |birth| Simple::new(birth, flaw))
}
