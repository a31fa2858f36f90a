//! Beside a real Prometheus 2.42 and a real Prometheus 3: with the generated `relabel_configs` it keeps the targets that
//! our function says, out of those in our JSON. Runs with `PROMHA_INTEROP=1`, which needs the programs `prometheus`,
//! `prometheus-3` and `promtool`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

#[path = "../../remote-proto/tests/common/http.rs"]
mod http;
#[path = "../../remote-proto/tests/common/port.rs"]
mod port;
#[path = "../../remote-proto/tests/common/server.rs"]
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use promha_shard_ring::prometheus::{Shard, target_groups};
use serde_json::Value;
use server::Server;

const SHARDS: u64 = 3;
const TARGETS: usize = 720;

/// Labels by name.
type Labels = BTreeMap<String, String>;

/// Addresses of targets by job.
type Addresses = BTreeMap<String, BTreeSet<String>>;

/// A job that runs as one shard would.
struct Job {
    name: String,
    shard: Shard,
}

#[test]
fn prometheus_2_keeps_what_we_say() {
    if is_wanted() {
        compare("prometheus");
    }
}

#[test]
fn prometheus_3_keeps_what_we_say() {
    if is_wanted() {
        compare("prometheus-3");
    }
}

fn compare(program: &'static str) {
    let (targets, jobs) = (targets(), jobs());
    let mut server = prometheus(program, &targets, &jobs);
    let port = server.port;
    let all = TARGETS * jobs.len();
    let [mut active, mut dropped] = [Addresses::new(), Addresses::new()];
    server.wait_until("done with discovery", || {
        [active, dropped] = ["active", "dropped"].map(|state| addresses(port, state));
        active.values().chain(dropped.values()).map(BTreeSet::len).sum::<usize>() == all
    });

    for job in &jobs {
        let (kept, rest): (Vec<&Labels>, Vec<&Labels>) =
            targets.iter().partition(|target| job.shard.keeps(&pairs(target)));
        for (expected, found) in [(&kept, active.get(&job.name)), (&rest, dropped.get(&job.name))] {
            let found: Vec<&str> = found.into_iter().flatten().map(String::as_str).collect();
            let mut expected: Vec<&str> =
                expected.iter().map(|target| target["__address__"].as_str()).collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "{}", job.name);
        }
        println!("{program}: {}: {} kept, {} dropped", job.name, kept.len(), rest.len());
    }

    // Together the shards keep every target as often as they are to.
    for replication in 1..=SHARDS {
        let mut keepers: BTreeMap<&str, u64> = BTreeMap::new();
        for job in jobs.iter().filter(|job| job.name.starts_with(&format!("rf-{replication}-"))) {
            active[&job.name].iter().for_each(|address| *keepers.entry(address).or_default() += 1);
        }
        assert_eq!(keepers.len(), TARGETS);
        for target in &targets {
            let everywhere = target.contains_key("__tmp_disable_sharding");
            assert_eq!(
                keepers[target["__address__"].as_str()],
                if everywhere { SHARDS } else { replication }
            );
        }
    }
}

/// Most targets have nothing but an address; the labels that decide are set on some.
fn targets() -> Vec<Labels> {
    let target = |i: usize| {
        let mut labels = Labels::new();
        let mut set = |name: &str, value: String| labels.insert(name.to_owned(), value);
        set("__address__", format!("127.0.{}.{}:9", i / 200, 1 + i % 200));
        set("__param_target", format!("https://probed-{i}.example.com/?a=b;c"));
        set("team", ["it's", "\"quoted\" \\ é", "a\nb"][i % 3].to_owned());
        match i % 12 {
            3 => set("__tmp_hash", format!("group-{}", i % 5)),
            5 => set("__tmp_hash", format!("ends with ;{i};")),
            7 => set("__tmp_hash", format!("two\nlines {i}")),
            9 => set("__tmp_disable_sharding", ["true", ";", "\n"][i % 3].to_owned()),
            11 => set("__tmp_disable_sharding", String::new()),
            _ => None,
        };
        labels.retain(|_, value| !value.is_empty());
        labels
    };
    (0..TARGETS).map(target).collect()
}

fn jobs() -> Vec<Job> {
    let mut jobs = Vec::new();
    for number in 0..SHARDS {
        let shard = Shard::new(number, SHARDS).unwrap();
        for replication in 1..=SHARDS {
            let shard = shard.clone().with_replication(replication).unwrap();
            jobs.push(Job { name: format!("rf-{replication}-shard-{number}"), shard });
        }
        jobs.push(Job { name: format!("probes-shard-{number}"), shard: shard.of_probes() });
    }
    jobs
}

/// A Prometheus with all jobs, in whose configuration promtool finds nothing wrong. It has no time to scrape anything.
fn prometheus(program: &'static str, targets: &[Labels], jobs: &[Job]) -> Server {
    let mut config = String::from("global:\n  scrape_interval: 1d\n  scrape_timeout: 10s\nscrape_configs:\n");
    for job in jobs {
        let relabel_configs = job.shard.relabel_configs(4);
        write!(
            config,
            "  - job_name: {}\n    file_sd_configs: [files: [targets.json]]\n{relabel_configs}",
            job.name
        )
        .unwrap();
    }
    // The address stands apart from the labels.
    let groups: Vec<_> = targets
        .iter()
        .map(|target| {
            let mut labels = pairs(target);
            labels.retain(|label| label.0 != "__address__");
            (target["__address__"].as_str(), labels)
        })
        .collect();
    let json = target_groups(groups.iter().map(|(address, labels)| (*address, labels.as_slice())));
    Server::start(program, "/-/ready", |command, directory, port| {
        std::fs::write(directory.join("prometheus.yml"), config).unwrap();
        std::fs::write(directory.join("targets.json"), json).unwrap();
        let checked = Command::new("promtool")
            .args(["check", "config", "prometheus.yml"])
            .current_dir(directory)
            .output()
            .unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    })
}

/// The addresses that a Prometheus found and keeps scraping, or those that it dropped. All labels before relabelling are
/// in the answer too, but Prometheus 2.42 shows what relabelling made of them.
fn addresses(port: u16, state: &str) -> Addresses {
    let answer = http::request(port, "GET", &format!("/api/v1/targets?state={state}"), &[], &[]).unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let mut addresses = Addresses::new();
    for target in answer["data"][format!("{state}Targets")].as_array().unwrap() {
        let [job, address] =
            ["job", "__address__"].map(|name| target["discoveredLabels"][name].as_str().unwrap().to_owned());
        assert!(addresses.entry(job).or_default().insert(address), "{target} is there twice");
    }
    addresses
}

fn pairs(labels: &Labels) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Whether to test against real servers.
fn is_wanted() -> bool {
    let is_wanted = std::env::var_os("PROMHA_INTEROP").is_some_and(|value| value == "1");
    if !is_wanted {
        eprintln!("skipped: set PROMHA_INTEROP=1 to test against real servers");
    }
    is_wanted
}
