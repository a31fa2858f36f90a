/// What a membership has done since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Probes begun.
    pub probes: u64,
    /// Probes that were answered in time, in whatever way.
    pub acks: u64,
    /// Probes that were answered over a stream and not otherwise.
    pub fallback_acks: u64,
    /// Probes that were not answered in time.
    pub failed_probes: u64,
    /// Requests to others to probe who did not answer.
    pub indirect_probes: u64,
    /// Answers of others that they have no answer either.
    pub nacks: u64,
    /// Pings answered.
    pub pings_answered: u64,
    /// Pings meant for another node, not answered.
    pub pings_misdirected: u64,
    /// Requests of others to probe somebody.
    pub relays: u64,
    /// Requests of others that there was no room to remember.
    pub relays_dropped: u64,
    /// Members that became suspect.
    pub suspicions: u64,
    /// Suspects that said that they live.
    pub suspicions_refuted: u64,
    /// Members that died.
    pub failures: u64,
    /// Members that left.
    pub departures: u64,
    /// Times this node said that it lives, because it was called suspect or dead.
    pub refutations: u64,
    /// Accusations against this node with the highest incarnation there is, which cannot be refuted and are ignored.
    pub unrefutable: u64,
    /// Messages that a member is alive, of an incarnation that is known to have ended.
    pub stale_alive: u64,
    /// Nodes that were told that their incarnation is too low.
    pub told_stale: u64,
    /// Messages of nodes that cannot be known by what they say of themselves, or are at odds with our versions.
    pub refused_profiles: u64,
    /// Nodes that there was no room for.
    pub refused_members: u64,
    /// Messages of another node with the name of a member that is alive.
    pub conflicts: u64,
    /// Exchanges merged.
    pub push_pulls: u64,
    /// Exchanges merged in which one of the two joined.
    pub joins: u64,
    /// Exchanges in which there was nobody we understand.
    pub push_pulls_refused: u64,
    /// Exchanges with an address that did not come about.
    pub push_pulls_failed: u64,
    /// Rumours sent, each as often as it was.
    pub rumours_sent: u64,
    /// Answers that were dropped because nobody polled for them.
    pub unsent: u64,
    /// Pauses of this process.
    pub pauses: u64,
}
