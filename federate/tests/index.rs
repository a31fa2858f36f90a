//! The index against a look at every series.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};

use promha_federate::index::InsertError;
use promha_federate::{Matcher, Op, Selector, SeriesId, SeriesIndex};
use proptest::prelude::*;

type Labels = Vec<(String, String)>;

/// The obvious twin: every series, looked at one by one.
#[derive(Debug, Default)]
struct Twin {
    series: BTreeMap<SeriesId, Labels>,
}

impl Twin {
    fn select(&self, selectors: &[Selector]) -> Vec<SeriesId> {
        let selected = |labels: &Labels| selectors.iter().any(|selector| selector.matches(&borrowed(labels)));
        self.series.iter().filter(|(_, labels)| selected(labels)).map(|(&id, _)| id).collect()
    }
}

fn borrowed(labels: &Labels) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (&**name, &**value)).collect()
}

fn index_of(labels: &[&[(&str, &str)]]) -> SeriesIndex {
    let mut index = SeriesIndex::new();
    labels.iter().for_each(|labels| {
        index.insert(labels).unwrap();
    });
    index
}

const NAMES: [&str; 5] = ["__name__", "job", "pod", "zone", "über"];
const VALUES: [&str; 12] = ["", "a", "b", "ab", "abc", "a-1", "a-2", "b-1", "ä", "äb", "日本", "x\ny"];
const PATTERNS: [&str; 18] = [
    "",
    ".*",
    ".+",
    "a",
    "a|b",
    "a|",
    "a.*",
    "a.+",
    ".*b",
    ".*b.*",
    "[ab]+",
    "(a|b)-[0-9]",
    "a-1|a-2|zz",
    "ä.*",
    "日.",
    "x.y",
    "(ab)?c*",
    "[^a]*",
];

fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::btree_map(prop::sample::select(&NAMES[..]), prop::sample::select(&VALUES[..]), 0..5)
        .prop_map(|labels| {
            labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        })
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let names = [NAMES[0], NAMES[1], NAMES[2], NAMES[3], NAMES[4], "missing"];
    let name = prop::sample::select(names.to_vec());
    let equal = (
        name.clone(),
        prop::sample::select(vec![Op::Equal, Op::NotEqual]),
        prop::sample::select(&VALUES[..]),
    );
    let regex =
        (name, prop::sample::select(vec![Op::Regex, Op::NotRegex]), prop::sample::select(&PATTERNS[..]));
    prop_oneof![equal, regex].prop_map(|(name, op, value)| Matcher::new(name, op, value).unwrap())
}

fn selectors() -> impl Strategy<Value = Vec<Selector>> {
    prop::collection::vec(prop::collection::vec(matcher(), 0..5).prop_map(Selector::new), 0..4)
}

#[derive(Debug, Clone)]
enum Change {
    Insert(Labels),
    /// The series at this place, modulo how many there are.
    Remove(prop::sample::Index),
    Select(Vec<Selector>),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => labels().prop_map(Change::Insert),
        1 => any::<prop::sample::Index>().prop_map(Change::Remove),
        2 => selectors().prop_map(Change::Select),
    ]
}

/// `labels` without those that are the same as none.
fn present(labels: &Labels) -> Labels {
    labels.iter().filter(|(_, value)| !value.is_empty()).cloned().collect()
}

fn check(index: &SeriesIndex, twin: &Twin, selectors: &[Selector]) {
    check_selected(index, &twin.select(selectors), selectors);
}

fn check_selected(index: &SeriesIndex, expected: &[SeriesId], selectors: &[Selector]) {
    assert!(index.select(selectors).eq(expected.iter().copied()), "{selectors:?}");
    let mut mixed = Vec::new();
    let mut selected = index.select(selectors);
    mixed.extend(selected.by_ref().take(expected.len() / 2));
    selected.for_each(|id| mixed.push(id));
    assert!(mixed == expected, "{selectors:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn selects_what_matches(changes in prop::collection::vec(change(), 1..120)) {
        let (mut index, mut twin) = (SeriesIndex::new(), Twin::default());
        for change in changes {
            match change {
                Change::Insert(labels) => {
                    let id = index.insert(&borrowed(&labels)).unwrap();
                    let labels = present(&labels);
                    prop_assert_eq!(index.id(&borrowed(&labels)), Some(id));
                    if let Some(same) = twin.series.insert(id, labels.clone()) {
                        prop_assert_eq!(same, labels);
                    }
                }
                Change::Remove(at) => {
                    let ids: Vec<_> = twin.series.keys().copied().collect();
                    if !ids.is_empty() {
                        let id = ids[at.index(ids.len())];
                        let labels = twin.series.remove(&id).unwrap();
                        prop_assert!(index.remove(id));
                        prop_assert!(!index.remove(id));
                        prop_assert_eq!(index.id(&borrowed(&labels)), None);
                    }
                }
                Change::Select(selectors) => check(&index, &twin, &selectors),
            }
            prop_assert_eq!(index.len(), twin.series.len());
        }
        for (&id, labels) in &twin.series {
            let found: Vec<_> = index.labels(id).unwrap().collect();
            prop_assert_eq!(found, borrowed(labels));
        }
    }
}

/// Series over two blocks of ids, with labels of every density: what small random sets do not reach.
struct Large {
    index: SeriesIndex,
    twin: Twin,
}

impl Large {
    const SERIES: u32 = 80_000;

    fn labels(at: u32) -> Labels {
        let noise = at.wrapping_mul(0x9e37_79b9) >> 8;
        let mut labels = vec![
            ("__name__".to_owned(), format!("m{}", at % 40)),
            ("every".to_owned(), "same".to_owned()),
            ("few".to_owned(), format!("f{}", noise % 700)),
            ("half".to_owned(), format!("h{}", noise % 2)),
            ("late".to_owned(), if at > 72_000 { "yes".to_owned() } else { String::new() }),
            (
                "third".to_owned(),
                if noise.is_multiple_of(3) { format!("t{}", noise % 9) } else { String::new() },
            ),
            ("uid".to_owned(), format!("{:08x}", at.wrapping_mul(0x85eb_ca6b))),
        ];
        labels.retain(|(_, value)| !value.is_empty());
        labels
    }

    fn new() -> Self {
        let (mut index, mut twin) = (SeriesIndex::new(), Twin::default());
        for at in 0..Self::SERIES {
            let labels = Self::labels(at);
            let id = index.insert(&borrowed(&labels)).unwrap();
            twin.series.insert(id, labels);
        }
        Self { index, twin }
    }

    fn check(&self) {
        let other = Selector::parse(r#"{few=~"f10?", half="h1"}"#).unwrap();
        let others = self.twin.select(std::slice::from_ref(&other));
        for text in [
            r#"{__name__="m3"}"#,
            r#"{__name__="m3", half="h1", few=~"f1.*"}"#,
            r#"{half="h0", third="t3"}"#,
            r#"{half="h0", every="same", third!=""}"#,
            r#"{half!="h0", third="", every="same"}"#,
            r#"{third=~"t[36]|", half="h1"}"#,
            r#"{third=~"t[0-9]", few!~"f[1-5].*"}"#,
            r#"{third!~"t[0-3]", few!~"f[1-5].*", every!=""}"#,
            r#"{few=~"f1|f2|f3", uid=~"0.*"}"#,
            r#"{few=~"f[1-6][0-9]?[0-9]?", uid!~"0.*"}"#,
            r#"{uid=~"ab.*"}"#,
            r#"{uid=~".*ab.*", half="h1"}"#,
            r#"{uid=~".*ab.*", few="f7"}"#,
            r#"{uid!~".*ab.*", few="f7"}"#,
            r#"{uid!=""}"#,
            r#"{late="yes", __name__=~".+"}"#,
            r#"{late="yes", third=~"t0|t3"}"#,
            r#"{uid="00000000"}"#,
            r#"{uid="00000000", late="yes"}"#,
        ] {
            let selector = Selector::parse(text).unwrap();
            let selected = self.twin.select(std::slice::from_ref(&selector));
            check_selected(&self.index, &selected, std::slice::from_ref(&selector));
            let both: BTreeSet<SeriesId> = selected.iter().chain(&others).copied().collect();
            let both: Vec<SeriesId> = both.into_iter().collect();
            check_selected(&self.index, &both, &[selector, other.clone()]);
        }
        let negative = Matcher::new("late", Op::NotEqual, "yes").unwrap();
        let other = Matcher::new("third", Op::NotRegex, "t.").unwrap();
        check(&self.index, &self.twin, &[Selector::new(vec![negative, other])]);
        check(&self.index, &self.twin, &[Selector::new(Vec::new())]);
        check(&self.index, &self.twin, &[]);
    }
}

#[test]
fn selects_among_many() {
    let mut large = Large::new();
    large.check();
    // Most go, so that lists shrink and values die; then others come and take the ids.
    for at in 0..Large::SERIES {
        if at % 5 != 0 && at % 7 != 0 {
            assert!(large.index.remove(SeriesId::from(at)));
            large.twin.series.remove(&SeriesId::from(at));
        }
    }
    large.check();
    for at in Large::SERIES..Large::SERIES + 30_000 {
        let labels = Large::labels(at);
        let id = large.index.insert(&borrowed(&labels)).unwrap();
        assert!(id.index() < Large::SERIES as usize);
        assert!(large.twin.series.insert(id, labels).is_none());
    }
    large.check();
    let ids: Vec<_> = large.twin.series.keys().copied().collect();
    assert!(ids.into_iter().all(|id| large.index.remove(id)));
    large.twin.series.clear();
    large.check();
    assert!(large.index.is_empty());
}

#[test]
fn unsorted_labels_change_nothing() {
    let mut index = index_of(&[&[("a", "1")]]);
    for labels in [[("b", "1"), ("a", "2")], [("a", "1"), ("a", "2")]] {
        let error = index.insert(&labels).unwrap_err();
        assert_eq!(error, InsertError::Unsorted { position: 1, name: "a".to_owned() });
    }
    assert_eq!(index.len(), 1);
    assert_eq!(
        InsertError::Unsorted { position: 1, name: "a".to_owned() }.to_string(),
        r#"label 1 has the name "a", which does not come after the one before"#
    );
}

#[test]
fn readers_share_an_index() {
    fn shared<T: Send + Sync>(_: &T) {}
    let index = index_of(&[&[("a", "1")], &[("a", "2")]]);
    let selectors = [Selector::parse(r#"{a=~"1|2"}"#).unwrap()];
    shared(&index);
    shared(&index.select(&selectors));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(index.select(&selectors).count(), 2));
        }
    });
}

#[test]
fn names_and_values_are_those_of_the_selected() {
    let index = index_of(&[
        &[("__name__", "up"), ("job", "node"), ("pod", "a")],
        &[("__name__", "up"), ("job", "api")],
        &[("__name__", "down"), ("zone", "eu")],
    ]);
    let up = [Selector::parse("up").unwrap()];
    assert_eq!(index.label_names(&[]), ["__name__", "job", "pod", "zone"]);
    assert_eq!(index.label_names(&up), ["__name__", "job", "pod"]);
    assert_eq!(index.label_values("job", &[]), ["api", "node"]);
    assert_eq!(index.label_values("zone", &up), [""; 0]);
    assert_eq!(index.label_values("missing", &[]), [""; 0]);
    let without_pod = [Selector::parse(r#"up{pod=""}"#).unwrap()];
    assert_eq!(index.label_values("job", &without_pod), ["api"]);
}

#[test]
fn what_was_removed_is_not_counted() {
    let mut index = index_of(&[&[("__name__", "up"), ("job", "node")], &[("__name__", "up"), ("pod", "a")]]);
    let id = index.id(&[("__name__", "up"), ("pod", "a")]).unwrap();
    assert!(index.remove(id));
    let statistics = index.statistics(10);
    assert_eq!((statistics.series, statistics.label_pairs), (1, 2));
    assert_eq!(statistics.series_by_metric_name, [("up", 1)]);
    assert_eq!(statistics.values_by_label_name, [("__name__", 1), ("job", 1)]);
    assert_eq!(statistics.value_bytes_by_label_name, [("job", 4), ("__name__", 2)]);
    assert_eq!(statistics.series_by_label_pair, [(("__name__", "up"), 1), (("job", "node"), 1)]);
    assert_eq!(index.label_names(&[]), ["__name__", "job"]);
    assert_eq!(index.label_values("pod", &[]), [""; 0]);
}

#[test]
fn statistics_show_the_largest() {
    let mut index = SeriesIndex::new();
    for at in 0..1000u32 {
        let (metric, uid) = (format!("m{}", at.checked_ilog2().unwrap_or(0)), at.to_string());
        index.insert(&[("__name__", &metric), ("uid", &uid)]).unwrap();
    }
    let statistics = index.statistics(3);
    assert_eq!(statistics.series_by_metric_name, [("m9", 488), ("m8", 256), ("m7", 128)]);
    assert_eq!(statistics.series_by_label_pair[0], (("__name__", "m9"), 488));
    assert_eq!(statistics.values_by_label_name, [("uid", 1000), ("__name__", 10)]);
    assert!(index.statistics(0).series_by_label_pair.is_empty());
}
