//! The way back: which values a series has.
//!
//! Series with the same label names lie together as rows of value numbers, so that a label takes four bytes of every
//! series that has it and nothing of those that do not.

use std::collections::HashMap;

use ahash::RandomState;

use super::label::ABSENT;

/// Rows, by series.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    shapes: Vec<Shape>,
    by_labels: HashMap<Box<[u32]>, u32, RandomState>,
    places: Vec<Place>,
    /// Ids that may be given anew.
    free: Vec<u32>,
}

/// The rows of all series that have the same label names.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Numbers of the labels, in the order of their names.
    labels: Box<[u32]>,
    cells: Vec<u32>,
    /// Rows without a series.
    free: Vec<u32>,
    rows: u32,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    shape: u32,
    row: u32,
}

const NOWHERE: Place = Place { shape: u32::MAX, row: 0 };

/// Remembers where a label stands in the rows of the shape that was seen last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    label: u32,
    shape: u32,
    at: Option<usize>,
}

impl Column {
    pub(super) fn new(label: u32) -> Self {
        Self { label, shape: u32::MAX, at: None }
    }
}

impl Rows {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            shapes: Vec::new(),
            by_labels: HashMap::with_hasher(hasher),
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Bytes on the heap, but for those that find a shape.
    pub(super) fn memory_bytes(&self) -> usize {
        let cells = |shape: &Shape| shape.labels.len() + shape.cells.capacity() + shape.free.capacity();
        let numbers = self.free.capacity() + self.shapes.iter().map(cells).sum::<usize>();
        self.shapes.capacity() * size_of::<Shape>()
            + self.places.capacity() * size_of::<Place>()
            + numbers * size_of::<u32>()
    }

    /// All ids are below this.
    pub(super) fn ids(&self) -> usize {
        self.places.len()
    }

    pub(super) fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    pub(super) fn shape(&self, id: u32) -> Option<u32> {
        self.places.get(id as usize).map(|place| place.shape).filter(|&shape| shape != NOWHERE.shape)
    }

    /// The shape of these labels, if any series has ever had it.
    pub(super) fn find_shape(&self, labels: &[u32]) -> Option<u32> {
        self.by_labels.get(labels).copied()
    }

    /// The labels and values of a series; none if there is no such series.
    pub(super) fn row(&self, id: u32) -> Option<(&[u32], &[u32])> {
        let place = self.places.get(id as usize)?;
        let shape = self.shapes.get(place.shape as usize)?;
        let width = shape.labels.len();
        let start = place.row as usize * width;
        Some((&shape.labels, &shape.cells[start..start + width]))
    }

    /// The value that a series has of a label; [`ABSENT`] if it has none.
    pub(super) fn value(&self, id: u32, column: &mut Column) -> u32 {
        let place = self.places[id as usize];
        if place.shape != column.shape {
            column.shape = place.shape;
            let labels = self.shapes.get(place.shape as usize).map_or(&[][..], |shape| &shape.labels);
            column.at = labels.iter().position(|&label| label == column.label);
        }
        let Some(at) = column.at else { return ABSENT };
        let shape = &self.shapes[place.shape as usize];
        shape.cells[place.row as usize * shape.labels.len() + at]
    }

    /// The id that the next series gets; none if there are too many.
    pub(super) fn next_id(&self) -> Option<u32> {
        self.free
            .last()
            .copied()
            .or_else(|| u32::try_from(self.places.len()).ok().filter(|&id| id != u32::MAX))
    }

    /// Leaves an id free that is the first without a place.
    pub(super) fn skip(&mut self, id: u32) {
        push(&mut self.places, NOWHERE);
        self.free.push(id);
    }

    /// Adds a row under [the id that is next](Self::next_id), or the first without a place.
    pub(super) fn insert(&mut self, id: u32, labels: &[u32], values: &[u32]) {
        if id as usize == self.places.len() {
            push(&mut self.places, NOWHERE);
        } else {
            self.free.pop();
        }
        let at = self.find_shape(labels).unwrap_or_else(|| {
            let at = self.shapes.len() as u32;
            self.shapes.push(Shape { labels: labels.into(), cells: Vec::new(), free: Vec::new(), rows: 0 });
            self.by_labels.insert(labels.into(), at);
            at
        });
        let shape = &mut self.shapes[at as usize];
        let row = if let Some(row) = shape.free.pop() {
            let start = row as usize * values.len();
            shape.cells[start..start + values.len()].copy_from_slice(values);
            row
        } else {
            values.iter().for_each(|&value| push(&mut shape.cells, value));
            shape.rows += 1;
            shape.rows - 1
        };
        self.places[id as usize] = Place { shape: at, row };
    }

    /// Takes a row away.
    pub(super) fn remove(&mut self, id: u32) {
        let Some(place) = self.places.get_mut(id as usize) else { return };
        let place = std::mem::replace(place, NOWHERE);
        if let Some(shape) = self.shapes.get_mut(place.shape as usize) {
            shape.free.push(place.row);
            if shape.len() == 0 {
                (shape.cells, shape.free, shape.rows) = (Vec::new(), Vec::new(), 0);
            }
            self.free.push(id);
        }
    }
}

impl Shape {
    /// Numbers of the labels, in the order of their names.
    pub(super) fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// How many series have it.
    pub(super) fn len(&self) -> usize {
        self.rows as usize - self.free.len()
    }
}

/// Grows by an eighth instead of twice, because these are most of the index.
fn push<T>(to: &mut Vec<T>, item: T) {
    if to.len() == to.capacity() {
        to.reserve_exact(to.len() / 8 + 8);
    }
    to.push(item);
}
