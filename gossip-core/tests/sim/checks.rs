//! Every check finds the fault that it is there for, and finds none where there is none.

use crate::simulator::kinds::{play_simple, simple};
use crate::simulator::plan::Plan;
use crate::simulator::toy::Flaw;

/// The first check that does not hold in each of some seeds.
fn found(flaw: Flaw, seeds: u64) -> Vec<Option<String>> {
    (0..seeds)
        .map(|seed| {
            let outcome = play_simple(&Plan::of(seed, &simple()), flaw);
            outcome.failure.map(|failure| failure.to_string())
        })
        .collect()
}

fn finds(flaw: Flaw, check: &str) {
    let found = found(flaw, 12);
    assert!(
        found.iter().flatten().any(|failure| failure.starts_with(check)),
        "{check} does not find {flaw:?}: {found:#?}"
    );
}

#[test]
fn a_node_without_a_flaw_passes() {
    let found = found(Flaw::None, 40);
    assert!(found.iter().all(Option::is_none), "{found:#?}");
}

#[test]
fn no_resurrection_finds_the_undead() {
    finds(Flaw::Undead, "no_resurrection");
}

#[test]
fn no_resurrection_finds_a_lost_grave() {
    finds(Flaw::Forgetful, "no_resurrection");
}

#[test]
fn convergence_finds_the_deaf() {
    finds(Flaw::Deaf, "convergence");
}

#[test]
fn agreement_finds_the_blind() {
    finds(Flaw::Blind, "agreement");
}

#[test]
fn bounded_queues_finds_a_hoard() {
    finds(Flaw::Hoarding, "bounded_queues");
}

#[test]
fn no_message_back_to_origin_finds_an_echo() {
    finds(Flaw::Echoing, "no_message_back_to_origin");
}

#[test]
fn same_seed_same_bytes_finds_chance_from_outside() {
    finds(Flaw::Gambling, "same_seed_same_bytes");
}

#[test]
fn no_spin_finds_the_restless() {
    finds(Flaw::Restless, "no_spin");
}
