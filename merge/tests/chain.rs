//! `chain` against concat, stable sort and dedup, over columns of any split.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::cell::Cell;

use promha_merge::{Arena, Chain, ChainStep, Floats, OutOfOrder, chain};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// A sample by its origin: timestamp, source, and its number within the source.
type Sample = (i64, usize, usize);
/// The columns of one source, one after the other.
type Columns = Vec<Vec<i64>>;

/// The obvious way: everything in one list, stable sort, first of each timestamp.
fn twin(sources: &[Columns]) -> Vec<Sample> {
    let of_source = |(source, columns): (usize, &Columns)| {
        columns.concat().into_iter().enumerate().map(move |(i, at_ms)| (at_ms, source, i)).collect::<Vec<_>>()
    };
    let mut all: Vec<Sample> = sources.iter().enumerate().flat_map(of_source).collect();
    all.sort_by_key(|sample| sample.0);
    if sources.len() > 1 {
        all.dedup_by_key(|sample| sample.0);
    }
    all
}

/// What an embedder does: columns go in as they are asked for. Errors are noted and the merge goes on.
fn run(sources: &[Columns]) -> (Vec<Sample>, Vec<OutOfOrder<i64>>) {
    let mut current: Vec<(usize, usize)> = vec![(0, 0); sources.len()];
    let mut given = vec![0; sources.len()];
    let (mut merged, mut errors) = (Vec::new(), Vec::new());
    let mut chain = Chain::new(sources.len());
    loop {
        let shown = current.clone();
        match chain.poll(|source| &sources[source][shown[source].0]) {
            Ok(ChainStep::Need(source)) => match sources[source].get(given[source]) {
                Some(_) => {
                    let before = sources[source][..given[source]].iter().map(Vec::len).sum();
                    current[source] = (given[source], before);
                    given[source] += 1;
                    chain.supply(source);
                }
                None => chain.exhaust(source),
            },
            Ok(ChainStep::Run { source, range }) => {
                assert!(!range.is_empty());
                let (column, before) = current[source];
                merged.extend(range.map(|i| (sources[source][column][i], source, before + i)));
            }
            Ok(ChainStep::Done) => return (merged, errors),
            Err(error) => errors.push(error),
        }
    }
}

/// Sorted timestamps, some repeated, cut into columns (some of them empty).
fn columns() -> impl Strategy<Value = Columns> {
    (vec(0..80i64, 0..40), vec(0..40usize, 0..4)).prop_map(|(mut at_ms, mut cuts)| {
        at_ms.sort_unstable();
        cuts.sort_unstable();
        let mut columns = Vec::new();
        for cut in cuts.into_iter().rev() {
            columns.push(at_ms.split_off(cut.min(at_ms.len())));
        }
        columns.push(at_ms);
        columns.reverse();
        columns
    })
}

proptest! {
    #[test]
    fn the_union_is_that_of_a_sorted_list(sources in vec(columns(), 0..9)) {
        let (merged, errors) = run(&sources);
        prop_assert_eq!(errors, []);
        prop_assert_eq!(merged, twin(&sources));
    }

    #[test]
    fn timestamps_strictly_increase(sources in vec(columns(), 2..9)) {
        let (merged, _) = run(&sources);
        prop_assert!(merged.is_sorted_by(|a, b| a.0 < b.0));
    }

    /// Where no timestamps are shared, a run ends only where another source has the next sample.
    #[test]
    fn runs_are_as_long_as_they_can_be(
        all in btree_set(any::<i64>(), 0..200),
        owners in vec(0..5usize, 200),
    ) {
        let mut sources = vec![Vec::new(); 5];
        let mut switches = 0;
        let mut last = None;
        for (at_ms, owner) in all.into_iter().zip(owners) {
            sources[owner].push(at_ms);
            switches += usize::from(last.replace(owner) != Some(owner));
        }
        let mut chain = Chain::new(5);
        (0..5).for_each(|source| chain.supply(source));
        let mut runs = 0;
        loop {
            match chain.poll(|source| &sources[source]).unwrap() {
                ChainStep::Need(source) => chain.exhaust(source),
                ChainStep::Run { .. } => runs += 1,
                ChainStep::Done => break,
            }
        }
        prop_assert_eq!(runs, switches);
    }

    #[test]
    fn float_columns_are_appended(sources in vec(columns(), 0..5)) {
        let flat: Vec<Vec<i64>> = sources.iter().map(|columns| columns.concat()).collect();
        let value = |source: usize, i: usize| (source * 1000 + i) as f64;
        let numbered = flat.iter().enumerate();
        let values: Vec<Vec<f64>> =
            numbered.map(|(s, at_ms)| (0..at_ms.len()).map(|i| value(s, i)).collect()).collect();
        let columns: Vec<(&[i64], &[f64])> =
            flat.iter().zip(&values).map(|(at_ms, values)| (&at_ms[..], &values[..])).collect();
        let (mut at_ms, mut merged) = (vec![-1], vec![-1.0]);
        chain(&columns, &mut at_ms, &mut merged).unwrap();
        let expected = twin(&sources);
        prop_assert_eq!(&at_ms[1..], expected.iter().map(|sample| sample.0).collect::<Vec<_>>());
        prop_assert_eq!(&merged[1..], expected.iter().map(|&(_, s, i)| value(s, i)).collect::<Vec<_>>());
        prop_assert_eq!((at_ms[0], merged[0]), (-1, -1.0));
    }

    /// Up to two sources that repeat nothing have a way of their own; so have those that do not overlap.
    #[test]
    fn what_lies_in_memory_is_chained_as_the_machine_does(
        mut sources in vec(vec(0..200i64, 0..150), 0..4),
        apart in prop_oneof![Just(0), Just(200), Just(-200), Just(100)],
        is_strict in any::<bool>(),
        knows in any::<bool>(),
        unit_ms in prop_oneof![Just(1), Just(1 << 15)],
        nearly_alike in any::<bool>(),
    ) {
        if nearly_alike && let [first, second, ..] = &mut sources[..] {
            second.clone_from(first);
            second.iter_mut().max().into_iter().for_each(|last_ms| *last_ms += 2);
        }
        for (source, at_ms) in sources.iter_mut().enumerate() {
            at_ms.iter_mut().for_each(|at_ms| *at_ms = (*at_ms + apart * source as i64) * unit_ms);
            at_ms.sort_unstable();
            if is_strict {
                at_ms.dedup();
            }
        }
        let value = |source: usize, i: usize| (source * 1000 + i) as f64;
        let values: Vec<Vec<f64>> = sources
            .iter()
            .enumerate()
            .map(|(source, at_ms)| (0..at_ms.len()).map(|i| value(source, i)).collect())
            .collect();
        let mut arena = Arena::default();
        let mut columns = Vec::new();
        for (at_ms, values) in sources.iter().zip(&values) {
            arena.push(&[], at_ms, values);
            columns.push(Floats::new(at_ms, values));
        }
        if knows {
            columns = (0..arena.len()).map(|index| arena.column(index)).collect();
        }
        let (mut at_ms, mut merged, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        let mut chain = Chain::default();
        chain.append(&columns, &mut at_ms, &mut merged).unwrap();
        chain.runs(&columns, &mut runs).unwrap();
        prop_assert!(runs.iter().all(|run| !run.at_ms().is_empty()));
        let whole: Vec<_> = sources.iter().map(|at_ms| vec![at_ms.clone()]).collect();
        let expected = twin(&whole);
        let expected: (Vec<_>, Vec<_>) = expected.iter().map(|&(at_ms, s, i)| (at_ms, value(s, i))).unzip();
        let ran: (Vec<_>, Vec<_>) =
            (runs.iter().flat_map(Floats::at_ms).copied().collect(), runs.iter().flat_map(Floats::values).copied().collect());
        prop_assert_eq!(&(at_ms, merged), &expected);
        prop_assert_eq!(&ran, &expected);
    }

    /// One source is spoilt: it alone is named, with the two timestamps, and only what follows in it is
    /// missing.
    #[test]
    fn a_source_out_of_order_is_named_and_the_others_go_on(
        mut sources in vec(columns(), 1..6),
        spoilt in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        step_back_ms in 1..10i64,
    ) {
        let spoilt = spoilt.index(sources.len());
        sources[spoilt].push(vec![100]);
        let flat = sources[spoilt].concat();
        let place = place.index(flat.len());
        let wrong_ms = flat[place] - step_back_ms;
        let (column, index) = locate(&sources[spoilt], place);
        sources[spoilt][column].insert(index + 1, wrong_ms);

        let (merged, errors) = run(&sources);
        prop_assert_eq!(errors, [OutOfOrder { source: spoilt, previous: flat[place], next: wrong_ms }]);
        sources[spoilt].truncate(column);
        prop_assert_eq!(merged, twin(&sources));
    }
}

/// The column of a source in which its `place`-th timestamp stands, and where.
fn locate(columns: &Columns, place: usize) -> (usize, usize) {
    let mut before = 0;
    for (column, at_ms) in columns.iter().enumerate() {
        if place < before + at_ms.len() {
            return (column, place - before);
        }
        before += at_ms.len();
    }
    unreachable!("place is within the source")
}

type Case<'a> = (&'a str, &'a [&'a [i64]], &'a [(usize, i64)]);

const CASES: &[Case<'_>] = &[
    ("nothing", &[], &[]),
    ("empty sources", &[&[], &[]], &[]),
    ("one source is handed through", &[&[1, 1, 2]], &[(0, 1), (0, 1), (0, 2)]),
    ("first source wins every tie", &[&[1, 2, 3], &[1, 2, 3]], &[(0, 1), (0, 2), (0, 3)]),
    ("later source leads in time", &[&[2, 3], &[1, 2]], &[(1, 1), (0, 2), (0, 3)]),
    (
        "jitter interleaves",
        &[&[10, 20, 30], &[11, 19, 31]],
        &[(0, 10), (1, 11), (1, 19), (0, 20), (0, 30), (1, 31)],
    ),
    ("repeats collapse among several", &[&[1, 1, 2], &[3]], &[(0, 1), (0, 2), (1, 3)]),
    ("repeats collapse when others have ended", &[&[5, 5, 5], &[1]], &[(1, 1), (0, 5)]),
    (
        "the ends of time",
        &[&[i64::MIN, i64::MAX], &[i64::MIN, 0, i64::MAX]],
        &[(0, i64::MIN), (1, 0), (0, i64::MAX)],
    ),
    ("three ways", &[&[0, 3], &[1, 4], &[2, 5]], &[(0, 0), (1, 1), (2, 2), (0, 3), (1, 4), (2, 5)]),
];

#[test]
fn cases() {
    for (name, sources, expected) in CASES {
        let sources: Vec<Columns> = sources.iter().map(|&at_ms| vec![at_ms.to_vec()]).collect();
        let (merged, errors) = run(&sources);
        let merged: Vec<_> = merged.into_iter().map(|(at_ms, source, _)| (source, at_ms)).collect();
        assert_eq!((merged.as_slice(), errors.as_slice()), (*expected, [].as_slice()), "{name}");
    }
}

#[test]
fn order_is_kept_from_one_column_to_the_next() {
    let (merged, errors) = run(&[vec![vec![10, 20], vec![19, 30]], vec![vec![15, 40]]]);
    assert_eq!(merged, [(10, 0, 0), (15, 1, 0), (20, 0, 1), (40, 1, 1)]);
    assert_eq!(errors, [OutOfOrder { source: 0, previous: 20, next: 19 }]);
    assert_eq!(errors[0].to_string(), "source 0 is out of order: 19 does not come after 20");
}

#[test]
fn nothing_is_appended_when_a_source_is_out_of_order() {
    let (mut at_ms, mut values) = (vec![7], vec![7.0]);
    let sources: [(&[i64], &[f64]); 2] = [(&[1, 2], &[1.0, 2.0]), (&[5, 4], &[5.0, 4.0])];
    let error = chain(&sources, &mut at_ms, &mut values).unwrap_err();
    assert_eq!(error, OutOfOrder { source: 1, previous: 5, next: 4 });
    assert_eq!((at_ms, values), (vec![7], vec![7.0]));
}

#[test]
fn values_keep_their_bits() {
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let (mut at_ms, mut values) = (Vec::new(), Vec::new());
    let sources: [(&[i64], &[f64]); 2] = [(&[1, 3], &[stale, -0.0]), (&[2], &[f64::NAN])];
    chain(&sources, &mut at_ms, &mut values).unwrap();
    let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, [stale.to_bits(), f64::NAN.to_bits(), (-0.0f64).to_bits()]);
}

#[test]
fn calls_that_were_not_asked_for_change_nothing() {
    let columns: [&[i64]; 2] = [&[1, 2], &[3]];
    let show = |source: usize| columns[source];
    let mut chain = Chain::new(2);
    assert_eq!(chain.poll(show), Ok(ChainStep::Need(0)));
    chain.supply(1);
    chain.exhaust(1);
    chain.supply(9);
    chain.exhaust(9);
    assert_eq!(chain.poll(show), Ok(ChainStep::Need(0)));
    chain.supply(0);
    chain.supply(0);
    assert_eq!(chain.poll(show), Ok(ChainStep::Run { source: 0, range: 0..2 }));
    chain.supply(1);
    assert_eq!(chain.poll(show), Ok(ChainStep::Need(0)));
    chain.exhaust(0);
    chain.supply(0);
    assert_eq!(chain.poll(show), Ok(ChainStep::Run { source: 1, range: 0..1 }));
    assert_eq!(chain.poll(show), Ok(ChainStep::Need(1)));
    chain.exhaust(1);
    assert_eq!(chain.poll(show), Ok(ChainStep::Done));
    assert_eq!(chain.poll(show), Ok(ChainStep::Done));
}

#[test]
fn a_reset_machine_remembers_nothing() {
    let late: &[i64] = &[100, 200];
    let early: &[i64] = &[1, 2];
    let mut chain = Chain::new(3);
    chain.supply(0);
    chain.exhaust(1);
    chain.exhaust(2);
    assert_eq!(chain.poll(|_| late), Ok(ChainStep::Run { source: 0, range: 0..2 }));
    chain.reset(2);
    assert_eq!(chain.poll(|_| early), Ok(ChainStep::Need(0)));
    chain.supply(0);
    chain.exhaust(1);
    assert_eq!(chain.poll(|_| early), Ok(ChainStep::Run { source: 0, range: 0..2 }));
}

/// Two long blocks that follow each other are two runs: the machine looks at few of the columns, and at each
/// only once a run.
#[test]
fn disjoint_sources_are_one_run_each() {
    let columns: Vec<Vec<i64>> =
        (0..16).rev().map(|block| (block * 1000..(block + 1) * 1000).collect()).collect();
    let looks = Cell::new(0);
    let mut chain = Chain::new(16);
    (0..16).for_each(|source| chain.supply(source));
    let mut runs = Vec::new();
    loop {
        let show = |source: usize| {
            looks.set(looks.get() + 1);
            columns[source].as_slice()
        };
        match chain.poll(show).unwrap() {
            ChainStep::Need(source) => chain.exhaust(source),
            ChainStep::Run { source, range } => runs.push((source, range)),
            ChainStep::Done => break,
        }
    }
    assert_eq!(runs, (0..16).rev().map(|source| (source, 0..1000)).collect::<Vec<_>>());
    assert_eq!(looks.get(), 32, "each column is opened once and cut once");
}
