//! The three layers as one node, on memberlist's wire.

mod event;
mod exchange;
mod replica;
mod sessions;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

pub use event::{DatagramError, Event, StreamFailure};
pub use replica::{Heard, Replica};
pub use stream::{StreamId, StreamInput, Transmit};

use self::sessions::{Purpose, Sessions};
use crate::dissemination::{self, ControlError, Dissemination, Speaks};
use crate::membership::{self, Membership, MembershipConfig, Outgoing, Profile};
use crate::wire::{Codec, Keyring, Message, Packet};
use crate::{Instant, Key, PeerId, Version};

/// How a node begins what it says of itself, so that others know that it understands digests.
const DIGESTS_MARK: &[u8] = b"promha/1 ";

/// How many events wait to be asked for.
const MAX_EVENTS: usize = 65_536;

/// The first version of memberlist's protocol with checksums.
const CRC_VERSION: u8 = 5;

/// What a node is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GossipConfig {
    /// Who we are, and how the others are watched.
    pub membership: MembershipConfig,
    /// How updates travel.
    pub dissemination: dissemination::Config,
    /// The time at the driver's origin, in milliseconds since the Unix epoch: what stamps are made of.
    pub unix_ms_at_origin: u64,
    /// How long a connection may take. Default 10 s.
    pub stream_timeout: Duration,
    /// How many connections there may be at once, of those that come in and of those that are asked for each. Of more, those that come in are
    /// closed unheard, and what the others were for is done later. Default 128.
    pub max_streams: usize,
}

impl GossipConfig {
    /// The defaults, for a node with this membership.
    pub fn new(membership: MembershipConfig, unix_ms_at_origin: u64) -> Self {
        Self {
            membership,
            dissemination: dissemination::Config::default(),
            unix_ms_at_origin,
            stream_timeout: Duration::from_secs(10),
            max_streams: 128,
        }
    }
}

/// One node.
///
/// Nothing here reads a clock, opens a socket or rolls dice. The driver gives it what came in (`handle_...`), asks it what is to be sent
/// ([`poll_transmit`](Self::poll_transmit)), what happened ([`poll_event`](Self::poll_event)) and when to come back
/// ([`poll_timeout`](Self::poll_timeout)). The order in which it asks does not matter, an early timeout does no harm.
#[derive(Debug)]
pub struct Gossip<R> {
    membership: Membership,
    dissemination: Dissemination,
    replica: R,
    codec: Codec,
    packet: Packet,
    sessions: Sessions,
    /// Where members are: a datagram says no more of who sent it.
    addresses: BTreeMap<SocketAddr, PeerId>,
    events: VecDeque<Event>,
    events_lost: u64,
    unix_ms_at_origin: u64,
    scratch: Vec<u8>,
}

impl<R: Replica> Gossip<R> {
    /// A node that knows nobody yet, and speaks as `codec` does. The same configuration, seed and calls give the same node, byte for byte.
    ///
    /// # Errors
    ///
    /// When a name, an address, a time or what the node says of itself cannot be.
    pub fn new(
        mut config: GossipConfig,
        codec: Codec,
        replica: R,
        seed: u64,
        now: Instant,
    ) -> Result<Self, membership::ConfigError> {
        config.membership.meta.splice(0..0, DIGESTS_MARK.iter().copied());
        // Another seed than the membership's: they would draw the same.
        let mut dissemination = Dissemination::new(config.dissemination, !seed, now);
        replica.versions(&mut |key, version| dissemination.restore(key, version));
        Ok(Self {
            membership: Membership::new(config.membership, seed, now)?,
            dissemination,
            replica,
            packet: codec.packet(),
            codec,
            sessions: Sessions::new(config.stream_timeout, config.max_streams),
            addresses: BTreeMap::new(),
            events: VecDeque::new(),
            events_lost: 0,
            unix_ms_at_origin: config.unix_ms_at_origin,
            scratch: Vec::new(),
        })
    }

    /// The replicated state.
    pub fn replica(&self) -> &R {
        &self.replica
    }

    /// Who is there.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// What is on its way.
    pub fn dissemination(&self) -> &Dissemination {
        &self.dissemination
    }

    /// How many connections are open.
    pub fn streams(&self) -> usize {
        self.sessions.len()
    }

    /// The wall clock's time at a moment, in milliseconds since the Unix epoch.
    pub fn unix_ms(&self, now: Instant) -> u64 {
        self.unix_ms_at_origin.saturating_add(now.as_millis())
    }

    /// Changes the replicated state, at the time that `write` is given in milliseconds since the Unix epoch; what it says it changed is
    /// told to everybody.
    pub fn write<T>(
        &mut self,
        now: Instant,
        write: impl FnOnce(&mut R, u64, &mut dyn FnMut(Key, Version)) -> T,
    ) -> T {
        let now_ms = self.unix_ms(now);
        let dissemination = &mut self.dissemination;
        let written =
            write(&mut self.replica, now_ms, &mut |key, version| dissemination.publish(key, version, now));
        self.settle(now);
        written
    }

    /// Asks the nodes at these addresses who else there is. Those that do not answer are asked again later.
    pub fn join(&mut self, addresses: &[SocketAddr], now: Instant) {
        self.membership.join(addresses);
        self.settle(now);
    }

    /// Says that we leave. [`membership::Event::Left`] says when it was said often enough.
    pub fn leave(&mut self, now: Instant) {
        self.membership.leave(now);
        self.settle(now);
    }

    /// Changes what this node says of itself, and tells everybody.
    ///
    /// # Errors
    ///
    /// When it is longer than a node may say; nothing is changed then.
    pub fn update_meta(&mut self, meta: &[u8], now: Instant) -> Result<(), membership::ConfigError> {
        self.membership.update_meta(&[DIGESTS_MARK, meta].concat(), now)?;
        self.settle(now);
        Ok(())
    }

    /// The keys that datagrams and connections are encrypted with, if they are, to add, use and remove some.
    pub fn keyring_mut(&mut self) -> Option<&mut Keyring> {
        self.codec.keyring_mut()
    }

    /// A datagram came in.
    ///
    /// # Errors
    ///
    /// When it, or one of its messages, cannot be read. The other messages were taken all the same.
    pub fn handle_datagram(
        &mut self,
        from: SocketAddr,
        data: &[u8],
        now: Instant,
    ) -> Result<(), DatagramError> {
        let (peer, now_ms) = (self.peer_at(from), self.unix_ms(now));
        let mut outcome = Ok(());
        for body in self.codec.open(data)? {
            let taken = match Message::decode(body) {
                Ok(Message::User(message)) => {
                    let (dissemination, replica) = (&mut self.dissemination, &mut self.replica);
                    hear(dissemination, replica, peer, message, now_ms, now).map_err(DatagramError::Control)
                }
                Ok(message) => {
                    self.membership.handle_message(from, &message, now);
                    Ok(())
                }
                Err(error) => Err(error.into()),
            };
            outcome = outcome.and(taken);
        }
        self.settle(now);
        outcome
    }

    /// A connection came in. What comes over it is said with [`handle_stream`](Self::handle_stream).
    pub fn accept(&mut self, from: SocketAddr, now: Instant) -> StreamId {
        self.sessions.accept(from, now)
    }

    /// Something happened on a connection.
    pub fn handle_stream(&mut self, stream: StreamId, input: StreamInput<'_>, now: Instant) {
        let ended = match input {
            StreamInput::Connected => return self.ask(stream),
            StreamInput::Data(bytes) => {
                self.read_stream(stream, bytes, now);
                return self.settle(now);
            }
            StreamInput::Closed => StreamFailure::Early,
            StreamInput::Failed => StreamFailure::Connection,
        };
        if let Some(session) = self.sessions.take(stream) {
            self.give_up(stream, session, ended);
            self.settle(now);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.membership.handle_timeout(now);
        self.dissemination.handle_timeout(now);
        while let Some(session) = self.sessions.expire(now) {
            self.failed(session, StreamFailure::Timeout);
        }
        let now_ms = self.unix_ms(now);
        if self.replica.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            let dissemination = &mut self.dissemination;
            self.replica.collect(now_ms, &mut |key| dissemination.forget(key));
        }
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = self.replica.next_due_ms().map(|due_ms| {
            let elapsed_ms = due_ms.saturating_sub(self.unix_ms_at_origin);
            Instant::since_origin(Duration::from_millis(elapsed_ms))
        });
        let deadline = self.sessions.next_deadline();
        [self.membership.poll_timeout(), self.dissemination.poll_timeout(), deadline, due]
            .into_iter()
            .flatten()
            .min()
    }

    /// What is to be sent; the bytes are in `buffer` then, whatever was in it is gone. To be asked until there is nothing more, after each
    /// other call.
    pub fn poll_transmit(&mut self, buffer: &mut Vec<u8>, now: Instant) -> Option<Transmit> {
        loop {
            if let Some(transmit) = self.sessions.poll_transmit(buffer) {
                return Some(transmit);
            }
            let Some(outgoing) = self.membership.poll_transmit(&mut self.packet) else { break };
            match outgoing {
                Outgoing::Datagram { to, peer, crc } => {
                    if let Some(peer) = peer {
                        self.dissemination.fill(peer, &self.replica, &mut self.packet);
                    }
                    return Some(self.seal(to, crc, buffer));
                }
                Outgoing::PushPull { to, join } => {
                    // Peers that compare digests know what they lack; the whole state is for those who do not, or join.
                    let whole = join || !self.compares(to);
                    self.exchange(to, join, whole, now);
                }
                Outgoing::FallbackPing { to, peer, seq_no } => {
                    self.sessions.dial(to, Purpose::FallbackPing { peer, seq_no }, now);
                }
            }
        }
        while let Some(peer) = self.dissemination.poll_transmit(&self.replica, &mut self.packet) {
            if let Some(member) = self.membership.member(peer) {
                let (to, crc) = (member.addr(), member.profile().protocol_most() >= CRC_VERSION);
                return Some(self.seal(to, crc, buffer));
            }
        }
        None
    }

    fn seal(&mut self, to: SocketAddr, crc: bool, buffer: &mut Vec<u8>) -> Transmit {
        buffer.clear();
        self.codec.seal(&self.packet, crc, buffer);
        Transmit::Datagram { to }
    }

    /// What happened, oldest first. What nobody asks for is lost when there is too much of it.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How many events were lost because nobody asked for them.
    pub fn events_lost(&self) -> u64 {
        self.events_lost
    }

    fn report(&mut self, event: Event) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
            self.events_lost += 1;
        }
        self.events.push_back(event);
    }

    /// Tells each layer what the others found out.
    fn settle(&mut self, now: Instant) {
        while let Some(event) = self.membership.poll_event() {
            self.follow(&event, now);
            self.report(Event::Member(event));
        }
        while let Some(event) = self.dissemination.poll_event() {
            match event {
                dissemination::Event::Oversize { peer, key } => self.send_large(peer, key, now),
                dissemination::Event::Behind { peer } => {
                    if let Some(to) = self.membership.member(peer).map(|member| member.addr()) {
                        self.exchange(to, false, true, now);
                    }
                }
            }
        }
    }

    /// Whoever is alive hears of updates, whoever is not does not.
    fn follow(&mut self, event: &membership::Event, now: Instant) {
        use membership::Event as Member;
        match event {
            Member::Joined { peer, profile }
            | Member::Returned { peer, profile }
            | Member::Updated { peer, profile }
            | Member::Refuted { peer, profile } => self.meet(*peer, profile, now),
            Member::AddressChanged { peer, profile, was } => {
                self.addresses.remove(was);
                self.meet(*peer, profile, now);
            }
            Member::Failed { peer, .. } | Member::LeftGracefully { peer, .. } => {
                self.dissemination.remove_peer(*peer);
            }
            Member::Forgotten { peer, profile } if self.peer_at(profile.addr()) == *peer => {
                self.addresses.remove(&profile.addr());
            }
            _ => {}
        }
    }

    fn meet(&mut self, peer: PeerId, profile: &Profile, now: Instant) {
        self.addresses.insert(profile.addr(), peer);
        self.dissemination.add_peer(peer, speaks(profile.meta()), now);
    }

    fn peer_at(&self, address: SocketAddr) -> PeerId {
        self.addresses.get(&address).copied().unwrap_or(PeerId::NOBODY)
    }

    /// Whether the member at an address compares digests.
    fn compares(&self, address: SocketAddr) -> bool {
        let member = self.membership.member(self.peer_at(address));
        member.is_some_and(|member| speaks(member.meta()) == Speaks::Digests)
    }
}

/// What a node's user has it say of itself, of what [`Member::meta`](membership::Member::meta) gives: nodes of this crate begin with a mark
/// of their own.
///
/// ```
/// assert_eq!(promha_gossip_core::user_meta(b"promha/1 zone=a"), b"zone=a");
/// assert_eq!(promha_gossip_core::user_meta(b"zone=a"), b"zone=a");
/// ```
pub fn user_meta(meta: &[u8]) -> &[u8] {
    meta.strip_prefix(DIGESTS_MARK).unwrap_or(meta)
}

/// What a node understands, by what it says of itself.
fn speaks(meta: &[u8]) -> Speaks {
    if meta.starts_with(DIGESTS_MARK) { Speaks::Digests } else { Speaks::Messages }
}

/// Takes a message of the user of memberlist: one of a layer's, or one about keys.
fn hear<R: Replica>(
    dissemination: &mut Dissemination,
    replica: &mut R,
    from: PeerId,
    message: &[u8],
    now_ms: u64,
    now: Instant,
) -> Result<(), ControlError> {
    if let Some(control) = dissemination.control(message) {
        return dissemination.handle_control(from, control, now);
    }
    replica.merge(message, now_ms, &mut |key, version, verdict| {
        dissemination.heard(from, key, version, verdict, now);
    });
    Ok(())
}
