//! The planner against `stitch` over everything decoded.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::ops::Range;

use common::drive::{Pick, picks};
use common::{ALL, Random, Replica, worlds};
use promha_merge::{Chunk, Floats, Hints, PlanError, PlanStep, Planner, STALE_BITS, Stitch, is_stale};
use proptest::prelude::*;

/// What stands for the bytes of a chunk here: equal exactly if the samples are.
type Bits = Vec<(i64, u64)>;

/// The chunks of a replica, as ranges of its samples.
fn cut(replica: &Replica, longest: usize, random: &mut Random) -> Vec<Range<usize>> {
    let mut cuts = Vec::new();
    let mut start = 0;
    while start < replica.at_ms.len() {
        let samples = if random.chance(70) { longest } else { 1 + random.below(longest as i64) as usize };
        let end = (start + samples).min(replica.at_ms.len());
        cuts.push(start..end);
        start = end;
    }
    cuts
}

/// What is known of stale markers before anybody asks, and then.
#[derive(Debug, Clone, Copy)]
enum Markers {
    /// Everything.
    Known,
    /// Nothing, but somebody can look.
    Seen,
    /// Nothing, and nobody can tell.
    Unknown,
}

impl Markers {
    fn are_absent(self, values: &[f64]) -> bool {
        !matches!(self, Self::Unknown) && !values.iter().any(|&value| is_stale(value))
    }
}

fn chunk(replica: &Replica, range: &Range<usize>, markers: Markers) -> Chunk<Bits> {
    let bits = replica.values[range.clone()].iter().map(|value| value.to_bits());
    Chunk {
        min_ms: replica.at_ms[range.start],
        max_ms: replica.at_ms[range.end - 1],
        samples: range.len(),
        all_live: match markers {
            Markers::Seen => None,
            known => Some(known.are_absent(&replica.values[range.clone()])),
        },
        bytes: replica.at_ms[range.clone()].iter().copied().zip(bits).collect(),
    }
}

/// Plans as an embedder does; which samples come out, and what is said to be wrong.
fn plan(
    replicas: &[Replica],
    cuts: &[Vec<Range<usize>>],
    hints: Hints,
    markers: Markers,
) -> (Vec<Pick>, Vec<PlanError>) {
    let mut planner = Planner::new(replicas.len(), hints);
    let mut given = vec![0; replicas.len()];
    let mut columns: Vec<Replica> = vec![Replica::default(); replicas.len()];
    // Where the first sample of each column stands in its replica.
    let mut starts = vec![0; replicas.len()];
    let (mut picks, mut errors) = (Vec::new(), Vec::new());
    let push = |picks: &mut Vec<Pick>, source: usize, range: Range<usize>, continues: bool| {
        let first = range.start;
        let pick = |index| Pick { source, index, continues: continues || index > first };
        picks.extend(range.map(pick));
    };
    loop {
        match planner.poll(|source: usize| Floats::new(&columns[source].at_ms, &columns[source].values)) {
            Ok(PlanStep::Need(source)) => match cuts[source].get(given[source]) {
                Some(range) => {
                    given[source] += 1;
                    planner.supply(source, chunk(&replicas[source], range, markers)).unwrap();
                }
                None => planner.exhaust(source),
            },
            Ok(PlanStep::Decode { source, keep_from, chunk }) => {
                let replica = &replicas[source];
                let first = replica.at_ms.binary_search(&chunk.min_ms).unwrap();
                let column = &mut columns[source];
                column.at_ms.drain(..keep_from);
                column.values.drain(..keep_from);
                starts[source] = first - column.at_ms.len();
                column.at_ms.extend_from_slice(&replica.at_ms[first..first + chunk.samples]);
                column.values.extend_from_slice(&replica.values[first..first + chunk.samples]);
                assert_eq!(column.at_ms, replica.at_ms[starts[source]..first + chunk.samples]);
                planner.decoded(source);
            }
            Ok(PlanStep::Look { source, chunk }) => {
                let first = replicas[source].at_ms.binary_search(&chunk.min_ms).unwrap();
                let values = &replicas[source].values[first..first + chunk.samples];
                assert!(chunk.all_live.is_none(), "known already");
                planner.looked(source, markers.are_absent(values));
            }
            Ok(PlanStep::Pass { source, chunk, continues }) => {
                let first = replicas[source].at_ms.binary_search(&chunk.min_ms).unwrap();
                push(&mut picks, source, first..first + chunk.samples, continues);
            }
            Ok(PlanStep::Run(run)) => {
                let start = starts[run.source];
                push(&mut picks, run.source, run.range.start + start..run.range.end + start, run.continues);
            }
            Ok(PlanStep::Done) => return (picks, errors),
            Err(error) => errors.push(error),
        }
    }
}

fn parts<'a>(a: &'a [Pick], b: &'a [Pick]) -> (usize, &'a [Pick], &'a [Pick]) {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (same, &a[same..], &b[same..])
}

proptest! {
    #[test]
    fn what_comes_out_is_what_stitch_lets_out(
        mut world in worlds(ALL),
        longest in prop_oneof![2..8usize, 8..130usize],
        markers in prop::sample::select(vec![Markers::Known, Markers::Seen, Markers::Unknown]),
        is_hinted in any::<bool>(),
        seed in any::<u64>(),
    ) {
        world.steady_clocks();
        let mut random = Random(seed);
        let cuts: Vec<_> = world.replicas.iter().map(|replica| cut(replica, longest, &mut random)).collect();
        let hints = Hints {
            interval_ms: is_hinted.then_some(world.shortest_ms()),
            counter: world.truth.counter,
        };
        let expected = picks(&mut Stitch::new(hints), &world.replicas);
        let (planned, errors) = plan(&world.replicas, &cuts, hints, markers);
        prop_assert_eq!(errors, []);
        let (same, ours, theirs) = parts(&planned, &expected);
        prop_assert_eq!(ours, theirs, "from pick {}", same);
    }
}

/// A replica whose interval became long lives on around the end of the followed one: between two of its chunks, of which
/// the first has been decoded.
#[test]
fn a_marker_between_two_chunks_of_a_replica_that_lives_on_does_not_come_out() {
    let replica = |at_ms: Vec<i64>| Replica { values: vec![1.0; at_ms.len()], at_ms, ..Replica::default() };
    let mut followed = replica((0..52).map(|i| 220_000 + 7_300 * i).collect());
    followed.values[51] = f64::from_bits(STALE_BITS);
    let short_steps = (0..17).map(|i| 9_000 + 7_300 * i);
    let long_steps = (1..=21).map(|i| 125_800 + 29_200 * i);
    let other = replica(short_steps.chain(long_steps).collect());
    assert!(other.at_ms[31] < followed.at_ms[51] && followed.at_ms[51] < other.at_ms[32]);
    let replicas = [followed, other];
    let cuts = [vec![0..2, 2..5, 5..22, 22..33, 33..50, 50..52], vec![0..17, 17..32, 32..38]];
    let (planned, errors) = plan(&replicas, &cuts, Hints::default(), Markers::Seen);
    assert_eq!(errors, []);
    assert!(!planned.iter().any(|pick| (pick.source, pick.index) == (0, 51)));
    assert_eq!(planned, picks(&mut Stitch::default(), &replicas));
}
