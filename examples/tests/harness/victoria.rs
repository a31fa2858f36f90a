//! VictoriaMetrics and its migration tool.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::dataset::Series;
use super::process::{Process, run};
use super::{free_port, get};

/// A running single-node VictoriaMetrics.
#[derive(Debug)]
pub struct Victoria {
    port: u16,
    _process: Process,
    folder: TempDir,
}

impl Victoria {
    /// Starts an empty one and waits until it answers.
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let mut command = Command::new("victoria-metrics");
        command
            .arg(format!("-storageDataPath={}", folder.path().join("data").display()))
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
            .arg("-retentionPeriod=100y")
            // A sample that arrives twice is one sample: the ranges that vmctl asks for touch each other.
            .arg("-dedup.minScrapeInterval=1ms");
        let mut process = Process::start("victoria-metrics", &mut command, folder.path());
        process.ready(&format!("http://127.0.0.1:{port}/health")).await;
        Self { port, _process: process, folder }
    }

    /// Makes sure that the installed `vmctl` knows remote read; old ones do not.
    pub fn check_vmctl() {
        let help = run(Command::new("vmctl").args(["remote-read", "--help"]));
        assert!(
            help.contains("--remote-read-use-stream"),
            "this vmctl is too old to know `remote-read`: {help}"
        );
    }

    /// Copies everything between two times from `source`, an address without a path, with `vmctl remote-read`.
    pub fn copy_from(&self, source: &str, from: &str, to: &str, streamed: bool) -> String {
        let mut command = Command::new("vmctl");
        command
            .args(["remote-read", "-s", "--disable-progress-bar"])
            .arg(format!("--remote-read-src-addr={source}"))
            .arg(format!("--remote-read-filter-time-start={from}"))
            .arg(format!("--remote-read-filter-time-end={to}"))
            .arg("--remote-read-step-interval=hour")
            .arg(format!("--vm-addr=http://127.0.0.1:{}", self.port))
            // The state of a migration is kept in the working directory.
            .current_dir(self.folder.path());
        if streamed {
            command.arg("--remote-read-use-stream");
        }
        run(&mut command)
    }

    /// Everything in the storage, by label set.
    pub async fn export(&self) -> Result<BTreeMap<String, Series>, String> {
        let base = format!("http://127.0.0.1:{}", self.port);
        get(&format!("{base}/internal/force_flush")).await?; // what was just written becomes visible
        let url = format!("{base}/api/v1/export?match[]=%7B__name__!=%22%22%7D");
        let lines = get(&url).await?;
        let all: BTreeMap<_, _> =
            lines.lines().map(parse_line).map(|series| (key(&series), series)).collect();
        assert_eq!(all.len(), lines.lines().count(), "a series is exported in parts");
        Ok(all)
    }
}

/// A label set as text, to look it up by.
pub fn key(series: &Series) -> String {
    format!("{:?}", series.labels)
}

fn parse_line(line: &str) -> Series {
    let value: Value = serde_json::from_str(line).expect("a JSON line");
    let metric = value["metric"].as_object().expect("labels");
    let labels =
        metric.iter().map(|(name, value)| (name.clone(), value.as_str().expect("a value").to_owned()));
    let times =
        value["timestamps"].as_array().expect("times").iter().map(|time| time.as_i64().expect("a time"));
    let values = value["values"].as_array().expect("values").iter().map(|v| v.as_f64().expect("a number"));
    let mut labels: Vec<(String, String)> = labels.collect();
    labels.sort_unstable();
    Series { labels, samples: times.zip(values).collect() }
}
