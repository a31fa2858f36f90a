//! The gateway as its operator knows it: flags, files, signals, the page, and `gateway read`.
//!
//! Needs no other programs, but for one check with `promtool`: the upstreams are fakes in this process.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used)]

#[path = "../harness/mod.rs"]
mod harness;

mod collector;
mod configuration;
mod data;
mod drain;
mod embedded;
mod groups;
mod labels;
mod limits;
mod lost;
mod order;
mod read;
mod read_errors;
mod reload;
mod upstreams;
mod web;
