//! Laws of dissemination in any cluster, with any loss.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod dissemination_net;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dissemination_net::{Link, Net, Sent, at_ms, ms};
use promha_gossip_core::dissemination::{Config, Speaks, Style};
use promha_gossip_core::{Instant, Key, PeerId, Version};
use proptest::prelude::*;

/// After so many milliseconds, a node makes something new of a key, or crashes, or comes back without what it knew.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish { node: u32, key: u64 },
    Crash { node: u32 },
    Restart { node: u32 },
}

fn any_steps(crashes: bool) -> impl Strategy<Value = Vec<(u64, Step)>> {
    let publish = (0..40_u32, 0..12_u64).prop_map(|(node, key)| Step::Publish { node, key });
    let step = if crashes {
        let crash = (0..40_u32).prop_map(|node| Step::Crash { node });
        let restart = (0..40_u32).prop_map(|node| Step::Restart { node });
        prop_oneof![6 => publish, 1 => crash, 2 => restart].boxed()
    } else {
        publish.boxed()
    };
    prop::collection::vec((prop_oneof![Just(0_u64), 0..600_u64], step), 1..25)
}

fn any_config() -> impl Strategy<Value = Config> {
    let direct = prop_oneof![Just(0_usize), Just(4), Just(16)];
    (direct, 1..4_usize, 1..4_usize, prop_oneof![Just(60_usize), Just(3)]).prop_map(
        |(direct_peers, fanout, exchanges, hot_messages)| Config {
            direct_peers,
            fanout,
            exchanges,
            hot_messages,
            ..Config::default()
        },
    )
}

/// Does the steps, each as far apart from the one before as it says.
fn act(net: &mut Net, steps: &[(u64, Step)], config: &Config) {
    let count = net.nodes.len() as u32;
    for (&(wait_ms, step), stamp_ms) in steps.iter().zip(1..) {
        net.run_for(ms(wait_ms));
        match step {
            Step::Publish { node, key } => {
                let node = node % count;
                if net.nodes[node as usize].alive {
                    net.publish(node, Key::of(&key.to_le_bytes()), Version { stamp_ms, content: key });
                }
            }
            Step::Crash { node } => net.nodes[(node % count) as usize].alive = false,
            Step::Restart { node } => net.restart(node % count, config, stamp_ms),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn all_living_settle_on_the_same(
        count in 2..34_u32, config in any_config(), style in prop_oneof![Just(Style::Pull), Just(Style::PushPull)],
        steps in any_steps(true), loss in 0.0..0.6, seed: u64,
    ) {
        // Who only asks needs to meet somebody who has it.
        let loss = if style == Style::Pull { loss / 2.0 } else { loss };
        let config = Config { style, ..config };
        let mut net = Net::new(count, &config, Link { loss, latency_ms: 1..80, ..Link::default() }, seed);
        net.notes = false;
        act(&mut net, &steps, &config);
        let until = net.now + ms(900_000);
        prop_assert!(net.run(until, Net::converged), "in 15 minutes");
        let living: Vec<_> = net.nodes.iter().filter(|node| node.alive).collect();
        prop_assert!(living.iter().all(|node| node.gossip.root() == living[0].gossip.root()));
        for node in living {
            for (&key, &version) in &node.store.held {
                prop_assert_eq!(node.gossip.version(key), Some(version));
            }
            prop_assert!(node.gossip.stats().hot <= config.hot_messages);
        }
    }

    #[test]
    fn nothing_goes_back_or_twice(
        count in 2..40_u32, config in any_config(), steps in any_steps(false), loss in prop_oneof![Just(0.0), 0.0..0.5], seed: u64,
    ) {
        // What is not hot any more may be sent to whoever seems to lack it.
        let config = Config { hot_messages: 60, ..config };
        let mut net = Net::new(count, &config, Link { loss, latency_ms: 1..80, ..Link::default() }, seed);
        act(&mut net, &steps, &config);
        net.run_for(ms(20_000));
        never_back(&net)?;
        twice_only_with_a_reason(&net, config.round)?;
    }

    #[test]
    fn without_loss_nothing_goes_twice_unasked(
        count in 2..17_u32, steps in any_steps(false), seed: u64,
    ) {
        let config = Config::default();
        let mut net = Net::new(count, &config, Link { latency_ms: 1..80, ..Link::default() }, seed);
        act(&mut net, &steps, &config);
        net.run_for(ms(20_000));
        twice_only_with_a_reason(&net, Instant::NEVER - Instant::ORIGIN)?;
        prop_assert!(net.converged());
    }

    #[test]
    fn the_same_seed_gives_the_same_run(
        count in 2..30_u32, config in any_config(), steps in any_steps(true), loss in 0.0..0.5, seed: u64,
    ) {
        let run = || {
            let mut net = Net::new(count, &config, Link { loss, ..Link::default() }, seed);
            act(&mut net, &steps, &config);
            net.run_for(ms(8000));
            let counters: Vec<_> = net.nodes.iter().map(|node| node.gossip.stats()).collect();
            (net.sent, net.told, net.packets, net.control_bytes, counters)
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn peers_that_only_take_messages_get_them_too(
        count in 3..18_u32, mute in 1..8_u32, steps in any_steps(false), seed: u64,
    ) {
        let (mute, config) = (mute.min(count - 2), Config::default());
        let mut net = Net::mixed(count, mute, &config, Link::default(), seed);
        let speaking = count - mute;
        for ((wait_ms, step), stamp_ms) in steps.into_iter().zip(1..) {
            net.run_for(ms(wait_ms));
            if let Step::Publish { node, key } = step {
                net.publish(node % speaking, Key::of(&key.to_le_bytes()), Version { stamp_ms, content: key });
            }
        }
        net.run_for(ms(5000));
        prop_assert!(net.converged());
        never_back(&net)?;
        let mut times = BTreeMap::new();
        for sent in net.sent.iter().filter(|sent| sent.to >= speaking) {
            let times = times.entry((sent.from, sent.to, sent.key, sent.version)).or_insert(0_u8);
            *times += 1;
            prop_assert!(*times <= config.repeats);
        }
    }

    #[test]
    fn what_two_nodes_exchange_is_what_they_differ_in(
        shared in 0..3000_u64, left in 0..40_u64, right in 0..40_u64, newer in 0..20_u64, seed: u64,
    ) {
        // The twin of digests of ranges: the full lists.
        let config = Config { style: Style::PushPull, ..Config::default() };
        let mut net = Net::new(2, &config, Link::default(), seed);
        let version = |stamp_ms| Version { stamp_ms, content: 3 };
        let key = |number: u64| Key::of(&(seed ^ number).to_le_bytes());
        let mut twins = [BTreeMap::new(), BTreeMap::new()];
        let mut hold = |net: &mut Net, node: u32, number, stamp_ms| {
            net.restore(node, key(number), version(stamp_ms));
            twins[node as usize].insert(key(number), version(stamp_ms));
        };
        for number in 0..shared {
            hold(&mut net, 0, number, 5);
            hold(&mut net, 1, number, if number < newer { 5 + seed % 3 } else { 5 });
        }
        (0..left).for_each(|number| hold(&mut net, 0, 10_000 + number, 5));
        (0..right).for_each(|number| hold(&mut net, 1, 20_000 + number, 5));
        let lacks = |from: usize, to: usize| {
            let is_lacking = |&(key, version): &(&Key, &Version)| twins[to].get(key).is_none_or(|held| held < version);
            twins[from].iter().filter(is_lacking).map(|(&key, _)| key).collect::<BTreeSet<_>>()
        };
        let expected = [lacks(0, 1), lacks(1, 0)];
        prop_assert!(net.run(at_ms(120_000), Net::converged));
        net.run_for(ms(20_000));
        for from in 0..2 {
            let sent: Vec<Key> = net.sent.iter().filter(|sent| sent.from == from).map(|sent| sent.key).collect();
            prop_assert_eq!(sent.len(), expected[from as usize].len(), "none twice");
            prop_assert_eq!(&sent.into_iter().collect::<BTreeSet<_>>(), &expected[from as usize]);
        }
        let full_list = 20 * (shared + left + right);
        let differing = (left + right + newer) * 200;
        prop_assert!(net.control_bytes < 12_000 + 4 * differing + full_list / 2, "{} bytes", net.control_bytes);
    }
}

/// No node sends a version to a peer that sent it that version before.
fn never_back(net: &Net) -> Result<(), TestCaseError> {
    let mut heard_at = BTreeMap::new();
    for heard in &net.heard {
        heard_at.entry((heard.to, heard.from, heard.key, heard.version)).or_insert(heard.at);
    }
    for sent in &net.sent {
        let heard = heard_at.get(&(sent.from, sent.to, sent.key, sent.version));
        prop_assert!(heard.is_none_or(|&at| at >= sent.at), "{:?} was heard from there at {:?}", sent, heard);
    }
    Ok(())
}

/// Between two times that a node sends the same version to the same peer, either it waited long enough for a confirmation, or the peer said
/// something: in a control message that it lacks it, or something older of the same key.
fn twice_only_with_a_reason(net: &Net, patience: Duration) -> Result<(), TestCaseError> {
    let mut last: BTreeMap<_, Sent> = BTreeMap::new();
    for &sent in &net.sent {
        let Some(before) = last.insert((sent.from, sent.to, sent.key, sent.version), sent) else { continue };
        let has_told = |&&(at, from, to): &&(Instant, u32, u32)| {
            (from, to) == (sent.to, sent.from) && before.at <= at && at <= sent.at
        };
        let has_erred = |heard: &&Sent| {
            (heard.from, heard.to, heard.key) == (sent.to, sent.from, sent.key)
                && heard.version < sent.version
                && before.at <= heard.at
                && heard.at <= sent.at
        };
        let has_waited = sent.at - before.at >= patience;
        let has_asked =
            net.told.iter().find(has_told).is_some() || net.heard.iter().find(has_erred).is_some();
        prop_assert!(has_waited || has_asked, "{:?} {:?}", before, sent);
    }
    Ok(())
}

#[test]
fn what_a_node_did_not_finish_the_others_do() {
    let mut runs = 0;
    for seed in 0..60 {
        let mut net = Net::new(7, &Config::default(), Link { loss: 0.1, ..Link::default() }, seed);
        net.run_for(ms(20_000));
        let (key, version) = (Key(9), Version { stamp_ms: 1, content: 1 });
        net.publish(0, key, version);
        // It crashes at once, and the packets of all but one are lost.
        net.nodes[0].alive = false;
        for number in 2..7 {
            net.nodes[number].alive = false;
        }
        net.run_for(ms(15));
        for number in 2..7 {
            net.nodes[number].alive = true;
            assert!(!net.nodes[number].store.held.contains_key(&key));
        }
        if net.nodes[1].store.held.contains_key(&key) {
            runs += 1;
            let start = net.now;
            assert!(net.run(start + ms(4000), Net::converged), "in 20 rounds, seed {seed}");
        }
    }
    assert!(runs > 40, "in the others it came to nobody");
}

#[test]
fn a_number_that_is_given_to_another_peer_says_nothing_of_the_one_before() {
    let mut net = Net::new(2, &Config::default(), Link::default(), 1);
    net.run_for(ms(100));
    let (key, version) = (Key(9), Version { stamp_ms: 1, content: 1 });
    net.publish(0, key, version);
    net.run_for(ms(5));
    let now = net.now;
    net.nodes[0].gossip.remove_peer(PeerId(1));
    assert_eq!(net.nodes[0].gossip.peers(), 0);
    net.nodes[0].gossip.add_peer(PeerId(1), Speaks::Digests, now);
    net.nodes[1].store.held.clear();
    net.nodes[1].gossip = promha_gossip_core::dissemination::Dissemination::new(Config::default(), 4, now);
    net.nodes[1].gossip.add_peer(PeerId(0), Speaks::Digests, now);
    net.flush(0);
    net.flush(1);
    assert!(net.run(now + ms(3000), |net| net.is_everywhere(key, version)));
}
