use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use promha_gossip_core::Instant;
use xxhash_rust::xxh64::xxh64;

use crate::simulator::node::{
    Birth, Node, Queues, Stamp, Standing, StreamId, StreamInput, Told, Transmit, address, number, wall_ms,
};

const GOSSIP: Duration = Duration::from_millis(200);
const PROBE: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
const SUSPICION: Duration = Duration::from_secs(5);
const EXCHANGE: Duration = Duration::from_secs(2);
const FAN_OUT: usize = 3;
const REPEATS: u32 = 4;

/// A fault that is built in, for a check to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    /// Takes any life of a dead peer for a new one.
    Undead,
    /// Keeps no graves.
    Forgetful,
    /// Does not listen to values of odd keys.
    Deaf,
    /// Holds nobody for dead.
    Blind,
    /// Says the same for ever.
    Hoarding,
    /// Sends values to those it has them from.
    Echoing,
    /// Takes chance from outside.
    Gambling,
    /// Declares a suspect dead that has refuted it.
    Grudging,
    /// Never raises its incarnation.
    Humble,
    /// Wants to be woken at once, always.
    Restless,
}

/// A small SWIM without indirect probes, and a last-writer map that is gossiped and exchanged whole over streams. It has all that a node
/// can have in the fewest lines, and faults to order.
#[derive(Debug)]
pub struct Simple {
    me: usize,
    flaw: Flaw,
    rng: Rng,
    skew_ms: i64,
    incarnation: u32,
    left: bool,
    seeds: Vec<usize>,
    members: Vec<Option<Member>>,
    /// Since when it bears whom a grudge.
    grudges: Vec<Option<Instant>>,
    values: BTreeMap<u64, Value>,
    /// What is said in the next rounds, and how often yet.
    rumours: Vec<(usize, u32)>,
    news: Vec<(u64, u32)>,
    probed: Option<(usize, Instant)>,
    gossip_due: Instant,
    probe_due: Instant,
    exchange_due: Instant,
    streams: BTreeMap<StreamId, Exchange>,
    opened: u64,
    out: VecDeque<(Transmit, Vec<u8>)>,
    told: VecDeque<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    standing: Standing,
    incarnation: u32,
    since: Instant,
}

#[derive(Debug)]
struct Value {
    stamp: Stamp,
    value: Option<u64>,
    had_by: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct Exchange {
    mine: bool,
    read: Vec<u8>,
}

const PING: u8 = 0;
const ACK: u8 = 1;
const NEWS: u8 = 2;

impl Simple {
    pub fn new(birth: &Birth<'_>, flaw: Flaw) -> Self {
        let mut rng = Rng::with_seed(birth.seed);
        let mut soon = |most: Duration| birth.now + Duration::from_millis(rng.u64(..most.as_millis() as u64));
        let (gossip_due, probe_due, exchange_due) = (soon(GOSSIP), soon(PROBE), soon(EXCHANGE));
        let mut node = Self {
            me: birth.number,
            flaw,
            rng,
            skew_ms: birth.skew_ms,
            incarnation: 1,
            left: false,
            seeds: Vec::new(),
            members: vec![None; birth.nodes],
            grudges: vec![None; birth.nodes],
            values: BTreeMap::new(),
            rumours: Vec::new(),
            news: Vec::new(),
            probed: None,
            gossip_due,
            probe_due,
            exchange_due,
            streams: BTreeMap::new(),
            opened: 0,
            out: VecDeque::new(),
            told: VecDeque::new(),
        };
        if let Some(snapshot) = birth.snapshot {
            node.merge(snapshot, None, birth.now);
        }
        node
    }

    fn merge(&mut self, data: &[u8], from: Option<usize>, now: Instant) {
        let mut read = Read(data);
        for _ in 0..read.number() {
            let (of, standing, incarnation) = (read.number(), read.number(), read.number());
            self.hear_of(of as usize, STANDINGS[standing as usize], incarnation as u32, now);
        }
        for _ in 0..read.number() {
            let (key, stamp) = (read.number(), (read.number(), read.number()));
            let value = Some(read.number()).filter(|value| *value != u64::MAX);
            self.hear_value(key, stamp, value, from);
        }
    }

    fn hear_of(&mut self, of: usize, standing: Standing, incarnation: u32, now: Instant) {
        if of == self.me {
            if standing != Standing::Alive
                && incarnation >= self.incarnation
                && !self.left
                && self.flaw != Flaw::Humble
            {
                self.incarnation = incarnation + 1;
                self.rumours.push((of, REPEATS));
            }
            return;
        }
        let newer = match self.members[of] {
            None => true,
            Some(known) => {
                (incarnation, standing as u8) > (known.incarnation, known.standing as u8)
                    || self.flaw == Flaw::Undead
                        && standing == Standing::Alive
                        && known.standing == Standing::Dead
            }
        };
        if newer && !(self.flaw == Flaw::Blind && standing == Standing::Dead) {
            self.members[of] = Some(Member { standing, incarnation, since: now });
            self.rumours.retain(|rumour| rumour.0 != of);
            self.rumours.push((of, REPEATS));
            self.told.push_back(Told::Member { of, standing, incarnation });
        }
    }

    fn hear_value(&mut self, key: u64, stamp: Stamp, value: Option<u64>, from: Option<usize>) {
        if self.flaw == Flaw::Deaf && key % 2 == 1 {
            return;
        }
        self.learn(key, stamp, value, from);
    }

    fn learn(&mut self, key: u64, stamp: Stamp, value: Option<u64>, from: Option<usize>) {
        if self.flaw == Flaw::Forgetful && value.is_none() {
            if self.values.remove(&key).is_some() {
                self.told.push_back(Told::Value { key, stamp, live: false });
            }
            return;
        }
        match self.values.get_mut(&key) {
            Some(known) if known.stamp > stamp => return,
            Some(known) if known.stamp == stamp => {
                known.had_by.extend(from);
                return;
            }
            _ => {}
        }
        self.values.insert(key, Value { stamp, value, had_by: from.into_iter().collect() });
        self.news.retain(|news| news.0 != key || self.flaw == Flaw::Hoarding);
        self.news.push((key, REPEATS));
        self.told.push_back(Told::Value { key, stamp, live: value.is_some() });
    }

    fn gossip(&mut self) {
        if self.flaw == Flaw::Gambling {
            self.rng = Rng::with_seed(std::hash::RandomState::new().hash_one(0));
        }
        for _ in 0..FAN_OUT {
            if let Some(to) = self.peer(|member| member.standing != Standing::Dead) {
                let mut data = vec![NEWS];
                let members = self.rumours.iter().map(|rumour| rumour.0);
                let values = self
                    .news
                    .iter()
                    .map(|news| news.0)
                    .filter(|key| self.flaw == Flaw::Echoing || !self.values[key].had_by.contains(&to));
                self.write_state(members.take(30), values.take(20), &mut data);
                if data.len() > 1 + 16 {
                    self.out.push_back((Transmit::Datagram { to: address(to) }, data));
                }
            }
        }
        if self.flaw != Flaw::Hoarding {
            self.rumours.iter_mut().for_each(|rumour| rumour.1 -= 1);
            self.rumours.retain(|rumour| rumour.1 > 0);
            self.news.iter_mut().for_each(|news| news.1 -= 1);
            self.news.retain(|news| news.1 > 0);
        }
    }

    fn probe(&mut self, now: Instant) {
        if let Some((of, _)) = self.probed.take().filter(|(_, due)| *due <= now)
            && let Some(member) = self.members[of].filter(|member| member.standing == Standing::Alive)
        {
            self.hear_of(of, Standing::Suspect, member.incarnation, now);
        }
        if let Some(of) = self.peer(|member| matches!(member.standing, Standing::Alive | Standing::Suspect)) {
            self.probed = Some((of, now + PROBE_TIMEOUT));
            let mut data = vec![PING];
            // Whoever is suspected hears it, and can say that it lives.
            self.write_state([of].into_iter(), std::iter::empty(), &mut data);
            self.out.push_back((Transmit::Datagram { to: address(of) }, data));
        }
        for of in 0..self.members.len() {
            let Some(member) = self.members[of] else { continue };
            let suspect = member.standing == Standing::Suspect;
            if suspect && now - member.since >= SUSPICION {
                self.hear_of(of, Standing::Dead, member.incarnation, now);
            }
            if let Some(since) = self.grudges[of].filter(|since| now - *since >= SUSPICION) {
                if now - since < SUSPICION + 2 * PROBE {
                    self.hear_of(of, Standing::Dead, member.incarnation, now);
                }
                self.grudges[of] = None;
            }
            if suspect && self.flaw == Flaw::Grudging {
                self.grudges[of].get_or_insert(member.since);
            }
        }
    }

    fn peer(&mut self, want: impl Fn(&Member) -> bool) -> Option<usize> {
        let wanted = |of: &usize| self.members[*of].as_ref().is_some_and(&want);
        let all: Vec<usize> = (0..self.members.len()).filter(wanted).collect();
        self.rng.choice(all)
    }

    fn open(&mut self, to: usize) {
        self.opened += 1;
        let stream = StreamId(self.opened);
        self.streams.insert(stream, Exchange { mine: true, read: Vec::new() });
        self.out.push_back((Transmit::Connect { stream, to: address(to) }, Vec::new()));
    }

    fn send_all(&mut self, stream: StreamId, close: bool) {
        let mut data = vec![0; 4];
        let known = (0..self.members.len()).filter(|of| *of == self.me || self.members[*of].is_some());
        self.write_state(known, self.values.keys().copied(), &mut data);
        let length = (data.len() - 4) as u32;
        data[..4].copy_from_slice(&length.to_le_bytes());
        self.out.push_back((Transmit::Stream { stream, close }, data));
    }

    fn write_state(
        &self,
        members: impl Iterator<Item = usize>,
        values: impl Iterator<Item = u64>,
        into: &mut Vec<u8>,
    ) {
        let counted = |into: &mut Vec<u8>, start: usize, fields: u64| {
            let count = (into.len() - start - 8) as u64 / 8 / fields;
            into[start..start + 8].copy_from_slice(&count.to_le_bytes());
        };
        let start = into.len();
        into.extend_from_slice(&[0; 8]);
        for of in members {
            let myself = if self.left { Standing::Left } else { Standing::Alive };
            let (standing, incarnation) = match self.members[of] {
                Some(member) => (member.standing, member.incarnation),
                None => (myself, self.incarnation),
            };
            for number in [of as u64, standing as u64, u64::from(incarnation)] {
                into.extend_from_slice(&number.to_le_bytes());
            }
        }
        counted(into, start, 3);
        let start = into.len();
        into.extend_from_slice(&[0; 8]);
        for key in values {
            let Value { stamp, value, .. } = &self.values[&key];
            for number in [key, stamp.0, stamp.1, value.unwrap_or(u64::MAX)] {
                into.extend_from_slice(&number.to_le_bytes());
            }
        }
        counted(into, start, 4);
    }
}

impl Node for Simple {
    fn handle_datagram(&mut self, from: SocketAddr, data: &[u8], now: Instant) {
        let (Some((&kind, rest)), Some(from)) = (data.split_first(), number(from)) else { return };
        match kind {
            PING => {
                self.merge(rest, Some(from), now);
                self.out.push_back((Transmit::Datagram { to: address(from) }, vec![ACK]));
            }
            ACK => {
                self.probed.take_if(|probed| probed.0 == from);
            }
            _ => self.merge(rest, Some(from), now),
        }
    }

    fn accept(&mut self, _from: SocketAddr, _now: Instant) -> StreamId {
        self.opened += 1;
        let stream = StreamId(self.opened);
        self.streams.insert(stream, Exchange::default());
        stream
    }

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, now: Instant) {
        match input {
            StreamInput::Connected => self.send_all(stream, false),
            StreamInput::Data(data) => {
                let Some(exchange) = self.streams.get_mut(&stream) else { return };
                exchange.read.extend_from_slice(data);
                let Some((length, rest)) = exchange.read.split_first_chunk() else { return };
                if rest.len() < u32::from_le_bytes(*length) as usize {
                    return;
                }
                let (rest, mine) = (rest.to_vec(), exchange.mine);
                self.streams.remove(&stream);
                self.merge(&rest, None, now);
                if !mine {
                    self.send_all(stream, true);
                }
            }
            StreamInput::Closed | StreamInput::Failed => {
                self.streams.remove(&stream);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while self.gossip_due <= now {
            self.gossip_due += GOSSIP;
            self.gossip();
        }
        if self.probe_due <= now {
            self.probe_due = now + PROBE;
            self.probe(now);
        }
        if self.exchange_due <= now {
            self.exchange_due = now + EXCHANGE;
            // Also with those that it was told of, or two islands would never meet.
            let known = (0..self.members.len()).filter(|of| self.members[*of].is_some());
            let all: Vec<usize> = known.chain(self.seeds.iter().copied()).collect();
            if let Some(to) = self.rng.choice(all) {
                self.open(to);
            }
        }
    }

    fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit> {
        let (transmit, data) = self.out.pop_front()?;
        into.extend_from_slice(&data);
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.flaw {
            Flaw::Restless => Some(Instant::ORIGIN),
            _ => Some(self.gossip_due.min(self.probe_due).min(self.exchange_due)),
        }
    }

    fn poll_event(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    fn join(&mut self, seeds: &[SocketAddr], _now: Instant) {
        self.seeds = seeds.iter().filter_map(|seed| number(*seed)).collect();
        self.seeds.clone().into_iter().for_each(|seed| self.open(seed));
    }

    fn leave(&mut self, _now: Instant) {
        self.left = true;
        self.incarnation += 1;
        self.rumours.push((self.me, REPEATS));
    }

    fn write(&mut self, key: u64, value: Option<u64>, now: Instant) {
        let before_ms = self.values.get(&key).map_or(0, |known| known.stamp.0);
        let stamp_ms = wall_ms(now, self.skew_ms).max(before_ms + 1);
        let content = xxh64(&value.unwrap_or(u64::MAX).to_le_bytes(), 0);
        self.learn(key, (stamp_ms, content), value, None);
    }

    fn skew(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        let known = (0..self.members.len()).filter(|of| self.members[*of].is_some());
        self.write_state(known, self.values.keys().copied(), &mut data);
        Some(data)
    }

    fn value(&self, key: u64) -> Option<(Stamp, bool)> {
        self.values.get(&key).map(|known| (known.stamp, known.value.is_some()))
    }

    fn state(&self) -> u64 {
        self.values.iter().fold(0, |hash, (key, value)| {
            let mut data = Vec::new();
            for number in [*key, value.stamp.0, value.stamp.1] {
                data.extend_from_slice(&number.to_le_bytes());
            }
            xxh64(&data, hash)
        })
    }

    const HAS_MEMBERS: bool = true;

    fn living(&self, into: &mut Vec<usize>) {
        into.push(self.me);
        into.extend((0..self.members.len()).filter(|of| {
            self.members[*of]
                .is_some_and(|known| matches!(known.standing, Standing::Alive | Standing::Suspect))
        }));
    }

    fn queues(&self) -> Queues {
        Queues {
            messages: self.rumours.len() + self.news.len(),
            bytes: self.out.iter().map(|out| out.1.len()).sum(),
        }
    }

    fn payloads(data: &[u8], visit: &mut dyn FnMut(u64, Stamp)) {
        let Some((&NEWS, rest)) = data.split_first() else { return };
        let mut read = Read(rest);
        for _ in 0..read.number() {
            let _member = [read.number(), read.number(), read.number()];
        }
        for _ in 0..read.number() {
            let [key, stamp_ms, content, _value] = [(); 4].map(|()| read.number());
            visit(key, (stamp_ms, content));
        }
    }
}

/// By their numbers on the wire.
const STANDINGS: [Standing; 5] =
    [Standing::Alive, Standing::Suspect, Standing::Dead, Standing::Left, Standing::Forgotten];

struct Read<'a>(&'a [u8]);

impl Read<'_> {
    fn number(&mut self) -> u64 {
        let (number, rest) = self.0.split_first_chunk().expect("nodes of this kind write whole numbers");
        self.0 = rest;
        u64::from_le_bytes(*number)
    }
}
