//! How series are exposed to a scrape.

pub mod write;
