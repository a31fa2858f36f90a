//! A real Prometheus scrapes a program: over TLS, with basic auth, in the format it asks for.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test has a clock, and fails by panicking"
)]

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use clap::Parser;
use promha_examples::common::http_client::HttpClientConfig;
use promha_examples::common::metrics::Metrics;
use promha_examples::common::web::{Server, WebFlags};
use serde_json::Value;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    web: WebFlags,
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_a_program() {
    if std::env::var_os("PROMHA_INTEROP").is_none_or(|value| value != "1") {
        eprintln!("not run: set PROMHA_INTEROP=1 where prometheus is installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let program = start_program(directory.path());
    let prometheus = Prometheus::start(directory.path(), program);

    let build = prometheus.first("query?query=promha_gateway_build_info", "/data/result/0").await;
    assert_eq!(build["metric"]["job"], "gateway");
    assert_eq!(build["metric"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(build["value"][1], "1");
    let up = prometheus.first("query?query=up", "/data/result/0/value/1").await;
    assert_eq!(up, "1");
    // The second scrape tells of the first one.
    let query = "query?query=promha_gateway_http_requests_total%7Bhandler=%22/metrics%22,code=%22200%22%7D";
    let requests = prometheus.first(query, "/data/result/0/value/1").await;
    assert_ne!(requests, "0");
    let query = "query?query=histogram_quantile(1,promha_gateway_http_request_duration_seconds_bucket)";
    prometheus.first(query, "/data/result/0").await;

    // What Prometheus took the metrics for: the name of a counter is without its suffix in OpenMetrics.
    let kinds = [
        ("promha_gateway_http_requests", "counter"),
        ("promha_gateway_http_request_duration_seconds", "histogram"),
        ("promha_gateway_config_last_reload_successful", "gauge"),
        ("process_cpu_seconds", "counter"),
    ];
    for (metric, kind) in kinds {
        let metadata =
            prometheus.first(&format!("metadata?metric={metric}"), &format!("/data/{metric}/0/type")).await;
        assert_eq!(metadata, kind, "{metric}");
    }
}

/// A program that speaks TLS to known users only.
fn start_program(directory: &Path) -> SocketAddr {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("cert.pem"), issued.cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), issued.signing_key.serialize_pem()).unwrap();
    let hash = bcrypt::hash("lovelace", 4).unwrap();
    let web = format!(
        "tls_server_config: {{ cert_file: cert.pem, key_file: key.pem }}\nbasic_auth_users: {{ ada: '{hash}' }}"
    );
    std::fs::write(directory.join("web.yml"), web).unwrap();

    let web_config = format!("--web.config.file={}", directory.join("web.yml").display());
    let flags = Flags::parse_from(["program", "--web.listen-address=127.0.0.1:0", &web_config]);
    let server = Server::bind(&flags.web, "Gateway", "127.0.0.1:0").unwrap();
    let address = server.addresses().next().unwrap();
    let reload = || std::future::ready(Ok::<_, String>(()));
    tokio::spawn(server.serve(Router::new(), Arc::new(Metrics::new("gateway")), reload));
    address
}

struct Prometheus {
    child: Child,
    url: String,
}

impl Prometheus {
    fn start(directory: &Path, target: SocketAddr) -> Self {
        let config = format!(
            "global: {{ scrape_interval: 100ms, scrape_timeout: 100ms }}\n\
             scrape_configs:\n\
             - job_name: gateway\n  \
               scheme: https\n  \
               tls_config: {{ ca_file: cert.pem, server_name: localhost }}\n  \
               basic_auth: {{ username: ada, password: lovelace }}\n  \
               static_configs: [ {{ targets: ['{target}'] }} ]\n"
        );
        std::fs::write(directory.join("prometheus.yml"), config).unwrap();
        // Free now; who takes it in between makes Prometheus end and this test fail, but not lie.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .current_dir(directory)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={free}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, url: format!("http://{free}/api/v1") }
    }

    /// Asks until the answer holds something there.
    async fn first(&self, what: &str, pointer: &str) -> Value {
        let client = HttpClientConfig::default().client("test").unwrap();
        let url: reqwest::Url = format!("{}/{what}", self.url).parse().unwrap();
        let began = Instant::now();
        loop {
            let request = client.request(reqwest::Method::GET, url.clone()).await.unwrap();
            if let Ok(answer) = request.send().await {
                let text = answer.text().await.unwrap_or_default();
                let found = serde_json::from_str::<Value>(&text).ok();
                if let Some(value) = found.and_then(|answer| answer.pointer(pointer).cloned()) {
                    return value;
                }
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no answer to {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
