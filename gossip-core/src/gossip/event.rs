use std::net::SocketAddr;

use thiserror::Error;

use crate::Key;
use crate::dissemination::ControlError;
use crate::membership::{self, ExchangeError};
use crate::wire::{DecodeError, OverLimit};

/// What happened, for those who want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A node joined, failed, left, changed.
    Member(membership::Event),
    /// A push/pull exchange was brought to its end.
    Exchanged {
        /// With whom.
        with: SocketAddr,
        /// How many nodes the other one told of.
        nodes: usize,
        /// How long its user's state was.
        state_bytes: usize,
    },
    /// A push/pull exchange, a ping or a large message over a connection did not come to its end.
    StreamFailed {
        /// With whom.
        with: SocketAddr,
        /// Why.
        reason: StreamFailure,
    },
    /// What a key holds is too large for a message, also over a connection: whoever lacks it gets it with an exchange, if at all.
    TooLarge {
        /// What it is called.
        key: Key,
        /// How long the message is.
        message_bytes: usize,
        /// How long it may be.
        limit_bytes: usize,
    },
}

/// Why an exchange over a connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamFailure {
    /// No connection, or it broke.
    Connection,
    /// It took too long.
    Timeout,
    /// The other side closed before it had said its part.
    Early,
    /// What it said cannot be read.
    Unreadable(DecodeError),
    /// It is of another version than we are.
    Incompatible(ExchangeError),
    /// What was to be said is over a limit.
    Unwritable(OverLimit),
    /// What it said is not what was asked for.
    Unexpected,
    /// It said what is wrong with us.
    Refused(Box<str>),
}

/// Why a datagram, or one of its messages, was not taken. Nothing has changed because of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// It is not what memberlist writes, or not for us.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// It is not what a node writes to compare what it knows.
    #[error("a digest: {0}")]
    Control(#[source] ControlError),
}
