//! Beside a real Prometheus 2.42: the same answers for the same scraped text, and the same series in a Prometheus that
//! federates from either. Runs with `PROMHA_INTEROP=1`, which needs the programs `prometheus` and `promtool`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]
#![allow(clippy::disallowed_methods, reason = "the servers live by the clock")]

mod common {
    #[path = "../../../remote-proto/tests/common/http.rs"]
    pub(crate) mod http;
    pub(crate) mod memory;
    pub(crate) mod scraped;
    pub(crate) mod serve;
    #[path = "../../../remote-proto/tests/common/server.rs"]
    pub(crate) mod server;
}

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use common::memory::{Memory, ordered};
use common::scraped::{Scraped, line, scrape};
use common::serve::serve;
use common::server::Server;
use common::{http, memory};
use promha_federate::exposition::Value;
use promha_federate::federation::{Federation, Release, Request, STALE_BITS, Sample};
use promha_federate::split::{Rule, ScrapeTarget, Split, scrape_config};

const EXTERNAL: [(&str, &str); 3] = [("A", "extA"), ("cluster", "c1"), ("replica", "r1")];

/// Asked for one after the other; what is between the bars is one `match[]` of several.
const ASKED: [&str; 50] = [
    "up",
    "{__name__=~\".+\"}",
    "{job=\"app\"}",
    "{job!=\"app\"}",
    "{job=~\"a.*\"}",
    "{job!~\"a.*\",__name__=~\".+\"}",
    "http_requests_total",
    "http_requests_total{method=\"GET\"}",
    "http_requests_total{method!=\"GET\"}",
    "http_requests_total{method=~\"GET|POST\"}",
    "http_requests_total{method!~\"P.*\"}",
    "http_requests_total{method=~\"P\"}",
    "http_requests_total{nosuch=\"\"}",
    "http_requests_total{nosuch!=\"\"}",
    "http_requests_total{nosuch=~\".*\"}",
    "up | http_requests_total",
    "http_requests_total | {method=\"GET\"} | {__name__=~\"http_.*\"}",
    "{le!=\"\"}",
    "{quantile=\"0.5\"} | sum_s_sum | sum_s_count",
    "{__name__=~\"rpc_seconds_(bucket|sum|count)\"}",
    "rpc_seconds_bucket{le=\"+Inf\"}",
    "rpc_seconds_bucket{le=~\"[0-9.]+\"}",
    "{__name__=~\".*_ts\"}",
    "old_ts | too_old_ts | with_ts",
    "temp_c",
    "temp_c{room=~\"(?i:NAN|inf)\"}",
    // A dot matches a line break only since Prometheus 3.
    "temp_c{room=~\"a[^x]*d\"}",
    "temp_c{room=\"a\\\"b\\\\c\\nd\"}",
    "temp_c{room='big'}",
    "temp_c{zone=\"é\"}",
    "{cluster=\"c1\"}",
    "{cluster=\"own\"}",
    "has_cluster{instance=\"exported\"}",
    "Upper",
    "{A=\"1\"}",
    "{_c=~\"3|4\"}",
    "empty_label{a=\"\"}",
    "empty_label{a=~\".+\"}",
    "nolabels",
    "nolabels{job=\"app\",instance=~\"127.*\"}",
    "{__name__=\"nolabels\"}",
    "{__name__!~\"scrape_.*|up\",job=\"app\"}",
    "gone",
    "gone | nolabels",
    "nosuch",
    "nosuch | up | up",
    "scrape_samples_scraped",
    "{__name__=~\"scrape_samples.*\"}",
    "{instance=~\"127\\\\.0\\\\.0\\\\.1:[0-9]+\",code=~\"[45]..\"}",
    "{code=~\"2..\"} | {room=~\"n.n\"} | {k=\"4min\"}",
];

/// What the target says; what it no longer says after its first scrape is `gone`.
fn target_text(now_ms: i64) -> String {
    let [explicit, old, too_old] = [now_ms - 5_000, now_ms - 240_000, now_ms - 600_000];
    format!(
        "# HELP http_requests_total The total.\n# TYPE http_requests_total counter\n\
         http_requests_total{{method=\"GET\",code=\"200\"}} 1027\n\
         http_requests_total{{method=\"POST\",code=\"503\"}} 3\n\
         # TYPE temp_c gauge\n\
         temp_c{{room=\"a\\\"b\\\\c\\nd\",zone=\"é\"}} -3.5\ntemp_c{{room=\"nan\"}} NaN\n\
         temp_c{{room=\"inf\"}} +Inf\ntemp_c{{room=\"minus\"}} -Inf\ntemp_c{{room=\"big\"}} 1e21\n\
         temp_c{{room=\"exp\"}} 123456789\ntemp_c{{room=\"small\"}} 0.00001234\ntemp_c{{room=\"zero\"}} -0\n\
         temp_c{{room=\"denormal\"}} 5e-324\ntemp_c{{room=\"third\"}} 0.3333333333333333\n\
         temp_c{{room=\"million\"}} 1000000\ntemp_c{{room=\"less\"}} 999999.5\n\
         # TYPE rpc_seconds histogram\n\
         rpc_seconds_bucket{{le=\"0.1\"}} 1\nrpc_seconds_bucket{{le=\"+Inf\"}} 3\nrpc_seconds_sum 0.75\n\
         rpc_seconds_count 3\n\
         # TYPE sum_s summary\n\
         sum_s{{quantile=\"0.5\"}} 0.2\nsum_s_sum 1\nsum_s_count 2\n\
         with_ts{{k=\"explicit\"}} 5 {explicit}\nold_ts{{k=\"4min\"}} 6 {old}\ntoo_old_ts{{k=\"10min\"}} 7 {too_old}\n\
         has_cluster{{cluster=\"own\",instance=\"exported\"}} 1\nUpper{{A=\"1\",b=\"2\",_c=\"3\"}} 1\n\
         empty_label{{a=\"\",b=\"x\"}} 1\nnolabels 42\n"
    )
}

const GONE: &str = "gone{a=\"1\"} 1\n";

/// A Prometheus that has scraped the target more than once; and the target.
struct Real {
    server: Server,
    text: String,
    instance: String,
}

impl Real {
    fn start() -> Self {
        let text = target_text(now_ms());
        let (served, scrapes) = (text.clone(), AtomicUsize::new(0));
        let target = serve(move |_| {
            let gone = if scrapes.fetch_add(1, Ordering::Relaxed) == 0 { GONE } else { "" };
            let headers = vec![("content-type", "text/plain; version=0.0.4".to_owned())];
            (200, headers, format!("{served}{gone}").into_bytes())
        });
        let rules = "groups: [{ name: r, rules: [{ record: 'job:http_requests:sum', expr: 'sum by (job) (http_requests_total)' }] }]";
        let external: Vec<String> = EXTERNAL.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{ {} }} }}\n\
             rule_files: [rules.yml]\n\
             scrape_configs: [{{ job_name: app, honor_labels: true, static_configs: [{{ targets: ['127.0.0.1:{target}'] }}] }}]\n",
            external.join(", ")
        );
        let mut server = prometheus(&config, rules);
        let port = server.port;
        server.wait_until("done with what is gone", || {
            let answered = |selector| federate(port, &[selector], &[]).text();
            answered("gone").is_empty() && answered("job:http_requests:sum").contains(" 1030 ")
        });
        Self { server, text, instance: format!("127.0.0.1:{target}") }
    }

    /// The series that the server has scraped at a time, as far as they do not depend on how that went.
    fn scraped(&self) -> Vec<Scraped> {
        let mut scraped = scrape(&self.text, "app", &self.instance);
        let samples = scraped.len();
        let more = format!(
            "up 1\nscrape_samples_scraped {samples}\nscrape_samples_post_metric_relabeling {samples}\n"
        );
        scraped.extend(scrape(&more, "app", &self.instance));
        scraped
    }
}

#[test]
fn answers_are_those_of_a_real_prometheus() {
    if !is_wanted() {
        return;
    }
    let real = Real::start();
    let federation = Federation::new(&EXTERNAL).release(Release::V2);
    let mut bodies = 0;
    for asked in ASKED {
        let selectors: Vec<&str> = asked.split(" | ").collect();
        let answer = federate(real.server.port, &selectors, &[]);
        assert_eq!(answer.status(), 200, "{asked}: {}", answer.text());
        let theirs = answer.text();
        let lines: Vec<Scraped> = theirs.lines().filter(|line| !line.starts_with('#')).map(line).collect();
        // All but what has a time of its own is of one scrape. How long that took, what was new in it, and when the
        // rule was evaluated, nobody knows beside the server.
        let by_itself = |scraped: &&Scraped| {
            let name = scraped.labels["__name__"].as_str();
            ["scrape_duration_seconds", "scrape_series_added", "job:http_requests:sum"].contains(&name)
        };
        let of_scrape =
            lines.iter().filter(|line| !by_itself(line) && !line.labels["__name__"].ends_with("_ts"));
        let at_ms = of_scrape.filter_map(|line| line.at_ms).max().unwrap_or_else(now_ms);
        let mut ours = Memory::default();
        for scraped in real.scraped() {
            ours.push(scraped.labels, scraped.at_ms.unwrap_or(at_ms), scraped.value);
        }
        for own in lines.iter().filter(by_itself) {
            let mut labels = own.labels.clone();
            labels.retain(|name, value| !value.is_empty() && !EXTERNAL.contains(&(name, value)));
            ours.push(labels, own.at_ms.unwrap(), own.value);
        }
        let gone = scrape(GONE, "app", &real.instance).remove(0);
        let number = |at_ms, value| Sample { at_ms, value: Value::Float(value) };
        ours.0
            .push((gone.labels, vec![number(at_ms - 1_000, 1.0), number(at_ms, f64::from_bits(STALE_BITS))]));

        let request = Request {
            selectors: selectors.iter().map(|&selector| selector.to_owned()).collect(),
            ..Request::default()
        };
        let (head, body) = ours.answer(&federation, &request, at_ms + 100);
        assert_eq!(head.status, 200, "{asked}: {}", String::from_utf8_lossy(&body));
        assert_eq!(ordered(&String::from_utf8(body).unwrap()), memory::ordered(&theirs), "{asked}");
        assert_eq!(answer.header("content-type"), Some(head.headers[0].1.as_str()));
        bodies += usize::from(!theirs.is_empty());
    }
    println!("sets of match[]: {}, with series: {bodies}", ASKED.len());
    assert!(bodies > 35, "{bodies} of {} are not empty", ASKED.len());
}

#[test]
fn a_real_prometheus_federates_the_same_from_ours() {
    if !is_wanted() {
        return;
    }
    let real = Real::start();
    let mut series = real.scraped();
    series.push(line("job:http_requests:sum{job=\"app\"} 1030"));
    let federation = Federation::new(&EXTERNAL);
    let ours = serve(move |request| {
        let target = request.first_line.split(' ').nth(1).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        assert_eq!(path, "/federate");
        let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = Request::new(query, headers).unwrap();
        assert_eq!((request.selectors.len(), request.accept_encoding.as_str()), (2, "gzip"));
        let (now_ms, mut memory) = (now_ms(), Memory::default());
        for scraped in series.clone() {
            memory.push(scraped.labels, scraped.at_ms.unwrap_or(now_ms), scraped.value);
        }
        let (head, body) = memory.answer(&federation, &request, now_ms);
        (head.status, head.headers, body)
    });

    // How long a scrape took cannot be the same.
    let split = Split::new(vec![
        Rule::stays("scrapes", &["{__name__=~\"scrape_(duration_seconds|series_added)\"}"]).unwrap(),
        Rule::travels("all", &["{job=\"app\"}", "{__name__=~\"job:.*\"}"], &["global"]).unwrap(),
    ])
    .unwrap();
    let selectors = split.selectors("global").unwrap();
    let found = [real.server.port, ours].map(|port| {
        let targets = [&*format!("127.0.0.1:{port}")];
        let target = ScrapeTarget { job_name: "it's a federation", targets: &targets, scrape_interval: "1s" };
        let mut scraper = prometheus(&scrape_config(&target, &selectors), "");
        let port = scraper.port;
        scraper.wait_until("done with a scrape", || series_of(port).len() > 20 && values_of(port).len() > 20);
        (series_of(port), values_of(port))
    });
    let [(real_series, real_values), (our_series, our_values)] = found;
    println!("series: {}, with values now: {}", our_series.len(), our_values.len());
    assert_eq!(our_series, real_series);
    assert_eq!(our_values, real_values);
    // Labels are those of where the series come from, and the scraper adds none to those without an instance.
    let sum = our_series.iter().find(|labels| labels["__name__"] == "job:http_requests:sum").unwrap();
    let names: Vec<&str> = sum.keys().map(String::as_str).collect();
    assert_eq!(names, ["A", "__name__", "cluster", "job", "replica"]);
}

/// The label sets of all that was federated, sorted.
fn series_of(port: u16) -> Vec<BTreeMap<String, String>> {
    let answer =
        http::request(port, "GET", "/api/v1/series?match[]=%7Bjob%3D%22app%22%7D", &[], &[]).unwrap();
    let answer: Json = serde_json::from_slice(&answer.body).unwrap();
    let mut series: Vec<_> = serde_json::from_value(answer["data"].clone()).unwrap();
    series.sort();
    series
}

/// What was federated, and its newest value.
fn values_of(port: u16) -> BTreeMap<String, String> {
    let answer = http::request(port, "GET", "/api/v1/query?query=%7Bjob%3D%22app%22%7D", &[], &[]).unwrap();
    let answer: Json = serde_json::from_slice(&answer.body).unwrap();
    let result = answer["data"]["result"].as_array().unwrap();
    result.iter().map(|one| (one["metric"].to_string(), one["value"][1].to_string())).collect()
}

fn federate(port: u16, selectors: &[&str], headers: &[(&str, &str)]) -> http::Message {
    let encode = |selector: &&str| {
        let bytes: String = selector.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("match[]={bytes}")
    };
    let query: Vec<String> = selectors.iter().map(encode).collect();
    http::request(port, "GET", &format!("/federate?{}", query.join("&")), headers, &[]).unwrap()
}

/// A Prometheus with a configuration that promtool finds nothing wrong with.
fn prometheus(config: &str, rules: &str) -> Server {
    Server::start("prometheus", "/-/ready", |command, directory, port| {
        std::fs::write(directory.join("prometheus.yml"), config).unwrap();
        std::fs::write(directory.join("rules.yml"), rules).unwrap();
        let checked = Command::new("promtool")
            .args(["check", "config", "prometheus.yml"])
            .current_dir(directory)
            .output();
        let checked = checked.unwrap();
        assert!(checked.status.success(), "{config}\n{}", String::from_utf8_lossy(&checked.stderr));
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    })
}

/// Whether to test against real servers.
fn is_wanted() -> bool {
    let is_wanted = std::env::var_os("PROMHA_INTEROP").is_some_and(|value| value == "1");
    if !is_wanted {
        eprintln!("skipped: set PROMHA_INTEROP=1 to test against real servers");
    }
    is_wanted
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}
