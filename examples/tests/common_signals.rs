//! What signals do to a program, shown on a process of its own.
#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test has a clock, and fails by panicking"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use clap::Parser;
use promha_examples::common::logging::LoggingFlags;
use promha_examples::common::metrics::Metrics;
use promha_examples::common::web::{Server, WebFlags};

#[test]
fn a_hangup_reloads_and_everything_is_logged_in_one_format() {
    let program = Program::start();
    assert!(program.get("/metrics").contains("\npromha_program_config_last_reload_successful 1\n"));
    program.configure("gateway.yml:1:1: unknown key");
    program.signal("HUP");
    program.wait_for("/metrics", "\npromha_program_config_last_reload_successful 0\n");
    program.configure("");
    program.signal("HUP");
    program.wait_for("/metrics", "\npromha_program_config_last_reload_successful 1\n");

    assert!(program.get("/panic").starts_with("HTTP/1.1 500 "));
    program.signal("TERM");
    let (code, log) = program.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("level=error msg=\"A thread panicked\" panic=\"a bug\" at="), "{log}");
    let expected = "level=error msg=\"Loading the configuration failed, the previous one stays in use\" \
                    error=\"gateway.yml:1:1: unknown key\"\n";
    assert!(log.contains(expected), "{log}");
    assert!(log.lines().all(|line| line.starts_with("ts=") && line.contains(" caller=")), "{log}");
}

#[test]
fn one_signal_drains() {
    for (signal, name) in [("TERM", "SIGTERM"), ("INT", "SIGINT")] {
        let program = Program::start();
        let mut slow = program.send("GET /slow");
        slow.write_all(b"\r\n").unwrap();
        program.wait_for("/metrics", "\npromha_program_slow_requests 1\n");
        program.signal(signal);
        program.wait_until_refused();

        // The request under way is answered in full once it is told to go on.
        program.configure("go on");
        let mut answer = String::new();
        slow.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("\r\n\r\nanswered"), "{answer}");
        let (code, log) = program.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains(&format!("msg=\"Told to stop, draining\" by={name} timeout=30s\n")), "{log}");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let program = Program::start();
    let mut slow = program.send("GET /slow");
    slow.write_all(b"\r\n").unwrap();
    program.wait_for("/metrics", "\npromha_program_slow_requests 1\n");
    program.signal("TERM");
    program.wait_until_refused();
    program.signal("TERM");
    let (code, log) = program.end();
    assert_eq!(code, Some(128 + 15), "{log}");
}

/// A process that runs [`the_program`].
struct Program {
    child: Child,
    address: String,
    directory: tempfile::TempDir,
}

impl Program {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("config"), "").unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_program", "--ignored", "--nocapture"])
            .env("PROMHA_TEST_DIRECTORY", directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The test harness writes to the same stream.
        let address =
            lines.map(Result::unwrap).find_map(|line| Some(line.split_once("listening ")?.1.to_owned()));
        Self { child, address: address.unwrap(), directory }
    }

    fn configure(&self, text: &str) {
        let beside = self.directory.path().join("new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, self.directory.path().join("config")).unwrap();
    }

    fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(status.unwrap().success());
    }

    /// A request all but its last, empty line.
    fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address).unwrap();
        stream
    }

    fn get(&self, path: &str) -> String {
        let mut stream = self.send(&format!("GET {path}"));
        stream.write_all(b"\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks until the answer holds the text.
    fn wait_for(&self, path: &str, text: &str) {
        wait_until(text, || self.get(path).contains(text));
    }

    fn wait_until_refused(&self) {
        wait_until("a refusal", || TcpStream::connect(&self.address).is_err());
    }

    /// Its exit code and what it logged.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Only what a failed test left behind is still running.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Gives up only where something is broken for good.
fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::yield_now();
    }
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    web: WebFlags,
    #[command(flatten)]
    logging: LoggingFlags,
}

/// The process that the tests above start: its reload fails with what its file `config` says, and `/slow`
/// answers once that file says something.
#[test]
#[ignore = "a program for the tests beside it"]
fn the_program() {
    let Some(directory) = std::env::var_os("PROMHA_TEST_DIRECTORY") else {
        panic!("started by the tests beside it, with a directory to work in");
    };
    let config = PathBuf::from(directory).join("config");
    tokio::runtime::Runtime::new().unwrap().block_on(serve(config));
    // Past the harness, whose report would be taken for a log line.
    std::process::exit(0);
}

async fn serve(config: PathBuf) {
    let flags = Flags::parse_from(["program", "--web.listen-address=127.0.0.1:0"]);
    flags.logging.install("common_signals").unwrap();
    let mut metrics = Metrics::new("program");
    let slow_requests = prometheus_client::metrics::gauge::Gauge::<i64>::default();
    metrics.registry_mut().register("slow_requests", "Under way", slow_requests.clone());

    let (reloaded, answered) = (config.clone(), config);
    let slow = async move || {
        slow_requests.inc();
        while says(&answered).is_empty() {
            tokio::task::yield_now().await;
        }
        "answered"
    };
    let reload = move || {
        let says = says(&reloaded);
        std::future::ready(if says.is_empty() { Ok(()) } else { Err(says) })
    };
    let server = Server::bind(&flags.web, "Program", "127.0.0.1:0").unwrap();
    let address = server.addresses().next().unwrap();
    server.lifecycle().ready();
    let panic = async || -> () { panic!("a bug") };
    let app = Router::new().route("/slow", get(slow)).route("/panic", get(panic));
    let serving = server.serve(app, Arc::new(metrics), reload);
    println!("listening {address}");
    serving.await.unwrap();
}

fn says(config: &Path) -> String {
    std::fs::read_to_string(config).unwrap()
}
