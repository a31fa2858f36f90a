#![doc = include_str!("../README.md")]

mod arena;
mod chain;
mod delta;
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
mod prefetch;
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
