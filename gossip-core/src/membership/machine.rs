use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use fastrand::Rng;

use super::accuse::Told;
use super::awareness::Awareness;
use super::config::{ConfigError, Lifeguard, MembershipConfig};
use super::event::Event;
use super::lost::Lost;
use super::members::{Iter, Member, Members};
use super::probe::Probe;
use super::profile::{Profile, name_hash};
use super::relays::Relays;
use super::rumours::{Rumours, Says, Subject};
use super::stats::Stats;
use super::suspicion::Suspicions;
use super::timeouts::Schedule;
use super::transmit::Pending;
use crate::wire::{Message, NodeState, Standing};
use crate::{Instant, PeerId};

/// More than a driver that polls ever leaves.
const OUTBOX_LIMIT: usize = 4_096;

/// Who is alive, as one node knows it. See the [module](super) for how it is driven.
///
/// It holds below 40 bytes for each member, what the member says of itself aside, which can be shared between memberships:
/// [`with_members`](Self::with_members). A message costs `O(1)` and a look-up of a name; a timeout of a quiet node costs `O(1)` amortised
/// and allocates nothing.
#[derive(Clone, Debug)]
pub struct Membership {
    pub(super) config: MembershipConfig,
    pub(super) me: Me,
    pub(super) members: Members,
    pub(super) rumours: Rumours,
    pub(super) suspicions: Suspicions,
    pub(super) lost: Lost,
    pub(super) told: Told,
    pub(super) relays: Relays,
    pub(super) awareness: Awareness,
    pub(super) probe: Option<Probe>,
    pub(super) schedule: Schedule,
    pub(super) events: VecDeque<Event>,
    pub(super) outbox: VecDeque<Pending>,
    pub(super) stats: Stats,
    pub(super) rng: Rng,
    pub(super) chosen: Vec<PeerId>,
    pub(super) seq_no: u32,
    pub(super) now: Instant,
}

/// This node.
#[derive(Clone, Debug)]
pub(super) struct Me {
    pub(super) profile: Arc<Profile>,
    pub(super) incarnation: u32,
    pub(super) presence: Presence,
}

/// Whether this node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    /// It still tells that it leaves.
    Leaving,
    Gone,
}

/// This node, and then the others.
#[derive(Clone, Debug)]
struct Nodes<'a> {
    me: Option<NodeState<'a>>,
    members: Iter<'a>,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = NodeState<'a>;

    fn next(&mut self) -> Option<NodeState<'a>> {
        self.me.take().or_else(|| Some(self.members.next()?.node_state()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.me.is_some()) + self.members.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Nodes<'_> {}

impl Membership {
    /// A node that knows nobody. The seed decides whatever is left to chance: the same seed and the same calls give the same answers.
    ///
    /// # Errors
    /// If the configuration contradicts itself.
    pub fn new(config: MembershipConfig, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        Self::with_members(config, seed, std::iter::empty(), now)
    }

    /// A node that knows others already, from a snapshot or because a simulation says so, and takes them for alive, of the first incarnation;
    /// if they say that they have another one, that is news. No [`Event::Joined`] is given for them. What they say of themselves stays
    /// shared.
    ///
    /// This node's own name is left out, a name that comes again, a node whose versions are at odds with ours, and what is beyond the limit.
    /// `O(n)`, without reading a name unless two have one hash.
    ///
    /// # Errors
    /// If the configuration contradicts itself.
    pub fn with_members(
        config: MembershipConfig,
        seed: u64,
        members: impl IntoIterator<Item = Arc<Profile>>,
        now: Instant,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let me = Me {
            profile: Arc::new(config.profile()?),
            incarnation: config.first_incarnation,
            presence: Presence::Here,
        };
        let members = members.into_iter();
        let mut rng = Rng::with_seed(seed);
        let mut known = Members::with_capacity(members.size_hint().0.min(config.member_limit));
        for profile in members {
            let (hash, name) = (profile.name_hash(), profile.name());
            let is_me = hash == me.profile.name_hash() && name == me.profile.name();
            let fits = known.len() < config.member_limit && me.profile.understands(profile.vsn());
            if fits && !is_me && known.find(hash, name).is_none() {
                known.insert(profile, 1, now, &mut rng);
            }
        }
        let awareness_most = if config.lifeguard == Lifeguard::On { config.awareness_max } else { 0 };
        let mut membership = Self {
            me,
            members: known,
            rumours: Rumours::default(),
            suspicions: Suspicions::default(),
            lost: Lost::new(config.reconnect_for, config.lost_limit),
            told: Told::default(),
            relays: Relays::default(),
            awareness: Awareness::new(awareness_most),
            probe: None,
            schedule: Schedule::new(now),
            events: VecDeque::new(),
            outbox: VecDeque::new(),
            stats: Stats::default(),
            chosen: Vec::new(),
            seq_no: rng.u32(..),
            rng,
            config,
            now,
        };
        membership.arm();
        Ok(membership)
    }

    /// Takes a message that came from an address. Messages of the user of memberlist, and what belongs on a stream, are not for this layer
    /// and are ignored.
    pub fn handle_message(&mut self, from: SocketAddr, message: &Message<'_>, now: Instant) {
        self.arrive(now);
        match message {
            Message::Ping(ping) => self.answer_ping(from, ping),
            Message::IndirectPing(request) => self.relay_ping(from, request),
            Message::Ack(ack) => self.hear_ack(ack.seq_no),
            Message::Nack(nack) => self.hear_nack(nack.seq_no),
            Message::Suspect(rumour) => self.hear_suspect(rumour),
            Message::Alive(alive) => self.hear_alive(alive),
            Message::Dead(rumour) => self.hear_dead(rumour),
            Message::User(_) | Message::Err(_) => {}
        }
        self.arm();
    }

    /// Joins the clusters of these nodes: each is asked for an exchange. Those that are not reached are tried again as the lost are.
    pub fn join(&mut self, addrs: &[SocketAddr]) {
        if self.me.presence != Presence::Here {
            self.me.presence = Presence::Here;
            self.raise(self.me.incarnation);
        }
        for &to in addrs {
            if to != self.me.profile.addr() {
                self.lost.seek(to, self.now);
                self.send(Pending::PushPull { to, join: true });
            }
        }
        self.arm();
    }

    /// Leaves: tells it until it was told often enough, which is then an [`Event::Left`]. Until it is stopped, this node still answers.
    pub fn leave(&mut self, now: Instant) {
        self.arrive(now);
        if self.me.presence == Presence::Here {
            self.me.presence = Presence::Leaving;
            self.probe = None;
            let says = Says::Dead(self.me.profile.name().into());
            self.rumours.spread(Subject::Me, self.me.incarnation, says);
        }
        self.arm();
    }

    /// Changes what the user of memberlist adds to what this node says of itself, and tells everybody.
    ///
    /// # Errors
    /// If it has more than 512 bytes; nothing is changed then.
    pub fn update_meta(&mut self, meta: &[u8], now: Instant) -> Result<(), ConfigError> {
        self.arrive(now);
        let profile = &self.me.profile;
        self.me.profile = Arc::new(Profile::new(profile.name(), profile.addr(), meta, profile.vsn())?);
        if self.me.presence == Presence::Here {
            self.raise(self.me.incarnation);
        }
        self.arm();
        Ok(())
    }

    /// What has happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What this node says of all that it knows, in an exchange: itself first, and also the dead and those who left.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeState<'_>> + Clone {
        let standing = if self.me.presence == Presence::Here { Standing::Alive } else { Standing::Left };
        let me = NodeState { alive: self.me.profile.alive(self.me.incarnation), standing };
        Nodes { me: Some(me), members: self.members.iter() }
    }

    /// How it is configured.
    pub fn config(&self) -> &MembershipConfig {
        &self.config
    }

    /// What this node says of itself.
    pub fn profile(&self) -> &Arc<Profile> {
        &self.me.profile
    }

    /// The incarnation of this node.
    pub fn incarnation(&self) -> u32 {
        self.me.incarnation
    }

    /// Whether a ping for a node of this name is to be answered; one without a name is for whoever gets it.
    pub fn answers_to(&self, name: &str) -> bool {
        name.is_empty() || name == self.me.profile.name()
    }

    /// The member of a number, if it is given to one.
    pub fn member(&self, peer: PeerId) -> Option<Member<'_>> {
        self.members.member(peer)
    }

    /// All other nodes that are not forgotten, also the dead and those who left, by their numbers.
    pub fn members(&self) -> impl ExactSizeIterator<Item = Member<'_>> + Clone {
        self.members.iter()
    }

    /// The number of the member of a name.
    pub fn peer_of(&self, name: &str) -> Option<PeerId> {
        self.members.find(name_hash(name), name)
    }

    /// How many other nodes are not forgotten.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether this node knows nobody.
    pub fn is_empty(&self) -> bool {
        self.members.len() == 0
    }

    /// How many other nodes are alive or suspect.
    pub fn len_active(&self) -> usize {
        self.members.active()
    }

    /// How well this node is: 0 is well, [`awareness_max`](MembershipConfig::awareness_max) is the worst.
    pub fn health(&self) -> u32 {
        self.awareness.score()
    }

    /// What it has done.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// How many nodes there are, this one included.
    pub(super) fn node_count(&self) -> usize {
        self.members.active() + 1
    }

    pub(super) fn next_seq_no(&mut self) -> u32 {
        self.seq_no = self.seq_no.wrapping_add(1);
        self.seq_no
    }

    /// Has something sent when the driver asks.
    pub(super) fn send(&mut self, pending: Pending) {
        if self.outbox.len() < OUTBOX_LIMIT {
            self.outbox.push_back(pending);
        } else {
            self.stats.unsent += 1;
        }
    }

    /// A member by its number and profile, for an event.
    pub(super) fn event(&mut self, peer: PeerId, event: impl FnOnce(PeerId, Arc<Profile>) -> Event) {
        if let Some(member) = self.members.member(peer) {
            self.events.push_back(event(peer, member.profile().clone()));
        }
    }

    /// Whether it has been told often enough that this node leaves.
    pub(super) fn check_left(&mut self) {
        let told = self.members.active() == 0 || !self.rumours.is_spreading(Subject::Me);
        if self.me.presence == Presence::Leaving && told {
            self.me.presence = Presence::Gone;
            self.events.push_back(Event::Left);
        }
    }
}
