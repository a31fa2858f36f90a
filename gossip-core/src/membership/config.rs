use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;

use super::profile::{Profile, ProfileError};

/// What Alertmanager says of itself: it understands versions 1 to 5 of memberlist's protocol and speaks 2.
const ALERTMANAGER_VSN: [u8; 6] = [1, 5, 2, 0, 0, 0];

/// Above this number of nodes the time between exchanges grows.
const PUSH_PULL_SCALES_FROM: usize = 32;

/// Whether a node takes itself for a possible cause of what it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lifeguard {
    /// It does: probes wait longer while it is not well itself, suspicions are shorter when others share them, a suspect is told when it is
    /// probed, and a process that was stopped blames nobody.
    #[default]
    On,
    /// Plain SWIM, to compare with.
    Off,
}

/// How a [`Membership`](super::Membership) works. Begin with [`lan`](Self::lan), [`wan`](Self::wan) or [`local`](Self::local), which have
/// memberlist's defaults, and change what should be different.
///
/// ```
/// use promha_gossip_core::membership::MembershipConfig;
/// use std::time::Duration;
///
/// let lan = MembershipConfig::lan("a", "192.0.2.1:7946".parse().unwrap());
/// assert_eq!(lan.suspicion_timeout(100, 2), Duration::from_secs(8));
/// assert_eq!(lan.suspicion_timeout(100, 0), Duration::from_secs(48));
/// assert_eq!(lan.retransmits(100), 12);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipConfig {
    /// The name of this node: no other may have it.
    pub name: String,
    /// Where others reach this node.
    pub advertise: SocketAddr,
    /// What its user adds to what it says of itself, at most 512 bytes.
    pub meta: Vec<u8>,
    /// Its versions: of the protocol the least, the highest and the present one, and then those of the user.
    pub vsn: [u8; 6],
    /// The incarnation to begin with, at least 1. A node that begins with a higher one than it ever had (seconds of the wall clock, say)
    /// need not be told of its own death after a restart.
    pub first_incarnation: u32,
    /// How long a probe takes when it fails.
    pub probe_interval: Duration,
    /// How long the answer to the direct ping may take, before others are asked and a stream is tried; less than the interval.
    pub probe_timeout: Duration,
    /// How many members are probed in an interval, one after the other. memberlist probes 1; with 2 a cluster of three is watched
    /// twice as closely.
    pub probes_per_interval: u32,
    /// How many others are asked to probe who did not answer.
    pub indirect_probes: usize,
    /// Whether who did not answer is also asked over a stream.
    pub fallback_ping: bool,
    /// How often rumours are sent.
    pub gossip_interval: Duration,
    /// To how many members each time.
    pub gossip_nodes: usize,
    /// How long the dead are sent rumours, so that they learn of their death if they live. Then they are forgotten.
    pub gossip_to_the_dead: Duration,
    /// How often everything is exchanged with one member; zero: never. More than 32 nodes do it less often.
    pub push_pull_interval: Duration,
    /// How many probe intervals a suspicion takes if others share it, for each power of ten of nodes.
    pub suspicion_multiplier: u32,
    /// How many times longer it takes if nobody does.
    pub suspicion_max_multiplier: u32,
    /// How often a rumour is sent, for each power of ten of nodes.
    pub retransmit_multiplier: u32,
    /// The score of a node that is least well: probes take so many times longer, plus one.
    pub awareness_max: u32,
    /// How often one of the lost is tried again.
    pub reconnect_interval: Duration,
    /// How long the lost are tried again, and how long the incarnation is remembered with which a member died or left.
    pub reconnect_for: Duration,
    /// How long after its death the name of a member can be taken by a node at another address; `None`: not before it is forgotten. A name
    /// that was left can be taken at once.
    pub dead_reclaim_after: Option<Duration>,
    /// How many members there may be.
    pub member_limit: usize,
    /// How many of the lost are remembered.
    pub lost_limit: usize,
    /// How much too late a timeout must be handled for this node to conclude that it was stopped itself. Only with [`Lifeguard::On`].
    pub pause_after: Duration,
    /// Lifeguard, or plain SWIM.
    pub lifeguard: Lifeguard,
}

/// Why there is no membership with this configuration, or it did not change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// This node cannot be known by what it says of itself.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A number or time is below the least it can be.
    #[error("{field} is {value}, must be at least {least}")]
    TooSmall {
        /// Which.
        field: &'static str,
        /// What it is; times are in milliseconds.
        value: u64,
        /// The least; times are in milliseconds.
        least: u64,
    },
    /// The ping alone would take the whole time of the probe.
    #[error("probe_timeout is {timeout:?}, must be less than probe_interval, {interval:?}")]
    ProbeTimeout {
        /// The time for the ping.
        timeout: Duration,
        /// The time for the probe.
        interval: Duration,
    },
}

impl MembershipConfig {
    /// memberlist's defaults for nodes near each other.
    pub fn lan(name: impl Into<String>, advertise: SocketAddr) -> Self {
        Self {
            name: name.into(),
            advertise,
            meta: Vec::new(),
            vsn: ALERTMANAGER_VSN,
            first_incarnation: 1,
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            probes_per_interval: 2,
            indirect_probes: 3,
            fallback_ping: true,
            gossip_interval: Duration::from_millis(200),
            gossip_nodes: 3,
            gossip_to_the_dead: Duration::from_secs(30),
            push_pull_interval: Duration::from_secs(30),
            suspicion_multiplier: 4,
            suspicion_max_multiplier: 6,
            retransmit_multiplier: 4,
            awareness_max: 7,
            reconnect_interval: Duration::from_secs(10),
            reconnect_for: Duration::from_secs(6 * 60 * 60),
            dead_reclaim_after: None,
            member_limit: 65_536,
            lost_limit: 4_096,
            pause_after: Duration::from_secs(2),
            lifeguard: Lifeguard::On,
        }
    }

    /// memberlist's defaults for nodes far from each other.
    pub fn wan(name: impl Into<String>, advertise: SocketAddr) -> Self {
        Self {
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(3),
            gossip_interval: Duration::from_millis(500),
            gossip_nodes: 4,
            gossip_to_the_dead: Duration::from_secs(60),
            push_pull_interval: Duration::from_secs(60),
            suspicion_multiplier: 6,
            pause_after: Duration::from_secs(10),
            ..Self::lan(name, advertise)
        }
    }

    /// memberlist's defaults for nodes on one machine.
    pub fn local(name: impl Into<String>, advertise: SocketAddr) -> Self {
        Self {
            probe_timeout: Duration::from_millis(200),
            indirect_probes: 1,
            gossip_interval: Duration::from_millis(100),
            gossip_to_the_dead: Duration::from_secs(15),
            push_pull_interval: Duration::from_secs(15),
            suspicion_multiplier: 3,
            retransmit_multiplier: 2,
            ..Self::lan(name, advertise)
        }
    }

    /// The same as plain SWIM, to compare with: one probe an interval, and no [`Lifeguard`].
    pub fn plain(self) -> Self {
        Self { probes_per_interval: 1, lifeguard: Lifeguard::Off, ..self }
    }

    /// How long a member is suspect that so many others suspect as well, among so many nodes, before it is declared dead.
    pub fn suspicion_timeout(&self, nodes: usize, confirmations: u32) -> Duration {
        let least = self.suspicion_least(nodes);
        let wanted = self.confirmations_wanted(nodes);
        if wanted == 0 {
            return least;
        }
        suspicion_timeout(least, self.suspicion_most(least), wanted, confirmations)
    }

    /// How often each rumour is sent among so many nodes.
    pub fn retransmits(&self, nodes: usize) -> u32 {
        self.retransmit_multiplier.saturating_mul(((nodes + 1) as f64).log10().ceil() as u32)
    }

    /// How often everything is exchanged with one member among so many nodes.
    pub fn push_pull_every(&self, nodes: usize) -> Duration {
        if nodes <= PUSH_PULL_SCALES_FROM {
            return self.push_pull_interval;
        }
        let doublings = (nodes as f64).log2() - (PUSH_PULL_SCALES_FROM as f64).log2();
        self.push_pull_interval.saturating_mul(doublings.ceil() as u32 + 1)
    }

    pub(super) fn suspicion_least(&self, nodes: usize) -> Duration {
        let thousandths = ((nodes.max(1) as f64).log10().max(1.0) * 1_000.0) as u32;
        self.probe_interval.saturating_mul(self.suspicion_multiplier).saturating_mul(thousandths) / 1_000
    }

    pub(super) fn suspicion_most(&self, least: Duration) -> Duration {
        least.saturating_mul(self.suspicion_max_multiplier)
    }

    /// How many others must share a suspicion for it to take the least time. None are waited for where there cannot be so many: who is
    /// suspect does not share it, and who raised it has.
    pub(super) fn confirmations_wanted(&self, nodes: usize) -> u32 {
        let wanted = self.suspicion_multiplier.saturating_sub(2);
        let possible = nodes.saturating_sub(2);
        if self.lifeguard == Lifeguard::Off || possible < wanted as usize { 0 } else { wanted }
    }

    pub(super) fn profile(&self) -> Result<Profile, ConfigError> {
        let Self { name, advertise, meta, vsn, .. } = self;
        Ok(Profile::new(name, *advertise, meta, *vsn)?)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        for (field, value, least) in [
            ("first_incarnation", self.first_incarnation.into(), 1),
            ("probe_interval", millis(self.probe_interval), 1),
            ("probe_timeout", millis(self.probe_timeout), 1),
            ("probes_per_interval", self.probes_per_interval.into(), 1),
            ("gossip_interval", millis(self.gossip_interval), 1),
            ("gossip_nodes", self.gossip_nodes as u64, 1),
            ("suspicion_multiplier", self.suspicion_multiplier.into(), 1),
            ("suspicion_max_multiplier", self.suspicion_max_multiplier.into(), 1),
            ("retransmit_multiplier", self.retransmit_multiplier.into(), 1),
            ("reconnect_interval", millis(self.reconnect_interval), 1),
            ("member_limit", self.member_limit as u64, 1),
            ("lost_limit", self.lost_limit as u64, 1),
        ] {
            if value < least {
                return Err(ConfigError::TooSmall { field, value, least });
            }
        }
        if self.probe_timeout >= self.probe_interval {
            let (timeout, interval) = (self.probe_timeout, self.probe_interval);
            return Err(ConfigError::ProbeTimeout { timeout, interval });
        }
        Ok(())
    }
}

/// From the most, for nobody who shares the suspicion, down to the least, for all who are wanted, by the logarithm of their number; in
/// whole milliseconds.
///
/// Source: Lifeguard, section IV-B.
pub(super) fn suspicion_timeout(
    least: Duration,
    most: Duration,
    wanted: u32,
    confirmations: u32,
) -> Duration {
    let part = f64::from(confirmations).ln_1p() / f64::from(wanted).ln_1p();
    let seconds = most.as_secs_f64() - part * (most.as_secs_f64() - least.as_secs_f64());
    let millis = (seconds * 1_000.0).floor();
    Duration::from_millis(if millis > 0.0 { millis as u64 } else { 0 }).max(least)
}
