//! Alertmanagers, and the cluster they form.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use super::{eventually, free_port, get, http};

/// A running Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    port: u16,
    cluster: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts as many as one cluster, and waits until each of them knows all others.
    pub async fn cluster(count: usize, flags: &[&str]) -> Vec<Self> {
        let mut cluster: Vec<Self> = Vec::new();
        for number in 0..count {
            let peers = cluster.iter().map(|peer| peer.cluster).collect::<Vec<_>>();
            cluster.push(Self::start(&format!("alertmanager-{number}"), &peers, flags).await);
        }
        eventually("the Alertmanagers know each other", async || {
            for one in &cluster {
                let known = one.peers().await?.len();
                if known != count {
                    return Err(format!("{} knows {known} of {count}", one.cluster));
                }
            }
            Ok(())
        })
        .await;
        cluster
    }

    /// Starts one that knows these peers, and waits until it answers.
    pub async fn start(name: &str, peers: &[SocketAddr], flags: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let config = folder.path().join("alertmanager.yml");
        std::fs::write(&config, "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n")
            .expect("a file");
        let (port, cluster) = (free_port(), SocketAddr::from(([127, 0, 0, 1], free_port())));
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--cluster.listen-address={cluster}"))
            .arg(format!("--cluster.advertise-address={cluster}"))
            .arg("--log.level=debug")
            .args(peers.iter().map(|peer| format!("--cluster.peer={peer}")))
            .args(flags);
        let mut process = Process::start(name, &mut command, folder.path());
        process.ready(&format!("http://127.0.0.1:{port}/-/ready")).await;
        Self { port, cluster, process, _folder: folder }
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Where it gossips.
    pub fn cluster_address(&self) -> SocketAddr {
        self.cluster
    }

    /// The members of the cluster as it lists them: where each is, by name.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn peers(&self) -> Result<BTreeMap<String, String>, String> {
        let status = self.api("status").await?;
        let peers = status["cluster"]["peers"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(peers.iter().map(|peer| (text(&peer["name"]), text(&peer["address"]))).collect())
    }

    /// What it says below `/api/v2/`.
    ///
    /// # Errors
    ///
    /// When it does not answer, or not in JSON.
    pub async fn api(&self, path: &str) -> Result<Value, String> {
        let body = get(&format!("http://127.0.0.1:{}/api/v2/{path}", self.port)).await?;
        serde_json::from_str(&body).map_err(|error| format!("{path}: {error}: {body}"))
    }

    /// Silences an alert for an hour, and gives the silence's id.
    ///
    /// # Panics
    ///
    /// When it does not take the silence.
    pub async fn silence(&self, alertname: &str) -> String {
        let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).expect("a time of today").to_string();
        let now_ms = super::now_ms();
        let silence = serde_json::json!({
            "matchers": [{ "name": "alertname", "value": alertname, "isRegex": false }],
            "startsAt": time(now_ms), "endsAt": time(now_ms + 3_600_000),
            "createdBy": "test", "comment": "test",
        });
        let url = format!("http://127.0.0.1:{}/api/v2/silences", self.port);
        let answer = http()
            .post(&url)
            .header("content-type", "application/json")
            .body(silence.to_string())
            .send()
            .await
            .expect("an answer");
        let body = answer.text().await.expect("an answer");
        let id = serde_json::from_str::<Value>(&body)
            .ok()
            .and_then(|body| Some(body["silenceID"].as_str()?.to_owned()));
        id.unwrap_or_else(|| panic!("the silence was not taken: {body}"))
    }

    /// The value of one of its metrics, of all its series together.
    ///
    /// # Errors
    ///
    /// When it does not answer, or has no such metric.
    pub async fn metric(&self, name: &str) -> Result<f64, String> {
        let page = get(&format!("http://127.0.0.1:{}/metrics", self.port)).await?;
        let values: Vec<f64> = page
            .lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name))
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        if values.is_empty() { Err(format!("no metric {name}")) } else { Ok(values.iter().sum()) }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
