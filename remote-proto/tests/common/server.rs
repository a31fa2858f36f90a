//! Real servers, each in a directory and on ports of its own, ended when the test is.

#![allow(dead_code, unreachable_pub, clippy::disallowed_methods, reason = "tests wait for other processes")]

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::http;
use super::port::free_port;

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    child: Child,
    pub port: u16,
    directory: tempfile::TempDir,
}

impl Server {
    /// Starts a program and waits until `ready` is found. `configure` gets the directory and the port and says how to
    /// call it.
    pub fn start(name: &'static str, ready: &str, configure: impl FnOnce(&mut Command, &Path, u16)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(name);
        configure(&mut command, directory.path(), port);
        let log = File::create(directory.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).current_dir(&directory);
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{name} is needed with PROMHA_INTEROP=1: {error}"));
        let mut server = Self { name, child, port, directory };
        server.wait_until("ready", || {
            http::request(port, "GET", ready, &[], &[]).is_ok_and(|answer| answer.status() / 100 == 2)
        });
        server
    }

    /// Waits until something holds, and fails with the log after a minute or if the program has ended.
    pub fn wait_until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        loop {
            let ended = self.child.try_wait().unwrap();
            if start.elapsed() > Duration::from_secs(60) || ended.is_some() {
                let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                panic!("{} is not {what} (ended: {ended:?}):\n{log}", self.name);
            }
            if holds() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
