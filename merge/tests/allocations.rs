//! What allocates nothing once it is warm.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use allocation_counter::measure;
use promha_merge::{
    Arena, Chain, Floats, Hints, MergeLabels, Resolve, Resolved, Step, Stitch, merge_arenas, resolve,
};

const SERIES: usize = 50;

fn fill(arena: &mut Arena, source: i64) {
    const NUMBERS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let at_ms: [i64; 20] = std::array::from_fn(|i| i as i64 * 15_000 + source * 100);
    let values: [f64; 20] = std::array::from_fn(|i| i as f64);
    arena.clear();
    for number in 0..SERIES {
        let labels = [("__name__", "up"), ("a", NUMBERS[number / 10]), ("b", NUMBERS[number % 10])];
        arena.push(&labels, &at_ms, &values);
    }
}

fn allocations(mut work: impl FnMut()) -> u64 {
    work();
    measure(work).count_total
}

#[test]
fn filling_an_arena_again_allocates_nothing() {
    let mut arena = Arena::default();
    assert_eq!(allocations(|| fill(&mut arena, 0)), 0);
}

#[test]
fn merging_allocates_nothing_a_series() {
    for sources in [1, 2, 3, 8] {
        let mut arenas = vec![Arena::default(); sources];
        arenas.iter_mut().zip(0..).for_each(|(arena, source)| fill(arena, source));
        let (mut chain, mut stitch) = (Chain::default(), Stitch::new(Hints::default()));
        let (mut at_ms, mut values) = (Vec::new(), Vec::new());
        let (mut merge, mut runs) = (merge_arenas(&arenas), Vec::<Floats<'_>>::new());
        let mut work = || {
            let Some(series) = merge.next_series().unwrap() else { return false };
            at_ms.clear();
            values.clear();
            runs.clear();
            chain.append(series.columns, &mut at_ms, &mut values).unwrap();
            chain.runs(series.columns, &mut runs).unwrap();
            resolve(&mut stitch, series.columns, &mut at_ms, &mut values).unwrap();
            true
        };
        (0..5).for_each(|_| assert!(work()));
        let mut series = 5;
        // At the end of an arena its last key is kept, the first time in new memory.
        let info = measure(|| {
            while series < SERIES - 1 && work() {
                series += 1;
            }
        });
        assert_eq!((series, info.count_total), (SERIES - 1, 0), "{sources} sources");
    }
}

/// Piece by piece, each source in one arena that is filled again and again.
#[test]
fn a_machine_is_used_again_without_allocating() {
    let mut arenas = vec![Arena::default(); 3];
    let mut merge = MergeLabels::default();
    let count = allocations(|| {
        merge.reset(arenas.len());
        loop {
            match merge.poll(|source| arenas[source].labels()).unwrap() {
                Step::Need(source) if arenas[source].is_empty() => {
                    fill(&mut arenas[source], 0);
                    merge.supply(source);
                }
                Step::Need(source) => merge.exhaust(source),
                Step::Tied(_) => {}
                Step::Done => break,
            }
        }
        arenas.iter_mut().for_each(Arena::clear);
    });
    assert_eq!(count, 0);
}

#[test]
fn policies_are_used_again_without_allocating() {
    let columns: [(&[i64], &[f64]); 2] = [(&[0, 10, 40], &[0.0; 3]), (&[1, 11, 21, 31, 41], &[0.0; 5])];
    let mut stitch = Stitch::new(Hints::default());
    let count = allocations(|| {
        stitch.reset(2);
        (0..2).for_each(|source| stitch.supply(source));
        loop {
            match stitch.poll(|source| Floats::from(columns[source])).unwrap() {
                Resolved::Need { source, .. } => stitch.exhaust(source),
                Resolved::Run(_) => {}
                Resolved::Done => break,
            }
        }
    });
    assert_eq!(count, 0);
}
