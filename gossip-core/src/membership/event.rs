use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::profile::Profile;
use crate::PeerId;

/// What has happened. Where it is about a member, its number and what it said of itself last come with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A node that was not known is alive.
    Joined {
        /// Its number from now on.
        peer: PeerId,
        /// What it says of itself.
        profile: Arc<Profile>,
    },
    /// A member that was dead or had left is alive again.
    Returned {
        /// The member.
        peer: PeerId,
        /// What it says of itself now.
        profile: Arc<Profile>,
    },
    /// A member says something else of itself: its meta or its versions.
    Updated {
        /// The member.
        peer: PeerId,
        /// What it says of itself now.
        profile: Arc<Profile>,
    },
    /// A member that was dead or had left has come back at another address.
    AddressChanged {
        /// The member.
        peer: PeerId,
        /// What it says of itself now.
        profile: Arc<Profile>,
        /// Where it was.
        was: SocketAddr,
    },
    /// A member did not answer, or somebody says so.
    Suspected {
        /// The member.
        peer: PeerId,
        /// What it said of itself.
        profile: Arc<Profile>,
    },
    /// A suspect says that it lives.
    Refuted {
        /// The member.
        peer: PeerId,
        /// What it says of itself.
        profile: Arc<Profile>,
    },
    /// A suspect did not say so in time, or somebody says that it is dead.
    Failed {
        /// The member.
        peer: PeerId,
        /// What it said of itself.
        profile: Arc<Profile>,
    },
    /// A member said that it leaves.
    LeftGracefully {
        /// The member.
        peer: PeerId,
        /// What it said of itself.
        profile: Arc<Profile>,
    },
    /// A member that is dead or has left is no longer told to anybody. Its number may be given to another one from now on.
    Forgotten {
        /// What its number was.
        peer: PeerId,
        /// What it said of itself.
        profile: Arc<Profile>,
    },
    /// Another node has the name of a member that is alive, and is not believed.
    Conflict {
        /// The member; `None`: this node itself.
        peer: Option<PeerId>,
        /// What the member said of itself.
        profile: Arc<Profile>,
        /// Where the other node says it is.
        other: SocketAddr,
    },
    /// This node was called suspect or dead, and says that it lives.
    Refuting {
        /// Its new incarnation.
        incarnation: u32,
    },
    /// This process was stopped, or had too much to do: so long after the time for it was a timeout handled.
    Paused {
        /// How much too late.
        late: Duration,
    },
    /// That this node leaves has been told often enough: it can be stopped.
    Left,
}
