//! A real target, scraped every second by two collectors.

use std::collections::BTreeSet;

use crate::harness::answer::Answer;
use crate::harness::api::Api;
use crate::harness::exporter::NodeExporter;
use crate::harness::gateway::{Gateway, config, group};
use crate::harness::prometheus::Setup;
use crate::harness::{eventually, interop, now_ms};

/// What two scrapes of one machine, less than a second apart, cannot disagree on.
const QUERIES: &[&str] = &[
    "up",
    "count(up)",
    "node_uname_info",
    "node_exporter_build_info",
    "node_boot_time_seconds",
    "node_memory_MemTotal_bytes",
    "min_over_time(node_memory_MemTotal_bytes[10s])",
    "node_memory_MemTotal_bytes - node_memory_MemTotal_bytes offset 3s",
    "node_filesystem_size_bytes",
    "sum by (device) (node_filesystem_size_bytes)",
    "node_time_zone_offset_seconds",
    "count without (cpu, mode) (node_cpu_seconds_total)",
    "count by (mode) (rate(node_cpu_seconds_total[5s]))",
    r#"resets(node_cpu_seconds_total{mode="system"}[10s])"#,
    "count by (__name__) ({__name__=~\"node_.+\"})",
    r#"count({__name__=~".+"})"#,
    r#"absent(node_cpu_seconds_total)"#,
    r#"absent(node_gpu_seconds_total{cpu="0"})"#,
    r#"label_replace(node_uname_info, "os", "$1", "sysname", "(.).*")"#,
    "group by (instance, job) (node_cpu_seconds_total)",
    "count_over_time(group(up)[5s:1s])",
    "count(topk(2, node_cpu_seconds_total))",
    "changes(node_boot_time_seconds[10s])",
];

#[tokio::test]
async fn a_scraped_target_is_there_once() {
    if !interop("a_scraped_target_is_there_once") {
        return;
    }
    let node = NodeExporter::start().await;
    let collector =
        |name: &str| Setup::new(name).external_label("replica", name).scrape("node", &node.target()).start();
    let (a, b) = tokio::join!(collector("a"), collector("b"));
    let upstreams = group("dc1", &[("a", &a.read_url()), ("b", &b.read_url())]);
    let gateway = Gateway::start(&config(&[upstreams])).await;
    let query = Setup::new("query").remote_read(&gateway.read_url()).start().await;
    let (a, b, through) = (a.api(), b.api(), query.api());
    for api in [&a, &b] {
        eventually("twelve scrapes", async || scraped(api, 12).await).await;
    }

    // Two scrapes are not one: where the collectors differ (a mount that came in between) there is nothing to compare.
    let mut compared = BTreeSet::new();
    for _ in 0..5 {
        let time_ms = now_ms() - 1000;
        for text in QUERIES {
            let (from_a, from_b) = (ask(&a, text, time_ms).await, ask(&b, text, time_ms).await);
            if from_a.difference(&from_b).is_none() {
                let difference = ask(&through, text, time_ms).await.difference(&from_a);
                assert_eq!(difference, None, "{text}: through the gateway and from one collector differ");
                compared.insert(*text);
            }
        }
        if compared.len() == QUERIES.len() {
            break;
        }
    }
    assert!(compared.len() >= 20, "the collectors agree on too few queries: {compared:?}");

    let (from_ms, to_ms) = (now_ms() - 10_000, now_ms());
    let everything = r#"{__name__=~".+"}"#;
    let sets = through.series(everything, from_ms, to_ms).await.expect("all series");
    assert!(sets.len() > 100, "only {} series", sets.len());
    assert!(!sets.iter().any(|set| set.contains(r#""replica":"#)), "a replica label is left over");
    let unique: BTreeSet<&String> = sets.iter().collect();
    assert_eq!(unique.len(), sets.len(), "a label set is there twice");
}

async fn ask(api: &Api, query: &str, time_ms: i64) -> Answer {
    api.instant(query, time_ms).await.expect(query)
}

async fn scraped(api: &Api, wanted: usize) -> Result<(), String> {
    let times = api.one("up", now_ms() - 120_000, now_ms()).await?.len();
    if times >= wanted { Ok(()) } else { Err(format!("{times} scrapes of {wanted}")) }
}
