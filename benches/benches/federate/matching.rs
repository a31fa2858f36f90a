//! Regular expressions, compiled and matched.

use criterion::Criterion;

pub(crate) fn benches(_: &mut Criterion) {}
