//! Which labels there are, and which values they have.

use super::SeriesIndex;
use super::label::ABSENT;
use super::rows::Column;
use crate::selector::Selector;

impl SeriesIndex {
    /// The names of the labels that the selected series have, sorted; without selectors, of all series.
    ///
    /// Linear in the selected series; without selectors, in the number of different sets of names.
    ///
    /// ```
    /// # use promha_federate::{Selector, SeriesIndex};
    /// let mut index = SeriesIndex::new();
    /// index.insert(&[("__name__", "up"), ("job", "node")])?;
    /// index.insert(&[("__name__", "build_info"), ("version", "1")])?;
    /// assert_eq!(index.label_names(&[]), ["__name__", "job", "version"]);
    /// assert_eq!(index.label_names(&[Selector::parse("up")?]), ["__name__", "job"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn label_names(&self, selectors: &[Selector]) -> Vec<&str> {
        let shapes = self.rows.shapes();
        let mut seen: Vec<bool> =
            shapes.iter().map(|shape| selectors.is_empty() && shape.len() > 0).collect();
        self.select(selectors)
            .filter_map(|id| self.rows.shape(id.0))
            .for_each(|shape| seen[shape as usize] = true);
        let mut labels = vec![false; self.labels.len()];
        let seen = shapes.iter().zip(seen).filter(|(_, seen)| *seen);
        seen.flat_map(|(shape, _)| shape.labels()).for_each(|&label| labels[label as usize] = true);
        let labels = self.labels.iter().zip(labels).filter(|(_, seen)| *seen);
        let mut names: Vec<&str> = labels.map(|(label, _)| label.name()).collect();
        names.sort_unstable();
        names
    }

    /// The values that the selected series have of a label, sorted; without selectors, of all series.
    ///
    /// Linear in the selected series, until all values have been seen; without selectors, in the number of values.
    ///
    /// ```
    /// # use promha_federate::{Selector, SeriesIndex};
    /// let mut index = SeriesIndex::new();
    /// index.insert(&[("__name__", "up"), ("job", "node")])?;
    /// index.insert(&[("__name__", "up"), ("job", "api")])?;
    /// assert_eq!(index.label_values("job", &[]), ["api", "node"]);
    /// assert_eq!(index.label_values("job", &[Selector::parse(r#"up{job!="api"}"#)?]), ["node"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn label_values(&self, name: &str, selectors: &[Selector]) -> Vec<&str> {
        let Some(number) = self.label_number(name) else { return Vec::new() };
        let label = &self.labels[number as usize];
        if selectors.is_empty() {
            return label.in_order().into_iter().map(|value| label.text(value)).collect();
        }
        let mut column = Column::new(number);
        let mut seen = vec![false; label.numbers() as usize];
        let mut texts = Vec::new();
        for id in self.select(selectors) {
            let value = self.rows.value(id.0, &mut column);
            if value != ABSENT && !std::mem::replace(&mut seen[value as usize], true) {
                texts.push(label.text(value));
                if texts.len() == label.distinct() {
                    break;
                }
            }
        }
        texts.sort_unstable();
        texts
    }
}
