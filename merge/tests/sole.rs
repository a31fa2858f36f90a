//! The short cut of `stitch`, taken for the columns of an arena, beside the machine, which is its twin.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use common::{ALL, Faults, NONE, Random, STALE, World, bits, worlds};
use promha_merge::{Arena, Floats, Hints, OutOfOrder, Resolve, Stitch, resolve};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

type Columns = (Vec<i64>, Vec<f64>);
type Output = Result<(Vec<i64>, Vec<u64>), OutOfOrder<i64>>;

fn arenas(replicas: &[Columns]) -> Vec<Arena> {
    let filled = replicas.iter().map(|(at_ms, values)| {
        let mut arena = Arena::default();
        arena.push(&[("__name__", "up")], at_ms, values);
        arena
    });
    filled.collect()
}

fn output(hints: Hints, columns: &[Floats<'_>]) -> Output {
    let (mut at_ms, mut values) = (Vec::new(), Vec::new());
    resolve(&mut Stitch::new(hints), columns, &mut at_ms, &mut values)?;
    Ok((at_ms, bits(&values)))
}

/// What comes out by the short cut, if there is one, and what comes out without.
fn both(hints: Hints, replicas: &[Columns]) -> (Option<usize>, Output, Output) {
    let arenas = arenas(replicas);
    let known: Vec<Floats<'_>> = arenas.iter().map(|arena| arena.column(0)).collect();
    // Of columns that come from nowhere nothing is known.
    let plain: Vec<Floats<'_>> =
        known.iter().map(|column| Floats::new(column.at_ms(), column.values())).collect();
    let stitch = Stitch::new(hints);
    assert_eq!(stitch.sole(plain.len(), |source| plain[source]), None);
    let sole = stitch.sole(known.len(), |source| known[source]);
    (sole, output(hints, &known), output(hints, &plain))
}

fn is_its_twin(hints: Hints, replicas: &[Columns]) -> Result<Option<usize>, TestCaseError> {
    let (sole, known, plain) = both(hints, replicas);
    prop_assert_eq!(known, plain, "{:?} of {:?}", sole, replicas);
    Ok(sole)
}

fn columns(world: &World) -> Vec<Columns> {
    world.replicas.iter().map(|replica| (replica.at_ms.clone(), replica.values.clone())).collect()
}

fn hints() -> impl Strategy<Value = Hints> {
    let interval_ms = prop_oneof![
        3 => Just(None),
        1 => (0..60i64).prop_map(Some),
        1 => prop::sample::select(vec![i64::MIN, -1, 1_000, 15_000, 30_000, 60_000, i64::MAX]).prop_map(Some),
    ];
    (interval_ms, any::<bool>()).prop_map(|(interval_ms, counter)| Hints { interval_ms, counter })
}

/// Replicas at the edge of being regular: few samples, and steps that are just short or long enough, or not.
fn nearly_regular() -> impl Strategy<Value = Vec<Columns>> {
    let shape = (
        prop::sample::select(vec![1, 2, 3, 4, 5, 8, 16, 30, 15_000, 60_000]),
        0..=40i64,
        prop_oneof![2 => 1..15i64, 1 => Just(40)],
        any::<bool>(),
        any::<u64>(),
    );
    let replica = (0..8i64, -3..=3i64, 0..5u8);
    (shape, vec(replica, 1..4)).prop_map(|((step_ms, spread, length, is_extreme, seed), replicas)| {
        let mut random = Random(seed);
        let spread_ms = step_ms * spread / 100;
        let start_ms = if is_extreme { i64::MAX - step_ms * (length + 4) } else { 0 };
        let mut made: Vec<Columns> = Vec::new();
        for (phase, more, kind) in replicas {
            let mut at_ms = start_ms + phase * step_ms / 7;
            let mut column: Columns = Default::default();
            for _ in 0..(length + more).max(0) {
                let special = kind == 0 && random.below(10) == 0;
                let value = if special { [STALE, f64::NAN][random.below(2) as usize] } else { 1.0 };
                column.0.push(at_ms);
                column.1.push(if random.below(20) == 0 { -value } else { value });
                let doubled = if kind == 1 && random.below(10) == 0 { step_ms } else { 0 };
                at_ms = at_ms.saturating_add(step_ms + doubled + random.below(spread_ms + 1));
            }
            // Some have the times of another one, and values of their own.
            if let Some((other_ms, _)) = made.first().filter(|_| kind > 2) {
                column.1.resize(other_ms.len(), 1.0);
                column.0.clone_from(other_ms);
            }
            made.push(column);
        }
        made
    })
}

proptest! {
    #![proptest_config(Config::with_cases(2_000))]

    #[test]
    fn nearly_regular_replicas_come_out_as_the_machine_has_it(replicas in nearly_regular(), hints in hints()) {
        is_its_twin(hints, &replicas)?;
    }

    /// The same set of replicas gives the same, whichever is first.
    #[test]
    fn the_order_of_the_sources_does_not_show(mut replicas in nearly_regular(), hints in hints()) {
        let (_, expected, _) = both(hints, &replicas);
        for _ in 1..replicas.len() {
            replicas.rotate_left(1);
            prop_assert_eq!(&both(hints, &replicas).1, &expected);
        }
        replicas.reverse();
        prop_assert_eq!(both(hints, &replicas).1, expected);
    }

    #[test]
    fn columns_out_of_order_are_errors(mut replicas in nearly_regular(), which: prop::sample::Index) {
        let replica = which.index(replicas.len());
        replicas[replica].0.reverse();
        let (sole, known, plain) = both(Hints::default(), &replicas);
        prop_assert_eq!(known, plain);
        prop_assert!(sole.is_none() || replicas[replica].0.len() < 2);
    }
}

proptest! {
    #[test]
    fn scrapes_come_out_as_the_machine_has_it(world in worlds(ALL), hints in hints()) {
        is_its_twin(hints, &columns(&world))?;
    }

    #[test]
    fn scrapes_with_few_faults_come_out_as_the_machine_has_it(
        world in worlds(Faults { outages: 1, ..NONE }), hints in hints(),
    ) {
        is_its_twin(hints, &columns(&world))?;
    }
}

/// Or the laws above say nothing.
#[test]
fn the_short_cut_is_taken_often_but_not_always() {
    let (mut taken, mut of_others, cases) = (0, 0, 500);
    let mut runner = TestRunner::deterministic();
    for _ in 0..cases {
        let replicas = nearly_regular().new_tree(&mut runner).unwrap().current();
        let sole = is_its_twin(Hints::default(), &replicas).unwrap();
        taken += usize::from(sole.is_some() && replicas.len() > 1);
        of_others += usize::from(sole.is_some_and(|sole| sole > 0));
    }
    assert!(cases / 10 < taken && taken < cases * 9 / 10, "{taken}");
    assert!(of_others > cases / 50, "{of_others}");
}

fn every(step_ms: i64, from_ms: i64, count: i64) -> Columns {
    ((0..count).map(|i| from_ms + i * step_ms).collect(), (0..count).map(|i| i as f64).collect())
}

fn sole(replicas: &[Columns]) -> Option<usize> {
    is_its_twin(Hints::default(), replicas).unwrap()
}

#[test]
fn what_can_be_told_at_a_glance() {
    let a = every(8, 0, 10);
    let mut above = a.clone();
    above.1[7] = 70.0;
    assert_eq!(sole(std::slice::from_ref(&a)), Some(0));
    assert_eq!(sole(&[a.clone(), a.clone()]), Some(0));
    assert_eq!(sole(&[every(8, 3, 10), a.clone(), every(8, 5, 10)]), Some(1));
    assert_eq!(sole(&[a.clone(), above.clone(), a.clone()]), Some(1));

    // A whole interval later, it is not known that the first one's pace is ever learned.
    assert_eq!(sole(&[a.clone(), every(8, 7, 9)]), Some(0));
    assert_eq!(sole(&[a.clone(), every(8, 8, 9)]), None);
    // It goes on for seven eighths of an interval or longer.
    assert_eq!(sole(&[a.clone(), every(8, 6, 10)]), Some(0));
    assert_eq!(sole(&[a.clone(), every(8, 7, 10)]), None);
    // A denser one, by whose pace a step of 8 is not a gap, or is.
    assert_eq!(sole(&[a.clone(), every(6, 3, 10)]), Some(0));
    assert_eq!(sole(&[a.clone(), every(5, 3, 10)]), None);
    assert_eq!(sole(&[every(9, 0, 10), every(6, 3, 14)]), None);
    // A hole in the one that is followed, and in the other one.
    let mut hole = a.clone();
    hole.0.remove(5);
    hole.1.remove(5);
    assert_eq!(sole(&[hole.clone(), every(8, 3, 10)]), None);
    hole.0.iter_mut().for_each(|at_ms| *at_ms += 3);
    assert_eq!(sole(&[hole, a.clone()]), Some(1));
    // There is no pace to be learned: the fallback makes a hole.
    assert_eq!(sole(&[every(60_000, 0, 2), every(1, 30_000, 1)]), None);
    // Markers, but those that all have.
    let mut marked = a.clone();
    marked.1[9] = STALE;
    assert_eq!(sole(&[marked.clone(), every(8, 3, 10)]), None);
    assert_eq!(sole(&[marked.clone(), marked.clone()]), Some(0));
    assert_eq!(sole(&[marked, a]), Some(1));
}
