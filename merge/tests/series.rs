//! Label order, label text, and the merge of series.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::cmp::Ordering;

use promha_merge::labels::{self, Labels};
use promha_merge::{Arena, LabelArena, MergeArenas, MergeLabels, OutOfOrder, Step, merge_arenas};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

type Pairs<'l> = &'l [(&'l str, &'l str)];

/// Prometheus' `labels.Compare`, written out: pair by pair, the shorter one first.
fn twin(a: Pairs<'_>, b: Pairs<'_>) -> Ordering {
    for i in 0..a.len().min(b.len()) {
        if a[i].0 != b[i].0 {
            return a[i].0.as_bytes().cmp(b[i].0.as_bytes());
        }
        if a[i].1 != b[i].1 {
            return a[i].1.as_bytes().cmp(b[i].1.as_bytes());
        }
    }
    a.len().cmp(&b.len())
}

fn label_set() -> impl Strategy<Value = Vec<(String, String)>> {
    btree_map("[ab]{1,2}", "[xé\u{0}]{0,2}", 0..4).prop_map(|labels| labels.into_iter().collect())
}

fn borrowed<N: AsRef<str>>(labels: &[(N, String)]) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect()
}

/// Sources with hundreds of label sets, all but a few the same.
fn replicas() -> impl Strategy<Value = Vec<Vec<Vec<(&'static str, String)>>>> {
    let lost = vec(0..300usize, 0..4);
    (vec((lost, 150..300usize), 1..4), any::<bool>()).prop_map(|(replicas, labels_change)| {
        let set = |number: usize| {
            let mut set = vec![("__name__", "up".into()), ("instance", format!("10.0.{number:03}.1"))];
            if labels_change && number.is_multiple_of(7) {
                set.push(("job", "x".into()));
            }
            set
        };
        let replica = |(lost, end): (Vec<usize>, usize)| {
            (0..end).filter(|number| !lost.contains(number)).map(set).collect()
        };
        replicas.into_iter().map(replica).collect()
    })
}

/// Sources with hundreds of label sets, most of them in one source only. What differs may stand far apart.
fn shards() -> impl Strategy<Value = Vec<Vec<Vec<(&'static str, String)>>>> {
    let series = btree_map(vec(0..6u8, 3), (any::<Index>(), option::weighted(0.1, any::<Index>())), 0..200);
    (1..10usize, series, 0..80usize).prop_map(|(sources, series, gap)| {
        let mut shards = vec![Vec::new(); sources];
        for (digits, (source, other)) in series {
            let value = |digit| format!("{:gap$}{digit}", "");
            let set: Vec<_> = ["a", "b", "c"].into_iter().zip(digits.into_iter().map(value)).collect();
            let source = source.index(sources);
            if let Some(other) = other.map(|other| other.index(sources)).filter(|&other| other != source) {
                shards[other].push(set.clone());
            }
            shards[source].push(set);
        }
        shards
    })
}

/// The labels of a series, and each source that has it with the place there.
type Held = (Labels, Vec<(usize, usize)>);

fn sorted(sources: &[Vec<Vec<(&str, &str)>>]) -> Vec<Held> {
    let mut expected: Vec<Held> = Vec::new();
    let mut all: Vec<(Pairs<'_>, (usize, usize))> = Vec::new();
    for (s, sets) in sources.iter().enumerate() {
        all.extend(sets.iter().enumerate().map(|(i, set)| (&set[..], (s, i))));
    }
    all.sort_by(|a, b| twin(a.0, b.0));
    for (set, holder) in all {
        match expected.last_mut() {
            Some((last, holders)) if last.pairs().eq(set.iter().copied()) => holders.push(holder),
            _ => expected.push((set.iter().copied().collect(), vec![holder])),
        }
    }
    expected
}

fn merged(sources: &[Vec<Vec<(&str, &str)>>]) -> Vec<Held> {
    let arenas: Vec<Arena> = sources.iter().map(|sets| arena(sets.iter().map(Vec::as_slice))).collect();
    let mut merge = merge_arenas(&arenas);
    let mut merged = Vec::new();
    while let Some(series) = merge.next_series().unwrap() {
        let numbers = series.columns.iter().map(|column| column.values()[0] as usize);
        let holders = series.sources.iter().copied().zip(numbers).collect();
        merged.push((series.labels.to_labels(), holders));
    }
    merged
}

proptest! {
    #[test]
    fn label_sets_compare_as_in_prometheus(a in label_set(), b in label_set()) {
        let (a, b) = (borrowed(&a), borrowed(&b));
        let expected = twin(&a, &b);
        prop_assert_eq!(labels::compare(&a, &b), expected);
        let (a, b): (Labels, Labels) = (a.into_iter().collect(), b.into_iter().collect());
        prop_assert_eq!(a.cmp(&b), expected);
        prop_assert_eq!(a == b, expected == Ordering::Equal);
    }

    /// Every label set comes once, in order, with exactly the sources that have it.
    #[test]
    fn series_are_those_of_a_sorted_list(sources in vec(vec(label_set(), 0..12), 0..6)) {
        let mut sources: Vec<Vec<_>> =
            sources.iter().map(|sets| sets.iter().map(|set| borrowed(set)).collect()).collect();
        for sets in &mut sources {
            sets.sort();
            sets.dedup();
        }
        prop_assert_eq!(merged(&sources), sorted(&sources));
    }

    /// The same of replicas that nearly all have the same, as many in a row as need no tree.
    #[test]
    fn series_of_replicas_are_those_of_a_sorted_list(replicas in replicas()) {
        let sources: Vec<Vec<_>> =
            replicas.iter().map(|sets| sets.iter().map(|set| borrowed(set)).collect()).collect();
        prop_assert_eq!(merged(&sources), sorted(&sources));
    }

    /// And of sources that have hardly anything in common.
    #[test]
    fn series_of_shards_are_those_of_a_sorted_list(shards in shards()) {
        let sources: Vec<Vec<_>> =
            shards.iter().map(|sets| sets.iter().map(|set| borrowed(set)).collect()).collect();
        prop_assert_eq!(merged(&sources), sorted(&sources));
    }

    #[test]
    fn it_does_not_matter_how_sources_are_cut(
        sources in prop_oneof![replicas(), shards()],
        longest in prop_oneof![1..5usize, 50..300usize],
        seed in any::<u64>(),
        spoilt in option::of((any::<Index>(), any::<Index>())),
    ) {
        let mut sources: Vec<Vec<_>> =
            sources.iter().map(|sets| sets.iter().map(|set| borrowed(set)).collect()).collect();
        if let Some((source, at)) = spoilt {
            let source = source.get_mut(&mut sources);
            prop_assume!(source.len() > 1);
            let at = at.index(source.len() - 1);
            source[at] = source[at + 1].clone();
        }
        let whole: Vec<Arena> = sources.iter().map(|sets| arena(sets.iter().map(Vec::as_slice))).collect();
        let expected = everything(merge_arenas(&whole));
        prop_assert_eq!(expected.iter().filter(|group| group.is_err()).count(), usize::from(spoilt.is_some()));
        prop_assert_eq!(everything_in_pieces(&sources, longest, seed), expected);
    }

    /// Arenas of any size, some empty, and what is needed supplied in any order; one source spoilt in some cases.
    #[test]
    fn it_does_not_matter_how_label_sets_are_cut(
        sources in vec(vec(label_set(), 0..12), 0..6),
        longest in 1..5usize,
        seed in any::<u64>(),
        spoilt in any::<bool>(),
    ) {
        let mut sources: Vec<Vec<_>> =
            sources.iter().map(|sets| sets.iter().map(|set| borrowed(set)).collect()).collect();
        for sets in &mut sources {
            sets.sort();
            sets.dedup();
        }
        if spoilt && let Some(sets) = sources.first_mut() {
            sets.reverse();
        }
        let whole: Vec<Arena> = sources.iter().map(|sets| arena(sets.iter().map(Vec::as_slice))).collect();
        let expected = everything(merge_arenas(&whole));
        prop_assert_eq!(everything_in_pieces(&sources, longest, seed), expected);
    }

    #[test]
    fn labels_keep_their_pairs(first in label_set(), second in label_set()) {
        let mut labels: Labels = borrowed(&first).into_iter().collect();
        prop_assert_eq!(labels.pairs().collect::<Vec<_>>(), borrowed(&first));
        labels.assign(borrowed(&second));
        prop_assert_eq!(labels.pairs().collect::<Vec<_>>(), borrowed(&second));
    }
}

#[test]
fn label_text_is_quoted_as_prometheus_quotes_it() {
    for (pairs, expected) in [
        (&[][..], "{}"),
        (&[("a", "1"), ("b", "2")], r#"{a="1", b="2"}"#),
        (&[("a", "")], r#"{a=""}"#),
        (&[("__name__", "http_requests_total")], r#"{__name__="http_requests_total"}"#),
        (&[("", "x")], r#"{""="x"}"#),
        (&[("0a", "x"), ("_0", "x")], r#"{"0a"="x", _0="x"}"#),
        (&[("a:b", "x")], r#"{"a:b"="x"}"#),
        (&[("größe", "ß")], r#"{"größe"="ß"}"#),
        (&[("a", "say \"hi\" \\")], r#"{a="say \"hi\" \\"}"#),
        (&[("a", "\u{7}\u{8}\u{c}\n\r\t\u{b}")], r#"{a="\a\b\f\n\r\t\v"}"#),
        (&[("a", "\0\u{1b}\u{7f}")], r#"{a="\x00\x1b\x7f"}"#),
        (&[("a", "\u{80}\u{a0}\u{2028}\u{feff}")], r#"{a="\u0080\u00a0\u2028\ufeff"}"#),
        (&[("a", "e\u{301} 日本 🦀")], "{a=\"e\u{301} 日本 🦀\"}"),
        (&[("a", "\u{e0001}")], r#"{a="\U000e0001"}"#),
        (&[("a", "'")], r#"{a="'"}"#),
    ] {
        let labels: Labels = pairs.iter().copied().collect();
        assert_eq!(labels.to_string(), expected);
    }
}

type Groups = Vec<Result<(Labels, Vec<usize>), OutOfOrder<Labels>>>;

fn everything(mut merge: MergeArenas<'_>) -> Groups {
    let mut groups = Vec::new();
    loop {
        groups.push(match merge.next_series() {
            Ok(None) => return groups,
            Ok(Some(series)) => Ok((series.labels.to_labels(), series.sources.to_vec())),
            Err(error) => Err(error),
        });
    }
}

fn everything_in_pieces(sources: &[Vec<Vec<(&str, &str)>>], longest: usize, seed: u64) -> Groups {
    let mut draw = seed;
    let mut below = |end: usize| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) as usize % end
    };
    let mut left: Vec<_> = sources.iter().map(|sets| sets.iter()).collect();
    let mut arenas = vec![LabelArena::default(); sources.len()];
    let mut merge = MergeLabels::new(sources.len());
    let mut groups = Vec::new();
    loop {
        let needed: Vec<usize> = merge.needed().collect();
        if !needed.is_empty() {
            let source = needed[below(needed.len())];
            arenas[source].clear();
            if left[source].len() == 0 {
                merge.exhaust(source);
            } else {
                left[source].by_ref().take(below(longest + 1)).for_each(|set| arenas[source].push(set));
                merge.supply(source);
            }
            continue;
        }
        groups.push(match merge.poll(|source| &arenas[source]) {
            Ok(Step::Need(_)) => continue,
            Ok(Step::Done) => return groups,
            Ok(Step::Tied(group)) => {
                let group = group.to_vec();
                Ok((arenas[group[0]].set(merge.index(group[0])).to_labels(), group))
            }
            Err(error) => Err(error),
        });
    }
}

/// Series with one sample each, their number.
fn arena<'a>(sets: impl IntoIterator<Item = Pairs<'a>>) -> Arena {
    let mut arena = Arena::default();
    sets.into_iter().zip(0..).for_each(|(set, number)| arena.push(set, &[0], &[f64::from(number)]));
    arena
}

#[test]
fn a_source_that_is_not_sorted_is_an_error_naming_both_label_sets() {
    let (ab, foo): (Pairs<'_>, Pairs<'_>) = (&[("a", "1"), ("b", "2")], &[("foo", "say \"hi\"")]);
    let arenas = [arena([ab]), arena([foo, ab])];
    let mut merge = merge_arenas(&arenas);
    assert!(merge.next_series().unwrap().unwrap().labels.pairs().eq(ab.iter().copied()));
    assert!(merge.next_series().unwrap().unwrap().labels.pairs().eq(foo.iter().copied()));
    let error: OutOfOrder<Labels> = merge.next_series().unwrap_err();
    assert_eq!(error.source, 1);
    assert_eq!(
        error.to_string(),
        r#"source 1 is out of order: {a="1", b="2"} does not come after {foo="say \"hi\""}"#
    );
    assert!(merge.next_series().unwrap().is_none(), "the source is dropped, the others are at their end");
}

#[test]
fn a_label_set_that_a_source_gives_twice_is_an_error() {
    let up: Pairs<'_> = &[("__name__", "up")];
    let arenas = [arena([up, up])];
    let mut merge = merge_arenas(&arenas);
    assert_eq!(merge.next_series().unwrap().unwrap().columns[0].values(), [0.0]);
    let error = merge.next_series().unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"source 0 is out of order: {__name__="up"} does not come after {__name__="up"}"#
    );
}

/// Behind different label sets, the same change leads to different ones, although these are alike for long.
#[test]
fn the_same_change_of_different_label_sets_is_not_the_same() {
    let sets =
        ["a0000000001", "a0000000002", "b0000000001", "b0000000002"].map(|value| [("instance", value)]);
    let arenas = [arena([&sets[0][..], &sets[2]]), arena([&sets[1][..], &sets[3]])];
    let groups = everything(merge_arenas(&arenas)).into_iter().map(Result::unwrap);
    let expected = sets.iter().zip([0, 1, 0, 1]);
    assert!(groups.eq(expected.map(|(set, source)| (set.iter().copied().collect(), vec![source]))));
}

/// A replica label that stood last is gone, and the order with it; where the caller asks for it, order is
/// restored.
#[test]
fn sorting_restores_the_order_that_a_dropped_label_took() {
    let with_replica: [Pairs<'_>; 3] = [
        &[("a", "1"), ("b", "2"), ("replica", "x")],
        &[("a", "1"), ("replica", "x")],
        &[("b", "1"), ("replica", "x")],
    ];
    assert!(with_replica.is_sorted());
    let mut dropped: Vec<_> =
        with_replica.iter().zip(0..).map(|(set, i)| (&set[..set.len() - 1], i)).collect();
    let arenas = [arena(dropped.iter().map(|series| series.0))];
    let mut merge = merge_arenas(&arenas);
    assert!(merge.next_series().is_ok());
    assert!(merge.next_series().is_err());
    labels::sort(&mut dropped);
    assert_eq!(dropped.iter().map(|series| series.1).collect::<Vec<_>>(), [1, 0, 2]);

    let arenas = [arena(dropped.iter().map(|series| series.0))];
    let mut merge = merge_arenas(&arenas);
    let mut seen = Vec::new();
    while let Some(series) = merge.next_series().unwrap() {
        seen.push(series.labels.pairs().len());
    }
    assert_eq!(seen, [1, 2, 1]);
}
