//! The gateway between real servers: Prometheus collectors, a Prometheus that queries, vmctl, VictoriaMetrics.
//!
//! Runs with `PROMHA_INTEROP=1`; without it every test says that it did not run.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used)]

#[path = "../harness/mod.rs"]
mod harness;

mod live;
mod outage;
mod queries;
mod vmctl;
