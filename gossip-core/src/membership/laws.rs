//! What holds whatever arrives, and whenever.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::rumours::Subject;
use super::{Event, Lifeguard, Membership, MembershipConfig, Outgoing};
use crate::wire::{
    Ack, Alive, IndirectPing, Ints, Message, Nack, NodeState, Packet, Ping, Rumour, Source, Standing,
};
use crate::{Instant, PeerId};

/// The first is ours, the last is too long.
const NAMES: usize = 9;

fn name(number: usize) -> String {
    if number == NAMES - 1 { "x".repeat(600) } else { format!("node-{number}") }
}

#[derive(Clone, Debug)]
struct Said {
    name: usize,
    from: usize,
    incarnation: u32,
    place: u8,
    vsn: Vec<u8>,
    meta: usize,
    standing: Standing,
}

#[derive(Clone, Debug)]
enum Step {
    Alive(Said),
    Suspect(Said),
    Dead(Said),
    Ping(Said),
    IndirectPing(Said),
    /// Of a number near those that were given out.
    Ack(u32),
    Nack(u32),
    StreamAck(u32),
    PushPull(Vec<Said>),
    PushPullFailed(u8),
    Timeout,
    /// So many milliseconds, with whatever is due in them handled late or not at all.
    Sleep(u32),
    /// Time that runs back.
    Back,
    Poll(usize),
    Join(u8),
    Leave,
    Meta(usize),
}

fn said() -> impl Strategy<Value = Said> {
    let incarnation =
        prop_oneof![6 => 0..6u32, 1 => Just(u32::MAX), 1 => Just(u32::MAX - 1), 1 => any::<u32>()];
    let vsn = prop_oneof![
        8 => Just(vec![1, 5, 2, 0, 0, 0]),
        2 => Just(vec![1, 2, 2, 0, 0, 0]),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    let standing =
        prop::sample::select(vec![Standing::Alive, Standing::Suspect, Standing::Dead, Standing::Left]);
    let meta = prop_oneof![8 => 0..4usize, 1 => 510..515usize];
    (0..NAMES, 0..NAMES, incarnation, 0..12u8, vsn, meta, standing).prop_map(
        |(name, from, incarnation, place, vsn, meta, standing)| {
            // Mostly where it belongs.
            let place = if place < 9 { name as u8 } else { place };
            Said { name, from, incarnation, place, vsn, meta, standing }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => said().prop_map(Step::Alive),
        4 => said().prop_map(Step::Suspect),
        4 => said().prop_map(Step::Dead),
        2 => said().prop_map(Step::Ping),
        2 => said().prop_map(Step::IndirectPing),
        4 => (0..6u32).prop_map(Step::Ack),
        2 => (0..6u32).prop_map(Step::Nack),
        1 => (0..6u32).prop_map(Step::StreamAck),
        2 => prop::collection::vec(said(), 0..6).prop_map(Step::PushPull),
        1 => (0..12u8).prop_map(Step::PushPullFailed),
        16 => Just(Step::Timeout),
        4 => prop_oneof![9 => 0..2_000u32, 1 => 0..60_000u32].prop_map(Step::Sleep),
        1 => Just(Step::Back),
        6 => (0..20usize).prop_map(Step::Poll),
        1 => (0..12u8).prop_map(Step::Join),
        1 => Just(Step::Leave),
        1 => (0..600usize).prop_map(Step::Meta),
    ]
}

fn place(number: u8) -> SocketAddr {
    match number {
        10 => ([0, 0, 0, 0, 0, 0, 0, 1], 7_946).into(),
        11 => ([0, 0, 0, 0], 7_946).into(),
        _ => ([10, 0, 0, number], 7_946).into(),
    }
}

/// A membership, and what it has let out, as bytes.
struct Run {
    membership: Membership,
    now: Instant,
    out: Vec<u8>,
    packet: Packet,
    /// Whom each number is given to, by what events say.
    given: BTreeMap<PeerId, String>,
    /// The highest incarnation of each that was seen while it was known.
    highest: BTreeMap<String, u32>,
}

impl Run {
    fn new(seed: u64, lifeguard: Lifeguard) -> Self {
        let mut config = MembershipConfig::lan(name(0), place(0));
        (config.lifeguard, config.member_limit, config.lost_limit) = (lifeguard, 6, 5);
        config.dead_reclaim_after = Some(Duration::from_secs(1));
        let now = Instant::since_origin(Duration::from_secs(5));
        Self {
            membership: Membership::new(config, seed, now).unwrap(),
            now,
            out: Vec::new(),
            packet: Packet::new(1_400, Ints::Unsigned),
            given: BTreeMap::new(),
            highest: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        let (membership, now) = (&mut self.membership, self.now);
        let seq_no = membership.seq_no;
        match step {
            Step::Alive(said) => {
                said.with(|state| membership.handle_message(place(9), &Message::Alive(state.alive), now))
            }
            Step::Suspect(said) => {
                said.rumour(|rumour| membership.handle_message(place(9), &Message::Suspect(rumour), now))
            }
            Step::Dead(said) => {
                said.rumour(|rumour| membership.handle_message(place(9), &Message::Dead(rumour), now))
            }
            Step::Ping(said) => said.with(|state| {
                let Alive { node, addr, port, incarnation: seq_no, .. } = state.alive;
                let source = Source { addr, port, node: &name(said.from) };
                membership.handle_message(place(9), &Message::Ping(Ping { seq_no, node, source }), now);
            }),
            Step::IndirectPing(said) => said.with(|state| {
                let Alive { node, addr: target, port, incarnation: seq_no, .. } = state.alive;
                let (nack, source) = (said.meta % 2 == 0, Source::default());
                let request = IndirectPing { seq_no, target, port, node, nack, source };
                membership.handle_message(place(9), &Message::IndirectPing(request), now);
            }),
            Step::Ack(back) => {
                let ack = Ack { seq_no: seq_no.wrapping_sub(*back), payload: None };
                membership.handle_message(place(9), &Message::Ack(ack), now);
            }
            Step::Nack(back) => {
                membership.handle_message(
                    place(9),
                    &Message::Nack(Nack { seq_no: seq_no.wrapping_sub(*back) }),
                    now,
                );
            }
            Step::StreamAck(back) => membership.handle_stream_ack(seq_no.wrapping_sub(*back), now),
            Step::PushPull(all) => Said::with_all(all, Vec::new(), &mut |states| {
                let _ =
                    membership.handle_push_pull(place(9), states.iter().copied(), states.len() % 2 == 0, now);
            }),
            Step::PushPullFailed(number) => membership.handle_push_pull_failed(place(*number)),
            Step::Timeout => {
                self.now = now.max(membership.poll_timeout().unwrap_or(now));
                for _ in 0..8 {
                    membership.handle_timeout(self.now);
                }
                let next = membership.poll_timeout();
                assert!(next.is_none_or(|next| next > self.now), "busy: {next:?} is due at {:?}", self.now);
            }
            Step::Sleep(millis) => self.now += Duration::from_millis((*millis).into()),
            Step::Back => membership.handle_timeout(Instant::ORIGIN),
            Step::Poll(most) => self.poll(*most),
            Step::Join(number) => membership.join(&[place(*number)]),
            Step::Leave => membership.leave(now),
            Step::Meta(bytes) => {
                let is_ok = membership.update_meta(&vec![1; *bytes], now).is_ok();
                assert_eq!(is_ok, *bytes <= 512);
            }
        }
    }

    fn poll(&mut self, most: usize) {
        for _ in 0..most {
            let Some(outgoing) = self.membership.poll_transmit(&mut self.packet) else { break };
            self.out.extend_from_slice(format!("{:?} {outgoing:?}\n", self.now).as_bytes());
            if let Outgoing::Datagram { to, .. } = outgoing {
                assert!(!self.packet.is_empty() && to.port() != 0);
                for body in self.packet.bodies() {
                    Message::decode(body).unwrap();
                    self.out.extend_from_slice(body);
                }
            }
        }
        for _ in 0..most {
            let Some(event) = self.membership.poll_event() else { break };
            self.out.extend_from_slice(format!("{event:?}\n").as_bytes());
            self.note(&event);
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Joined { peer, profile } => {
                assert!(!self.given.values().any(|name| name == profile.name()));
                assert_eq!(
                    self.given.insert(*peer, profile.name().into()),
                    None,
                    "{peer:?} is given to another"
                );
            }
            Event::Forgotten { peer, profile } => {
                assert_eq!(self.given.remove(peer).as_deref(), Some(profile.name()));
            }
            Event::Returned { peer, profile }
            | Event::Updated { peer, profile }
            | Event::AddressChanged { peer, profile, .. }
            | Event::Suspected { peer, profile }
            | Event::Refuted { peer, profile }
            | Event::Failed { peer, profile }
            | Event::LeftGracefully { peer, profile }
            | Event::Conflict { peer: Some(peer), profile, .. } => {
                assert_eq!(self.given.get(peer).map(String::as_str), Some(profile.name()));
            }
            Event::Conflict { peer: None, .. }
            | Event::Refuting { .. }
            | Event::Paused { .. }
            | Event::Left => {}
        }
    }

    fn check(&mut self) {
        let membership = &self.membership;
        membership.members.check();
        membership.lost.check();
        let suspects: BTreeSet<PeerId> = membership
            .members()
            .filter(|member| member.standing() == Standing::Suspect)
            .map(|member| member.peer())
            .collect();
        membership.suspicions.check(&suspects);
        membership.rumours.check(|subject| match subject {
            Subject::Me => true,
            Subject::Peer(peer) => membership.member(peer).is_some(),
        });
        assert!(membership.len() <= 6 && membership.peer_of(&name(0)).is_none());
        assert!(membership.health() <= membership.config().awareness_max);
        assert!(membership.outbox.len() <= 4_096);
        assert_eq!(membership.nodes().len(), membership.len() + 1);
        assert_eq!(membership.nodes().count(), membership.len() + 1);
        let known: BTreeMap<String, u32> =
            membership.members().map(|member| (member.name().to_owned(), member.incarnation())).collect();
        for (name, incarnation) in &known {
            assert!(self.highest.get(name).is_none_or(|highest| incarnation >= highest), "{name} runs back");
        }
        self.highest = known;
    }
}

impl Said {
    fn with(&self, check: impl FnOnce(NodeState<'_>)) {
        let (node, meta) = (name(self.name), vec![0; self.meta]);
        let ip = match place(self.place).ip() {
            std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
            std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let alive = Alive {
            incarnation: self.incarnation,
            node: &node,
            addr: Some(&ip),
            port: 7_946,
            meta: Some(&meta),
            vsn: Some(&self.vsn),
        };
        check(NodeState { alive, standing: self.standing });
    }

    fn rumour(&self, check: impl FnOnce(Rumour<'_>)) {
        let (node, from) = (name(self.name), name(self.from));
        check(Rumour { incarnation: self.incarnation, node: &node, from: &from });
    }

    fn with_all<'a>(all: &'a [Self], states: Vec<NodeState<'_>>, check: &mut dyn FnMut(&[NodeState<'_>])) {
        match all.split_first() {
            None => check(&states),
            Some((first, rest)) => first.with(|state| {
                let mut states: Vec<NodeState<'_>> = states.clone();
                states.push(state);
                Self::with_all(rest, states, check);
            }),
        }
    }
}

fn run(seed: u64, lifeguard: Lifeguard, steps: &[Step], check: bool) -> Run {
    let mut run = Run::new(seed, lifeguard);
    for step in steps {
        run.step(step);
        if check {
            run.check();
        }
    }
    run.poll(usize::MAX);
    run
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Nothing panics, nothing contradicts itself, and the same seed and calls give the same bytes.
    #[test]
    fn whatever_arrives(steps in prop::collection::vec(step(), 0..150), seed: u64, plain: bool) {
        let lifeguard = if plain { Lifeguard::Off } else { Lifeguard::On };
        let first = run(seed, lifeguard, &steps, true);
        let again = run(seed, lifeguard, &steps, false);
        prop_assert!(first.out == again.out);
        prop_assert_eq!(first.membership.stats(), again.membership.stats());
    }

    /// A timeout that is handled too early changes nothing.
    #[test]
    fn too_early(steps in prop::collection::vec(step(), 0..100), seed: u64, early in prop::collection::vec(any::<bool>(), 100)) {
        let (mut one, mut other) = (Run::new(seed, Lifeguard::On), Run::new(seed, Lifeguard::On));
        for (step, early) in steps.iter().zip(early) {
            one.step(step);
            other.step(step);
            if early && other.membership.poll_timeout().is_none_or(|due| due > other.now) {
                one.membership.handle_message(place(9), &Message::User(b""), one.now);
                other.membership.handle_timeout(other.now);
            }
        }
        one.poll(usize::MAX);
        other.poll(usize::MAX);
        prop_assert!(one.out == other.out);
    }
}
