//! What a newcomer sees, who starts the gateway without a configuration.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Command;

use serde_json::Value;

use crate::harness::gateway::{Gateway, Setup};
use crate::harness::process::run;
use crate::harness::{eventually, interop};

/// `gateway read` as JSON: label set and times of every series.
async fn series(gateway: &Gateway, selector: &str, range: &[&str]) -> BTreeMap<String, Vec<i64>> {
    let ran = gateway.read(selector, &[&["--output=json"], range].concat()).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let one = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let times = line["timestamps"].as_array().expect("times").iter().map(|time| time.as_i64().unwrap());
        (line["metric"].to_string(), times.collect())
    };
    let all: BTreeMap<String, Vec<i64>> = ran.stdout.lines().map(one).collect();
    assert_eq!(all.len(), ran.stdout.lines().count(), "{selector}: a series is there twice");
    all
}

#[tokio::test]
async fn both_samplers_are_read_as_one() {
    let gateway = Setup::embedded().start().await;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let range = eventually("both samplers have some samples", async || {
        a = series(&gateway, "up{replica=\"a\"}", &[]).await.into_values().next().unwrap_or_default();
        b = series(&gateway, "up{replica=\"b\"}", &[]).await.into_values().next().unwrap_or_default();
        if a.len() < 4 || b.len() < 4 {
            return Err(format!("{} and {} samples", a.len(), b.len()));
        }
        // What both have been asked for is what the merge is asked for.
        let (from, to) = (a[0].min(b[0]), a[a.len() - 1].min(b[b.len() - 1]));
        Ok((from, to))
    })
    .await;
    // Neither lacks a sample, so the merge follows the one that began first.
    let followed = if a[0] < b[0] { &a } else { &b };
    let expected: Vec<i64> =
        followed.iter().copied().filter(|time| (range.0..=range.1).contains(time)).collect();
    assert!(expected.len() >= 3 && a != b, "{a:?} and {b:?}");

    let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let (from, to) = (format!("--from={}", seconds(range.0)), format!("--to={}", seconds(range.1)));
    for accept in ["--accept=streamed", "--accept=samples"] {
        let merged = series(&gateway, "up", &[&from, &to, accept]).await;
        let labels: Vec<&String> = merged.keys().collect();
        let instance = gateway.url().replace("http://", "");
        let expected_labels =
            format!("{{\"__name__\":\"up\",\"instance\":\"{instance}\",\"job\":\"gateway\"}}");
        assert_eq!(labels, [&expected_labels]);
        assert_eq!(merged[&expected_labels], expected, "{accept}");
    }
}

#[tokio::test]
async fn everything_it_exposes_can_be_read_from_it() {
    let gateway = Setup::embedded().start().await;
    gateway.read("up", &[]).await; // makes an upstream's histogram appear
    let wanted = [
        "promha_gateway_build_info",
        "promha_gateway_config_last_reload_successful",
        "promha_gateway_upstream_request_duration_seconds_bucket",
        "promha_gateway_upstream_request_duration_seconds_count",
        "promha_gateway_upstream_request_duration_seconds_sum",
        "promha_gateway_upstream_requests_total",
        "process_start_time_seconds",
        "up",
    ];
    eventually("all metrics were sampled", async || {
        let all = series(&gateway, "{__name__!=\"\"}", &[]).await;
        let missing = wanted.iter().find(|name| !all.keys().any(|k| k.contains(&format!("\"{name}\""))));
        missing.map_or(Ok(()), |name| Err(format!("no {name} among {:?}", all.keys())))
    })
    .await;
}

#[tokio::test]
async fn the_log_and_the_page_say_what_is_going_on_and_what_to_try() {
    let gateway = Setup::embedded().start().await;
    let log = gateway.logged("Listening on").await;
    let line = log.lines().find(|line| line.contains("No --config.file")).expect(&log);
    assert!(line.contains("level=info") && line.contains("merging"), "{line}");
    assert!(line.contains(&format!("page={}/", gateway.url())), "{line}");

    let page = gateway.get("/").await.expect("a page");
    let host = gateway.url().replace("http://", "");
    for text in [
        "Nothing is configured",
        "--config.file",
        "sampler-a",
        "sampler-b",
        "not read yet",
        &format!("gateway read 'up' --from now-5m --url http://{host}/api/v1/read"),
        &format!("remote_read:\n  - url: http://{host}/api/v1/read"),
        "replica_labels: [replica]",
    ] {
        assert!(page.contains(text), "{text} is not on the page: {page}");
    }
    assert_eq!(gateway.read("up", &[]).await.code, Some(0));
    let page = gateway.get("/").await.expect("a page");
    assert!(page.contains("class=ok>ok, ") && !page.contains("not read yet"), "{page}");
}

#[tokio::test]
async fn what_the_page_says_to_try_works() {
    let gateway = Setup::embedded().start().await;
    let page = gateway.get("/").await.expect("a page");
    // The links are relative, so that they work below a prefix too.
    for link in page.split("href=").skip(1).map(|rest| rest.split('>').next().unwrap()) {
        gateway.get(&format!("/{link}")).await.expect(link);
    }
    let pre: Vec<String> = page
        .split("<pre>")
        .skip(1)
        .map(|rest| rest.split("</pre>").next().unwrap().replace("&quot;", "\"").replace("&#39;", "'"))
        .collect();
    let command = pre.iter().find(|text| text.starts_with("gateway read")).expect("a command to try");
    eventually("the command on the page shows a series", async || {
        let words = command.replace('\'', "");
        let mut command = Command::new(crate::harness::gateway::program());
        let ran = crate::harness::process::ran(command.args(words.split(' ').skip(1))).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        if ran.stdout.starts_with("up{") { Ok(()) } else { Err(ran.stderr) }
    })
    .await;
    let config = pre.iter().find(|text| text.starts_with("groups:")).expect("a configuration to try");
    let other = Setup::new(config);
    let file = other.folder().join("gateway.yml");
    run(Command::new(crate::harness::gateway::program()).arg("check-config").arg(file));
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_the_metrics() {
    if !interop("promtool_finds_nothing_wrong_with_the_metrics") {
        return;
    }
    let gateway = Setup::embedded().start().await;
    gateway.read("up", &["--accept=samples"]).await;
    let metrics = gateway.get("/metrics").await.expect("metrics");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &metrics).expect("a file");
    let output = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(File::open(file.path()).expect("a file"))
        .output()
        .expect("promtool");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{metrics}");
}
