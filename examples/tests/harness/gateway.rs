//! The program under test.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::process::Process;
use super::{free_port, get};

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    port: u16,
    process: Process,
    folder: TempDir,
}

impl Gateway {
    /// Starts the gateway with this configuration and waits until it is ready.
    pub async fn start(config: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_port();
        std::fs::write(folder.path().join("gateway.yml"), config).expect("a configuration file");
        let mut command = Command::new(program());
        command
            .arg(format!("--config.file={}", folder.path().join("gateway.yml").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.enable-lifecycle");
        let process = Process::start("gateway", &mut command, folder.path());
        let mut gateway = Self { port, process, folder };
        gateway.process.ready(&format!("http://127.0.0.1:{port}/-/ready")).await;
        gateway
    }

    /// Its address, without a path.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it is read from.
    pub fn read_url(&self) -> String {
        format!("http://127.0.0.1:{}/api/v1/read", self.port)
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("gateway.yml")
    }

    /// The process, for signals and its log.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The sum of its own counters that are called `name` and have all of `labels`; 0 when there is none.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let page = get(&format!("{}/metrics", self.url())).await.expect("the metrics of the gateway");
        let wanted: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        page.lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name))
            .filter(|line| wanted.iter().all(|label| line.contains(label.as_str())))
            .map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number"))
            .sum()
    }
}

/// The gateway's binary.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_gateway")
}

/// A group of replicas `(name, address)`, as an entry of `groups`; the replica label is called `replica`.
pub fn group(name: &str, upstreams: &[(&str, &str)]) -> String {
    let mut text = format!("  - name: {name}\n    replica_labels: [replica]\n    upstreams:\n");
    for (upstream, url) in upstreams {
        text.push_str(&format!("      - {{ name: {upstream}, url: \"{url}\", timeout: 30s }}\n"));
    }
    text
}

/// A configuration of these groups.
pub fn config(groups: &[String]) -> String {
    format!("groups:\n{}", groups.concat())
}
