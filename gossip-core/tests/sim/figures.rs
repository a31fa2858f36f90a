//! The figures that are promised, in a small size, exact as virtual time is. All of them, from many seeds and in large, are
//! `cargo run --release -p promha-gossip-core --example simulate -- figures`.

use std::time::Duration;

use promha_gossip_core::dissemination::Config;
use promha_gossip_core::membership::MembershipConfig;

use crate::simulator::figures::{AGAIN, Case, Summary, detection, pauses, spread, storm};
use crate::simulator::kinds::{gossip_node, rumour_node};
use crate::simulator::network::{Latency, Link};
use crate::simulator::node::Birth;
use crate::simulator::real::{Rumour, Stored, Swim, Whole};

const ROUND: Duration = Duration::from_millis(200);
const LATENCY: Duration = Duration::from_micros(500);

fn case(nodes: usize, loss: f64, crashed: f64, warm: Duration) -> Case {
    let link = Link::clean(Latency::Fixed(LATENCY)).lossy(loss);
    Case { nodes, link, crashed, warm, watched: Duration::from_secs(5) }
}

/// One update among nodes that do nothing else.
fn rumours(nodes: usize, loss: f64, crashed: f64, seeds: u64) -> Summary {
    spread(&case(nodes, loss, crashed, Duration::from_secs(1)), 0..seeds, rumour_node)
}

#[test]
fn an_update_among_three_is_sent_twice_and_takes_one_latency() {
    for found in [
        rumours(3, 0.0, 0.0, 50),
        spread(&case(3, 0.0, 0.0, Duration::from_secs(5)), 0..10, gossip_node::<Stored>),
    ] {
        assert_eq!((found.payloads, found.missed, found.last), (2.0, 0.0, LATENCY), "{found:?}");
    }
}

#[test]
fn among_seven_nobody_is_missed_at_a_loss_of_a_fifth() {
    for found in [
        rumours(7, 0.2, 0.0, 200),
        spread(&case(7, 0.2, 0.0, Duration::from_secs(5)), 0..20, gossip_node::<Stored>),
    ] {
        assert!(found.missed == 0.0 && found.last <= Duration::from_secs(2), "{found:?}");
        assert!(found.payloads_per_node <= 2.5, "{found:?}");
    }
}

#[test]
fn an_update_takes_few_rounds_and_few_payloads() {
    // By nodes: the rounds of push-pull in theory.
    for (nodes, theory, seeds) in [(10, 2.0, 50), (100, 3.9, 10), (1_000, 5.1, 1)] {
        let clean = rumours(nodes, 0.0, 0.0, seeds);
        let (_, most) = clean.rounds(ROUND);
        assert!(clean.missed == 0.0 && most <= theory + 1.0, "{clean:?}");
        assert!(clean.payloads_per_node <= 4.0, "{clean:?}");
        let lossy = rumours(nodes, 0.2, 0.01, seeds);
        let (mean, _) = lossy.rounds(ROUND);
        assert!(lossy.missed == 0.0 && mean <= 1.5 * theory, "{lossy:?}");
    }
}

#[test]
fn three_thousand_updates_at_once_drain_in_a_second() {
    let found = storm(3, 3_000, 1_000_000, 1, |birth| Rumour::new(birth, 200, Config::default()));
    assert!(found.all.is_some_and(|all| all <= Duration::from_secs(1)), "{found:?}");
    let whole = |birth: &Birth<'_>| Whole::<Stored>::new(birth, 200, |config| config);
    let found = storm(3, 3_000, 1_000_000, 1, whole);
    assert!(found.all.is_some_and(|all| all <= Duration::from_secs(1)), "{found:?}");
}

fn swim(change: fn(MembershipConfig) -> MembershipConfig) -> impl Fn(&Birth<'_>) -> Swim + Clone + 'static {
    move |birth| Swim::new(birth, change)
}

#[test]
fn a_failure_is_seen_by_all_in_time() {
    let three = detection(3, Link::lan(), true, 0..20, swim(|lan| lan));
    assert!(three.never == 0 && three.all.1 <= Duration::from_secs(6), "{three:?}");
    let hundred = detection(100, Link::lan(), true, 0..2, swim(|lan| lan));
    assert!(hundred.never == 0 && hundred.all.0 <= Duration::from_secs(12), "{hundred:?}");
    assert!(hundred.all.1 <= Duration::from_secs(20), "{hundred:?}");
}

#[test]
fn stopped_processes_blame_themselves() {
    let ours = pauses(30, Link::lan(), AGAIN, 0..4, swim(|lan| lan));
    let plain = pauses(30, Link::lan(), AGAIN, 0..4, swim(MembershipConfig::plain));
    assert!(plain.suspected_running > 20.0, "{plain:?}");
    assert!(ours.suspected_running <= plain.suspected_running / 20.0, "{ours:?} {plain:?}");
    assert!(
        ours.dead_running + ours.dead_stopped <= (plain.dead_running + plain.dead_stopped) / 2.0,
        "{ours:?} {plain:?}"
    );
}
