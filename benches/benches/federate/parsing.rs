//! Scraped text.

use criterion::Criterion;

pub(crate) fn benches(_: &mut Criterion) {}
