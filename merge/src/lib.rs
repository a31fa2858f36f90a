//! Many sorted series streams into one.
//!
//! Everything here is one algorithm, a [loser tree](Merge), used at two levels: series by their labels, then
//! samples by their time within a series. Nothing in the crate reads a clock, opens a socket or starts a
//! thread; the merging types are state machines that say which source they need next, so that the same code
//! serves blocking iterators and async streams.
//!
//! - [`Merge`] is the state machine: [`Step::Need`] asks for the next key of a source, [`Step::Tied`] hands
//!   out all sources that share the smallest key. It costs at most `ceil(log2 k)` comparisons per key of `k`
//!   sources, and checks that every source is sorted.
//! - [`merge_by`] is its face for plain iterators, [`merge_series`] the one for series, whose error names the
//!   label sets.
//! - [`labels`] holds Prometheus' label order and text form, and [`labels::Labels`], an owned label set that
//!   can be reused as the key of a merge.
//! - [`Chain`] merges the samples of one series held by several sources, each timestamp once. It works on
//!   indices into timestamp columns that stay with the caller, so values of any type are merged and nothing
//!   is copied; [`chain()`] is the same for float columns that lie in memory.
//!
//! ```
//! use promha_merge::{chain, merge_series};
//!
//! let up: &[(&str, &str)] = &[("__name__", "up"), ("job", "node")];
//! let load: &[(&str, &str)] = &[("__name__", "load"), ("job", "node")];
//! let replica_a = vec![(load, (vec![1_000, 2_000], vec![0.1, 0.2])), (up, (vec![1_000], vec![1.0]))];
//! let replica_b = vec![(up, (vec![1_000, 2_000], vec![1.0, 0.0]))];
//!
//! let mut merge = merge_series([replica_a, replica_b]);
//! let mut merged = Vec::new();
//! while let Some(series) = merge.next_series()? {
//!     let columns: Vec<_> =
//!         series.holders.iter().map(|(_, (at_ms, values))| (at_ms.as_slice(), values.as_slice())).collect();
//!     let (mut at_ms, mut values) = (Vec::new(), Vec::new());
//!     chain(&columns, &mut at_ms, &mut values)?;
//!     merged.push((series.labels, at_ms, values));
//! }
//! assert_eq!(merged[0], (load, vec![1_000, 2_000], vec![0.1, 0.2]));
//! assert_eq!(merged[1], (up, vec![1_000, 2_000], vec![1.0, 0.0]));
//! assert_eq!(merged.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arena;
mod chain;
mod interval;
mod iterate;
mod key;
mod label_arena;
pub mod labels;
mod machine;
mod merge_arenas;
mod merge_labels;
mod order;
mod penalty;
pub mod plan;
mod resolve;
mod samples;
pub mod stitch;
mod tree;
mod window;

pub use arena::Arena;
pub use chain::{Chain, ChainStep, chain};
pub use interval::Interval;
pub use iterate::{MergeBy, Merged, merge_by};
pub use label_arena::{LabelArena, LabelSet, Pairs};
pub use machine::{Merge, Step};
pub use merge_arenas::{MergeArenas, Series, merge_arenas};
pub use merge_labels::MergeLabels;
pub use order::OutOfOrder;
pub use penalty::Penalty;
pub use plan::{Chunk, Counts, PlanError, PlanStep, Planner};
pub use resolve::{Resolve, Resolved, Run, resolve};
pub use samples::{Floats, STALE_BITS, Samples, Steps, is_stale};
pub use stitch::{Hints, Stitch};
