//! Serf agents: memberlist with other users than Alertmanager, and encrypted.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, run};
use super::{eventually, free_port};

/// The versions that a node must have for a Serf agent to take it for one of its own.
pub const VSN: [u8; 6] = [1, 5, 2, 2, 5, 4];

/// A running agent.
#[derive(Debug)]
pub struct Serf {
    gossip: SocketAddr,
    rpc: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Serf {
    /// Starts one that encrypts with a key, in base64, and waits until it answers.
    pub async fn start(name: &str, key: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let [gossip, rpc] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let mut command = Command::new("serf");
        command
            .args([
                "agent",
                &format!("-node={name}"),
                &format!("-bind={gossip}"),
                &format!("-rpc-addr={rpc}"),
            ])
            .args([&format!("-encrypt={key}"), "-log-level=debug"]);
        let process = Process::start(name, &mut command, folder.path());
        let serf = Self { gossip, rpc, _process: process, _folder: folder };
        eventually("serf answers", async || serf.try_members()).await;
        serf
    }

    /// Where it gossips.
    pub fn gossip_address(&self) -> SocketAddr {
        self.gossip
    }

    /// Has it join another node.
    pub fn join(&self, address: SocketAddr) {
        run(Command::new("serf").args(["join", &format!("-rpc-addr={}", self.rpc), &address.to_string()]));
    }

    /// Its list of members: a line for each, with its name, address, status and tags.
    pub fn members(&self) -> String {
        run(Command::new("serf").args(["members", &format!("-rpc-addr={}", self.rpc)]))
    }

    /// The same, if it answers.
    fn try_members(&self) -> Result<(), String> {
        let output = Command::new("serf")
            .args(["members", &format!("-rpc-addr={}", self.rpc)])
            .output()
            .expect("serf is installed");
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}
