//! PromQL through the gateway answers what a single collector answers, where the replicas cannot differ.

use promha_remote_proto::prompb::{MatcherType, ResponseType};

use crate::harness::answer::{Answer, largest_step_ms, same};
use crate::harness::api::Api;
use crate::harness::dataset::{Dataset, STEP_MS};
use crate::harness::gateway::{Gateway, config, group};
use crate::harness::prometheus::{Prometheus, Setup};
use crate::harness::{interop, now_ms, wire};

/// Each is asked at one time and over a range.
const QUERIES: &[&str] = &[
    "up",
    "shop_requests_total",
    r#"shop_requests_total{code=~"5.."}"#,
    r#"shop_requests_total{code!~"2..|4..",method!="get"}"#,
    r#"{__name__=~"shop_(word|odd_value|once)"}"#,
    r#"shop_word{zone=""}"#,
    r#"shop_word{text=~".*[\"\\\\\n~].*"}"#,
    "shop_odd_value",
    "shop_once",
    "shop_sparse",
    "sum(up)",
    "sum by (code) (rate(shop_requests_total[5m]))",
    "sum without (instance, method) (rate(shop_requests_total[2m]))",
    r#"sum(rate(shop_requests_total{code="500"}[5m])) / sum(rate(shop_requests_total[5m]))"#,
    "increase(shop_requests_total[30m])",
    "irate(shop_requests_total[1m])",
    "resets(shop_requests_total[2h])",
    "histogram_quantile(0.9, sum by (le) (rate(shop_latency_seconds_bucket[5m])))",
    "histogram_quantile(0.5, sum by (le, instance) (rate(shop_latency_seconds_bucket[10m])))",
    "rate(shop_latency_seconds_sum[5m]) / rate(shop_latency_seconds_count[5m])",
    r#"count by (__name__) ({__name__=~".+"})"#,
    "count_over_time(shop_requests_total[1h])",
    "count_over_time(shop_sparse[2h])",
    "avg_over_time(shop_queue_length[10m])",
    "quantile_over_time(0.95, shop_queue_length[1h])",
    "max_over_time(rate(shop_requests_total[2m])[20m:1m])",
    "avg_over_time((sum by (queue) (shop_queue_length))[15m:30s])",
    "absent(shop_requests_total)",
    r#"absent(shop_nothing{job="shop"})"#,
    r#"absent_over_time(shop_build_info{version="1.0"}[30m])"#,
    "topk(3, shop_queue_length)",
    "bottomk by (instance) (2, shop_queue_length)",
    "quantile(0.5, shop_queue_length)",
    "stddev by (queue) (shop_queue_length)",
    r#"count_values("length", shop_queue_length)"#,
    r#"label_replace(up, "host", "$1", "instance", "([^:]+):.*")"#,
    r#"label_join(shop_build_info, "all", "-", "job", "version")"#,
    "shop_requests_total offset 30m",
    "rate(shop_requests_total[5m] offset -10m)",
    "shop_queue_length - shop_queue_length offset 15m",
    r#"shop_requests_total * on (instance) group_left (version) shop_build_info{version="1.1"}"#,
    "up and on (instance) shop_build_info",
    "shop_queue_length > 25 or shop_queue_length{zone=\"north\"}",
    "shop_queue_length unless on (instance, queue) shop_queue_length{zone=~\".+\"}",
    "deriv(shop_queue_length[10m])",
    "predict_linear(shop_queue_length[30m], 3600)",
    "changes(shop_queue_length[20m])",
    "timestamp(shop_queue_length)",
    "last_over_time(shop_once[2h])",
    "scalar(count(shop_word))",
    "vector(1) + sum(up)",
];

/// Two collectors with this data, apart only in the external label, and what reads them.
struct Replicas {
    a: Prometheus,
    b: Prometheus,
    gateway: Gateway,
    query: Prometheus,
}

impl Replicas {
    async fn start(a: &Dataset, b: &Dataset) -> Self {
        let collector = |name: &'static str, data: &Dataset| {
            let setup = Setup::new(name).external_label("replica", name);
            data.write_blocks(&setup.data());
            setup
        };
        let (a, b) = (collector("a", a), collector("b", b));
        let (a, b) = tokio::join!(a.start(), b.start());
        let upstreams = group("dc1", &[("a", &a.read_url()), ("b", &b.read_url())]);
        let gateway = Gateway::start(&config(&[upstreams])).await;
        let query = Setup::new("query").remote_read(&gateway.read_url()).start().await;
        Self { a, b, gateway, query }
    }
}

#[tokio::test]
async fn equal_replicas_answer_like_one_collector() {
    if !interop("equal_replicas_answer_like_one_collector") {
        return;
    }
    let data = Dataset::shop(now_ms() - 300_000);
    let servers = Replicas::start(&data, &data).await;
    let (one, through) = (servers.a.api(), servers.query.api());

    let mut filled = 0;
    for query in QUERIES {
        // In the middle of the data and at its end, on and off the times of its samples.
        for time_ms in [data.end_ms - 2_700_000, data.end_ms - 1_234] {
            let expected = one.instant(query, time_ms).await.expect(query);
            equal(query, &expected, &through.instant(query, time_ms).await.expect(query));
            filled += expected.samples();
        }
        for (from_ms, step_ms) in [(data.start_ms, 60_000), (data.end_ms - 3_600_500, 7_000)] {
            let expected = one.range(query, from_ms, data.end_ms, step_ms).await.expect(query);
            equal(query, &expected, &through.range(query, from_ms, data.end_ms, step_ms).await.expect(query));
            filled += expected.samples();
        }
    }
    assert!(filled > 10_000, "the queries select next to nothing: {filled} samples");
    every_series_once(&one, &through, &data).await;
    both_answer_types(&servers.gateway, &data).await;
    assert_eq!(servers.gateway.metric("promha_gateway_degraded_reads_total", &[]).await, 0.0);
    assert_eq!(servers.gateway.metric("promha_gateway_failed_reads_total", &[]).await, 0.0);
}

/// Every raw sample of every series is there, once, and no label set has the replica label.
async fn every_series_once(one: &Api, through: &Api, data: &Dataset) {
    let (from_ms, to_ms) = (data.start_ms - 1000, data.end_ms + 1000);
    let all = r#"{__name__=~".+"}"#;
    let sets = through.series(all, from_ms, to_ms).await.expect("all series");
    assert_eq!(sets, one.series(all, from_ms, to_ms).await.expect("all series of one collector"));
    assert_eq!(sets.len(), data.series.len());
    let mut unique = sets.clone();
    unique.dedup();
    assert_eq!(sets, unique, "a label set is there twice");
    assert!(!sets.iter().any(|set| set.contains(r#""replica":"#)), "a replica label is left over: {sets:?}");

    let samples = through.samples(all, from_ms, to_ms).await.expect("all samples");
    equal(all, &one.samples(all, from_ms, to_ms).await.expect("all samples of one collector"), &samples);
    assert_eq!(samples.samples(), data.samples());
}

/// Asked directly, several queries at once, the gateway has the same data in both forms, in the order of the labels.
async fn both_answer_types(gateway: &Gateway, data: &Dataset) {
    let names = ["shop_.+", "up", "nothing", "shop_(requests_total|word|odd_value)"];
    let (from_ms, to_ms) = (data.start_ms + 600_000, data.end_ms - 600_000);
    for form in [ResponseType::StreamedXorChunks, ResponseType::Samples] {
        let ask = |name: &&str| wire::query(MatcherType::Re, "__name__", name, from_ms, to_ms);
        let queries = names.iter().map(ask).collect();
        let reply = wire::read(&gateway.read_url(), queries, &[form]).await.expect("an answer");
        assert_eq!((reply.form, reply.degraded, reply.partial), (form, None, None));
        for (name, result) in names.iter().zip(&reply.results) {
            let expected = data.select(name, from_ms, to_ms);
            assert!(
                result.windows(2).all(|pair| pair[0].labels < pair[1].labels),
                "{form:?} {name}: not sorted"
            );
            // A stream hands out whole chunks: more than what was asked for, if not cut.
            let cut = Dataset { series: result.clone(), ..*data }.select(name, from_ms, to_ms);
            assert_eq!(cut.len(), expected.len(), "{form:?} {name}");
            let different = cut.iter().zip(&expected).find(|(one, other)| !one.same(other));
            assert!(different.is_none(), "{form:?} {name}: {different:?}");
        }
    }
}

#[tokio::test]
async fn jittered_replicas_answer_every_series_once_and_no_sample_that_nobody_has() {
    if !interop("jittered_replicas_answer_every_series_once_and_no_sample_that_nobody_has") {
        return;
    }
    let data = Dataset::shop(now_ms() - 300_000);
    let servers = Replicas::start(&data.jittered(200, 1), &data.jittered(200, 2)).await;
    let (from_ms, to_ms) = (data.start_ms - 1000, data.end_ms + 1000);
    let all = r#"{__name__=~".+"}"#;
    let a = servers.a.api().samples(all, from_ms, to_ms).await.expect("all samples of a");
    let b = servers.b.api().samples(all, from_ms, to_ms).await.expect("all samples of b");
    let merged = servers.query.api().samples(all, from_ms, to_ms).await.expect("all samples");

    assert_eq!(merged.series.len(), data.series.len());
    for ((merged, a), b) in merged.series.iter().zip(&a.series).zip(&b.series) {
        let labels = &merged.labels;
        assert_eq!((labels, labels), (&a.labels, &b.labels));
        // Neither has a hole: all of one is there, and nothing doubles it.
        assert_eq!(a.samples.len(), b.samples.len());
        assert_eq!(merged.samples.len(), a.samples.len(), "{labels}");
        assert!(merged.samples.windows(2).all(|pair| pair[0].0 < pair[1].0), "{labels}: times do not rise");
        for sample in &merged.samples {
            let known = a.samples.iter().chain(&b.samples).any(|other| same(other, sample));
            assert!(known, "{labels}: {sample:?} is of neither replica");
        }
        let step_ms = largest_step_ms(&merged.samples);
        let widest_ms = largest_step_ms(&a.samples).max(largest_step_ms(&b.samples));
        assert!(step_ms <= widest_ms, "{labels}: a gap of {step_ms} ms");
    }
    // Each of the two counts rises steadily; the merge must not make a counter reset of the jitter.
    for query in
        ["resets(shop_requests_total{instance!=\"shop-2:80\"}[2h])", "resets(shop_latency_seconds_count[2h])"]
    {
        let resets = servers.query.api().instant(query, data.end_ms).await.expect(query);
        assert!(resets.series.iter().all(|series| series.samples[0].1 == 0.0), "{query}: {resets:?}");
    }
}

#[tokio::test]
async fn holes_of_one_replica_are_filled_from_the_other() {
    if !interop("holes_of_one_replica_are_filled_from_the_other") {
        return;
    }
    let data = Dataset::shop(now_ms() - 300_000);
    let minute = |n: i64| data.start_ms + n * 60_000;
    // Each misses what the other has: minutes, a single scrape, the begin, the end.
    let a = data
        .without(minute(20), minute(35))
        .without(minute(60), minute(60) + STEP_MS)
        .without(minute(110), minute(121));
    let b = data
        .without(minute(0), minute(15))
        .without(minute(50), minute(58))
        .without(minute(80), minute(80) + STEP_MS);
    let whole = Setup::new("whole");
    data.write_blocks(&whole.data());
    let (servers, whole) = tokio::join!(Replicas::start(&a, &b), whole.start());
    every_series_once(&whole.api(), &servers.query.api(), &data).await;
    for query in QUERIES {
        let expected = whole.api().range(query, data.start_ms, data.end_ms, 30_000).await.expect(query);
        let answer = servers.query.api().range(query, data.start_ms, data.end_ms, 30_000).await.expect(query);
        equal(query, &expected, &answer);
    }
}

fn equal(query: &str, expected: &Answer, answer: &Answer) {
    if let Some(difference) = answer.difference(expected) {
        panic!("{query}: through the gateway and from one collector differ: {difference}");
    }
}
