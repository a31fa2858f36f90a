//! Two lists of spans as one that has the buckets of both.

use crate::histogram::view::Span;

/// How the buckets of a list `a` and those of a list `b` find a place in one list that has them all.
#[derive(Debug, PartialEq)]
pub(super) struct Union {
    /// How `a` has to grow, if it has not all of them.
    pub(super) grown: Option<Grown>,
    /// Which bucket of the union each bucket of `b` is, or `None` if it is the one in the same place.
    pub(super) b_places: Option<Vec<usize>>,
}

/// A list with more buckets than it had.
#[derive(Debug, PartialEq)]
pub(super) struct Grown {
    pub(super) spans: Vec<Span>,
    /// Which bucket each bucket has become.
    pub(super) places: Vec<usize>,
}

impl Union {
    /// The union of two lists; `None` if one of them is not in order, or if the union cannot be written.
    ///
    /// If `b` has all buckets already, the union has its spans.
    pub(super) fn of(a: &[Span], b: &[Span]) -> Option<Self> {
        if a == b {
            return Some(Self { grown: None, b_places: None });
        }
        let (a_indexes, b_indexes) = (bucket_indexes(a)?, bucket_indexes(b)?);
        let mut indexes: Vec<i64> = a_indexes.iter().chain(&b_indexes).copied().collect();
        indexes.sort_unstable();
        indexes.dedup();
        let places = |some: &[i64]| {
            let place = |index| indexes.binary_search(index).ok();
            (some.len() < indexes.len()).then(|| some.iter().filter_map(place).collect())
        };
        let b_places = places(&b_indexes);
        let grown = match places(&a_indexes) {
            None => None,
            Some(places) if b_places.is_none() => Some(Grown { spans: b.to_vec(), places }),
            Some(places) => Some(Grown { spans: spans_of(&indexes)?, places }),
        };
        Some(Self { grown, b_places })
    }
}

/// The index of each bucket, if they are ascending.
fn bucket_indexes(spans: &[Span]) -> Option<Vec<i64>> {
    let mut indexes: Vec<i64> = Vec::new();
    let mut next = 0_i64;
    for span in spans {
        next = next.checked_add(i64::from(span.offset))?;
        if span.length > 0 && indexes.last().is_some_and(|&last| last >= next) {
            return None;
        }
        indexes.extend(next..next + i64::from(span.length));
        next += i64::from(span.length);
    }
    Some(indexes)
}

/// The fewest spans that have the buckets with these indexes.
fn spans_of(indexes: &[i64]) -> Option<Vec<Span>> {
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    for &index in indexes {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(Span { offset: i32::try_from(index - next).ok()?, length: 1 }),
        }
        next = index + 1;
    }
    Some(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(pairs: &[(i32, u32)]) -> Vec<Span> {
        pairs.iter().map(|&(offset, length)| Span { offset, length }).collect()
    }

    #[test]
    fn the_union_has_the_buckets_of_both() {
        // The example in the comments of `histogram.go`, with a bucket that is gone.
        let a = spans(&[(0, 2), (2, 1), (3, 2), (3, 1), (1, 1)]);
        let b = spans(&[(0, 3), (1, 1), (1, 4), (3, 3)]);
        let places = vec![0, 1, 3, 6, 7, 8, 10];
        let grown = Some(Grown { spans: b.clone(), places: places.clone() });
        assert_eq!(Union::of(&a, &b), Some(Union { grown, b_places: None }));
        assert_eq!(Union::of(&b, &a), Some(Union { grown: None, b_places: Some(places) }));

        let union = Union::of(&spans(&[(-2, 1), (3, 1)]), &spans(&[(-1, 2), (0, 0), (5, 1)])).unwrap();
        let grown = Some(Grown { spans: spans(&[(-2, 3), (1, 1), (3, 1)]), places: vec![0, 3] });
        assert_eq!(union, Union { grown, b_places: Some(vec![1, 2, 4]) });
    }

    #[test]
    fn the_same_buckets_in_other_spans_stay_as_they_are() {
        let (a, b) = (spans(&[(1, 2), (0, 1)]), spans(&[(1, 3)]));
        assert_eq!(Union::of(&a, &b), Some(Union { grown: None, b_places: None }));
        let grown = Some(Grown { spans: b.clone(), places: vec![] });
        assert_eq!(Union::of(&[], &b), Some(Union { grown, b_places: None }));
    }

    #[test]
    fn what_is_not_in_order_has_no_union() {
        let ordered = spans(&[(0, 2)]);
        assert_eq!(Union::of(&spans(&[(5, 2), (-4, 1)]), &ordered), None);
        let far = spans(&[(i32::MAX, 0), (i32::MAX, 0), (i32::MAX, 1)]);
        assert_eq!(Union::of(&far, &ordered), None, "the gap does not fit into 32 bits");
        assert_eq!(Union::of(&far, &far), Some(Union { grown: None, b_places: None }));
    }
}
