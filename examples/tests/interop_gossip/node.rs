//! A node of ours in this process, or in one of its own that can be killed.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use promha_examples::common::gossip::{Driver, Handle, Sockets};
use promha_gossip_core::membership::{MembershipConfig, Stats};
use promha_gossip_core::wire::{Codec, CodecConfig};
use promha_gossip_core::{Event, Gossip, GossipConfig, Instant};

use crate::harness::now_ms;
use crate::harness::process::Process;
use crate::parts::Entries;

/// What tells this program that it is to be a node: its name, its address, and the node that it joins.
const AS_NODE: &str = "PROMHA_TEST_GOSSIP_NODE";

/// A node in this process.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle<Entries>,
    events: Arc<Mutex<VecDeque<Event>>>,
}

impl Node {
    /// Starts one that knows nobody.
    pub(crate) async fn start(name: &str, address: SocketAddr) -> Self {
        let codec = Codec::new(CodecConfig::default()).expect("a codec");
        Self::start_as(MembershipConfig::lan(name, address), codec).await
    }

    /// Starts one that speaks in a certain way.
    pub(crate) async fn start_as(membership: MembershipConfig, codec: Codec) -> Self {
        let (name, address) = (membership.name.clone(), membership.advertise);
        let sockets = Sockets::bind(address).await.expect("an address to listen on");
        let config = GossipConfig::new(membership, now_ms() as u64);
        let gossip = Gossip::new(config, codec, Entries::default(), 1, Instant::ORIGIN).expect("a node");
        let (driver, handle) = Driver::new(gossip, sockets);
        let events = Arc::new(Mutex::new(VecDeque::new()));
        let seen = events.clone();
        tokio::spawn(driver.run(move |event| seen.lock().expect("events").push_back(event)));
        Self { name, address, handle, events }
    }

    pub(crate) async fn join(&self, address: SocketAddr) {
        self.handle.with(move |gossip, now| gossip.join(&[address], now)).await.expect("a node that runs");
    }

    /// The names of those that it thinks are there, itself included.
    pub(crate) async fn members(&self) -> Vec<String> {
        let names = self.handle.with(|gossip, _| {
            let here = gossip.membership().members().filter(|member| {
                use promha_gossip_core::wire::Standing::{Alive, Suspect};
                matches!(member.standing(), Alive | Suspect)
            });
            let mut names: Vec<String> = here.map(|member| member.name().to_owned()).collect();
            names.push(gossip.membership().profile().name().to_owned());
            names.sort();
            names
        });
        names.await.expect("a node that runs")
    }

    pub(crate) async fn stats(&self) -> Stats {
        self.handle.with(|gossip, _| gossip.membership().stats()).await.expect("a node that runs")
    }

    /// What has happened since the last time.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().expect("events").drain(..).collect()
    }
}

/// Starts a node in a process of its own, which joins another one.
pub(crate) fn spawn(name: &str, address: SocketAddr, join: SocketAddr, folder: &Path) -> Process {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "node::be_a_node", "--nocapture"])
        .env(AS_NODE, format!("{name} {address} {join}"));
    Process::start(name, &mut command, folder)
}

/// Not a test of its own: what [`spawn`] starts.
#[tokio::test]
async fn be_a_node() {
    let Ok(told) = std::env::var(AS_NODE) else { return };
    let [name, address, join] = told.split(' ').collect::<Vec<_>>().try_into().expect("three words");
    let node = Node::start(name, address.parse().expect("an address")).await;
    node.join(join.parse().expect("an address")).await;
    std::future::pending::<()>().await;
}
