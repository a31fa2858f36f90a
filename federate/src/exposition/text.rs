//! The Prometheus text format, version 0.0.4, with names in quotes as version 1.0.0 has them.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>, and `promparse.go` and `promlex.l` of Prometheus in
//! what they accept. A few things are refused that its parser lets through and the rest of the server does not, or should not:
//! labels that are there twice, empty names, a byte that is not UTF-8 right behind the name in a `HELP`, and a NUL where a line
//! begins (Prometheus takes it for the end and drops the rest without a word).

mod parse;

pub use parse::TextParser;
