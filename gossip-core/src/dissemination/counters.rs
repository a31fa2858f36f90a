/// What was done so far, and how much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Messages put into packets, each time for each peer.
    pub payloads_sent: u64,
    /// Their bytes.
    pub payload_bytes_sent: u64,
    /// Of them, those that were sent again because the peer did not confirm.
    pub resent: u64,
    /// Control messages put into packets.
    pub controls_sent: u64,
    /// Their bytes, with what they are wrapped in.
    pub control_bytes_sent: u64,
    /// Of the control messages, those that start an exchange.
    pub digests_sent: u64,
    /// Keys that peers were asked for.
    pub wants_sent: u64,
    /// Messages of peers, whatever became of them.
    pub heard: u64,
    /// Of them, those that were new.
    pub fresh: u64,
    /// Of them, those that were known.
    pub duplicates: u64,
    /// Of them, those whose key had something newer here.
    pub stale: u64,
    /// Of them, those that were refused.
    pub refused: u64,
    /// Control messages of peers that were read.
    pub controls_heard: u64,
    /// Times that a peer turned out to have all that is known here.
    pub agreements: u64,
    /// Times that a root differed and nothing recent explained it, so that ranges were compared.
    pub escalations: u64,
    /// Messages whose place a newer version took while they were under way.
    pub superseded: u64,
    /// Messages left to the exchanges because too many were under way.
    pub evicted: u64,
    /// Things that were not told to a peer, or to the caller, because too many waited; later exchanges make up for it.
    pub dropped: u64,
    /// Messages under way now.
    pub hot: usize,
    /// Keys known now.
    pub keys: usize,
    /// Peers with something under way now.
    pub lanes: usize,
}
