use std::net::SocketAddr;
use thiserror::Error;

use super::machine::Membership;
use super::profile::{Claim, name_hash};
use crate::Instant;
use crate::wire::{Alive, NodeState, Rumour, Standing};

/// Why an exchange was not merged. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// Whoever is alive there speaks another version than we do.
    #[error(
        "{name:?} has versions {theirs:?}, which do not go with ours, {ours:?}, and nobody else there has better ones"
    )]
    Incompatible {
        /// The first of them.
        name: String,
        /// Its versions.
        theirs: Vec<u8>,
        /// Ours.
        ours: [u8; 6],
    },
}

impl Membership {
    /// Takes what another node says of all that it knows, and has got or will get [`nodes`](Self::nodes) for. `from` is where it was reached,
    /// or where it asked from; `join` says that one of the two joins.
    ///
    /// Who is dead there is suspect here, and can still say that it lives; who has left there has left here. A node that does not go with
    /// our versions, or has none, is left out, unlike in memberlist, where one such node stops all exchanges in the cluster.
    ///
    /// `O(nodes)`.
    ///
    /// # Errors
    /// If some are alive there, and none of them speaks a version of the protocol that we know. Nothing is changed then.
    pub fn handle_push_pull<'a>(
        &mut self,
        from: SocketAddr,
        nodes: impl Iterator<Item = NodeState<'a>> + Clone,
        join: bool,
        now: Instant,
    ) -> Result<(), ExchangeError> {
        self.arrive(now);
        if let Err(error) = self.check_versions(nodes.clone()) {
            self.stats.push_pulls_refused += 1;
            return Err(error);
        }
        self.stats.push_pulls += 1;
        self.stats.joins += u64::from(join);
        self.lost.reached(from);
        for node in nodes {
            self.merge(&node);
        }
        self.arm();
        if join {
            // Where many join at once, each learns only of those before it.
            self.hasten_push_pull();
        }
        Ok(())
    }

    /// Takes that an exchange with an address did not come about, after [`Outgoing::PushPull`](super::Outgoing::PushPull). An address to
    /// join, or of one of the lost, is tried again as they are; in the place of a member another one is tried soon.
    pub fn handle_push_pull_failed(&mut self, to: SocketAddr) {
        self.stats.push_pulls_failed += 1;
        if !self.lost.seeks(to) {
            self.hasten_push_pull();
        }
    }

    fn check_versions<'a>(&self, nodes: impl Iterator<Item = NodeState<'a>>) -> Result<(), ExchangeError> {
        let mut error = Ok(());
        for node in nodes.filter(|node| node.standing == Standing::Alive) {
            if Claim::of(&node.alive).is_ok_and(|claim| self.me.profile.understands(claim.vsn)) {
                return Ok(());
            }
            if error.is_ok() {
                error = Err(ExchangeError::Incompatible {
                    name: node.alive.node.into(),
                    theirs: node.alive.vsn.unwrap_or_default().iter().copied().take(6).collect(),
                    ours: self.me.profile.vsn(),
                });
            }
        }
        error
    }

    fn merge(&mut self, node: &NodeState<'_>) {
        let Alive { incarnation, node: name, .. } = node.alive;
        match node.standing {
            Standing::Alive => self.hear_alive(&node.alive),
            Standing::Left => self.hear_dead(&Rumour { incarnation, node: name, from: name }),
            Standing::Suspect | Standing::Dead => {
                let me = self.me.profile.clone();
                self.hear_suspect(&Rumour { incarnation, node: name, from: me.name() });
                let known = name == me.name() || self.peer_of(name).is_some();
                if node.standing == Standing::Dead && !known {
                    self.remember_dead(name_hash(name), incarnation);
                }
            }
        }
    }
}
