//! The promises of `stitch`, each a law over generated replicas, and the obvious way to write it as its twin.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::collections::HashSet;

use common::drive::{Pick, picks, picks_in_pieces, samples};
use common::{ALL, Faults, NONE, Outage, Random, Replica, Scraper, Truth, World, twin, worlds};
use promha_merge::{Hints, Stitch, resolve};
use proptest::prelude::*;

fn stitch(world: &World) -> Vec<Pick> {
    picks(&mut machine(world, None), &world.replicas)
}

fn machine(world: &World, interval_ms: Option<i64>) -> Stitch {
    Stitch::new(Hints { interval_ms, counter: world.truth.counter })
}

/// A live sample that came out, and the index of the pick.
struct Live {
    at_ms: i64,
    value: f64,
    true_ms: i64,
    pick: usize,
}

fn live(world: &World, picks: &[Pick]) -> Vec<Live> {
    let of_pick = |(pick, p): (usize, &Pick)| {
        let replica = &world.replicas[p.source];
        replica.is_live(p.index).then(|| Live {
            at_ms: replica.at_ms[p.index],
            value: replica.values[p.index],
            true_ms: replica.true_ms[p.index],
            pick,
        })
    };
    picks.iter().enumerate().filter_map(of_pick).collect()
}

proptest! {
    #[test]
    fn it_does_what_the_obvious_way_does(world in worlds(ALL), hint in prop_oneof![
        Just(None), Just(Some(1_000)), Just(Some(15_000)), Just(Some(60_000)),
    ]) {
        let expected = twin::stitch(&world.replicas, hint, world.truth.counter);
        let merged = picks(&mut machine(&world, hint), &world.replicas);
        let parts = merged.iter().zip(&expected).position(|(a, b)| a != b).unwrap_or(merged.len());
        prop_assert_eq!(&merged[parts..], &expected[parts.min(expected.len())..], "from pick {}", parts);
    }

    #[test]
    fn it_does_not_matter_how_samples_are_cut(world in worlds(ALL), seed in any::<u64>()) {
        let whole = stitch(&world);
        prop_assert_eq!(picks_in_pieces(&mut machine(&world, None), &world.replicas, seed), whole);
    }

    /// Law 1.
    #[test]
    fn the_order_of_the_replicas_does_not_show(world in worlds(ALL), seed in any::<u64>()) {
        let expected = samples(&world.replicas, &stitch(&world));
        let mut random = Random(seed);
        let mut shuffled = world.clone();
        for i in (1..shuffled.replicas.len()).rev() {
            shuffled.replicas.swap(i, random.below(i as i64 + 1) as usize);
        }
        prop_assert_eq!(samples(&shuffled.replicas, &stitch(&shuffled)), expected);
    }

    /// Law 2.
    #[test]
    fn every_sample_is_some_replicas_and_later_than_the_one_before(world in worlds(ALL)) {
        let merged = samples(&world.replicas, &stitch(&world));
        prop_assert!(merged.is_sorted_by(|a, b| a.0 < b.0));
        let all: HashSet<(i64, u64)> = world
            .replicas
            .iter()
            .flat_map(|r| r.at_ms.iter().copied().zip(r.values.iter().map(|value| value.to_bits())))
            .collect();
        prop_assert!(merged.iter().all(|sample| all.contains(sample)));
    }

    /// Law 2.
    #[test]
    fn copies_come_out_as_one_of_them(world in worlds(ALL), copies in 1..5usize) {
        let one = world.replicas[0].clone();
        let expected: Vec<(i64, u64)> =
            one.at_ms.iter().copied().zip(one.values.iter().map(|value| value.to_bits())).collect();
        let copies = World { replicas: vec![one; copies], ..world };
        prop_assert_eq!(samples(&copies.replicas, &stitch(&copies)), expected);
    }

    /// Law 3: where nobody lacks anything, one replica comes out, the one that begins first.
    #[test]
    fn of_whole_replicas_one_comes_out(world in worlds(NONE)) {
        let merged = stitch(&world);
        let first = world.replicas.iter().enumerate().filter(|r| !r.1.at_ms.is_empty());
        if let Some((source, replica)) = first.min_by_key(|(_, replica)| replica.at_ms[0]) {
            let ties = world.replicas.iter().filter(|r| r.at_ms.first() == replica.at_ms.first()).count();
            if ties == 1 {
                let (this, rest) = merged.split_at(replica.at_ms.len());
                prop_assert!(this.iter().enumerate().all(|(i, pick)| (pick.source, pick.index) == (source, i)));
                // By clocks that are not the same, another one may end later.
                prop_assert!(rest.len() <= 3, "{:?}", rest);
            }
        }
    }

    /// Law 3: the output leaves a replica only where that one has no live sample for longer than any scrape
    /// can be late.
    #[test]
    fn a_replica_is_left_only_in_a_hole(world in worlds(ALL)) {
        let hint = Some(world.shortest_ms());
        is_left_only_in_a_hole(&world, &picks(&mut machine(&world, hint), &world.replicas))?;
    }

    /// Law 3: the same when nothing is known of the interval but what the samples show.
    #[test]
    fn a_replica_is_not_left_without_a_hint(world in worlds(ALL)) {
        // What can be told from a few samples is little.
        if world.replicas.iter().all(|replica| replica.at_ms.len() > 30) {
            is_left_only_in_a_hole(&world, &stitch(&world))?;
        }
    }

    /// Law 4: in every hole that is left, nobody has a sample that is not too close to what came out.
    #[test]
    fn no_hole_is_left_that_can_be_filled(world in worlds(Faults { markers: false, ..ALL })) {
        let hint = Some(world.shortest_ms());
        no_hole_is_left(&world, &picks(&mut machine(&world, hint), &world.replicas))?;
    }

    /// Law 4: the same when nothing is known of the interval but what the samples show.
    #[test]
    fn a_hole_is_known_without_a_hint(world in worlds(Faults { outages: 1, ..NONE })) {
        if world.replicas.iter().all(|replica| replica.at_ms.len() > 30) {
            no_hole_is_left(&world, &stitch(&world))?;
        }
    }

    /// Law 4: the output goes on as long as anybody does.
    #[test]
    fn the_end_is_the_last_end(world in worlds(Faults { markers: false, ..ALL })) {
        let hint = Some(world.shortest_ms());
        let live = live(&world, &picks(&mut machine(&world, hint), &world.replicas));
        let ends = world.replicas.iter().filter_map(|replica| replica.at_ms.last());
        if let Some(&last_ms) = ends.max() {
            let missing_ms = last_ms - live.last().unwrap().at_ms;
            prop_assert!(missing_ms * 100 < world.longest_ms() * 165, "{missing_ms} ms are missing");
        }
    }

    /// Law 5: each step back of the output is a reset that happened, and none comes out twice.
    #[test]
    fn a_counter_steps_back_only_where_it_really_did(mut world in worlds(ALL)) {
        world.make_counter();
        steps_back_only_where_it_did(&world)?;
    }

    /// Law 6: where a marker comes out, nobody has live samples around it.
    #[test]
    fn a_marker_comes_out_only_where_nobody_lives_on(world in worlds(ALL)) {
        markers_only_where_nobody_lives_on(&world)?;
    }

    /// Law 6, the other way round: when all replicas end with a marker, so does the output.
    #[test]
    fn a_series_that_ends_for_all_ends_with_a_marker(mut world in worlds(ALL)) {
        world.replicas.retain_mut(|replica| {
            replica.values.last_mut().map(|value| *value = common::STALE).is_some()
        });
        if world.replicas.is_empty() {
            return Ok(());
        }
        let last = *stitch(&world).last().unwrap();
        prop_assert!(!world.replicas[last.source].is_live(last.index));
    }

    /// Law 7: what a sample says about the one before it holds, or the run is marked.
    #[test]
    fn a_run_continues_exactly_where_its_predecessor_came_out(world in worlds(ALL)) {
        let merged = stitch(&world);
        let all = samples(&world.replicas, &merged);
        for (i, pick) in merged.iter().enumerate() {
            let replica = &world.replicas[pick.source];
            let before = pick.index.checked_sub(1).map(|j| (replica.at_ms[j], replica.values[j].to_bits()));
            let came_out = before.is_some() && i > 0 && before == Some(all[i - 1]);
            prop_assert!(came_out || !pick.continues, "{:?}", pick);
            let follows = i > 0 && merged[i - 1].source == pick.source && merged[i - 1].index + 1 == pick.index;
            prop_assert!(pick.continues || !follows, "{:?}", pick);
        }
    }
}

/// One case in a hundred thousand: a replica with long steps rises across a reset, and another one, whose clock is
/// behind it, shows that reset from a level which happens to be near.
#[test]
fn a_reset_that_a_long_step_hides_does_not_come_out_late() {
    let truth = Truth { counter: true, growth_ms: 1, resets_ms: vec![50_616, 49_210] };
    let fine = Scraper {
        interval_ms: 1_000,
        phase_ms: 472,
        skew_ms: 493,
        jitter_ms: 53,
        seed: 2_860_643_985_529_189_744,
        life_ms: (0, 74_000),
        outages: Vec::new(),
        restart_ms: None,
        change_ms: None,
        ends_stale: false,
    };
    let coarse = Scraper {
        phase_ms: 2,
        skew_ms: -232,
        jitter_ms: 65,
        seed: 16_520_861_412_923_784_017,
        life_ms: (666, 51_726),
        change_ms: Some((48_766, 2_000)),
        ..fine.clone()
    };
    let world = World::new(truth, vec![fine, coarse]);
    let live = live(&world, &stitch(&world));
    for pair in live.windows(2).filter(|pair| pair[1].value < pair[0].value) {
        assert!(world.truth.resets_between(pair[0].true_ms, pair[1].true_ms) > 0, "at {}", pair[1].at_ms);
    }
}

/// Nobody needed to know the interval of a replica before its end, and no steps are left to learn it from.
#[test]
fn a_replica_that_begins_at_the_end_of_another_doubles_no_density() {
    let times_ms: Vec<i64> = (0..11).map(|n| 120_000 * n).collect();
    let values: Vec<f64> = (0..11).map(f64::from).collect();
    let old: (&[i64], &[f64]) = (&times_ms, &values);
    for (late_ms, comes_out) in [(29_000, false), (104_000, false), (105_000, true)] {
        let new: (&[i64], &[f64]) = (&[1_200_000 + late_ms], &[9.5]);
        let (mut at_ms, mut values) = (Vec::new(), Vec::new());
        resolve(&mut Stitch::default(), &[old, new], &mut at_ms, &mut values).unwrap();
        assert_eq!(at_ms.len() > times_ms.len(), comes_out, "{late_ms} ms later");
    }
}

/// Copies part at the marker of one. The other one is the one to follow then, and it is where it was.
#[test]
fn a_copy_that_is_taken_up_again_at_once_continues() {
    let replica = |at_ms: &[i64], values: &[f64]| Replica {
        at_ms: at_ms.to_vec(),
        values: values.to_vec(),
        true_ms: at_ms.to_vec(),
        interval_ms: (1_000, 1_000),
    };
    let lives = replica(&[0, 1_000, 2_000, 3_100, 4_100], &[0.0, 1.0, 2.0, 3.0, 4.0]);
    let ends = replica(&[0, 1_000, 2_000, 3_000], &[0.0, 1.0, 2.0, common::STALE]);
    let merged = picks(&mut Stitch::new(Hints::default()), &[lives, ends]);
    let continues: Vec<_> = merged.iter().map(|pick| (pick.source, pick.continues)).collect();
    assert_eq!(continues, [(0, false), (0, true), (0, true), (0, true), (0, true)]);
}

/// Found among hundreds of thousands: scrapes that are early or late by a quarter of an interval, and clocks that are far apart.
#[test]
fn the_hardest_worlds_keep_the_laws() {
    let scraper = |interval_ms, (phase_ms, skew_ms, jitter_ms, seed), life_ms| Scraper {
        interval_ms,
        phase_ms,
        skew_ms,
        jitter_ms,
        seed,
        life_ms,
        outages: Vec::new(),
        restart_ms: None,
        change_ms: None,
        ends_stale: false,
    };
    let gauge = || Truth { counter: false, growth_ms: 5, resets_ms: Vec::new() };
    let outage = |from_ms, to_ms, marker| vec![Outage { from_ms, to_ms, marker }];

    let (all_ms, change_ms) = ((0, 5_580_000), Some((2_951_820, 120_000)));
    let early_and_late = World::new(
        gauge(),
        vec![
            Scraper {
                change_ms,
                ..scraper(240_000, (38_640, 16_860, 29_760, 2_712_021_828_025_351_499), all_ms)
            },
            Scraper { change_ms, ..scraper(120_000, (42_480, 0, 9_960, 2_816_455_108_675_040_972), all_ms) },
        ],
    );
    let hint = Some(early_and_late.shortest_ms());
    is_left_only_in_a_hole(
        &early_and_late,
        &picks(&mut machine(&early_and_late, hint), &early_and_late.replicas),
    )
    .unwrap();

    let all_ms = (0, 1_305_000);
    let changed = World::new(
        gauge(),
        vec![
            Scraper { outages: outage(600_300, 630_300, false), ..scraper(30_000, (0, 0, 0, 0), all_ms) },
            Scraper {
                restart_ms: Some((386_280, 46_980)),
                change_ms: Some((396_720, 30_000)),
                ..scraper(60_000, (26_040, 0, 7_500, 9_882_206_133_121_041_142), all_ms)
            },
        ],
    );
    is_left_only_in_a_hole(&changed, &stitch(&changed)).unwrap();

    let resets = Truth { counter: true, growth_ms: 1, resets_ms: vec![7_740, 6_360] };
    steps_back_only_where_it_did(&World::new(
        resets,
        vec![
            scraper(1_000, (592, 417, 52, 344_116_948_160_879_911), (2_070, 8_670)),
            Scraper {
                outages: outage(8_910, 9_910, true),
                ..scraper(1_000, (235, -256, 63, 2_547_113_152_185_031_781), (660, 9_900))
            },
        ],
    ))
    .unwrap();

    let all_ms = (0, 3_360_000);
    markers_only_where_nobody_lives_on(&World::new(
        gauge(),
        vec![
            Scraper {
                change_ms: Some((120_960, 120_000)),
                ..scraper(240_000, (0, 0, 26_880, 7_092_255_673_801_836_363), all_ms)
            },
            Scraper { outages: outage(2_160_480, 2_220_480, true), ..scraper(60_000, (0, 0, 0, 0), all_ms) },
        ],
    ))
    .unwrap();
}

fn is_left_only_in_a_hole(world: &World, merged: &[Pick]) -> Result<(), TestCaseError> {
    let live = live(world, merged);
    for pair in live.windows(2) {
        let (from, to) = (&pair[0], &pair[1]);
        if (from.pick + 1..=to.pick).all(|pick| merged[pick].continues) {
            continue;
        }
        // Whoever has the last sample was followed. Of several that were followed together, only those count
        // that have not parted from the output before.
        let was_followed = |replica: &&Replica| {
            let index = replica.at_ms.binary_search(&from.at_ms);
            index.is_ok_and(|i| replica.values[i].to_bits() == from.value.to_bits())
        };
        let new = merged[to.pick].source;
        let left: Vec<&Replica> = world.replicas.iter().filter(was_followed).collect();
        let next_ms = |replica: &&Replica| {
            let index = replica.at_ms.partition_point(|&at_ms| at_ms <= from.at_ms);
            (index..replica.at_ms.len()).find(|&i| replica.is_live(i)).map(|i| replica.at_ms[i])
        };
        let goes_on_ms = left.iter().filter_map(next_ms).min().unwrap_or(i64::MAX);
        let step_ms = goes_on_ms.saturating_sub(from.at_ms);
        let is_hole = step_ms >= world.shortest_ms() * 128 / 100;
        let by_several = left.len() > 1;
        prop_assert!(
            is_hole || by_several || goes_on_ms == to.at_ms,
            "left for {new} at {} although it goes on after {step_ms} ms",
            from.at_ms
        );
    }
    Ok(())
}

fn steps_back_only_where_it_did(world: &World) -> Result<(), TestCaseError> {
    let live = live(world, &stitch(world));
    let mut steps_back = 0;
    for pair in live.windows(2).filter(|pair| pair[1].value < pair[0].value) {
        steps_back += 1;
        prop_assert!(
            world.truth.resets_between(pair[0].true_ms, pair[1].true_ms) > 0,
            "from {} to {} at {}",
            pair[0].value,
            pair[1].value,
            pair[1].at_ms
        );
    }
    prop_assert!(steps_back <= world.truth.resets_ms.len());
    Ok(())
}

fn markers_only_where_nobody_lives_on(world: &World) -> Result<(), TestCaseError> {
    for pick in stitch(world) {
        let replica = &world.replicas[pick.source];
        if replica.is_live(pick.index) || world.replicas.len() == 1 {
            continue;
        }
        let at_ms = replica.at_ms[pick.index];
        for other in &world.replicas {
            let next = other.at_ms.partition_point(|&time_ms| time_ms <= at_ms);
            let lives = next > 0
                && next < other.at_ms.len()
                && other.is_live(next - 1)
                && other.is_live(next)
                && (other.at_ms[next] - other.at_ms[next - 1]) * 100 <= other.interval_ms.0 * 128;
            prop_assert!(!lives, "a marker at {at_ms}");
        }
    }
    Ok(())
}

fn no_hole_is_left(world: &World, merged: &[Pick]) -> Result<(), TestCaseError> {
    let live = live(world, merged);
    let interval_ms = world.longest_ms();
    for (position, pair) in live.windows(2).enumerate() {
        let (from, to) = (&pair[0], &pair[1]);
        if (to.at_ms - from.at_ms) * 100 < interval_ms * 165 {
            continue;
        }
        for (source, replica) in world.replicas.iter().enumerate() {
            for (i, &at_ms) in replica.at_ms.iter().enumerate() {
                let is_far = (at_ms - from.at_ms) * 100 >= interval_ms * 62
                    && (to.at_ms - at_ms) * 100 >= interval_ms * 62;
                prop_assert!(
                    !is_far || may_be_held_back(world, &live[..=position], replica, i),
                    "the hole from {} to {} could be filled by {source} at {at_ms}",
                    from.at_ms,
                    to.at_ms
                );
            }
        }
    }
    Ok(())
}

/// Whether the rule for counters may have kept this sample back: it is below what came out, or its replica
/// falls right after it, or the output has just fallen.
fn may_be_held_back(world: &World, before: &[Live], replica: &Replica, i: usize) -> bool {
    let last = before.last().unwrap();
    let is_soon = (replica.at_ms[i] - last.at_ms) * 100 < world.longest_ms() * 165;
    let falls = replica.values.get(i + 1).is_some_and(|&next| next < replica.values[i]);
    let has_fallen = before.len() > 1 && last.value < before[before.len() - 2].value;
    world.truth.counter && is_soon && (replica.values[i] < last.value || falls || has_fallen)
}
