//! Labels that the collectors add themselves: replica labels go and select replicas, external labels stay and select
//! groups.

use promha_remote_proto::prompb::MatcherType::{self, Eq, Neq, Nre, Re};

use super::collector::Collector;
use super::data::{FORMS, SAMPLES, ask, names, one, query, strictly_sorted};
use crate::harness::dataset::Series;
use crate::harness::gateway::Gateway;

/// The samples of `up` that the replica has: `a` the earlier half, `b` the later one, so that it can be told whose they
/// are, and both together are whole.
fn half(replica: &str) -> Vec<Series> {
    let mut up = one(&[("__name__", "up"), ("job", "node"), ("zzz", "last")]);
    let later = up.samples.split_off(up.samples.len() / 2);
    if replica == "b" {
        up.samples = later;
    }
    vec![up]
}

fn upstreams(lines: &[(&str, String, &str)]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .map(|(name, url, more)| format!("      - {{ name: {name}, url: \"{url}\"{more} }}\n"))
        .collect();
    lines.concat()
}

/// Matchers on the replica label, and the replicas that they select.
type Case = (&'static [(MatcherType, &'static str)], &'static [&'static str]);

#[tokio::test]
async fn matchers_on_replica_labels_select_replicas() {
    let (a, b) =
        (Collector::new(half("a"), &[("replica", "a")]), Collector::new(half("b"), &[("replica", "b")]));
    let whole = one(&[("__name__", "up"), ("job", "node"), ("zzz", "last")]);
    // As streams, as samples, and as streams that are sorted here: each has its own way through the gateway.
    for (a, b, more) in [
        (a.clone().start(), b.clone().start(), ""),
        (a.clone().old().start(), b.clone().old().start(), ""),
        (a.start(), b.start(), ", sort: true"),
    ] {
        let lines = upstreams(&[("a", a.url(), more), ("b", b.url(), more)]);
        let config =
            format!("groups:\n  - name: dc1\n    replica_labels: [replica]\n    upstreams:\n{lines}");
        let gateway = Gateway::start(&config).await;
        let cases: &[Case] = &[
            (&[], &["a", "b"]),
            (&[(Eq, "a")], &["a"]),
            (&[(Eq, "b")], &["b"]),
            (&[(Eq, "c")], &[]),
            (&[(Eq, "")], &[]),
            (&[(Neq, "a")], &["b"]),
            (&[(Neq, "c")], &["a", "b"]),
            (&[(Neq, "")], &["a", "b"]),
            (&[(Re, "a|b")], &["a", "b"]),
            (&[(Re, "[b-z]")], &["b"]),
            (&[(Re, ".")], &["a", "b"]),
            (&[(Re, "")], &[]),
            (&[(Re, ".*")], &["a", "b"]),
            (&[(Nre, "a")], &["b"]),
            (&[(Nre, "a|b")], &[]),
            (&[(Nre, "")], &["a", "b"]),
            (&[(Neq, "a"), (Neq, "b")], &[]),
            (&[(Re, ".+"), (Neq, "b")], &["a"]),
            (&[(Eq, "a"), (Re, "b")], &[]),
        ];
        for (matchers, replicas) in cases {
            let mut all = vec![(Eq, "__name__", "up"), (Re, "job", "n.*")];
            all.extend(matchers.iter().map(|(kind, value)| (*kind, "replica", *value)));
            let mut expected: Vec<Series> = match replicas {
                [] => vec![],
                [replica] => half(replica),
                _ => vec![whole.clone()],
            };
            expected.iter_mut().for_each(|one| one.labels.retain(|label| label.0 != "replica"));
            for form in FORMS {
                let reply = ask(&gateway, query(&all), form).await.expect("an answer");
                assert_eq!(reply.results, [expected.clone()], "{form:?} {more:?} {matchers:?}");
                assert_eq!((reply.degraded, reply.partial), (None, None));
            }
        }
    }
}

/// A collector that lacks the external label is a replica whose label is empty.
#[tokio::test]
async fn a_replica_without_the_label_is_selected_by_the_empty_value() {
    let (a, b) =
        (Collector::new(half("a"), &[("replica", "a")]).start(), Collector::new(half("b"), &[]).start());
    let lines = upstreams(&[("a", a.url(), ""), ("b", b.url(), "")]);
    let gateway = Gateway::start(&format!(
        "groups:\n  - name: dc1\n    replica_labels: [replica]\n    upstreams:\n{lines}"
    ))
    .await;
    for (kind, value, replica) in [(Eq, "", "b"), (Neq, "", "a"), (Re, "|c", "b"), (Nre, ".*b.*|", "a")] {
        for form in FORMS {
            let query = query(&[(Eq, "__name__", "up"), (kind, "replica", value)]);
            let reply = ask(&gateway, query, form).await.expect("an answer");
            assert_eq!(reply.results, [half(replica)], "{form:?} {kind:?} {value:?}");
        }
    }
}

/// Every set of these labels once, so that each is a prefix of others.
fn all_subsets() -> Vec<Series> {
    let labels = [("a", "1"), ("b", "2"), ("r", "3"), ("y", "4"), ("zz", "5")];
    let subset = |mask: usize| {
        let chosen =
            labels.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, label)| *label);
        let mut all = vec![("__name__", "up")];
        all.extend(chosen);
        one(&all)
    };
    (0..1 << labels.len()).map(subset).collect()
}

/// Prometheus sorts before it adds external labels, so {a="1"} comes before {a="1",b="2"} also where both get a zone,
/// which stands between them. What leaves the gateway is sorted by what leaves it.
#[tokio::test]
async fn external_labels_come_with_every_series_and_in_order() {
    let collector =
        |replica: &str| Collector::new(all_subsets(), &[("replica", replica), ("rack", "7"), ("zone", "eu")]);
    let (a, b) = (collector("a").start(), collector("b").old().start());
    let lines = upstreams(&[("a", a.url(), ""), ("b", b.url(), "")]);
    let head = "groups:\n  - name: dc1\n    replica_labels: [replica]\n";
    let labels = "    external_labels: { zone: eu, rack: \"7\" }\n";
    let gateway = Gateway::start(&format!("{head}{labels}    upstreams:\n{lines}")).await;

    let mut expected = all_subsets();
    for one in &mut expected {
        one.labels.extend([("rack", "7"), ("zone", "eu")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        one.labels.sort();
    }
    let sent = names(&expected);
    expected.sort_by(|a, b| a.labels.cmp(&b.labels));
    assert_ne!(sent, names(&expected), "the order is not trivial");
    for form in FORMS {
        let reply = ask(&gateway, query(&[(Eq, "__name__", "up")]), form).await.expect("an answer");
        assert_eq!(names(&reply.results[0]), names(&expected), "{form:?}");
        assert!(strictly_sorted(&reply.results[0]) && reply.results[0] == expected, "{form:?}");
        assert_eq!(reply.degraded, None);
    }

    // Without being told of the labels it notices.
    let lines = upstreams(&[("a", a.url(), "")]);
    let gateway = Gateway::start(&format!("{head}    upstreams:\n{lines}")).await;
    let error = ask(&gateway, query(&[(Eq, "__name__", "up")]), FORMS[1]).await.expect_err("disorder");
    assert!(error.contains("502") && error.contains("series out of order"), "{error}");
}

#[tokio::test]
async fn a_query_that_contradicts_external_labels_does_not_reach_the_group() {
    let eu = Collector::new(half("a"), &[("zone", "eu")]).start();
    let us = Collector::new(half("b"), &[("zone", "us")]).start();
    let group = |zone: &str, url: String| {
        let lines = upstreams(&[("one", url, "")]);
        format!("  - name: {zone}\n    external_labels: {{ zone: {zone} }}\n    upstreams:\n{lines}")
    };
    let gateway =
        Gateway::start(&format!("groups:\n{}{}", group("eu", eu.url()), group("us", us.url()))).await;
    let cases = [
        (Eq, "eu", [true, false]),
        (Eq, "us", [false, true]),
        (Eq, "uk", [false, false]),
        (Eq, "", [false, false]),
        (Neq, "eu", [false, true]),
        (Neq, "uk", [true, true]),
        (Re, "e.|uk", [true, false]),
        (Re, "u", [false, false]),
        (Re, ".*", [true, true]),
        (Nre, "u.", [true, false]),
        (Nre, ".+", [false, false]),
    ];
    for form in FORMS {
        for (kind, value, reached) in cases {
            let before = [eu.requests(), us.requests()];
            let asked = query(&[(Eq, "__name__", "up"), (kind, "zone", value)]);
            let reply = ask(&gateway, asked, form).await.expect("an answer");
            let after = [eu.requests(), us.requests()];
            let expected = [0, 1].map(|n| before[n] + usize::from(reached[n]));
            assert_eq!(after, expected, "{kind:?} {value:?}");
            let zones: Vec<&str> = reply.results[0]
                .iter()
                .map(|one| one.labels.iter().find(|label| label.0 == "zone").expect("a zone").1.as_str())
                .collect();
            let expected: Vec<&str> = ["eu", "us"]
                .into_iter()
                .zip(reached)
                .filter(|(_, reached)| *reached)
                .map(|(zone, _)| zone)
                .collect();
            assert_eq!(zones, expected, "{kind:?} {value:?}");
            assert_eq!((reply.degraded, reply.partial), (None, None), "{kind:?} {value:?}");
        }
    }
    // What decides here is not sent on: a collector understands nothing but equality of its external labels.
    let asked = query(&[(Eq, "__name__", "up"), (Re, "zone", "e.|us"), (Neq, "job", "x")]);
    assert_eq!(ask(&gateway, asked, FORMS[0]).await.expect("an answer").results[0].len(), 2);
    let sent = &eu.last_request().message.queries[0];
    let sent: Vec<&str> = sent.matchers.iter().map(|matcher| matcher.name.as_str()).collect();
    assert_eq!(sent, ["__name__", "job"]);
    // A query of nothing but that still gets all there is.
    let reply = ask(&gateway, query(&[(Eq, "zone", "us")]), FORMS[1]).await.expect("an answer");
    assert_eq!(reply.results[0].iter().map(|one| one.samples.len()).sum::<usize>(), SAMPLES as usize / 2);
}
