//! Who is alive: SWIM with Lifeguard, as memberlist does it, without a socket, a clock or dice.
//!
//! A [`Membership`] is told what arrives and what time it is, and is asked what to send, what has happened and when it wants to be
//! called again. The three questions may be asked in any order and as often as one likes; a call that comes too early does nothing.
//!
//! ```
//! use promha_gossip_core::Instant;
//! use promha_gossip_core::membership::{Event, Membership, MembershipConfig, Outgoing};
//! use promha_gossip_core::wire::{Ints, NodeState, Packet, Standing};
//!
//! let (a, b) = ("192.0.2.1:7946".parse().unwrap(), "192.0.2.2:7946".parse().unwrap());
//! let mut alice = Membership::new(MembershipConfig::lan("alice", a), 1, Instant::ORIGIN).unwrap();
//! let mut bob = Membership::new(MembershipConfig::lan("bob", b), 2, Instant::ORIGIN).unwrap();
//!
//! alice.join(&[b]);
//! let mut packet = Packet::new(1400, Ints::Unsigned);
//! assert_eq!(alice.poll_transmit(&mut packet), Some(Outgoing::PushPull { to: b, join: true }));
//!
//! // The driver opens a stream, and both say whom they know.
//! bob.handle_push_pull(a, alice.nodes(), true, Instant::ORIGIN).unwrap();
//! alice.handle_push_pull(b, bob.nodes(), true, Instant::ORIGIN).unwrap();
//!
//! let Some(Event::Joined { profile, .. }) = bob.poll_event() else { panic!("nobody joined") };
//! assert_eq!(profile.name(), "alice");
//! let known = alice.peer_of("bob").and_then(|peer| alice.member(peer)).unwrap();
//! assert_eq!((known.addr(), known.standing()), (b, Standing::Alive));
//! assert!(alice.poll_timeout().is_some()); // when it will probe
//! ```
//!
//! # What is as in memberlist, and what is better
//!
//! On the wire a node behaves as memberlist does, so real ones keep it as an equal. Where that has known bugs this one differs in what it
//! *believes*, never in what it sends:
//!
//! - An incarnation once told of a member is never forgotten while the member is known, and for
//!   [`reconnect_for`](MembershipConfig::reconnect_for) after that, whatever it was told with: so a stale message raises nobody from the
//!   dead. Whoever comes with an incarnation that is too low is *told so*, directly and at once, and raises it: so a cluster that was
//!   restarted as a whole finds itself again within a round trip.
//! - A version of zeros, or one that does not go with ours, is refused for this one node; the rest of an exchange is merged.
//! - A suspicion is of an incarnation and ends with it. What is dead elsewhere is suspect here, and what is forgotten stays forgotten.
//! - The incarnation `u32::MAX` leaves no way to refute. As an accusation it is believed only of a member that has itself come so far, and
//!   it is not remembered of the dead.
//! - A process that was stopped while its clock ran on blames itself and not the others.
//!
//! Sources: SWIM (Das, Gupta, Motivala, 2002); Lifeguard (Dadgar, Phillips, Currey, 2017); `hashicorp/memberlist`, `state.go`.

mod accuse;
mod awareness;
mod config;
mod event;
mod exchange;
mod hear;
#[cfg(test)]
mod laws;
mod lost;
mod machine;
mod members;
mod probe;
mod profile;
mod relays;
mod rumours;
mod stats;
mod suspicion;
mod timeouts;
mod transmit;

pub use config::{ConfigError, Lifeguard, MembershipConfig};
pub use event::Event;
pub use exchange::ExchangeError;
pub use machine::Membership;
pub use members::Member;
pub use profile::{Profile, ProfileError};
pub use stats::Stats;
pub use transmit::Outgoing;
