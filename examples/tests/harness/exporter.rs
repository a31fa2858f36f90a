//! The node exporter: a real target.

use std::process::Command;

use tempfile::TempDir;

use super::free_port;
use super::process::Process;

/// A running node exporter.
#[derive(Debug)]
pub struct NodeExporter {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl NodeExporter {
    /// Starts one and waits until it can be scraped.
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let mut command = Command::new("prometheus-node-exporter");
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("node-exporter", &mut command, folder.path());
        process.ready(&format!("http://127.0.0.1:{port}/metrics")).await;
        Self { port, _process: process, _folder: folder }
    }

    /// `host:port`, as a scrape configuration wants it.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
