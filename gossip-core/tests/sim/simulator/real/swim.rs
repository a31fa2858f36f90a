use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use promha_gossip_core::Instant;
use promha_gossip_core::membership::{Membership, MembershipConfig, Outgoing, Profile};
use promha_gossip_core::wire::{Ints, Message, NodeState, Packet, Standing as WireStanding};

use super::framing;
use super::members::{living, told};
use crate::simulator::node::{Birth, Node, Queues, StreamId, StreamInput, Told, Transmit, address, name};

/// How long a stream may take.
const STREAM: Duration = Duration::from_secs(10);

/// The membership alone. Its messages are those of the wire; what packs them and what goes over streams is the simplest that will do.
#[derive(Debug)]
pub struct Swim {
    membership: Membership,
    packet: Packet,
    streams: BTreeMap<StreamId, Stream>,
    opened: u64,
    now: Instant,
    out: VecDeque<(Transmit, Vec<u8>)>,
}

#[derive(Debug)]
struct Stream {
    what: What,
    with: SocketAddr,
    due: Instant,
    read: Vec<u8>,
}

#[derive(Debug)]
enum What {
    PushPull { join: bool },
    Ping { seq_no: u32, name: String },
    Taken,
}

const PUSH_PULL: u8 = 0;
const PING: u8 = 1;

/// What all nodes of a world say of themselves, to be shared among them.
pub fn profiles(nodes: usize) -> Arc<[Arc<Profile>]> {
    (0..nodes).map(profile).collect()
}

fn profile(number: usize) -> Arc<Profile> {
    let MembershipConfig { meta, vsn, .. } = MembershipConfig::lan("", address(number));
    Arc::new(Profile::new(&name(number), address(number), &meta, vsn).unwrap())
}

impl Swim {
    /// A node that knows those that it wrote down.
    pub fn new(birth: &Birth<'_>, change: impl FnOnce(MembershipConfig) -> MembershipConfig) -> Self {
        let known: Vec<_> =
            birth.snapshot.unwrap_or_default().iter().map(|&number| profile(number.into())).collect();
        Self::with_members(birth, &known, change)
    }

    /// A node that knows others already.
    pub fn with_members(
        birth: &Birth<'_>,
        members: &[Arc<Profile>],
        change: impl FnOnce(MembershipConfig) -> MembershipConfig,
    ) -> Self {
        let config = change(MembershipConfig::lan(name(birth.number), address(birth.number)));
        let packet = Packet::new(1_300, Ints::Unsigned);
        let members = members.iter().cloned();
        let membership = Membership::with_members(config, birth.seed, members, birth.now).unwrap();
        Self { membership, packet, streams: BTreeMap::new(), opened: 0, now: birth.now, out: VecDeque::new() }
    }

    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    fn open(&mut self, what: What, with: SocketAddr, now: Instant) -> StreamId {
        self.opened += 1;
        let stream = StreamId(self.opened);
        self.streams.insert(stream, Stream { what, with, due: now + STREAM, read: Vec::new() });
        stream
    }

    fn connected(&mut self, stream: StreamId) {
        let Some(open) = self.streams.get(&stream) else { return };
        let data = match &open.what {
            What::PushPull { join } => self.all_nodes(*join),
            What::Ping { seq_no, name } => {
                let mut data = vec![PING];
                data.extend_from_slice(&seq_no.to_le_bytes());
                data.extend_from_slice(name.as_bytes());
                framed(&data)
            }
            What::Taken => return,
        };
        self.out.push_back((Transmit::Stream { stream, close: false }, data));
    }

    fn read(&mut self, stream: StreamId, data: &[u8], now: Instant) {
        let Some(open) = self.streams.get_mut(&stream) else { return };
        open.read.extend_from_slice(data);
        let Some((length, rest)) = open.read.split_first_chunk() else { return };
        let missing = (u32::from_le_bytes(*length) as usize).saturating_sub(rest.len());
        if missing > 0 {
            open.read.reserve_exact(missing);
            return;
        }
        let Some(open) = self.streams.remove(&stream) else { return };
        let (kind, rest) = (open.read[4], &open.read[5..]);
        let taken = matches!(open.what, What::Taken);
        if kind == PUSH_PULL {
            let join = rest[0] == 1;
            // What is refused changes nothing, and the other goes on with its own.
            let _ = self.membership.handle_push_pull(open.with, read_nodes(&rest[1..]), join, now);
            if taken {
                let data = self.all_nodes(join);
                self.out.push_back((Transmit::Stream { stream, close: true }, data));
            }
            return;
        }
        let (seq_no, name) = rest.split_first_chunk().unwrap();
        if !taken {
            self.membership.handle_stream_ack(u32::from_le_bytes(*seq_no), now);
        } else if self.membership.answers_to(std::str::from_utf8(name).unwrap()) {
            let mut data = vec![PING];
            data.extend_from_slice(seq_no);
            self.out.push_back((Transmit::Stream { stream, close: true }, framed(&data)));
        }
    }

    fn failed(&mut self, stream: StreamId) {
        if let Some(Stream { what: What::PushPull { .. }, with, .. }) = self.streams.remove(&stream) {
            self.membership.handle_push_pull_failed(with);
        }
    }

    fn all_nodes(&self, join: bool) -> Vec<u8> {
        let mut data = vec![PUSH_PULL, u8::from(join)];
        for NodeState { alive, standing } in self.membership.nodes() {
            data.push(standing as u8);
            let start = data.len();
            data.extend_from_slice(&[0; 2]);
            Message::Alive(alive).encode(Ints::Unsigned, &mut data);
            let length = (data.len() - start - 2) as u16;
            data[start..start + 2].copy_from_slice(&length.to_le_bytes());
        }
        framed(&data)
    }
}

impl Node for Swim {
    fn handle_datagram(&mut self, from: SocketAddr, data: &[u8], now: Instant) {
        self.now = now;
        for body in framing::read(data) {
            let message = Message::decode(body).unwrap();
            self.membership.handle_message(from, &message, now);
        }
    }

    fn accept(&mut self, from: SocketAddr, now: Instant) -> StreamId {
        self.open(What::Taken, from, now)
    }

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, now: Instant) {
        match input {
            StreamInput::Connected => self.connected(stream),
            StreamInput::Data(data) => self.read(stream, data, now),
            StreamInput::Closed | StreamInput::Failed => self.failed(stream),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        let late: Vec<_> = self.streams.iter().filter(|open| open.1.due <= now).map(|open| *open.0).collect();
        for stream in late {
            self.failed(stream);
            self.out.push_back((Transmit::Stream { stream, close: true }, Vec::new()));
        }
        self.membership.handle_timeout(now);
    }

    fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit> {
        if let Some((transmit, data)) = self.out.pop_front() {
            into.extend_from_slice(&data);
            return Some(transmit);
        }
        let now = self.now;
        match self.membership.poll_transmit(&mut self.packet)? {
            Outgoing::Datagram { to, .. } => {
                framing::write(&self.packet, into);
                Some(Transmit::Datagram { to })
            }
            Outgoing::PushPull { to, join } => {
                Some(Transmit::Connect { stream: self.open(What::PushPull { join }, to, now), to })
            }
            Outgoing::FallbackPing { to, peer, seq_no } => {
                let name = self.membership.member(peer)?.name().to_owned();
                Some(Transmit::Connect { stream: self.open(What::Ping { seq_no, name }, to, now), to })
            }
            other => panic!("{other:?}"),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let streams = self.streams.values().map(|open| open.due);
        streams.chain(self.membership.poll_timeout()).min()
    }

    fn poll_event(&mut self) -> Option<Told> {
        loop {
            let event = self.membership.poll_event()?;
            if let Some(told) = told(&self.membership, &event) {
                return Some(told);
            }
        }
    }

    fn join(&mut self, seeds: &[SocketAddr], now: Instant) {
        self.now = now;
        self.membership.join(seeds);
    }

    fn leave(&mut self, now: Instant) {
        self.membership.leave(now);
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let mut known = Vec::new();
        self.living(&mut known);
        known.into_iter().map(|number| number.try_into().ok()).collect()
    }

    const HAS_MEMBERS: bool = true;

    fn living(&self, into: &mut Vec<usize>) {
        living(&self.membership, into);
    }

    fn queues(&self) -> Queues {
        Queues { messages: self.streams.len() + self.out.len(), bytes: 0 }
    }
}

fn framed(data: &[u8]) -> Vec<u8> {
    let mut framed = (data.len() as u32).to_le_bytes().to_vec();
    framed.extend_from_slice(data);
    framed
}

/// By their numbers on the wire.
const STANDINGS: [WireStanding; 4] =
    [WireStanding::Alive, WireStanding::Suspect, WireStanding::Dead, WireStanding::Left];

/// Read when they are looked at: a large cluster has megabytes of them.
fn read_nodes(mut data: &[u8]) -> impl Iterator<Item = NodeState<'_>> + Clone {
    std::iter::from_fn(move || {
        let (&standing, after) = data.split_first()?;
        let (length, after) = after.split_first_chunk()?;
        let (body, after) = after.split_at(u16::from_le_bytes(*length).into());
        data = after;
        let Ok(Message::Alive(alive)) = Message::decode(body) else { panic!("{body:?}") };
        Some(NodeState { alive, standing: STANDINGS[usize::from(standing)] })
    })
}
