//! A node of ours among three real Alertmanagers, and among Serf agents, which encrypt.

#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used)]

#[path = "../harness/mod.rs"]
mod harness;
mod node;
mod parts;
mod tls;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use harness::alertmanager::Alertmanager;
use harness::serf::{self, Serf};
use harness::{eventually, free_port, interop};
use node::Node;
use promha_gossip_core::Event;
use promha_gossip_core::membership::MembershipConfig;
use promha_gossip_core::wire::{Codec, CodecConfig, Keyring, Side, Standing, StreamMessage, StreamReader};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long it is watched that nobody suspects anybody.
const WATCHED: Duration = Duration::from_secs(60);

/// Exchanges more often than by default, so that a test sees some.
const FLAGS: &[&str] = &["--cluster.pushpull-interval=5s"];

/// Waits until all Alertmanagers list the name, or none does.
async fn listed(cluster: &[Alertmanager], name: &str, wanted: bool) {
    eventually(&format!("{name} is listed: {wanted}"), async || {
        for one in cluster {
            let peers = one.peers().await?;
            if peers.contains_key(name) != wanted {
                return Err(format!("{} lists {peers:?}", one.cluster_address()));
            }
        }
        Ok(())
    })
    .await;
}

async fn members(node: &Node, count: usize) {
    eventually(&format!("{} knows {count}", node.name), async || {
        let members = node.members().await;
        if members.len() == count { Ok(()) } else { Err(format!("{members:?}")) }
    })
    .await;
}

/// Waits until a node has heard of something that contains a text.
async fn comes(node: &Node, text: &str) {
    eventually(&format!("{text} comes to {}", node.name), async || {
        let asked = text.to_owned();
        let came = node.handle.with(move |gossip, _| gossip.replica().contain(&asked)).await;
        came.filter(|came| *came).map(drop).ok_or_else(|| "it did not".to_owned())
    })
    .await;
}

/// How a real node says that another one stands, in an exchange with somebody who is no member.
async fn standing(of: &str, asked: &Alertmanager) -> Option<Standing> {
    let mut codec = Codec::new(CodecConfig::default()).expect("a codec");
    let mut request = Vec::new();
    codec.write_push_pull(Side::Dialled, false, [].into_iter(), &[], &mut request).expect("a request");
    let mut connection = TcpStream::connect(asked.cluster_address()).await.expect("a connection");
    connection.write_all(&request).await.expect("a connection");
    let mut reader = StreamReader::new(Side::Dialled);
    let mut bytes = [0; 4096];
    loop {
        let length = connection.read(&mut bytes).await.expect("an answer");
        assert!(length > 0, "the connection ended before its answer");
        reader.push(&bytes[..length]);
        if let Some(message) = reader.next_message(&codec).expect("an answer") {
            let StreamMessage::PushPull(all) = message else { panic!("{message:?} is no exchange") };
            let found = all.nodes().find(|state| state.alive.node == of);
            return found.map(|state| state.standing);
        }
    }
}

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

#[tokio::test]
async fn a_node_lives_with_three_alertmanagers() {
    if !interop("a_node_lives_with_three_alertmanagers") {
        return;
    }
    let cluster = Alertmanager::cluster(3, FLAGS).await;
    let node = Node::start("promha", address()).await;
    node.join(cluster[0].cluster_address()).await;

    // It is an equal of theirs.
    listed(&cluster, "promha", true).await;
    members(&node, 4).await;

    // What they know comes here.
    let id = cluster[1].silence("Told").await;
    comes(&node, &id).await;

    // A minute of probes, in both directions, and nobody suspects anybody.
    let before = node.stats().await;
    node.events();
    let start = Instant::now();
    let mut exchanges = 0;
    while start.elapsed() < WATCHED {
        for event in node.events() {
            match event {
                Event::Exchanged { nodes, state_bytes, .. } => {
                    assert_eq!(nodes, 4);
                    assert!(state_bytes > id.len(), "an exchange brought {state_bytes} bytes of state");
                    exchanges += 1;
                }
                Event::Member(event) => panic!("all is quiet, but: {event:?}"),
                event => panic!("{event:?}"),
            }
        }
        for one in &cluster {
            assert_eq!(one.peers().await.expect("a status").len(), 4);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let after = node.stats().await;
    println!("in {WATCHED:?}: {exchanges} exchanges; {before:?} then {after:?}");
    assert!(exchanges >= 3, "{exchanges} exchanges in {WATCHED:?}");
    for one in &cluster {
        let log = one.log();
        assert!(!log.contains("Suspect promha"), "{log}");
        assert!(!log.contains("Marking promha as failed"), "{log}");
        assert_eq!(one.metric("alertmanager_cluster_failed_peers").await, Ok(0.0));
    }

    // It says goodbye: at once nobody lists it, and it has not failed but left.
    node.handle.with(|gossip, now| gossip.leave(now)).await.expect("a node that runs");
    listed(&cluster, "promha", false).await;
    for one in &cluster {
        assert_eq!(standing("promha", one).await, Some(Standing::Left));
    }
    eventually("it knows that it was heard", async || {
        let left =
            |event: &Event| matches!(event, Event::Member(promha_gossip_core::membership::Event::Left));
        if node.events().iter().any(left) { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
}

#[tokio::test]
async fn a_killed_node_is_declared_dead_and_comes_back() {
    if !interop("a_killed_node_is_declared_dead_and_comes_back") {
        return;
    }
    let cluster = Alertmanager::cluster(3, FLAGS).await;
    let (name, address, folder) = ("killed", address(), TempDir::new().expect("a temporary folder"));
    let seed = cluster[0].cluster_address();
    let watcher = Node::start("watcher", self::address()).await;
    watcher.join(seed).await;
    let mut process = node::spawn(name, address, seed, folder.path());
    listed(&cluster, name, true).await;
    members(&watcher, 5).await;

    process.kill();
    let start = Instant::now();
    listed(&cluster, name, false).await;
    members(&watcher, 4).await;
    println!("declared dead by all {:?} after SIGKILL", start.elapsed());
    for one in &cluster {
        assert_eq!(standing(name, one).await, Some(Standing::Dead));
    }

    let _back = node::spawn(name, address, seed, folder.path());
    listed(&cluster, name, true).await;
    members(&watcher, 5).await;
}

#[tokio::test]
async fn what_an_alertmanager_knew_outlives_it_in_a_node() {
    if !interop("what_an_alertmanager_knew_outlives_it_in_a_node") {
        return;
    }
    let node = Node::start("keeper", address()).await;
    let mut first = Alertmanager::start("first", &[node.address], FLAGS).await;
    members(&node, 2).await;
    let id = first.silence("Kept").await;
    comes(&node, &id).await;
    first.kill();

    // There is nobody else whom it could have this from.
    let second = Alertmanager::start("second", &[node.address], FLAGS).await;
    eventually("the silence is there", async || second.api(&format!("silence/{id}")).await).await;
}

/// Serf has other users, but the same memberlist below them, and encrypts.
#[tokio::test]
async fn a_node_lives_with_serf_agents_that_encrypt() {
    if !interop("a_node_lives_with_serf_agents_that_encrypt") {
        return;
    }
    let key = [7; 32];
    let text = base64::engine::general_purpose::STANDARD.encode(key);
    let agents = [Serf::start("serf-1", &text).await, Serf::start("serf-2", &text).await];
    agents[1].join(agents[0].gossip_address());

    let membership = MembershipConfig { vsn: serf::VSN, ..MembershipConfig::lan("promha", address()) };
    let codec = |key: &[u8]| {
        let codec = Codec::new(CodecConfig::default()).expect("a codec");
        codec.encrypted(Keyring::new(key).expect("a key"), [1; 12])
    };
    let node = Node::start_as(membership, codec(&key)).await;
    node.join(agents[0].gossip_address()).await;
    members(&node, 3).await;
    let listed = |agent: &Serf, status: &str| {
        agent.members().lines().any(|line| line.starts_with("promha ") && line.contains(status))
    };
    for agent in &agents {
        let is_listed = async || if listed(agent, "alive") { Ok(()) } else { Err(agent.members()) };
        eventually("it is listed", is_listed).await;
    }

    // Probed for a while by agents that encrypt what they say, nobody is suspected.
    let before = node.stats().await;
    eventually("it was probed", async || {
        let answered = node.stats().await.pings_answered - before.pings_answered;
        if answered >= 10 { Ok(()) } else { Err(format!("{answered} pings")) }
    })
    .await;
    let after = node.stats().await;
    assert_eq!((after.failed_probes, after.suspicions, after.refutations), (0, 0, 0), "{after:?}");

    // Whoever has another key does not get in.
    let stranger = Node::start_as(
        MembershipConfig { vsn: serf::VSN, ..MembershipConfig::lan("stranger", address()) },
        codec(&[8; 32]),
    )
    .await;
    stranger.join(agents[0].gossip_address()).await;
    eventually("it is refused", async || {
        let failed = |event: &Event| matches!(event, Event::StreamFailed { .. });
        if stranger.events().iter().any(failed) { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    assert_eq!(stranger.members().await, ["stranger"]);

    // It says goodbye. That it has left and not failed Serf believes only in words of its own.
    node.handle.with(|gossip, now| gossip.leave(now)).await.expect("a node that runs");
    for agent in &agents {
        let has_gone = async || if listed(agent, "alive") { Err(agent.members()) } else { Ok(()) };
        eventually("it has gone", has_gone).await;
    }
}
