//! Keys that all nodes agree on.
//!
//! Every node has a [`Store`]. What is written to one is a [`Record`], and a record that comes to another one is [merged](Store::merge): in
//! whatever order records come, and however often, stores that have heard the same hold the same. How two values of a key become one that
//! were written without knowing of each other is a matter of [`Merge`]; by default the [`LastWriter`] wins.
//!
//! ```
//! use promha_gossip_core::dissemination::Source;
//! use promha_gossip_core::state::{Config, Outcome, Store};
//!
//! let now_ms = 1_700_000_000_000;
//! let (mut here, mut there) = (Store::new(Config::default()), Store::new(Config::default()));
//! let (key, version) = here.insert(b"silence", b"until noon", now_ms)?;
//!
//! let mut record = Vec::new();
//! assert_eq!(here.message(key, &mut record), Some(version));
//! assert_eq!(there.merge(&record, now_ms)?.outcome, Outcome::Fresh);
//! assert_eq!(there.merge(&record, now_ms)?.outcome, Outcome::Known);
//! assert_eq!(there.get(b"silence", now_ms), Some(&b"until noon"[..]));
//! # Ok::<(), promha_gossip_core::state::Refused>(())
//! ```
//!
//! # Lives
//!
//! A key that is deleted and written again lives again, and what was written in an earlier life must not come back, whoever still has it. So
//! a record carries its *rank*: 0 in the first life, in a later one the time after the deletion that ended the one before. A deletion has the
//! time at which it was made as its rank. Of two records,
//!
//! - a deletion wins over values whose rank is not above its own, whenever they were written: they did not know of it;
//! - a value of a later life wins over one of an earlier life;
//! - values of one life are merged.
//!
//! That order is the same on all nodes, so they end with the same. The version of what comes out is never below those that went in: whoever
//! has one of them takes it for newer.
//!
//! # Ends
//!
//! A deletion is a record like any other for [`tombstone_ms`](Config::tombstone_ms). After that, and of a key that has expired, only its hash
//! and the time of its end are kept, for [`grave_ms`](Config::grave_ms). Whoever brings back what had come to its end is told a deletion. So is
//! whoever writes such a key for the first time and has never heard of its end, also long after it: that write is lost, and the next one begins
//! another life. When
//! even that is forgotten, unknown keys of that time or an earlier one are refused.
//!
//! # Clocks
//!
//! A write is later than all that its node knows of the key, also if its clock is behind. A stamp too far ahead of our clock is
//! [clamped or refused](Ahead).

mod change;
mod config;
mod entry;
mod error;
mod graves;
pub mod laws;
mod merge;
mod record;
mod snapshot;
mod store;
mod whole;

pub use change::{Change, Presence};
pub use config::{Ahead, Config};
pub use error::{Refused, Stats};
pub use merge::{Choice, Held, LastWriter, Merge};
pub use record::{Record, RecordError};
pub use snapshot::{Restored, SnapshotAt};
pub use store::{Merged, Outcome, Store};
