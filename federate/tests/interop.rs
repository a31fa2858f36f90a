//! Beside a real Prometheus 2.42 and a real Prometheus 3: the same answers for the same scraped text, and the same series
//! in a Prometheus that federates from either. Runs with `PROMHA_INTEROP=1`, which needs the programs `prometheus`,
//! `prometheus-3` and `promtool`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]
#![allow(clippy::disallowed_methods, reason = "the servers live by the clock")]

mod common {
    #[path = "../../../remote-proto/tests/common/http.rs"]
    pub(crate) mod http;
    pub(crate) mod memory;
    #[path = "../../../remote-proto/tests/common/port.rs"]
    pub(crate) mod port;
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
use promha_federate::exposition::write::{Counts, Histogram, Span, Value};
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

/// What only Prometheus 3 has: names in quotes, and a dot that matches a line break.
const ASKED_OF_3: [&str; 6] = [
    "{\"http.requests\"}",
    "{\"k8s.pod\"=\"p1\"}",
    "{__name__=~\"http.requests\",job=\"app\"}",
    "{\"http.requests\",\"k8s.pod\"=~\"p.\"} | http_requests_total",
    "temp_c{room=~\"a.*d\"}",
    "{\"\"=\"\"}",
];

const QUOTED: &str = "{\"http.requests\",\"k8s.pod\"=\"p1\"} 7\n";

const GONE: &str = "gone{a=\"1\"} 1\n";

/// A Prometheus that has scraped the target more than once; and the target.
struct Real {
    server: Server,
    text: String,
    instance: String,
    release: Release,
}

impl Real {
    fn start(release: Release) -> Self {
        let text = target_text(now_ms());
        let (mut served, scrapes) = (text.clone(), AtomicUsize::new(0));
        if release == Release::V3 {
            served.push_str(QUOTED);
        }
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
        let program = if release == Release::V3 { "prometheus-3" } else { "prometheus" };
        let mut server = prometheus(program, &config, rules, &[]);
        let port = server.port;
        server.wait_until("done with what is gone", || {
            let answered = |selector| federate(port, &[selector], &[]).text();
            answered("gone").is_empty() && answered("job:http_requests:sum").contains(" 1030 ")
        });
        Self { server, text, instance: format!("127.0.0.1:{target}"), release }
    }

    /// The series that the server has scraped at a time, as far as they do not depend on how that went.
    fn scraped(&self) -> Vec<Scraped> {
        let mut scraped = scrape(&self.text, "app", &self.instance);
        if self.release == Release::V3 {
            let mut quoted = scrape("name{pod=\"p1\"} 7", "app", &self.instance).remove(0);
            let pod = quoted.labels.remove("pod").unwrap();
            quoted.labels.extend([("__name__".into(), "http.requests".into()), ("k8s.pod".into(), pod)]);
            scraped.push(quoted);
        }
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
    compare(Release::V2, &ASKED);
}

#[test]
fn answers_are_those_of_a_real_prometheus_3() {
    if !is_wanted() {
        return;
    }
    compare(Release::V3, &[&ASKED[..], &ASKED_OF_3].concat());
}

fn compare(release: Release, all: &[&str]) {
    let real = Real::start(release);
    let federation = Federation::new(&EXTERNAL).release(release);
    let mut bodies = 0;
    for asked in all {
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
    println!("sets of match[]: {}, with series: {bodies}", all.len());
    assert!(bodies > 35, "{bodies} of {} are not empty", all.len());
}

#[test]
fn a_real_prometheus_federates_the_same_from_ours() {
    if !is_wanted() {
        return;
    }
    let real = Real::start(Release::V2);
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
        let mut scraper = prometheus("prometheus", &scrape_config(&target, &selectors), "", &[]);
        let port = scraper.port;
        scraper.wait_until("done with a scrape", || {
            series_of(port).len() > 20 && values_of(port, APP).len() > 20
        });
        (series_of(port), values_of(port, APP))
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

/// A Prometheus that takes native histograms asks for messages.
#[test]
fn a_real_prometheus_reads_our_messages() {
    if !is_wanted() {
        return;
    }
    let ours = serve(|request| {
        let (_, query) = request.first_line.split(' ').nth(1).unwrap().split_once('?').unwrap();
        let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let histogram = Histogram {
            count: 12.0,
            sum: 39.4,
            schema: 1,
            zero_threshold: 0.001,
            zero_count: 2.0,
            positive_spans: const { &[span(0, 2), span(1, 2)] },
            positive: Counts::Deltas(&[1, 1, -1, 0]),
            negative_spans: const { &[span(0, 2), span(1, 2)] },
            negative: Counts::Absolute(&[1.0, 2.0, 1.0, 1.0]),
            ..Histogram::default()
        };
        let mut memory = Memory::default();
        let now_ms = now_ms();
        memory.push(line("up{job=\"app\",instance=\"é\"} 1").labels, now_ms, 1.0);
        let labels = line("native{job=\"app\"} 1").labels;
        memory.0.push((labels, vec![Sample { at_ms: now_ms, value: Value::Histogram(histogram) }]));
        let request = Request::new(query, headers).unwrap();
        let (head, body) = memory.answer(&Federation::new(&EXTERNAL), &request, now_ms);
        assert!(head.headers[0].1.contains("encoding=delimited"), "{head:?} for {}", request.accept);
        (head.status, head.headers, body)
    });
    let targets = [&*format!("127.0.0.1:{ours}")];
    let target = ScrapeTarget { job_name: "f", targets: &targets, scrape_interval: "1s" };
    let config = scrape_config(&target, &["{job=\"app\"}".to_owned()]);
    let arguments = ["--enable-feature=native-histograms"];
    let mut scraper = prometheus("prometheus", &config, "", &arguments);
    let port = scraper.port;
    scraper.wait_until("done with a scrape", || values_of(port, "{job=\"app\"}").len() == 2);
    let of = |query| values_of(port, query).into_values().collect::<Vec<_>>();
    assert_eq!(of("histogram_count(native)"), ["\"12\""]);
    assert_eq!(of("histogram_sum(native)"), ["\"39.4\""]);
    assert_eq!(of("histogram_fraction(-0.001, 0.001, native) * 12"), ["\"2\""]);
    assert_eq!(of("up{job=\"app\"}"), ["\"1\""]);
}

/// The label sets of all that was federated, sorted.
fn series_of(port: u16) -> Vec<BTreeMap<String, String>> {
    let answer =
        http::request(port, "GET", &format!("/api/v1/series?match[]={}", encoded(APP)), &[], &[]).unwrap();
    let answer: Json = serde_json::from_slice(&answer.body).unwrap();
    let mut series: Vec<_> = serde_json::from_value(answer["data"].clone()).unwrap();
    series.sort();
    series
}

const APP: &str = "{job=\"app\"}";

/// What a query gives now, and its values.
fn values_of(port: u16, query: &str) -> BTreeMap<String, String> {
    let path = format!("/api/v1/query?query={}", encoded(query));
    let answer = http::request(port, "GET", &path, &[], &[]).unwrap();
    let answer: Json = serde_json::from_slice(&answer.body).unwrap();
    let result = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{query}: {answer}"));
    result.iter().map(|one| (one["metric"].to_string(), one["value"][1].to_string())).collect()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn federate(port: u16, selectors: &[&str], headers: &[(&str, &str)]) -> http::Message {
    let query = selectors.iter().map(|selector| format!("match[]={}", encoded(selector)));
    let query: Vec<String> = query.collect();
    http::request(port, "GET", &format!("/federate?{}", query.join("&")), headers, &[]).unwrap()
}

/// A Prometheus with a configuration that promtool finds nothing wrong with.
fn prometheus(program: &'static str, config: &str, rules: &str, arguments: &[&str]) -> Server {
    Server::start(program, "/-/ready", |command, directory, port| {
        std::fs::write(directory.join("prometheus.yml"), config).unwrap();
        std::fs::write(directory.join("rules.yml"), rules).unwrap();
        let checked = Command::new("promtool")
            .args(["check", "config", "prometheus.yml"])
            .current_dir(directory)
            .output();
        let checked = checked.unwrap();
        assert!(checked.status.success(), "{config}\n{}", String::from_utf8_lossy(&checked.stderr));
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.args(arguments).arg(format!("--web.listen-address=127.0.0.1:{port}"));
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

const fn span(offset: i32, length: u32) -> Span {
    Span { offset, length }
}
