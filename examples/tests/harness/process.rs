//! Child processes that do not outlive the value that guards them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::{eventually, get_by, http};

/// A running program; killed and waited for on drop, also when the test panics.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints goes to `<folder>/<name>.log`, after what an earlier run printed there.
    ///
    /// # Panics
    ///
    /// When the program is not installed: in a run that wants real servers a missing one is a failure.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle of the log file"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {:?} does not start: {error}", command.get_program()));
        Self { name: name.to_owned(), child, log }
    }

    /// Waits until `url` answers 200.
    ///
    /// # Panics
    ///
    /// When the program exits or the deadline passes, with what it printed.
    pub async fn ready(&mut self, url: &str) {
        self.ready_by(&http(), url).await;
    }

    /// Waits until `url` answers 200 to `client`, which knows how to ask.
    ///
    /// # Panics
    ///
    /// As `ready`.
    pub async fn ready_by(&mut self, client: &reqwest::Client, url: &str) {
        let name = self.name.clone();
        eventually(&format!("{name} is ready"), async || {
            if let Some(status) = self.exited() {
                panic!("{name} ended ({status}) before it was ready:\n{}", self.log_tail());
            }
            get_by(client, url).await
        })
        .await;
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Panics
    ///
    /// When the deadline passes.
    pub async fn ended(&mut self) -> ExitStatus {
        let name = self.name.clone();
        eventually(&format!("{name} ends"), async || self.exited().ok_or("it runs".to_owned())).await
    }

    /// Sends a signal, named as `kill` names it: `TERM`, `HUP`.
    ///
    /// # Panics
    ///
    /// When that is no signal or the program has ended.
    pub fn signal(&self, name: &str) {
        run(Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]));
    }

    /// The status, once the program has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Ends the program with SIGKILL and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The process id, for a signal other than SIGKILL.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the program has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines that the program printed.
    pub fn log_tail(&self) -> String {
        let text = self.log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the last lines of {} ---\n{}", self.name, self.log_tail());
        }
    }
}

/// What a program that ran to its end left behind.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed to standard output.
    pub stdout: String,
    /// What it printed to standard error.
    pub stderr: String,
}

/// Runs a program to its end, which may be good or bad, while the test goes on answering it.
///
/// # Panics
///
/// When it does not start, or does not end before the deadline.
pub async fn ran(command: &mut Command) -> Ran {
    let folder = TempDir::new().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    let create = |name: &str| File::create(file(name)).expect("a file for what it prints");
    let child = command.stdin(Stdio::null()).stdout(create("stdout")).stderr(create("stderr")).spawn();
    let child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut process = Process { name: format!("{command:?}"), child, log: file("stderr") };
    let code = process.ended().await.code();
    let read = |name: &str| std::fs::read_to_string(file(name)).expect("text");
    Ran { code, stdout: read("stdout"), stderr: read("stderr") }
}

/// Runs a program to its end and gives what it printed, both streams.
///
/// # Panics
///
/// When it is not installed or fails.
pub fn run(command: &mut Command) -> String {
    let program = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program:?} does not start: {error}"));
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?} failed ({}):\n{printed}", output.status);
    printed
}
