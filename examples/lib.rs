//! The promha programs, apart from their `main` functions.
#![allow(clippy::disallowed_methods)]

pub mod common;
pub mod gateway;
