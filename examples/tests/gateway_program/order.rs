//! Upstreams whose series are not in the order of their labels, or there twice.

use promha_remote_proto::prompb::{MatcherType, Query, ResponseType};

use super::data::{FORMS, ask, everything, merged, nodes, query, strictly_sorted};
use crate::harness::dataset::Series;
use crate::harness::fake::Upstream;
use crate::harness::gateway::Gateway;
use crate::harness::wire;

const STREAMED: ResponseType = ResponseType::StreamedXorChunks;

/// A gateway of these upstreams, `(name, address, sort)`, in one group.
async fn gateway(upstreams: &[(&str, &Upstream, bool)]) -> Gateway {
    let lines: Vec<String> = upstreams
        .iter()
        .map(|(name, upstream, sort)| {
            format!("      - {{ name: {name}, url: \"{}\", sort: {sort} }}\n", upstream.url())
        })
        .collect();
    Gateway::start(&format!(
        "groups:\n  - name: dc1\n    replica_labels: [replica]\n    upstreams:\n{}",
        lines.concat()
    ))
    .await
}

/// Series with two of them the wrong way round.
fn swapped(count: usize) -> Vec<Series> {
    let mut series = nodes("a", count);
    series.swap(count - 2, count - 1);
    series
}

/// What is said of them.
const DISORDER: &str = r#"series out of order: {__name__="up", instance="node-00038"} after {__name__="up", instance="node-00039"}"#;

async fn degraded(gateway: &Gateway, upstream: &str) -> f64 {
    gateway.metric("promha_gateway_degraded_reads_total", &[("upstream", upstream)]).await
}

#[tokio::test]
async fn disorder_is_an_error_that_names_both_label_sets() {
    let upstream = Upstream::good(swapped(40));
    let gateway = gateway(&[("a", &upstream, false)]).await;
    let error = ask(&gateway, everything(), ResponseType::Samples).await.expect_err("disorder");
    for text in ["502", "group dc1", "a: ", DISORDER, "replica_labels", "external_labels", "`sort: true`"] {
        assert!(error.contains(text), "{text} is not in {error}");
    }
    // A stream has its head by then: it breaks, and the log and the page say why.
    let body = wire::request(vec![everything()], &[STREAMED]);
    let answer = wire::post(&gateway.read_url(), body).await.expect("the head of a stream");
    assert!(answer.bytes().await.is_err(), "the answer ends as if it were complete");
    let log = gateway.logged("broke off an answer").await.replace("\\\"", "\"");
    assert!(log.contains(DISORDER), "{log}");
    let page = gateway.get("/").await.expect("a page").replace("&quot;", "\"");
    assert!(page.contains(DISORDER), "{page}");
    let outcome = [("upstream", "a"), ("outcome", "invalid")];
    assert_eq!(gateway.metric("promha_gateway_upstream_requests_total", &outcome).await, 2.0);
}

#[tokio::test]
async fn a_replica_in_disorder_is_left_out_where_another_answers() {
    let (bad, good) = (Upstream::good(swapped(40)), Upstream::good(nodes("b", 40)));
    for upstreams in
        [[("bad", &bad, false), ("good", &good, false)], [("good", &good, false), ("bad", &bad, false)]]
    {
        let gateway = gateway(&upstreams).await;
        for form in FORMS {
            let reply = ask(&gateway, everything(), form).await.expect("an answer");
            assert_eq!(reply.results, [merged(40)], "{form:?}");
            // The head of a stream is out before the disorder is seen.
            let named = (form == ResponseType::Samples).then_some("bad");
            assert_eq!(reply.degraded.as_deref(), named, "{form:?}");
        }
        assert_eq!((degraded(&gateway, "bad").await, degraded(&gateway, "good").await), (2.0, 0.0));
    }
}

#[tokio::test]
async fn what_is_sorted_here_is_complete() {
    let mut reversed = nodes("a", 40);
    reversed.reverse();
    for series in [swapped(40), reversed, nodes("a", 40)] {
        let upstream = Upstream::good(series);
        let gateway = gateway(&[("a", &upstream, true)]).await;
        for form in FORMS {
            let reply = ask(&gateway, everything(), form).await.expect("an answer");
            assert_eq!(reply.results, [merged(40)], "{form:?}");
            assert_eq!(reply.degraded, None);
        }
    }
}

/// Two replicas behind one address, as a Thanos or a load balancer has them: without the replica label the same series
/// comes twice. Each misses what the other has.
fn twice(interleaved: bool) -> Vec<Series> {
    let (mut a, mut b) = (nodes("a", 20), nodes("b", 20));
    a.iter_mut().for_each(|one| one.samples.truncate(200));
    b.iter_mut().for_each(|one| drop(one.samples.drain(..50)));
    if !interleaved {
        a.extend(b);
        return a;
    }
    a.into_iter().zip(b).flat_map(|(a, b)| [a, b]).collect()
}

#[tokio::test]
async fn replicas_behind_one_upstream_are_merged_where_it_is_sorted_here() {
    for interleaved in [true, false] {
        let upstream = Upstream::good(twice(interleaved));
        let gateway = gateway(&[("both", &upstream, true)]).await;
        for form in FORMS {
            let reply = ask(&gateway, everything(), form).await.expect("an answer");
            assert!(strictly_sorted(&reply.results[0]), "{form:?}");
            assert_eq!(reply.results, [merged(20)], "{form:?}");
        }
    }
    // An old upstream is held and sorted anyway.
    let old = Upstream::start(|_, connection| connection.snappy(&wire::samples_body(&[twice(false)])));
    let gateway = gateway(&[("both", &old, false)]).await;
    let reply = ask(&gateway, everything(), STREAMED).await.expect("an answer");
    assert_eq!(reply.results, [merged(20)]);
}

#[tokio::test]
async fn replicas_behind_one_upstream_are_an_error_where_it_is_not() {
    let node = |n: usize| format!("{{__name__=\"up\", instance=\"node-{n:05}\"}}");
    for (interleaved, said) in [
        (true, format!("series {}: 750000 comes after 2985000", node(0))),
        (false, format!("series out of order: {} after {}", node(0), node(19))),
    ] {
        let upstream = Upstream::good(twice(interleaved));
        let gateway = gateway(&[("both", &upstream, false)]).await;
        let error = ask(&gateway, everything(), ResponseType::Samples).await.expect_err("a series twice");
        assert!(error.contains("502") && error.contains(&said), "{said} is not in {error}");
        assert!(error.contains("`sort: true`"), "it says what to do: {error}");
        ask(&gateway, everything(), STREAMED).await.expect_err("a series twice");
    }
}

#[tokio::test]
async fn disorder_in_one_query_of_several_breaks_the_answer() {
    let upstream = Upstream::start(|request, connection| {
        let bad = request.queries[0].matchers.iter().any(|matcher| matcher.value == "bad");
        connection.answer(request, &if bad { swapped(40) } else { nodes("a", 40) })
    });
    let gateway = gateway(&[("a", &upstream, false)]).await;
    let queries = |names: &[&str]| -> Vec<Query> {
        let ask = |name: &&str| query(&[(MatcherType::Eq, "__name__", name)]);
        names.iter().map(ask).collect()
    };
    for form in FORMS {
        let reply = wire::read(&gateway.read_url(), queries(&["good", "good"]), &[form]).await;
        assert_eq!(reply.expect("an answer").results, [merged(40), merged(40)]);
        for names in [["good", "bad"], ["bad", "good"]] {
            let reply = wire::read(&gateway.read_url(), queries(&names), &[form]).await;
            assert!(reply.is_err(), "{form:?} {names:?}");
        }
    }
}
