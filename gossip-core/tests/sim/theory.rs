//! The simulator says of memberlist's rule what is known of it, from theory and from measurements.

use std::time::Duration;

use crate::simulator::figures::{Case, Summary, spread};
use crate::simulator::network::{Latency, Link};
use crate::simulator::node::Birth;
use crate::simulator::toy::Retransmit;

const ROUND: Duration = Duration::from_millis(200);

fn memberlist(
    nodes: usize,
    loss: f64,
    seeds: u64,
    make: fn(&Birth<'_>, u32, usize) -> Retransmit,
) -> Summary {
    let link = Link::clean(Latency::Fixed(Duration::from_micros(200))).lossy(loss);
    let case =
        Case { nodes, link, crashed: 0.0, warm: Duration::from_secs(1), watched: Duration::from_secs(5) };
    let summary = spread(&case, 0..seeds, move |birth| make(birth, 3, 100));
    println!("{summary:?}, {:?} rounds", summary.rounds(ROUND));
    summary
}

#[test]
fn three_nodes_send_nine_times() {
    let three = memberlist(3, 0.0, 400, Retransmit::new);
    assert_eq!((three.payloads, three.missed), (9.0, 0.0));
    assert!((80.0..180.0).contains(&(three.median.as_secs_f64() * 1e3)), "{three:?}");
}

#[test]
fn of_seven_one_is_missed_now_and_then() {
    let (clean, lossy) =
        (memberlist(7, 0.0, 2000, Retransmit::new), memberlist(7, 0.05, 2000, Retransmit::new));
    assert!((0.05..0.13).contains(&clean.missed), "{clean:?}");
    assert!((0.08..0.18).contains(&lossy.missed), "{lossy:?}");
    assert!(clean.missed < lossy.missed);
}

#[test]
fn a_thousand_take_eight_rounds_and_twelve_payloads() {
    let thousand = memberlist(1000, 0.0, 10, Retransmit::in_step);
    assert!((thousand.payloads_per_node - 12.0).abs() < 0.1, "{thousand:?}");
    let (rounds, _) = thousand.rounds(ROUND);
    assert!((7.5..9.0).contains(&rounds), "{rounds} rounds");
}
