//! A collector that is killed: nothing is missing, neither while it is down nor afterwards.

use crate::harness::answer::{Sample, largest_step_ms};
use crate::harness::api::Api;
use crate::harness::exporter::NodeExporter;
use crate::harness::gateway::{Gateway, config, group};
use crate::harness::prometheus::Setup;
use crate::harness::{eventually, interop, now_ms};

const SCRAPE_MS: i64 = 1000;

/// How many scrapes the killed collector misses.
const MISSED: usize = 20;

#[tokio::test]
async fn the_hole_of_a_killed_collector_is_filled() {
    if !interop("the_hole_of_a_killed_collector_is_filled") {
        return;
    }
    let node = NodeExporter::start().await;
    let collector =
        |name: &str| Setup::new(name).external_label("replica", name).scrape("node", &node.target()).start();
    let (mut a, b) = tokio::join!(collector("a"), collector("b"));
    let upstreams = group("dc1", &[("a", &a.read_url()), ("b", &b.read_url())]);
    let gateway = Gateway::start(&config(&[upstreams])).await;
    let query = Setup::new("query").remote_read(&gateway.read_url()).start().await;

    let start_ms = now_ms();
    for api in [a.api(), b.api()] {
        eventually("scrapes before the outage", async || at_least(&api, start_ms, 10).await).await;
    }
    assert_eq!(degraded(&gateway).await, 0.0);

    a.kill();
    let killed_ms = now_ms();
    let mut queries = 0;
    eventually("scrapes of the survivor during the outage", async || {
        // Every single query must succeed, and without a warning.
        probe(&query.api(), start_ms).await;
        queries += 1;
        at_least(&b.api(), killed_ms, MISSED).await
    })
    .await;
    assert!(queries >= 10, "only {queries} queries during the outage");
    assert!(degraded(&gateway).await >= 1.0, "the reads during the outage count as degraded");

    a.restart().await;
    let back_ms = now_ms();
    eventually("scrapes after the outage", async || {
        probe(&query.api(), start_ms).await;
        at_least(&a.api(), back_ms, 5).await?;
        at_least(&b.api(), back_ms, 5).await
    })
    .await;

    // A time that both have passed, so that all three answers are about the same samples.
    let end_ms = now_ms() - 2 * SCRAPE_MS;
    let reads = degraded(&gateway).await;
    for selector in ["up", "node_time_seconds", r#"node_cpu_seconds_total{cpu="0",mode="system"}"#] {
        let selector = selector.to_owned();
        let (holed, survivor) = (
            raw(&a.api(), &selector, start_ms, end_ms).await,
            raw(&b.api(), &selector, start_ms, end_ms).await,
        );
        let merged = raw(&query.api(), &selector, start_ms, end_ms).await;
        let hole_ms = largest_step_ms(&holed);
        assert!(
            hole_ms > (MISSED as i64 - 5) * SCRAPE_MS,
            "{selector}: the killed collector misses only {hole_ms} ms"
        );
        // A slow machine may delay a scrape of the survivor too; nothing may be missing beyond that.
        let step_ms = largest_step_ms(&merged);
        let allowed_ms = (2 * SCRAPE_MS + SCRAPE_MS / 2).max(largest_step_ms(&survivor));
        assert!(step_ms <= allowed_ms, "{selector}: a step of {step_ms} ms, {allowed_ms} ms allowed");
        assert!(merged.windows(2).all(|pair| pair[0].0 < pair[1].0), "{selector}: times do not rise");
        let known = |sample: &Sample| holed.contains(sample) || survivor.contains(sample);
        assert!(merged.iter().all(known), "{selector}: a sample that neither collector has");
    }

    // Over the hole there is as much as the survivor has.
    let count = format!("count_over_time(up[{}ms])", back_ms - killed_ms);
    let (merged, survivor) =
        (query.api().instant(&count, back_ms).await, b.api().instant(&count, back_ms).await);
    let (merged, survivor) =
        (merged.expect("a count").series[0].samples[0].1, survivor.expect("a count").series[0].samples[0].1);
    assert!(merged >= survivor, "{merged} samples over the hole, the survivor has {survivor}");
    assert_eq!(degraded(&gateway).await, reads, "reads after the outage do not count as degraded");
    assert_eq!(gateway.metric("promha_gateway_failed_reads_total", &[]).await, 0.0);
}

/// A query as a dashboard asks it, which must have an answer.
async fn probe(query: &Api, start_ms: i64) {
    let up = query.range("up", start_ms, now_ms(), SCRAPE_MS).await.expect("a query during an outage");
    assert_eq!(up.series.len(), 1, "the target is there once: {up:?}");
    let rate = query
        .instant("sum(rate(node_cpu_seconds_total[15s]))", now_ms())
        .await
        .expect("a query during an outage");
    assert_eq!(rate.series.len(), 1);
}

async fn at_least(api: &Api, from_ms: i64, wanted: usize) -> Result<(), String> {
    let times = api.one("up", from_ms, now_ms()).await?.len();
    if times >= wanted { Ok(()) } else { Err(format!("{times} scrapes of {wanted}")) }
}

async fn raw(api: &Api, selector: &str, from_ms: i64, to_ms: i64) -> Vec<Sample> {
    api.one(selector, from_ms, to_ms).await.expect(selector)
}

async fn degraded(gateway: &Gateway) -> f64 {
    gateway.metric("promha_gateway_degraded_reads_total", &[("upstream", "a")]).await
}
