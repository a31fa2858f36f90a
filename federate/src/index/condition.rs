//! What a matcher says about the values that there are.

use ahash::RandomState;

use super::label::Label;
use crate::matcher::{Matcher, Op};

/// A matcher and the label that it is about.
#[derive(Debug)]
pub(super) struct Condition<'a> {
    /// The number of the label.
    pub(super) number: u32,
    pub(super) label: &'a Label,
    pub(super) meaning: Meaning<'a>,
}

/// Which series fulfil the condition.
#[derive(Debug)]
pub(super) enum Meaning<'a> {
    /// Those that have one of the values.
    OneOf(Values),
    /// Those that have none of the values.
    NoneOf(Values),
    /// Those that do not have the label, or one of the values.
    AbsentOr(Values),
    /// Those that have the label, but none of the values.
    PresentBut(Values),
    /// Not known: the values have not been looked at.
    Unread(&'a Matcher),
}

/// Numbers of values. One, as of an equality, takes no memory.
#[derive(Debug)]
pub(super) enum Values {
    One([u32; 1]),
    Any(Vec<u32>),
}

impl Values {
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(one) => one,
            Self::Any(any) => any,
        }
    }
}

/// What one matcher leaves.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Everything,
    Nothing,
    Some(Condition<'a>),
}

impl<'a> Condition<'a> {
    /// What a matcher means for a label, as far as that takes no look at all of its values.
    pub(super) fn of(matcher: &'a Matcher, number: u32, label: &'a Label, hasher: &RandomState) -> Found<'a> {
        let condition = |meaning| Found::Some(Condition { number, label, meaning });
        let negated = matches!(matcher.op(), Op::NotEqual | Op::NotRegex);
        match (matcher.op(), matcher.value()) {
            (Op::Equal | Op::NotEqual, "") => condition(Meaning::of(negated, true, Values::Any(Vec::new()))),
            (Op::Equal | Op::NotEqual, value) => match label.number(value, hasher) {
                Some(value) => condition(Meaning::of(negated, false, Values::One([value]))),
                None if negated => Found::Everything,
                None => Found::Nothing,
            },
            (Op::Regex, ".*") => Found::Everything,
            (Op::NotRegex, ".*") => Found::Nothing,
            (Op::Regex, ".+") => condition(Meaning::PresentBut(Values::Any(Vec::new()))),
            (Op::NotRegex, ".+") => condition(Meaning::AbsentOr(Values::Any(Vec::new()))),
            (Op::Regex | Op::NotRegex, _) => match matcher.values() {
                Some(texts) => {
                    let values = texts.iter().filter(|text| !text.is_empty());
                    let values = values.filter_map(|text| label.number(text, hasher)).collect();
                    let empty = matcher.matches_empty() != negated;
                    condition(Meaning::of(negated, empty, Values::Any(values)))
                }
                None => condition(Meaning::Unread(matcher)),
            },
        }
    }

    /// Looks at all values that can matter. Linear in their number.
    pub(super) fn read(self) -> Found<'a> {
        let Meaning::Unread(matcher) = self.meaning else { return Found::Some(self) };
        let negated = matcher.op() == Op::NotRegex;
        let values = self.label.with_prefix(matcher.prefix());
        let values = values.filter(|(_, text)| matcher.matches(text) != negated);
        let values: Vec<u32> = values.map(|(value, _)| value).collect();
        let empty = matcher.matches_empty() != negated;
        let all = values.len() == self.label.distinct();
        let meaning = match (negated, empty) {
            (false, true) if all => return Found::Everything,
            (true, true) if all => return Found::Nothing,
            (false, false) if all => Meaning::PresentBut(Values::Any(Vec::new())),
            (true, false) if all => Meaning::AbsentOr(Values::Any(Vec::new())),
            _ => Meaning::of(negated, empty, Values::Any(values)),
        };
        Found::Some(Condition { meaning, ..self })
    }

    /// How many values have to be looked at, if they have not been.
    pub(super) fn unread(&self) -> Option<usize> {
        match self.meaning {
            Meaning::Unread(matcher) => Some(self.label.count_with_prefix(matcher.prefix())),
            _ => None,
        }
    }

    /// The most series that can fulfil it; none if it is one that excludes.
    pub(super) fn at_most(&self) -> Option<usize> {
        match &self.meaning {
            Meaning::OneOf(values) => Some(self.series_of(values)),
            Meaning::PresentBut(_) => Some(self.label.present().len()),
            Meaning::NoneOf(_) | Meaning::AbsentOr(_) | Meaning::Unread(_) => None,
        }
    }

    /// About how many of some candidates fulfil it, of all series that there are.
    pub(super) fn estimate(&self, candidates: usize, all: usize) -> usize {
        let fulfil = match &self.meaning {
            Meaning::OneOf(values) => self.series_of(values),
            Meaning::NoneOf(values) => all.saturating_sub(self.series_of(values)),
            Meaning::PresentBut(values) => self.label.present().len().saturating_sub(self.series_of(values)),
            Meaning::AbsentOr(values) => (all - self.label.present().len()) + self.series_of(values),
            Meaning::Unread(_) => all / 2,
        };
        (candidates as u128 * fulfil.min(all) as u128 / all.max(1) as u128) as usize
    }

    /// How many series have one of the values.
    pub(super) fn series_of(&self, values: &Values) -> usize {
        values.as_slice().iter().map(|&value| self.label.series(value).len()).sum()
    }
}

impl Meaning<'_> {
    /// What a pattern means that stands for these values, and for the empty one or not.
    fn of(negated: bool, empty: bool, values: Values) -> Self {
        match (negated, empty) {
            (false, false) => Self::OneOf(values),
            (false, true) => Self::AbsentOr(values),
            (true, false) => Self::NoneOf(values),
            (true, true) => Self::PresentBut(values),
        }
    }
}
