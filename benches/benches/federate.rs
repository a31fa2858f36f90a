//! Matching, selecting, parsing and exposing series, beside `regex`, roaring bitmaps as they come, and `prometheus-parse`.
//!
//! What the sides make of an input is compared before anything is timed.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has to stop")]

#[path = "federate/exposing.rs"]
mod exposing;
#[path = "federate/matching.rs"]
mod matching;
#[path = "federate/parsing.rs"]
mod parsing;
#[path = "federate/selecting.rs"]
mod selecting;

use criterion::{criterion_group, criterion_main};
use promha_benches as _;

criterion_group!(benches, matching::benches, selecting::benches, parsing::benches, exposing::benches);
criterion_main!(benches);
