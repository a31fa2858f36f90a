//! Which of many series are selected, without looking at each.
//!
//! The index keeps each label value once, with the list of the series that have it, and for each series the numbers of
//! its values. A selection starts with the shortest list that a selector allows. Whatever else the selector asks is
//! either another list to combine with, or a look at the values of the series that are left, or at the text of these
//! values: whatever is estimated to cost least. Lists are combined while the result is read, so that nothing
//! proportional to the index is made in between.
//!
//! The index is a plain value: what reads takes `&self` and nothing in it changes behind a shared reference, so that any
//! number of threads read it at the same time and none waits for another. What writes takes `&mut self`.
//!
//! ```
//! use promha_federate::{Selector, SeriesIndex};
//!
//! let mut index = SeriesIndex::new();
//! let get = index.insert(&[("__name__", "requests_total"), ("method", "GET")])?;
//! let put = index.insert(&[("__name__", "requests_total"), ("method", "PUT")])?;
//! let up = index.insert(&[("__name__", "up"), ("job", "node")])?;
//! assert_eq!(index.insert(&[("__name__", "up"), ("job", "node")])?, up);
//!
//! let selectors = [Selector::parse(r#"requests_total{method!="PUT"}"#)?, Selector::parse("up")?];
//! assert!(index.select(&selectors).eq([get, up]));
//! assert!(index.labels(put).is_some_and(|labels| labels.eq([("__name__", "requests_total"), ("method", "PUT")])));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
mod condition;
mod gather;
mod label;
mod names;
mod plan;
mod posting;
mod postings;
mod rows;
mod snapshot;
mod statistics;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use ahash::RandomState;
use hashbrown::HashTable;
use thiserror::Error;

pub use self::postings::Postings;
pub use self::snapshot::SnapshotError;
pub use self::statistics::Statistics;

use self::label::Label;
use self::posting::Posting;
use self::rows::Rows;
use crate::selector::Selector;

/// Keys of the hashes of an index that was not given others.
const SEEDS: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];

/// A series of a [`SeriesIndex`].
///
/// Small: ids of removed series are given to new ones before any higher id is, so that what belongs to series can stand
/// in a `Vec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(u32);

impl SeriesId {
    /// The id as a place in a `Vec`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<SeriesId> for u32 {
    fn from(id: SeriesId) -> Self {
        id.0
    }
}

impl From<u32> for SeriesId {
    fn from(id: u32) -> Self {
        Self(id)
    }
}

/// Why a series was not taken. The index has not changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InsertError {
    /// The labels are not sorted by name, or a name stands twice.
    #[error("label {position} has the name {name:?}, which does not come after the one before")]
    Unsorted {
        /// Which label, from 0.
        position: usize,
        /// Its name.
        name: String,
    },
    /// There are 4,294,967,295 series, which are all that have an id.
    #[error("the index is full")]
    Full,
}

/// A set of series, to be selected from.
#[derive(Debug, Clone)]
pub struct SeriesIndex {
    hasher: RandomState,
    labels: Vec<Label>,
    label_numbers: HashMap<Box<str>, u32, RandomState>,
    rows: Rows,
    /// Ids by their labels.
    ids: HashTable<u32>,
    /// All series.
    live: Posting,
}

impl Default for SeriesIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl SeriesIndex {
    /// An index without series.
    pub fn new() -> Self {
        Self::with_seeds(SEEDS)
    }

    /// An index without series whose hashes have these keys. Where those who choose labels must not be able to slow down
    /// others, the keys should be random.
    pub fn with_seeds([a, b, c, d]: [u64; 4]) -> Self {
        let hasher = RandomState::with_seeds(a, b, c, d);
        Self {
            labels: Vec::new(),
            label_numbers: HashMap::with_hasher(hasher.clone()),
            rows: Rows::new(hasher.clone()),
            ids: HashTable::new(),
            live: Posting::default(),
            hasher,
        }
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no series.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a series, unless there is one with the same labels, whose id it has in any case. A label with an empty value
    /// is the same as none.
    ///
    /// Takes about a hash lookup for each label, and for a new series an addition to as many lists.
    ///
    /// # Errors
    /// [`InsertError`] if the labels are not sorted by name, or there is no id left. The index has not changed.
    pub fn insert(&mut self, labels: &[(&str, &str)]) -> Result<SeriesId, InsertError> {
        if let Some(at) = labels.windows(2).position(|pair| pair[0].0 >= pair[1].0) {
            return Err(InsertError::Unsorted { position: at + 1, name: labels[at + 1].0.to_owned() });
        }
        let present = labels.iter().filter(|(_, value)| !value.is_empty());
        let known: Option<Vec<(u32, u32)>> = present
            .clone()
            .map(|&(name, value)| {
                let number = self.label_number(name)?;
                Some((number, self.labels[number as usize].number(value, &self.hasher)?))
            })
            .collect();
        if let Some(id) = known.as_ref().and_then(|row| self.find(row)) {
            return Ok(SeriesId(id));
        }
        let id = self.rows.next_id().ok_or(InsertError::Full)?;
        let row = known.unwrap_or_else(|| present.map(|&(name, value)| self.intern(name, value)).collect());
        self.add(id, &row);
        Ok(SeriesId(id))
    }

    /// Takes a series away, and whether there was one. Its id may be given to another one from now on.
    ///
    /// Takes time linear in the 65,536 ids around it for each label, and usually much less.
    pub fn remove(&mut self, SeriesId(id): SeriesId) -> bool {
        let Some((labels, values)) = self.rows.row(id) else { return false };
        let row: Vec<(u32, u32)> = labels.iter().copied().zip(values.iter().copied()).collect();
        if let Ok(entry) =
            self.ids.find_entry(hash_of(&self.hasher, row.iter().copied()), |&other| other == id)
        {
            entry.remove();
        }
        for &(label, value) in &row {
            self.labels[label as usize].remove(value, id, &self.hasher);
        }
        self.rows.remove(id);
        self.live.remove(id);
        true
    }

    /// The id of the series with these labels, sorted by name.
    pub fn id(&self, labels: &[(&str, &str)]) -> Option<SeriesId> {
        let present = labels.iter().filter(|(_, value)| !value.is_empty());
        let row: Option<Vec<(u32, u32)>> = present
            .map(|&(name, value)| {
                let number = self.label_number(name)?;
                Some((number, self.labels[number as usize].number(value, &self.hasher)?))
            })
            .collect();
        self.find(&row?).map(SeriesId)
    }

    /// The labels of a series, sorted by name; none if there is no such series.
    pub fn labels(&self, id: SeriesId) -> Option<impl ExactSizeIterator<Item = (&str, &str)> + Clone> {
        let (labels, values) = self.rows.row(id.0)?;
        Some(labels.iter().zip(values).map(|(&label, &value)| {
            let label = &self.labels[label as usize];
            (label.name(), label.text(value))
        }))
    }

    /// The series that any of the selectors selects, each once, in the order of their ids. No selectors select nothing.
    ///
    /// Looks up what the selectors name and decides on a plan; the rest happens while the ids are read. A regular
    /// expression that does not stand for a set of values is matched against the values of its label that have its
    /// prefix, or against those of the series that the rest of the selector leaves: whatever is less.
    pub fn select<'a>(&'a self, selectors: &'a [Selector]) -> Postings<'a> {
        Postings::new(self, selectors)
    }

    /// About how many bytes of memory the index takes, with the texts. Linear in the number of different values.
    ///
    /// What it takes to find the number of a label name is left out.
    pub fn memory_bytes(&self) -> usize {
        self.labels.capacity() * size_of::<Label>()
            + self.labels.iter().map(Label::memory_bytes).sum::<usize>()
            + self.rows.memory_bytes()
            + self.ids.allocation_size()
            + self.live.memory_bytes()
    }

    fn label_number(&self, name: &str) -> Option<u32> {
        self.label_numbers.get(name).copied()
    }

    /// The numbers of a label and its value, which need not have been there.
    fn intern(&mut self, name: &str, value: &str) -> (u32, u32) {
        let number = self.label_number(name).unwrap_or_else(|| self.add_label(name));
        (number, self.labels[number as usize].intern(value, &self.hasher))
    }

    fn add_label(&mut self, name: &str) -> u32 {
        let number = self.labels.len() as u32;
        self.labels.push(Label::new(name));
        self.label_numbers.insert(name.into(), number);
        number
    }

    fn find(&self, row: &[(u32, u32)]) -> Option<u32> {
        let same = |&id: &u32| {
            self.rows.row(id).is_some_and(|(labels, values)| {
                row.len() == labels.len()
                    && row.iter().zip(labels.iter().zip(values)).all(|(a, b)| *a == (*b.0, *b.1))
            })
        };
        self.ids.find(hash_of(&self.hasher, row.iter().copied()), same).copied()
    }

    /// Adds a series that is not there.
    fn add(&mut self, id: u32, row: &[(u32, u32)]) {
        let (labels, values): (Vec<u32>, Vec<u32>) = row.iter().copied().unzip();
        self.rows.insert(id, &labels, &values);
        for &(label, value) in row {
            self.labels[label as usize].insert(value, id);
        }
        self.live.insert(id);
        let Self { rows, hasher, ids, .. } = self;
        let rehash = |&id: &u32| {
            let (labels, values) = rows.row(id).unwrap_or_default();
            hash_of(hasher, labels.iter().copied().zip(values.iter().copied()))
        };
        ids.insert_unique(hash_of(hasher, row.iter().copied()), id, rehash);
    }
}

fn hash_of(hasher: &RandomState, row: impl Iterator<Item = (u32, u32)>) -> u64 {
    let mut state = hasher.build_hasher();
    row.for_each(|pair| pair.hash(&mut state));
    state.finish()
}
