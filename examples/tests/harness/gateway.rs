//! The program under test.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, Ran, ran};
use super::{eventually, free_port, get_by, http};

/// How a gateway is started, and reached.
#[derive(Debug)]
pub struct Setup {
    folder: TempDir,
    port: u16,
    flags: Vec<String>,
    scheme: &'static str,
    prefix: String,
    client: reqwest::Client,
}

impl Setup {
    /// Without a configuration: on its own samplers.
    pub fn embedded() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let flags = vec![format!("--web.listen-address=127.0.0.1:{port}")];
        Self { folder, port, flags, scheme: "http", prefix: String::new(), client: http() }
    }

    /// With this configuration.
    pub fn new(config: &str) -> Self {
        let setup = Self::embedded().file("gateway.yml", config);
        let flag = format!("--config.file={}", setup.folder.path().join("gateway.yml").display());
        setup.flag(&flag)
    }

    /// With this flag too.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// With a file beside the configuration.
    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
        self
    }

    /// Asked by a client of its own, over TLS.
    pub fn https(mut self, client: reqwest::Client) -> Self {
        (self.scheme, self.client) = ("https", client);
        self
    }

    /// Reached below this path, as `/prefix`.
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Where files are put.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port it will listen on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the gateway and waits until it is ready.
    pub async fn start(self) -> Gateway {
        let process = Process::start("gateway", Command::new(program()).args(&self.flags), self.folder());
        let mut gateway = Gateway { process, setup: self };
        let ready = format!("{}/-/ready", gateway.url());
        gateway.process.ready_by(&gateway.setup.client, &ready).await;
        gateway
    }

    /// Starts a gateway that cannot run, and waits until it has seen that itself.
    pub async fn fails(&self) -> Ran {
        ran(Command::new(program()).args(&self.flags)).await
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    setup: Setup,
}

impl Gateway {
    /// Starts the gateway with this configuration and waits until it is ready.
    pub async fn start(config: &str) -> Self {
        Setup::new(config).flag("--web.enable-lifecycle").start().await
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        let Setup { scheme, port, prefix, .. } = &self.setup;
        format!("{scheme}://127.0.0.1:{port}{prefix}")
    }

    /// Where it is read from.
    pub fn read_url(&self) -> String {
        format!("{}/api/v1/read", self.url())
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.setup.folder().join("gateway.yml")
    }

    /// Replaces its configuration, of which it never sees a half.
    pub fn configure(&self, config: &str) {
        let beside = self.setup.folder().join("gateway.yml.new");
        std::fs::write(&beside, config).expect("a configuration file");
        std::fs::rename(beside, self.config_file()).expect("a configuration file");
    }

    /// The process, for signals and its log.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What it has logged so far, once `text` is in it.
    ///
    /// # Panics
    ///
    /// When that is not until the deadline.
    pub async fn logged(&self, text: &str) -> String {
        eventually(&format!("{text:?} is logged"), async || {
            let log = self.process.log();
            if log.contains(text) { Ok(log) } else { Err(log) }
        })
        .await
    }

    /// The body of a page of it that answers 200.
    ///
    /// # Errors
    ///
    /// When it answers something else, or not at all.
    pub async fn get(&self, path: &str) -> Result<String, String> {
        get_by(&self.setup.client, &format!("{}{path}", self.url())).await
    }

    /// `gateway read` of it, with further arguments.
    pub async fn read(&self, selector: &str, arguments: &[&str]) -> Ran {
        ran(Command::new(program()).args(["read", selector, "--url", &self.read_url()]).args(arguments)).await
    }

    /// The sum of its own counters that are called `name` and have all of `labels`; 0 when there is none.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let page = self.get("/metrics").await.expect("the metrics of the gateway");
        let wanted: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        page.lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name))
            .filter(|line| wanted.iter().all(|label| line.contains(label.as_str())))
            .map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number"))
            .sum()
    }

    /// Waits until `metric` has this value.
    ///
    /// # Panics
    ///
    /// When it does not until the deadline.
    pub async fn metric_is(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        eventually(&format!("{name}{labels:?} is {value}"), async || {
            let now = self.metric(name, labels).await;
            if now == value { Ok(()) } else { Err(format!("it is {now}")) }
        })
        .await;
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
