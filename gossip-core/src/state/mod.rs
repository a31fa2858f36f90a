//! Keys that all nodes agree on.
