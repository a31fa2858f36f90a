//! The state machine against concat and sort, its protocol, and what it costs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::cell::Cell;
use std::cmp::Ordering;

use promha_merge::{Merge, Merged, OutOfOrder, Step, merge_by};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

type Groups = Vec<(u16, Vec<usize>)>;

/// The obvious way: everything in one list, sorted, equal keys together.
fn twin(sources: &[Vec<u16>]) -> Groups {
    let mut all: Vec<(u16, usize)> = sources
        .iter()
        .enumerate()
        .flat_map(|(source, keys)| keys.iter().map(move |&key| (key, source)))
        .collect();
    all.sort_by_key(|&(key, _)| key);
    all.chunk_by(|a, b| a.0 == b.0)
        .map(|group| (group[0].0, group.iter().map(|&(_, source)| source).collect()))
        .collect()
}

fn run<C: Fn(&u16, &u16) -> Ordering>(sources: &[Vec<u16>], compare: C) -> Groups {
    let mut sources: Vec<_> = sources.iter().map(|keys| keys.iter().copied()).collect();
    let mut merge = Merge::new(sources.len(), compare);
    let mut groups = Vec::new();
    loop {
        match merge.poll() {
            Step::Need(source) => match sources[source].next() {
                Some(key) => drop(merge.supply(source, key).unwrap()),
                None => drop(merge.exhaust(source)),
            },
            Step::Tied(group) => {
                let group = group.to_vec();
                groups.push((*merge.key(group[0]).unwrap(), group));
            }
            Step::Done => return groups,
        }
    }
}

fn sorted_sources() -> impl Strategy<Value = Vec<Vec<u16>>> {
    vec(btree_set(0..60u16, 0..30).prop_map(|keys| keys.into_iter().collect()), 0..20)
}

fn levels(sources: usize) -> u64 {
    u64::from(sources.next_power_of_two().ilog2())
}

proptest! {
    #[test]
    fn groups_are_those_of_a_sorted_list(sources in sorted_sources()) {
        prop_assert_eq!(run(&sources, u16::cmp), twin(&sources));
    }

    #[test]
    fn the_iterator_yields_the_groups_one_by_one(sources in sorted_sources()) {
        let merged: Result<Vec<_>, _> = merge_by(sources.clone(), u16::cmp).collect();
        let expected: Vec<_> = twin(&sources)
            .into_iter()
            .flat_map(|(item, group)| {
                group.into_iter().enumerate().map(move |(i, source)| Merged { source, item, repeats: i > 0 })
            })
            .collect();
        prop_assert_eq!(merged.unwrap(), expected);
    }

    /// As an async caller does that fetches all it can at once: what is needed is supplied in any order,
    /// between polls or not.
    #[test]
    fn the_order_of_supply_does_not_matter(
        sources in sorted_sources(),
        mut picks in vec(any::<prop::sample::Index>(), 1..50),
    ) {
        let mut cursors: Vec<_> = sources.iter().map(|keys| keys.iter().copied()).collect();
        let mut merge = Merge::new(sources.len(), u16::cmp);
        let mut groups = Vec::new();
        loop {
            let needed: Vec<usize> = merge.needed().collect();
            if !needed.is_empty() {
                let source = needed[picks[0].index(needed.len())];
                picks.rotate_left(1);
                match cursors[source].next() {
                    Some(key) => drop(merge.supply(source, key).unwrap()),
                    None => drop(merge.exhaust(source)),
                }
                continue;
            }
            match merge.poll() {
                Step::Need(source) => prop_assert!(false, "source {} is not listed as needed", source),
                Step::Tied(group) => {
                    let group = group.to_vec();
                    groups.push((*merge.key(group[0]).unwrap(), group));
                }
                Step::Done => break,
            }
        }
        prop_assert_eq!(groups, twin(&sources));
    }

    #[test]
    fn a_key_costs_one_comparison_a_level_and_one_for_its_order(sources in sorted_sources()) {
        let comparisons = Cell::new(0u64);
        let groups = run(&sources, |a, b| {
            comparisons.set(comparisons.get() + 1);
            a.cmp(b)
        });
        let keys: u64 = groups.iter().map(|(_, group)| group.len() as u64).sum();
        let order_checks: u64 = sources.iter().map(|keys| keys.len().saturating_sub(1) as u64).sum();
        prop_assert!(comparisons.get() <= keys * levels(sources.len()) + order_checks);
    }

    /// Wrong-order calls are refused, so the outcome is as if they had not been made.
    #[test]
    fn calls_that_were_not_asked_for_change_nothing(
        sources in sorted_sources(),
        noise in vec((0..25usize, 0..60u16, any::<bool>()), 1..20),
    ) {
        let mut cursors: Vec<_> = sources.iter().map(|keys| keys.iter().copied()).collect();
        let mut merge = Merge::new(sources.len(), u16::cmp);
        let mut noise = noise.into_iter().cycle();
        let mut groups = Vec::new();
        loop {
            if let Some((source, key, exhaust)) = noise.next()
                && !merge.needed().any(|needed| needed == source)
            {
                let before = merge.key(source).copied();
                if exhaust {
                    prop_assert_eq!(merge.exhaust(source), None);
                } else {
                    prop_assert_eq!(merge.supply(source, key), Ok(Some(key)));
                }
                prop_assert_eq!(merge.key(source).copied(), before);
            }
            match merge.poll() {
                Step::Need(source) => match cursors[source].next() {
                    Some(key) => drop(merge.supply(source, key).unwrap()),
                    None => drop(merge.exhaust(source)),
                },
                Step::Tied(group) => {
                    let group = group.to_vec();
                    groups.push((*merge.key(group[0]).unwrap(), group));
                }
                Step::Done => break,
            }
        }
        prop_assert_eq!(groups, twin(&sources));
    }
}

/// With `2^n` endless sources whose keys all differ, no duel is saved: the count is exact, key by key.
#[test]
fn distinct_keys_cost_exactly_one_comparison_a_level() {
    for sources in [1, 2, 4, 8, 16, 32, 64, 128] {
        let comparisons = Cell::new(0u64);
        let mut merge = Merge::new(sources, |a: &usize, b: &usize| {
            comparisons.set(comparisons.get() + 1);
            a.cmp(b)
        });
        let key = |source: usize, round: usize| round * sources + (source * 37 + round * 11) % sources;
        let mut rounds = vec![0; sources];
        let mut costs = Vec::new();
        while costs.len() < 10 * sources {
            match merge.poll() {
                Step::Need(source) => {
                    merge.supply(source, key(source, rounds[source])).unwrap();
                    rounds[source] += 1;
                }
                Step::Tied(group) => {
                    assert_eq!(group.len(), 1);
                    costs.push(comparisons.take());
                }
                Step::Done => unreachable!("the sources are endless"),
            }
        }
        assert_eq!(costs[0], sources as u64 - 1, "the first tournament of {sources} sources");
        assert!(costs[1..].iter().all(|&cost| cost == levels(sources) + 1), "{sources} sources: {costs:?}");
    }
}

/// Replicas: every key is in every source, so each round is one tournament, less than a comparison a key.
#[test]
fn a_key_that_all_sources_share_costs_one_tournament() {
    for sources in [1, 2, 3, 5, 8, 13, 64] {
        let comparisons = Cell::new(0u64);
        let keys: Vec<u16> = (0..100).collect();
        let groups = run(&vec![keys; sources], |a, b| {
            comparisons.set(comparisons.get() + 1);
            a.cmp(b)
        });
        assert_eq!(groups.len(), 100);
        assert!(groups.iter().all(|(_, group)| group.len() == sources));
        let tournaments = 100 * (sources as u64 - 1);
        let order_checks = 99 * sources as u64;
        assert_eq!(comparisons.get(), tournaments + order_checks, "{sources} sources");
    }
}

#[test]
fn exhausted_sources_cost_nothing() {
    let comparisons = Cell::new(0u64);
    let mut sources = vec![Vec::new(); 64];
    sources[17] = (0..50).collect();
    let groups = run(&sources, |a, b| {
        comparisons.set(comparisons.get() + 1);
        a.cmp(b)
    });
    assert_eq!((groups.len(), comparisons.get()), (50, 49));
}

#[test]
fn polling_again_repeats_the_question_but_not_the_group() {
    let mut merge = Merge::new(2, u16::cmp);
    assert_eq!(merge.poll(), Step::Need(0));
    assert_eq!(merge.poll(), Step::Need(0));
    assert_eq!(merge.key(0), None);
    assert_eq!(merge.supply(1, 5), Ok(None));
    assert_eq!(merge.poll(), Step::Need(0));
    assert_eq!(merge.supply(0, 5), Ok(None));
    assert_eq!(merge.poll(), Step::Tied(&[0, 1]));
    assert_eq!((merge.key(0), merge.key(1), merge.key(2)), (Some(&5), Some(&5), None));
    assert_eq!(merge.poll(), Step::Need(0));
    assert_eq!(merge.supply(0, 6), Ok(Some(5)));
    assert_eq!((merge.key(0), merge.key(1)), (Some(&6), Some(&5)));
    assert_eq!(merge.poll(), Step::Need(1));
    assert_eq!(merge.exhaust(1), Some(5));
    assert_eq!(merge.exhaust(1), None);
    assert_eq!(merge.key(1), None);
    assert_eq!(merge.poll(), Step::Tied(&[0]));
    assert_eq!(merge.exhaust(0), Some(6));
    assert_eq!(merge.poll(), Step::Done);
    assert_eq!(merge.poll(), Step::Done);
    assert_eq!(merge.supply(0, 9), Ok(Some(9)));
    assert_eq!(merge.poll(), Step::Done);
}

#[test]
fn no_sources_are_done_at_once() {
    let mut merge = Merge::new(0, u16::cmp);
    assert_eq!(merge.needed().count(), 0);
    assert_eq!(merge.poll(), Step::Done);
    assert_eq!(merge_by(Vec::<Vec<u16>>::new(), u16::cmp).count(), 0);
}

#[test]
fn a_source_out_of_order_is_named_and_the_others_go_on() {
    for wrong in [3, 2] {
        let mut merge = Merge::new(2, u16::cmp);
        merge.supply(0, 1).unwrap();
        merge.supply(1, 3).unwrap();
        assert_eq!(merge.poll(), Step::Tied(&[0]));
        merge.supply(0, 4).unwrap();
        assert_eq!(merge.poll(), Step::Tied(&[1]));
        assert_eq!(merge.supply(1, wrong), Err(OutOfOrder { source: 1, previous: 3, next: wrong }));
        assert_eq!((merge.key(1), merge.needed().count()), (None, 0));
        assert_eq!(merge.supply(1, 9), Ok(Some(9)));
        assert_eq!(merge.poll(), Step::Tied(&[0]));
        merge.exhaust(0);
        assert_eq!(merge.poll(), Step::Done);
    }
}

#[test]
fn the_iterator_reports_a_source_and_goes_on_without_it() {
    let merged: Vec<_> = merge_by([vec![1, 5, 4, 9], vec![5, 8]], u16::cmp)
        .map(|step| step.map(|merged| (merged.item, merged.source, merged.repeats)))
        .collect();
    assert_eq!(
        merged,
        [
            Ok((1, 0, false)),
            Err(OutOfOrder { source: 0, previous: 5, next: 4 }),
            Ok((5, 1, false)),
            Ok((8, 1, false))
        ]
    );
    let strict: Result<Vec<_>, _> = merge_by([vec![1, 1]], u16::cmp).collect();
    assert_eq!(strict.unwrap_err().to_string(), "source 0 is out of order: 1 does not come after 1");
}

/// Keys that are neither `Copy` nor `Clone` travel in a circle: what was merged comes back to be filled anew.
#[test]
fn keys_come_back_for_reuse() {
    struct Key(String);
    let mut merge = Merge::new(1, |a: &Key, b: &Key| a.0.cmp(&b.0));
    assert!(merge.supply(0, Key("a".to_owned())).is_ok_and(|previous| previous.is_none()));
    assert!(matches!(merge.poll(), Step::Tied(&[0])));
    assert!(
        merge.supply(0, Key("b".to_owned())).is_ok_and(|previous| previous.is_some_and(|key| key.0 == "a"))
    );
    assert!(matches!(merge.poll(), Step::Tied(&[0])));
    assert!(merge.exhaust(0).is_some_and(|key| key.0 == "b"));
}
