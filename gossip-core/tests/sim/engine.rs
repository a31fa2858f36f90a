//! The simulator itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use proptest::prelude::*;

use crate::simulator::network::{Latency, Link, Network};
use crate::simulator::toy::{Bounce, Flaw, Simple};
use crate::simulator::wheel::Wheel;
use crate::simulator::world::{Action, World};

proptest! {
    /// Against a plain heap, with events near and very far, put down while others are taken.
    #[test]
    fn a_wheel_is_a_queue_by_time(steps in prop::collection::vec((any::<u16>(), 0u32..63, any::<bool>()), 0..400)) {
        let (mut wheel, mut heap, mut now) = (Wheel::new(), BinaryHeap::new(), 0u64);
        for (number, (mantissa, exponent, take)) in steps.into_iter().enumerate() {
            if take {
                let until = now.saturating_add(u64::from(mantissa) << exponent.min(40));
                let expected = match heap.peek() {
                    Some(&Reverse((at, _))) if at <= until => heap.pop().map(|Reverse(event)| event),
                    _ => None,
                };
                prop_assert_eq!(wheel.take(until), expected);
                now = expected.map_or(now, |event: (u64, usize)| event.0);
            } else {
                let at = now.saturating_add(u64::from(mantissa).saturating_mul(1 << exponent));
                wheel.put(at, number);
                heap.push(Reverse((at, number)));
            }
            prop_assert_eq!(wheel.len(), heap.len());
        }
        while let Some(Reverse(expected)) = heap.pop() {
            prop_assert_eq!(wheel.take(u64::MAX), Some(expected));
        }
        prop_assert_eq!(wheel.take(u64::MAX), None);
    }
}

fn bouncing(nodes: usize, link: Link, seed: u64) -> World<Bounce, ()> {
    let network = Network::new(nodes, link, seed);
    let mut world = World::new(nodes, network, seed, (), Box::new(|birth| Bounce::new(birth, 100)));
    for node in 0..nodes {
        world.act(&Action::Start { node, seeds: Vec::new() });
    }
    world
}

#[test]
fn one_seed_is_one_run() {
    let run = |seed| {
        let mut world = bouncing(50, Link::lan().lossy(0.001), seed);
        world.run_until(Duration::from_millis(100));
        (world.trace(), world.counts)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn messages_are_lost_and_doubled_as_often_as_said() {
    let link = Link { loss: 0.1, duplicate: 0.2, ..Link::clean(Latency::Fixed(Duration::from_millis(1))) };
    let mut world = bouncing(100, link, 3);
    world.run_until(Duration::from_millis(40));
    let counts = world.counts;
    assert_eq!(counts.sent + counts.twice, counts.lost + counts.delivered + world.pending() as u64 - 100);
    let share = |part: u64| part as f64 / counts.sent as f64;
    assert!((share(counts.lost) - 0.1).abs() < 0.01, "{counts:?}");
    assert!((share(counts.twice) - 0.18).abs() < 0.01, "{counts:?}");
}

#[test]
fn simple_nodes_find_each_other() {
    let nodes = 5;
    let network = Network::new(nodes, Link::lan(), 7);
    let mut world = World::new(nodes, network, 7, (), Box::new(|birth| Simple::new(birth, Flaw::None)));
    for node in 0..nodes {
        world.act(&Action::Start { node, seeds: vec![0] });
    }
    world.run_until(Duration::from_secs(20));
    let mut checks = crate::simulator::checks::all::<Simple>(nodes, Default::default(), None);
    use crate::simulator::checks::Watch;
    checks.settled(0, &world.seats).unwrap();
}
