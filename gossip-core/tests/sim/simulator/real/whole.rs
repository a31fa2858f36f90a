use std::cell::RefCell;
use std::net::SocketAddr;

use promha_gossip_core::membership::MembershipConfig;
use promha_gossip_core::wire::{Codec, CodecConfig, Message};
use promha_gossip_core::{Event, Gossip, GossipConfig, Instant};

use super::control::{asks, is_control};
use super::members::{living, told};
use super::stored::State;
use crate::simulator::node::{
    Birth, Node, Queues, Stamp, StreamId, StreamInput, Told, Transmit, address, name, wall_ms,
};

/// A whole node, on memberlist's wire.
#[derive(Debug)]
pub struct Whole<S> {
    gossip: Gossip<S>,
    now: Instant,
}

impl<S: State> Whole<S> {
    pub fn new(
        birth: &Birth<'_>,
        message_bytes: usize,
        change: impl FnOnce(GossipConfig) -> GossipConfig,
    ) -> Self {
        let lan = MembershipConfig::lan(name(birth.number), address(birth.number));
        let config = change(GossipConfig::new(lan, wall_ms(Instant::ORIGIN, birth.skew_ms)));
        let state = S::start(birth.snapshot, message_bytes, wall_ms(birth.now, birth.skew_ms));
        let gossip = Gossip::new(config, codec(), state, birth.seed, birth.now).unwrap();
        Self { gossip, now: birth.now }
    }

    pub fn gossip(&self) -> &Gossip<S> {
        &self.gossip
    }
}

fn codec() -> Codec {
    Codec::new(CodecConfig::default()).unwrap()
}

impl<S: State> Node for Whole<S> {
    fn handle_datagram(&mut self, from: SocketAddr, data: &[u8], now: Instant) {
        self.now = now;
        self.gossip.handle_datagram(from, data, now).unwrap();
    }

    fn accept(&mut self, from: SocketAddr, now: Instant) -> StreamId {
        self.now = now;
        self.gossip.accept(from, now)
    }

    fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, now: Instant) {
        self.now = now;
        self.gossip.handle_stream(stream, input, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.gossip.handle_timeout(now);
    }

    fn poll_transmit(&mut self, into: &mut Vec<u8>) -> Option<Transmit> {
        self.gossip.poll_transmit(into, self.now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.gossip.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<Told> {
        while let Some(event) = self.gossip.poll_event() {
            if let Event::Member(event) = &event
                && let Some(told) = told(self.gossip.membership(), event)
            {
                return Some(told);
            }
        }
        self.gossip.write(self.now, |state, _, _| state.poll_told())
    }

    fn join(&mut self, seeds: &[SocketAddr], now: Instant) {
        self.now = now;
        self.gossip.join(seeds, now);
    }

    fn leave(&mut self, now: Instant) {
        self.now = now;
        self.gossip.leave(now);
    }

    fn write(&mut self, key: u64, value: Option<u64>, now: Instant) {
        self.now = now;
        self.gossip.write(now, |state, now_ms, told| {
            if let Some((key, version)) = state.write(key, value, now_ms) {
                told(key, version);
            }
        });
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        Some(self.gossip.replica().snapshot())
    }

    fn value(&self, key: u64) -> Option<(Stamp, bool)> {
        self.gossip.replica().value(key)
    }

    fn state(&self) -> u64 {
        self.gossip.replica().hash()
    }

    const HAS_MEMBERS: bool = true;

    fn living(&self, into: &mut Vec<usize>) {
        living(self.gossip.membership(), into);
    }

    fn queues(&self) -> Queues {
        let counters = self.gossip.dissemination().stats();
        Queues { messages: counters.hot + counters.lanes + self.gossip.streams(), bytes: 0 }
    }

    fn payloads(data: &[u8], visit: &mut dyn FnMut(u64, Stamp)) {
        messages(data, &mut |message| {
            if !is_control(message) {
                let (key, stamp) = S::about(message);
                visit(key, stamp);
            }
        });
    }

    fn asks(data: &[u8]) -> bool {
        let mut any = false;
        messages(data, &mut |message| any |= asks(message));
        any
    }
}

thread_local! {
    /// To look into datagrams that others sent.
    static LOOK: RefCell<Codec> = RefCell::new(codec());
}

/// What the user of memberlist sends in a datagram.
fn messages(data: &[u8], visit: &mut dyn FnMut(&[u8])) {
    LOOK.with_borrow_mut(|codec| {
        for body in codec.open(data).unwrap() {
            if let Ok(Message::User(message)) = Message::decode(body) {
                visit(message);
            }
        }
    });
}
