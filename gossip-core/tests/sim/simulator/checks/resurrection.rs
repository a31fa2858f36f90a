use std::collections::BTreeMap;

use super::{Broken, Watch, staying};
use crate::simulator::node::{Node, Stamp, Standing, Told};
use crate::simulator::world::{Action, Seat};

/// What a node knows for deleted stays deleted unless it is written anew. Whom a node knows for dead, and who is, stays dead unless it
/// said something later than that.
#[derive(Debug)]
pub struct NoResurrection {
    down: Vec<bool>,
    /// By node and key.
    graves: BTreeMap<(usize, u64), Stamp>,
    /// By node and whom it is about.
    dead: BTreeMap<(usize, usize), u32>,
}

impl NoResurrection {
    pub fn new(nodes: usize) -> Self {
        Self { down: vec![true; nodes], graves: BTreeMap::new(), dead: BTreeMap::new() }
    }

    fn value(&mut self, node: usize, key: u64, stamp: Stamp, live: bool) -> Result<(), Broken> {
        if !live {
            let grave = self.graves.entry((node, key)).or_insert(stamp);
            *grave = stamp.max(*grave);
            return Ok(());
        }
        match self.graves.get(&(node, key)) {
            Some(&grave) if stamp <= grave => broken(format!(
                "key {key} of {stamp:?} is back at node {node}, which knew it for deleted at {grave:?}"
            )),
            _ => Ok(()),
        }
    }

    fn member(&mut self, node: usize, of: usize, standing: Standing, incarnation: u32) -> Result<(), Broken> {
        match standing {
            Standing::Dead | Standing::Left => {
                let dead = self.dead.entry((node, of)).or_insert(incarnation);
                *dead = incarnation.max(*dead);
            }
            Standing::Alive if self.down[of] => {
                if let Some(dead) = self.dead.get(&(node, of)).filter(|dead| incarnation <= **dead) {
                    return broken(format!(
                        "node {of} is down, and node {node} holds its life {incarnation} for alive, having known {dead} for dead"
                    ));
                }
            }
            Standing::Alive | Standing::Suspect | Standing::Forgotten => {}
        }
        Ok(())
    }
}

impl<N: Node> Watch<N> for NoResurrection {
    fn told(&mut self, _at_ns: u64, node: usize, told: &Told) -> Result<(), Broken> {
        match *told {
            Told::Value { key, stamp, live } => self.value(node, key, stamp, live),
            Told::Member { of, standing, incarnation } => self.member(node, of, standing, incarnation),
        }
    }

    fn starts(&mut self, _at_ns: u64, node: usize) {
        self.down[node] = false;
        // It may have written less down than it knew, and others may hear anything of it from now on.
        self.graves.retain(|(knows, _), _| *knows != node);
        self.dead.retain(|(knows, of), _| *knows != node && *of != node);
    }

    fn acted(&mut self, _at_ns: u64, action: &Action, _seats: &[Seat<N>]) -> Result<(), Broken> {
        if let Action::Crash { node, .. } = action {
            self.down[*node] = true;
        }
        Ok(())
    }

    fn settled(&mut self, _at_ns: u64, seats: &[Seat<N>]) -> Result<(), Broken> {
        for (number, node) in staying(seats) {
            let keys: Vec<_> =
                self.graves.range((number, 0)..=(number, u64::MAX)).map(|(at, _)| at.1).collect();
            for key in keys {
                if let Some((stamp, live)) = node.value(key) {
                    self.value(number, key, stamp, live)?;
                }
            }
        }
        Ok(())
    }
}

fn broken(what: String) -> Result<(), Broken> {
    Err(Broken { check: "no_resurrection", what })
}
