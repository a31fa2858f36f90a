//! What must hold, each under a name: at every step, or in the end, when everything has been calm for long enough.

mod agreement;
mod back;
mod convergence;
mod queues;
mod resurrection;

pub use agreement::Agreement;
pub use back::NoMessageBackToOrigin;
pub use convergence::Convergence;
pub use queues::BoundedQueues;
pub use resurrection::NoResurrection;

use super::node::{Node, Queues, Told};
use super::world::{Action, Running, Seat};

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub check: &'static str,
    pub what: String,
}

/// Somebody who looks on. What is not looked at costs nothing.
pub trait Watch<N> {
    /// A node sends a datagram, which may be lost yet.
    fn sent(&mut self, _at_ns: u64, _from: usize, _to: usize, _data: &[u8]) -> Result<(), Broken> {
        Ok(())
    }

    /// A node has handled a datagram.
    fn received(&mut self, _at_ns: u64, _from: usize, _to: usize, _data: &[u8]) -> Result<(), Broken> {
        Ok(())
    }

    /// A node is about to handle bytes of a stream.
    fn streamed(&mut self, _at_ns: u64, _from: usize, _to: usize) -> Result<(), Broken> {
        Ok(())
    }

    fn told(&mut self, _at_ns: u64, _node: usize, _told: &Told) -> Result<(), Broken> {
        Ok(())
    }

    /// A node did something and has nothing more to send or to say.
    fn stepped(&mut self, _at_ns: u64, _node: usize, _state: &N) -> Result<(), Broken> {
        Ok(())
    }

    /// A node is about to start, for the first time or again.
    fn starts(&mut self, _at_ns: u64, _node: usize) {}

    /// Something happened to the world.
    fn acted(&mut self, _at_ns: u64, _action: &Action, _seats: &[Seat<N>]) -> Result<(), Broken> {
        Ok(())
    }

    /// It has been calm for long: everybody should agree.
    fn settled(&mut self, _at_ns: u64, _seats: &[Seat<N>]) -> Result<(), Broken> {
        Ok(())
    }
}

impl<N> Watch<N> for () {}

/// Several that look on.
pub struct Checks<N>(pub Vec<Box<dyn Watch<N>>>);

/// All checks, but for one.
pub fn all<N: Node + 'static>(nodes: usize, limit: Queues, without: Option<&str>) -> Checks<N> {
    let all: [(&str, Box<dyn Watch<N>>); 5] = [
        ("no_resurrection", Box::new(NoResurrection::new(nodes))),
        ("no_message_back_to_origin", Box::new(NoMessageBackToOrigin::default())),
        ("bounded_queues", Box::new(BoundedQueues { limit })),
        ("convergence", Box::new(Convergence::default())),
        ("agreement", Box::new(Agreement)),
    ];
    Checks(all.into_iter().filter(|(name, _)| Some(*name) != without).map(|(_, check)| check).collect())
}

impl<N> Watch<N> for Checks<N> {
    fn sent(&mut self, at_ns: u64, from: usize, to: usize, data: &[u8]) -> Result<(), Broken> {
        self.0.iter_mut().try_for_each(|watch| watch.sent(at_ns, from, to, data))
    }

    fn received(&mut self, at_ns: u64, from: usize, to: usize, data: &[u8]) -> Result<(), Broken> {
        self.0.iter_mut().try_for_each(|watch| watch.received(at_ns, from, to, data))
    }

    fn streamed(&mut self, at_ns: u64, from: usize, to: usize) -> Result<(), Broken> {
        self.0.iter_mut().try_for_each(|watch| watch.streamed(at_ns, from, to))
    }

    fn told(&mut self, at_ns: u64, node: usize, told: &Told) -> Result<(), Broken> {
        self.0.iter_mut().try_for_each(|watch| watch.told(at_ns, node, told))
    }

    fn stepped(&mut self, at_ns: u64, node: usize, state: &N) -> Result<(), Broken> {
        self.0.iter_mut().try_for_each(|watch| watch.stepped(at_ns, node, state))
    }

    fn starts(&mut self, at_ns: u64, node: usize) {
        self.0.iter_mut().for_each(|watch| watch.starts(at_ns, node));
    }

    fn acted(&mut self, at_ns: u64, action: &Action, seats: &[Seat<N>]) -> Result<(), Broken> {
        self.0.iter_mut().try_for_each(|watch| watch.acted(at_ns, action, seats))
    }

    fn settled(&mut self, at_ns: u64, seats: &[Seat<N>]) -> Result<(), Broken> {
        self.0.iter_mut().try_for_each(|watch| watch.settled(at_ns, seats))
    }
}

/// Those that run and mean to stay.
fn staying<N>(seats: &[Seat<N>]) -> impl Iterator<Item = (usize, &N)> {
    seats
        .iter()
        .enumerate()
        .filter(|(_, seat)| seat.running == Running::Up && !seat.leaving)
        .filter_map(|(number, seat)| Some((number, seat.node.as_ref()?)))
}
