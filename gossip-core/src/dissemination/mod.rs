//! How an update comes to everybody: what is fresh is pushed at once, and what got lost on the way is found by comparing.
//!
//! This layer knows [keys and versions](crate::Key) and [peers](crate::PeerId), not content: a [`Source`] is asked for that when a packet
//! is made, so what travels is always the newest, and what it took the place of is never sent. A message goes to peers that have not had
//! it, and never back to where it came from, as long as it is *hot*: for some rounds after it was made or heard.
//!
//! # A few nodes
//!
//! Up to [`Config::direct_peers`], who publishes sends to everybody, at once: one message for each peer, and all have it after one way
//! through the network. Peers confirm, many messages in one packet, and get again at the following rounds what they did not confirm.
//! Bytes on their way to a peer are bounded, so that confirmations set the pace of thousands of updates.
//!
//! # Many nodes
//!
//! Who hears something fresh pushes it, once and at once, to [`Config::fanout`] others. That leaves out one node in seventeen, and more
//! where packets are lost. So each node compares with [`Config::exchanges`] random others a round, as long as something is hot, and
//! those who were left out get it there. (Demers et al., *Epidemic algorithms for replicated database maintenance*, 1987.)
//!
//! # Comparing
//!
//! A *digest* tells the recent keys and versions that the peer is not known to have, and a hash over all keys and versions, the *root*.
//! Equal roots end the exchange. Else the peer sends what is newer there and asks for what is newer here, and if that does not explain
//! why the roots differ, both compare hashes over ranges of keys, then lists of the ranges that differ. So an exchange costs what is
//! missing, not what is known. No step needs another: whatever gets lost is found again by the next exchange. [`Style`] says which
//! steps there are. When nothing is hot, the time between exchanges grows to [`Config::idle`].
//!
//! Control messages travel as messages of memberlist's user, in a wrapping that a real Alertmanager ignores
//! ([`Config::control_prefix`]). Peers that know nothing of them ([`Speaks::Messages`]) get each message several times instead.
//!
//! # Example
//!
//! ```
//! use promha_gossip_core::dissemination::{Config, Dissemination, Speaks, Verdict};
//! use promha_gossip_core::wire::{Ints, Packet};
//! use promha_gossip_core::{Instant, Key, PeerId, Version};
//! use std::collections::HashMap;
//!
//! let (a, b, now) = (PeerId(0), PeerId(1), Instant::ORIGIN);
//! let mut here = Dissemination::new(Config::default(), 1, now);
//! let mut there = Dissemination::new(Config::default(), 2, now);
//! here.add_peer(b, Speaks::Digests, now);
//! there.add_peer(a, Speaks::Digests, now);
//!
//! let key = Key::of(b"silence 17");
//! let version = Version { stamp_ms: 1_790_000_000_000, content: 42 };
//! let held = HashMap::from([(key, (version, b"silence 17: all of it".to_vec()))]);
//! here.publish(key, version, now);
//!
//! let mut packet = Packet::new(1400, Ints::Unsigned);
//! assert_eq!(here.poll_transmit(&held, &mut packet), Some(b));
//! for body in packet.bodies() {
//!     let message = &body[1..];
//!     match there.control(message) {
//!         Some(control) => there.handle_control(a, control, now)?,
//!         // Here the owner of the content reads the message, and says what it made of it.
//!         None => there.heard(a, key, version, Verdict::Fresh, now),
//!     }
//! }
//! assert_eq!(there.root(), here.root(), "both know the same");
//!
//! let confirms_at = there.poll_timeout().unwrap();
//! there.handle_timeout(confirms_at);
//! assert_eq!(there.poll_transmit(&held, &mut packet), Some(a), "a confirmation");
//! # Ok::<(), promha_gossip_core::dissemination::ControlError>(())
//! ```

mod config;
mod control;
mod counters;
mod exchange;
mod hash_keys;
mod hot;
mod index;
mod lane;
mod pack;
mod peer_set;
mod peers;
mod rounds;
mod spread;

pub use config::{Config, Speaks, Style};
pub use control::ControlError;
pub use counters::Counters;
pub use spread::{Dissemination, Event, Source, Verdict};
