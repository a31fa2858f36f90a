use std::time::Duration;

/// How updates spread. The default suits a cluster of a few nodes as well as one of thousands.
///
/// ```
/// use promha_gossip_core::dissemination::Config;
/// use std::time::Duration;
///
/// // Once a second, to three neighbours.
/// let config = Config { round: Duration::from_secs(1), ..Config::default() };
/// assert_eq!(config.fanout, 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The period: how often nodes compare what they know while something is new, and how long one waits for a confirmation before it
    /// sends again. At least a millisecond. Default 200 ms.
    pub round: Duration,
    /// To how many peers a node pushes an update at once when it is fresh. None: only the exchanges of each round spread it. Default 3.
    pub fanout: usize,
    /// With how many peers a node compares, each round, what they know while something is new. Default 3.
    pub exchanges: usize,
    /// What is said when two nodes compare.
    pub style: Style,
    /// Up to so many peers, a node sends what it publishes to all of them directly, and they confirm. Default 16.
    pub direct_peers: usize,
    /// How many times a peer that cannot confirm ([`Speaks::Messages`]) gets a message of ours. Default 4.
    pub repeats: u8,
    /// How many times a message is sent again to a peer that does not confirm it, before it is left to the exchanges. Default 4.
    pub resends: u8,
    /// The longest time between two exchanges when nothing is new. Default 5 s.
    pub idle: Duration,
    /// How many messages may be under way at once. Of more, the oldest are left to the exchanges. Default 4,096.
    pub hot_messages: usize,
    /// How many messages the first packets of an exchange may name. Default 512.
    pub digest_pairs: usize,
    /// How many bytes may be on their way to a peer without its confirmation, or in a round to one that does not confirm. Default 128 KiB.
    pub window_bytes: usize,
    /// How long confirmations wait for each other. Default 10 ms.
    pub confirm_delay: Duration,
    /// What a message starts with that is for this layer of a peer, and not for its state. The default is a protobuf field that
    /// Alertmanager takes for a part that it does not know, and ignores: the key `promha`, then the tag of the data.
    pub control_prefix: Vec<u8>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            round: Duration::from_millis(200),
            fanout: 3,
            exchanges: 3,
            style: Style::PushPull,
            direct_peers: 16,
            repeats: 4,
            resends: 4,
            idle: Duration::from_secs(5),
            hot_messages: 4096,
            digest_pairs: 512,
            window_bytes: 128 << 10,
            confirm_delay: Duration::from_millis(10),
            control_prefix: b"\x0a\x06promha\x12".to_vec(),
        }
    }
}

/// What two nodes say to each other when one of them compares what they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Style {
    /// The one sends what the other is not known to have, unasked: one message. What is no longer new is never sent again.
    Push,
    /// The one tells what it has, the other sends what is newer: two messages.
    Pull,
    /// The one tells what it has, the other sends what is newer and asks for what it lacks, and gets it: three messages. Both are equal
    /// afterwards.
    #[default]
    PushPull,
}

/// What a peer understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaks {
    /// Control messages too: it confirms and compares.
    Digests,
    /// Only messages, as a real Alertmanager does.
    Messages,
}
