//! Real servers: a Prometheus that scrapes the tables takes and refuses what ours do, and what real exporters expose is read.
//! Runs with `PROMHA_INTEROP=1`, which needs the programs `prometheus`, `prometheus-node-exporter` and `victoria-metrics`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]
#![allow(clippy::disallowed_methods, reason = "a server of inputs needs a thread")]

mod common {
    pub(crate) mod cases;
    #[path = "../../../remote-proto/tests/common/http.rs"]
    pub(crate) mod http;
    #[path = "../../../remote-proto/tests/common/port.rs"]
    pub(crate) mod port;
    #[path = "../../../remote-proto/tests/common/server.rs"]
    pub(crate) mod server;
}

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpListener;

use common::cases::{Case, OPENMETRICS, TEXT};
use common::http::{self, accept, request};
use common::server::Server;
use promha_federate::exposition::{Entry, Format, Limits, Parser};

/// The tables, each with the content type that its inputs are served with.
const TABLES: [(&str, &str, &[Case]); 2] = [
    ("text", "text/plain; version=0.0.4; charset=utf-8", TEXT),
    ("openmetrics", "application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
];

fn is_wanted() -> bool {
    let is_wanted = std::env::var_os("PROMHA_INTEROP").is_some_and(|value| value == "1");
    if !is_wanted {
        eprintln!("skipped: set PROMHA_INTEROP=1 to test against real servers");
    }
    is_wanted
}

fn prometheus(scrape_configs: &str) -> Server {
    Server::start("prometheus", "/-/ready", |command, directory, port| {
        let config = format!("global: {{ scrape_interval: 1s }}\nscrape_configs: [{scrape_configs}]\n");
        std::fs::write(directory.join("prometheus.yml"), config).unwrap();
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    })
}

#[test]
fn a_real_prometheus_takes_and_refuses_the_same() {
    if !is_wanted() {
        return;
    }
    let inputs = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = inputs.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((request, socket)) = accept(&inputs) {
            serve(&request, socket).unwrap_or_default();
        }
    });
    let targets: Vec<String> = TABLES
        .iter()
        .flat_map(|(table, _, cases)| {
            (0..cases.len()).map(move |n| {
                format!(
                    "{{ targets: ['127.0.0.1:{port}'], labels: {{ __metrics_path__: /{table}/{n}, case: {table}-{n} }} }}"
                )
            })
        })
        .collect();
    let job = format!("{{ job_name: cases, static_configs: [{}] }}", targets.join(","));
    let mut server = prometheus(&job);
    let server_port = server.port;
    let mut found = BTreeMap::new();
    server.wait_until("done with all cases", || {
        found = health(server_port);
        found.len() == targets.len() && found.values().all(|(health, _)| health != "unknown")
    });

    let mut wrong = Vec::new();
    for (table, _, cases) in TABLES {
        for (n, case) in cases.iter().enumerate() {
            let (health, error) = &found[&format!("{table}-{n}")];
            if (health == "up") != (case.expected.is_ok() == case.is_old) {
                let input = String::from_utf8_lossy(case.input);
                wrong.push(format!("{input:?} is {health} ({error}), expected {:?}", case.expected));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    println!("{} cases", found.len());
}

/// What became of the last scrape of each case: whether it is up, and the error.
fn health(port: u16) -> BTreeMap<String, (String, String)> {
    let answer = request(port, "GET", "/api/v1/targets", &[], &[]).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let targets = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
    let one = |target: &serde_json::Value| {
        (text(&target["labels"]["case"]), (text(&target["health"]), text(&target["lastError"])))
    };
    targets.iter().map(one).collect()
}

fn serve(request: &http::Message, mut socket: impl Write) -> Option<()> {
    let path = request.first_line.split(' ').nth(1)?;
    let (table, n) = path.strip_prefix('/')?.split_once('/')?;
    let (_, content_type, cases) = TABLES.iter().find(|(name, ..)| *name == table)?;
    let input = cases.get(n.parse::<usize>().ok()?)?.input;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        input.len()
    );
    socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(input)).ok()
}

#[test]
fn what_real_exporters_expose_is_read() {
    if !is_wanted() {
        return;
    }
    let node = Server::start("prometheus-node-exporter", "/metrics", |command, _, port| {
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    });
    let victoria = Server::start("victoria-metrics", "/health", |command, _, port| {
        command.arg("-storageDataPath=data").arg(format!("-httpListenAddr=127.0.0.1:{port}"));
    });
    let job = format!("{{ job_name: node, static_configs: [{{ targets: ['127.0.0.1:{}'] }}] }}", node.port);
    let server = prometheus(&job);

    for (name, port) in
        [("node exporter", node.port), ("victoria-metrics", victoria.port), ("prometheus", server.port)]
    {
        let mut names = BTreeMap::new();
        for accepted in [
            "text/plain; version=0.0.4",
            "application/openmetrics-text; version=1.0.0",
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        ] {
            let answer = request(port, "GET", "/metrics", &[("Accept", accepted)], &[]).unwrap();
            let format =
                Format::of_content_type(answer.header("content-type").unwrap_or_default(), None).unwrap();
            let mut parser = Parser::new(format, &answer.body, Limits::default());
            let (mut found, mut count) = (BTreeSet::new(), 0);
            while let Some(entry) = parser.next_entry().unwrap_or_else(|error| panic!("{name}: {error}")) {
                let Entry::Series(series) = entry else { continue };
                assert!(series.labels().is_sorted_by(|one, other| one.0 < other.0), "{series:?}");
                found.insert(series.name().to_owned());
                count += 1;
            }
            println!("{name}: {count} samples as {format:?}");
            assert!(count > 100, "{name}: {count} samples as {format:?}");
            names.insert(format!("{format:?}"), found);
        }
        // In all formats there are the same families, but for what a scrape itself adds.
        let all: Vec<_> = names.values().collect();
        for other in &all {
            let differing = all[0].symmetric_difference(other).count();
            assert!(differing <= 2, "{name}: {:?}", all[0].symmetric_difference(other).collect::<Vec<_>>());
        }
    }
}
