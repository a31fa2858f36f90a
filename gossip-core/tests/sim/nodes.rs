//! Scenarios by seed, played with each layer alone and with whole nodes. A long night of them is
//! `cargo run --release -p promha-gossip-core --example simulate -- night`.

use std::time::Duration;

use crate::simulator::kinds::kind;
use crate::simulator::night::night;
use crate::simulator::plan::Trial;

/// Plays some seeds; all checks have to hold but for one that is left out.
fn plays(name: &str, without: Option<&str>, seeds: u64) {
    let kind = kind(name).unwrap();
    let usual = (kind.trial)();
    let trial = Trial {
        nodes: 2..9,
        storm: Duration::from_secs(30),
        bound: usual.bound.min(Duration::from_secs(60)),
        hold: Duration::from_secs(5),
        without: without.map(str::to_owned),
        ..usual
    };
    let night = night(kind, &trial, 0, seeds, 1, |_, _| {});
    assert_eq!(night.failed, [], "{name}");
    assert_eq!(night.played, seeds);
    // Storms in which nothing happens show nothing.
    assert!(night.delivered > 100 * seeds, "{name}: {}", night.delivered);
}

#[test]
fn memberships_agree_after_every_storm() {
    plays("swim", None, 30);
}

#[test]
fn rumours_reach_everybody_after_every_storm() {
    plays("rumour", None, 30);
}

#[test]
fn whole_nodes_agree_after_every_storm() {
    plays("gossip", None, 15);
}

#[test]
fn whole_nodes_with_a_plain_table_agree_after_every_storm() {
    plays("table", None, 15);
}
