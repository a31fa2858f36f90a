//! In which order and by which means the conditions of a selector are applied.

use super::SeriesIndex;
use super::block::{self, View};
use super::condition::{Condition, Found, Meaning, Values};
use super::gather::Gather;
use super::label::{ABSENT, Label};
use super::posting::Posting;
use super::rows::{Column, Rows};
use crate::matcher::Matcher;
use crate::selector::Selector;

// What things cost, in about nanoseconds. Only their ratios matter.
/// To look up a value in the row of a series.
const TEST: usize = 6;
/// The same, and to match its text.
const TEST_TEXT: usize = 30;
/// To search a list for an id.
const SEARCH: usize = 15;
/// To read the bits of a block.
const BLOCK: usize = 150;
/// To add an id to a union.
const UNITE: usize = 1;

/// More lists are united once instead of block by block.
const MAX_OPEN_LISTS: usize = 8;
/// Up to how many values are compared one by one.
const MAX_COMPARED: usize = 4;

/// Start with some lists, then narrow them down step by step.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    start: Lists<'a>,
    steps: Vec<Step<'a>>,
}

/// Series that are in any of some lists.
#[derive(Debug)]
enum Lists<'a> {
    One(&'a Posting),
    Few(Vec<&'a Posting>),
    United(Posting),
}

#[derive(Debug)]
enum Step<'a> {
    /// Keep what is in the lists, or only what is not.
    Lists { lists: Lists<'a>, wanted: bool },
    /// Keep what does not have the label, or is in the lists.
    AbsentOr { present: &'a Posting, lists: Lists<'a> },
    /// Keep the series whose value passes.
    Test(Test<'a>),
}

/// A look at the value that a series has.
#[derive(Debug)]
struct Test<'a> {
    column: Column,
    /// Whether series without the label pass.
    absent: bool,
    check: Check<'a>,
}

#[derive(Debug)]
enum Check<'a> {
    /// The value is one of these, which are few, or is none of them.
    Compared { values: Values, wanted: bool },
    /// The bit of the value says whether it passes.
    Bits(Vec<u64>),
    /// The text matches.
    Text { label: &'a Label, matcher: &'a Matcher },
}

impl<'a> Plan<'a> {
    /// The way to the series of a selector; none if there cannot be any.
    pub(super) fn new(index: &'a SeriesIndex, selector: &'a Selector) -> Option<Self> {
        let (mut conditions, mut unread) = (Vec::with_capacity(selector.matchers().len()), Vec::new());
        for matcher in selector.matchers() {
            let Some(number) = index.label_number(matcher.name()) else {
                if matcher.matches_empty() {
                    continue;
                }
                return None;
            };
            match Condition::of(matcher, number, &index.labels[number as usize], &index.hasher) {
                Found::Everything => {}
                Found::Nothing => return None,
                Found::Some(condition) => match condition.unread() {
                    Some(values) => unread.push((values, condition)),
                    None => conditions.push(condition),
                },
            }
        }

        let least = conditions.iter().filter_map(Condition::at_most).min();
        let mut candidates = least.unwrap_or(usize::MAX).min(index.live.len());
        unread.sort_by_key(|&(values, _)| values);
        for (values, condition) in unread {
            // The text of each candidate, or of each value: whatever is less.
            if candidates < values {
                conditions.push(condition);
                continue;
            }
            match condition.read() {
                Found::Everything => {}
                Found::Nothing => return None,
                Found::Some(condition) => {
                    candidates = condition.at_most().unwrap_or(usize::MAX).min(candidates);
                    conditions.push(condition);
                }
            }
        }
        Some(Self::of(index, conditions, candidates))
    }

    fn of(index: &'a SeriesIndex, mut conditions: Vec<Condition<'a>>, candidates: usize) -> Self {
        let first =
            conditions.iter().enumerate().filter_map(|(at, condition)| Some((condition.at_most()?, at)));
        let Some((_, first)) = first.min() else {
            let steps = steps(index, conditions, candidates);
            return Self { start: Lists::One(&index.live), steps };
        };
        let start = match &mut conditions[first].meaning {
            Meaning::PresentBut(values) if !values.as_slice().is_empty() => {
                let values = std::mem::replace(values, Values::Any(Vec::new()));
                let present = Lists::One(conditions[first].label.present());
                conditions[first].meaning = Meaning::NoneOf(values);
                present
            }
            Meaning::OneOf(_) => {
                let Condition { label, meaning, .. } = conditions.swap_remove(first);
                match meaning {
                    Meaning::OneOf(values) => Lists::of(label, values.as_slice()),
                    _ => Lists::One(label.present()),
                }
            }
            _ => Lists::One(conditions.swap_remove(first).label.present()),
        };
        Self { start, steps: steps(index, conditions, candidates) }
    }

    /// The ids, if they stand in the index as they are.
    pub(super) fn as_slice(&self) -> Option<&'a [u32]> {
        match (&self.start, &self.steps[..]) {
            (Lists::One(list), []) => list.as_slice(),
            _ => None,
        }
    }

    /// The first block from `from` on that may have something.
    pub(super) fn next_key(&self, from: u16) -> Option<u16> {
        match &self.start {
            Lists::One(list) => list.next_key(from),
            Lists::Few(lists) => lists.iter().filter_map(|list| list.next_key(from)).min(),
            Lists::United(list) => list.next_key(from),
        }
    }

    /// What is selected in a block. `spare` is only there to be used.
    pub(super) fn evaluate(&mut self, key: u16, rows: &Rows, result: &mut Gather, spare: &mut Gather) {
        match &self.start {
            Lists::One(list) => result.set(list.view(key)),
            Lists::Few(lists) => result.set_union(lists.iter().map(|list| list.view(key))),
            Lists::United(list) => result.set(list.view(key)),
        }
        for step in &mut self.steps {
            match step {
                Step::Lists { lists, wanted } => result.keep(lists.view(key, spare), *wanted),
                Step::AbsentOr { present, lists } => {
                    spare.set_union([present.view(key)].into_iter());
                    lists.each(|list| spare.keep(list.view(key), false));
                    result.keep(spare.view(), false);
                }
                Step::Test(test) => {
                    let base = u32::from(key) << 16;
                    test.apply(base, rows, result);
                }
            }
        }
    }
}

/// How to apply conditions to this many candidates: always next what costs least for those that are left.
fn steps<'a>(
    index: &SeriesIndex,
    mut conditions: Vec<Condition<'a>>,
    mut candidates: usize,
) -> Vec<Step<'a>> {
    let mut steps = Vec::with_capacity(conditions.len());
    loop {
        let costs = conditions.iter().map(|condition| cost(index, condition, candidates)).enumerate();
        let Some((at, (_, by_lists))) = costs.min_by_key(|&(_, (cost, _))| cost) else { return steps };
        let condition = conditions.swap_remove(at);
        candidates = condition.estimate(candidates, index.live.len());
        if by_lists {
            push_lists(condition, &mut steps);
        } else {
            steps.push(Step::Test(Test::of(condition)));
        }
    }
}

/// What it costs to apply a condition, and whether by lists.
fn cost(index: &SeriesIndex, condition: &Condition<'_>, candidates: usize) -> (usize, bool) {
    let blocks = index.rows.ids() / block::IDS + 1;
    let one = |list: &Posting| {
        if list.is_dense() {
            candidates.min(blocks * BLOCK)
        } else {
            (candidates + list.len()).min(candidates * SEARCH)
        }
    };
    let unite = |list: &Posting| if list.is_dense() { blocks * BLOCK } else { list.len() * UNITE };
    let label = condition.label;
    let lists = |values: &Values| match values.as_slice() {
        [] => 0,
        &[value] => one(label.series(value)),
        many => many.iter().map(|&value| unite(label.series(value))).sum::<usize>() + blocks * BLOCK,
    };
    let by_lists = match &condition.meaning {
        Meaning::OneOf(values) | Meaning::NoneOf(values) => lists(values),
        Meaning::PresentBut(values) => one(label.present()) + lists(values),
        Meaning::AbsentOr(values) if values.as_slice().is_empty() => one(label.present()),
        Meaning::AbsentOr(values) => unite(label.present()) + lists(values),
        Meaning::Unread(_) => return (TEST_TEXT * candidates, false),
    };
    let by_test = TEST * candidates;
    if by_lists < by_test { (by_lists, true) } else { (by_test, false) }
}

fn push_lists<'a>(condition: Condition<'a>, steps: &mut Vec<Step<'a>>) {
    let Condition { label, meaning, .. } = condition;
    let present = label.present();
    match meaning {
        Meaning::OneOf(values) => {
            steps.push(Step::Lists { lists: Lists::of(label, values.as_slice()), wanted: true });
        }
        Meaning::NoneOf(values) => {
            steps.push(Step::Lists { lists: Lists::of(label, values.as_slice()), wanted: false });
        }
        Meaning::PresentBut(values) => {
            steps.push(Step::Lists { lists: Lists::One(present), wanted: true });
            if !values.as_slice().is_empty() {
                steps.push(Step::Lists { lists: Lists::of(label, values.as_slice()), wanted: false });
            }
        }
        Meaning::AbsentOr(values) if values.as_slice().is_empty() => {
            steps.push(Step::Lists { lists: Lists::One(present), wanted: false });
        }
        Meaning::AbsentOr(values) => {
            steps.push(Step::AbsentOr { present, lists: Lists::of(label, values.as_slice()) });
        }
        // Has no lists.
        Meaning::Unread(_) => steps.push(Step::Test(Test::of(Condition { meaning, ..condition }))),
    }
}

impl<'a> Lists<'a> {
    fn of(label: &'a Label, values: &[u32]) -> Self {
        match values {
            [one] => Self::One(label.series(*one)),
            few if few.len() <= MAX_OPEN_LISTS => {
                Self::Few(few.iter().map(|&value| label.series(value)).collect())
            }
            many => Self::United(Posting::union(many.iter().map(|&value| label.series(value)))),
        }
    }

    fn view<'s>(&'s self, key: u16, spare: &'s mut Gather) -> View<'s> {
        match self {
            Self::One(list) => list.view(key),
            Self::United(list) => list.view(key),
            Self::Few(lists) => {
                spare.set_union(lists.iter().map(|list| list.view(key)));
                spare.view()
            }
        }
    }

    fn each(&self, mut each: impl FnMut(&Posting)) {
        match self {
            Self::One(list) => each(list),
            Self::United(list) => each(list),
            Self::Few(lists) => lists.iter().for_each(|list| each(list)),
        }
    }
}

impl<'a> Test<'a> {
    fn of(condition: Condition<'a>) -> Self {
        let Condition { number, label, meaning } = condition;
        let (absent, check) = match meaning {
            Meaning::OneOf(values) => (false, Check::of(label, values, true)),
            Meaning::NoneOf(values) => (true, Check::of(label, values, false)),
            Meaning::PresentBut(values) => (false, Check::of(label, values, false)),
            Meaning::AbsentOr(values) => (true, Check::of(label, values, true)),
            Meaning::Unread(matcher) => (matcher.matches_empty(), Check::Text { label, matcher }),
        };
        Self { column: Column::new(number), absent, check }
    }

    fn apply(&mut self, base: u32, rows: &Rows, to: &mut Gather) {
        let Self { column, absent, check } = self;
        let mut value_of = |low: u16| rows.value(base | u32::from(low), column);
        match check {
            Check::Compared { values, wanted } => match *values.as_slice() {
                [one] => to.retain(|low| match value_of(low) {
                    ABSENT => *absent,
                    value => (value == one) == *wanted,
                }),
                ref values => to.retain(|low| match value_of(low) {
                    ABSENT => *absent,
                    value => values.contains(&value) == *wanted,
                }),
            },
            Check::Bits(bits) => to.retain(|low| match value_of(low) {
                ABSENT => *absent,
                value => bits[value as usize / 64] >> (value % 64) & 1 == 1,
            }),
            Check::Text { label, matcher } => to.retain(|low| match value_of(low) {
                ABSENT => *absent,
                value => matcher.matches(label.text(value)),
            }),
        }
    }
}

impl Check<'_> {
    fn of(label: &Label, values: Values, wanted: bool) -> Self {
        if values.as_slice().len() <= MAX_COMPARED {
            return Self::Compared { values, wanted };
        }
        let flip = if wanted { 0 } else { u64::MAX };
        let mut bits = vec![flip; (label.numbers() as usize).div_ceil(64)];
        values.as_slice().iter().for_each(|&value| bits[value as usize / 64] ^= 1 << (value % 64));
        Self::Bits(bits)
    }
}
