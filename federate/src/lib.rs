#![doc = include_str!("../README.md")]

pub mod exposition;
pub mod federation;
pub mod index;
pub mod matcher;
pub mod selector;
pub mod split;

mod regex;

pub use index::{SeriesId, SeriesIndex};
pub use matcher::{Matcher, MatcherError, Op};
pub use selector::{ParseError, Selector};
