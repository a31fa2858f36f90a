//! What was selected, by the name of the metric.

use std::collections::HashMap;

use ahash::RandomState;

use super::Source;
use crate::selector::Selector;

/// Series that are selected, each once, sorted by the name of the metric and then as the source sorts them.
#[derive(Debug)]
pub(super) struct Gathered<'s, T> {
    /// Sorted.
    names: Vec<&'s str>,
    /// Which name, and the series; sorted.
    series: Vec<(u32, T)>,
}

impl<'s, T: Copy + Ord> Gathered<'s, T> {
    pub(super) fn new<S>(source: &'s S, selectors: &[Selector]) -> Result<Self, S::Error>
    where
        S: Source<Series = T> + ?Sized,
    {
        let mut names = Names::default();
        let mut series = Vec::new();
        source.select(selectors, &mut |one| {
            let name = source.labels(one).find(|label| label.0 == "__name__");
            if let Some((_, name)) = name.filter(|name| !name.1.is_empty()) {
                series.push((names.number(name), one));
            }
        })?;
        let (names, ranks) = names.sorted();
        series.iter_mut().for_each(|(name, _)| *name = ranks[*name as usize]);
        series.sort_unstable();
        series.dedup();
        Ok(Self { names, series })
    }

    /// Each series after the name of its metric.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'s str, T)> {
        self.series.iter().map(|&(name, series)| (self.names[name as usize], series))
    }
}

/// Names, numbered as they come.
#[derive(Debug)]
struct Names<'s> {
    numbers: HashMap<&'s str, u32, RandomState>,
    names: Vec<&'s str>,
    /// The one that came last: series of one name often come one after the other.
    last: u32,
}

impl Default for Names<'_> {
    fn default() -> Self {
        Self {
            numbers: HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4)),
            names: Vec::new(),
            last: 0,
        }
    }
}

impl<'s> Names<'s> {
    fn number(&mut self, name: &'s str) -> u32 {
        if self.names.get(self.last as usize) != Some(&name) {
            self.last = *self.numbers.entry(name).or_insert_with(|| {
                self.names.push(name);
                self.names.len() as u32 - 1
            });
        }
        self.last
    }

    /// The names, sorted, and where each number has gone.
    fn sorted(self) -> (Vec<&'s str>, Vec<u32>) {
        let mut order: Vec<u32> = (0..self.names.len() as u32).collect();
        order.sort_unstable_by_key(|&number| self.names[number as usize]);
        let mut ranks = vec![0; order.len()];
        (0..).zip(&order).for_each(|(rank, &number)| ranks[number as usize] = rank);
        (order.iter().map(|&number| self.names[number as usize]).collect(), ranks)
    }
}
