//! Which Prometheus series match, which travel, and how they are exposed.

pub mod matcher;
pub mod selector;

mod regex;

pub use matcher::{Matcher, MatcherError, Op};
pub use selector::{ParseError, Selector};
