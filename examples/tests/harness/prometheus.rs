//! Prometheus servers: collectors that hold data, and query servers that hold none.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::api::Api;
use super::free_port;
use super::process::Process;

/// A Prometheus to be started.
#[derive(Debug)]
pub struct Setup {
    name: String,
    folder: TempDir,
    external_labels: Vec<(String, String)>,
    scrape: String,
    remote_read: String,
    flags: Vec<String>,
}

impl Setup {
    /// An empty Prometheus.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            folder: TempDir::new().expect("a temporary folder"),
            external_labels: Vec::new(),
            scrape: String::new(),
            remote_read: String::new(),
            flags: Vec::new(),
        }
    }

    /// Adds a label that the server puts on everything it hands out.
    pub fn external_label(mut self, name: &str, value: &str) -> Self {
        self.external_labels.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Scrapes `target` every second.
    pub fn scrape(mut self, job: &str, target: &str) -> Self {
        let config = format!(
            "  - job_name: {job}\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    static_configs: [{{ targets: [\"{target}\"] }}]\n"
        );
        self.scrape.push_str(&config);
        self
    }

    /// Reads from `url`, also what its own storage could have.
    pub fn remote_read(mut self, url: &str) -> Self {
        writeln!(self.remote_read, "  - {{ url: \"{url}\", read_recent: true, remote_timeout: 1m }}")
            .expect("a string");
        self
    }

    /// Adds a command-line flag.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Where the storage is; blocks may be put there before the start.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the server and waits until it answers queries.
    pub async fn start(self) -> Prometheus {
        let mut config = String::from("global:\n  scrape_interval: 1s\n");
        if !self.external_labels.is_empty() {
            config.push_str("  external_labels:\n");
            for (name, value) in &self.external_labels {
                writeln!(config, "    {name}: \"{value}\"").expect("a string");
            }
        }
        for (section, entries) in [("scrape_configs", &self.scrape), ("remote_read", &self.remote_read)] {
            if !entries.is_empty() {
                write!(config, "{section}:\n{entries}").expect("a string");
            }
        }
        std::fs::write(self.folder.path().join("prometheus.yml"), config).expect("a configuration file");

        let port = free_port();
        let mut command = command(self.folder.path(), port, &self.flags);
        let process = Process::start(&self.name, &mut command, self.folder.path());
        let mut server =
            Prometheus { name: self.name, port, flags: self.flags, process, folder: self.folder };
        server.ready().await;
        server
    }
}

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    name: String,
    port: u16,
    flags: Vec<String>,
    process: Process,
    folder: TempDir,
}

impl Prometheus {
    /// Its HTTP API.
    pub fn api(&self) -> Api {
        Api::new(format!("http://127.0.0.1:{}", self.port))
    }

    /// Where others read its raw samples.
    pub fn read_url(&self) -> String {
        format!("http://127.0.0.1:{}/api/v1/read", self.port)
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after `kill`, on the same port and storage, and waits until it answers queries.
    pub async fn restart(&mut self) {
        let mut command = command(self.folder.path(), self.port, &self.flags);
        self.process = Process::start(&self.name, &mut command, self.folder.path());
        self.ready().await;
    }

    async fn ready(&mut self) {
        self.process.ready(&format!("http://127.0.0.1:{}/-/ready", self.port)).await;
    }
}

fn command(folder: &Path, port: u16, flags: &[String]) -> Command {
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--log.level=warn")
        // Blocks stay as they were made: no compaction beside the test.
        .args(["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h"])
        .args(flags);
    command
}
