use std::time::Duration;

use crate::simulator::network::Set;

/// What happens to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Start {
        node: usize,
        seeds: Vec<usize>,
    },
    /// Nobody of `from` reaches anybody of `to` until it is healed.
    Cut {
        id: u32,
        from: Set,
        to: Set,
    },
    Heal {
        id: u32,
    },
    /// Of a thousand datagrams so many are lost, come twice or are held back for up to so long.
    Weather {
        loss: u32,
        duplicate: u32,
        held: u32,
        held_for: Duration,
    },
    /// Everything is healed and everybody runs on.
    Calm,
    Pause {
        node: usize,
    },
    Resume {
        node: usize,
    },
    /// The process ends without a word; its host says so to whoever connects, or says nothing.
    Crash {
        node: usize,
        silent: bool,
    },
    /// It writes down what it knows.
    Snapshot {
        node: usize,
    },
    /// It starts again, with what it wrote down last or with nothing.
    Restart {
        node: usize,
        with_state: bool,
        seeds: Vec<usize>,
    },
    Leave {
        node: usize,
    },
    Write {
        node: usize,
        key: u64,
        value: Option<u64>,
    },
    Skew {
        node: usize,
        skew_ms: i64,
    },
    /// It is asked for what is due although nothing is.
    Poke {
        node: usize,
    },
}

/// How a node is, as only the world knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Not started yet.
    Unborn,
    Up,
    Paused,
    Down {
        silent: bool,
    },
}
