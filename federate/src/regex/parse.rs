//! The syntax of RE2, as Go's `regexp/syntax` reads it with the flags `Perl` and `DotNL`, and its errors.

use super::fold;
use super::node::{Look, Node};
use crate::matcher::{MatcherError, MatcherLimits, RegexProblem};

mod class;
mod escape;
mod group;

/// How many groups may be open at once, as in Go.
const MAX_GROUPS: usize = 1000;

/// How high a tree may be. A group by itself, and an alternation right in an alternation, do not make it higher. Every
/// level takes stack when an automaton is made: some 7 KiB in a build for debugging, of 2 MiB that a thread has.
const MAX_HEIGHT: u32 = 200;

/// How often something may be repeated, all repetitions around it multiplied.
const MAX_REPEAT: u32 = 1000;

/// Reads an expression. Takes time and memory linear in it, and in the classes it names.
pub(super) fn parse(pattern: &str, limits: &MatcherLimits) -> Result<Node, MatcherError> {
    let mut parser = Parser {
        pattern,
        at: 0,
        flags: Flags { fold: false, one_line: true, dot_all: true },
        frames: vec![Frame::default()],
        class_ranges: 0,
        max_class_ranges: limits.max_class_ranges,
    };
    parser.run()?;
    if parser.frames.len() != 1 {
        return Err(RegexProblem::MissingParen.at(pattern));
    }
    Ok(parser.close()?.node)
}

struct Parser<'p> {
    pattern: &'p str,
    at: usize,
    flags: Flags,
    /// The groups that are open, after one for the whole.
    frames: Vec<Frame>,
    class_ranges: usize,
    max_class_ranges: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Flags {
    /// `i`
    fold: bool,
    /// Not `m`
    one_line: bool,
    /// `s`
    dot_all: bool,
}

#[derive(Default)]
struct Frame {
    /// As they were before the group.
    flags: Flags,
    alternatives: Vec<Item>,
    /// Of the alternative that is being read.
    items: Vec<Item>,
}

struct Item {
    node: Node,
    height: u32,
}

impl<'p> Parser<'p> {
    fn run(&mut self) -> Result<(), MatcherError> {
        // Where the repetition begins that stands directly before.
        let mut last_repeat = None;
        while let Some(c) = self.peek() {
            let start = self.at;
            let mut repeat = None;
            match c {
                '(' if self.rest().starts_with("(?") => self.perl_group()?,
                '(' => {
                    self.at += 1;
                    self.open(self.flags)?;
                }
                '|' => {
                    self.at += 1;
                    self.end_alternative()?;
                }
                ')' => {
                    if self.frames.len() == 1 {
                        return Err(RegexProblem::UnexpectedParen.at(self.pattern));
                    }
                    self.at += 1;
                    let item = self.close()?;
                    self.items().push(item);
                }
                '^' => {
                    self.at += 1;
                    let look = if self.flags.one_line { Look::Start } else { Look::StartLine };
                    self.push(Node::Look(look));
                }
                '$' => {
                    self.at += 1;
                    let look = if self.flags.one_line { Look::End } else { Look::EndLine };
                    self.push(Node::Look(look));
                }
                '.' => {
                    self.at += 1;
                    let node = if self.flags.dot_all { Node::Any } else { Node::Class(class::not_newline()) };
                    self.push(node);
                }
                '[' => self.class()?,
                '*' | '+' | '?' => {
                    self.at += 1;
                    let (min, max) = match c {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.repeat(start, min, max, last_repeat)?;
                    repeat = Some(start);
                }
                '{' => match self.counts() {
                    Some((min, max)) => {
                        let too_many = |count: u32| count > MAX_REPEAT;
                        if too_many(min) || max.is_some_and(|max| too_many(max) || min > max) {
                            return Err(RegexProblem::InvalidRepeatSize.at(&self.pattern[start..self.at]));
                        }
                        self.repeat(start, min, max, last_repeat)?;
                        repeat = Some(start);
                    }
                    None => {
                        self.at += 1;
                        self.push_char('{');
                    }
                },
                '\\' => self.backslash()?,
                c => {
                    self.at += c.len_utf8();
                    self.push_char(c);
                }
            }
            last_repeat = repeat;
        }
        Ok(())
    }

    /// Repeats what stands before, for a repetition that begins at `start` and whose numbers are behind.
    fn repeat(
        &mut self,
        start: usize,
        min: u32,
        max: Option<u32>,
        last_repeat: Option<usize>,
    ) -> Result<(), MatcherError> {
        // Lazy or not is not a matter of whether it matches.
        if self.rest().starts_with('?') {
            self.at += 1;
        }
        if let Some(last) = last_repeat {
            return Err(RegexProblem::InvalidRepeatOp.at(&self.pattern[last..self.at]));
        }
        let operator = &self.pattern[start..self.at];
        let Some(Item { node, height }) = self.items().pop() else {
            return Err(RegexProblem::MissingRepeatArgument.at(operator));
        };
        let (node, height) = match node {
            node if (min, max) == (1, Some(1)) => (node, height - 1),
            // `(a*)?` and their like are one repetition.
            Node::Repeat { node, min: inner_min @ (0 | 1), max: inner_max @ (None | Some(1)) }
                if min <= 1 && matches!(max, None | Some(1)) =>
            {
                let (min, max) = (min * inner_min, max.and(inner_max));
                (Node::Repeat { node, min, max }, height - 1)
            }
            node => (Node::Repeat { node: Box::new(node), min, max }, height),
        };
        let at_least_two = min >= 2 || max.is_some_and(|max| max >= 2);
        if self.pattern[start..].starts_with('{') && at_least_two && !repeats_within(&node, MAX_REPEAT) {
            return Err(RegexProblem::InvalidRepeatSize.at(operator));
        }
        let item = self.higher(node, height)?;
        self.items().push(item);
        Ok(())
    }

    /// `{2}`, `{2,}` or `{2,3}`, if that stands here; it is then behind. Numbers that are too large are the largest.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let rest = self.rest().strip_prefix('{')?;
        let (min, rest) = number(rest)?;
        let (max, rest) = match rest.strip_prefix(',') {
            None => (Some(min), rest),
            Some(rest) if rest.starts_with('}') => (None, rest),
            Some(rest) => {
                let (max, rest) = number(rest)?;
                (Some(max), rest)
            }
        };
        let rest = rest.strip_prefix('}')?;
        self.at = self.pattern.len() - rest.len();
        Some((min, max))
    }

    /// A group begins, after which the flags are these again.
    fn open(&mut self, flags_after: Flags) -> Result<(), MatcherError> {
        if self.frames.len() > MAX_GROUPS {
            return Err(RegexProblem::NestingDepth.at(self.pattern));
        }
        self.frames.push(Frame { flags: flags_after, ..Frame::default() });
        Ok(())
    }

    fn end_alternative(&mut self) -> Result<(), MatcherError> {
        let items = std::mem::take(self.items());
        let inner = |item: &Item| item.height - u32::from(matches!(item.node, Node::Concat(_)));
        let height = items.iter().map(inner).max().unwrap_or(0);
        let node = Node::concat(items.into_iter().map(|item| item.node).collect());
        let item = match node {
            Node::Concat(_) => self.higher(node, height)?,
            node => Item { node, height: height.max(1) },
        };
        if let Some(frame) = self.frames.last_mut() {
            frame.alternatives.push(item);
        }
        Ok(())
    }

    /// The end of the innermost group: what it means.
    fn close(&mut self) -> Result<Item, MatcherError> {
        self.end_alternative()?;
        let frame = self.frames.pop().unwrap_or_default();
        self.flags = frame.flags;
        let mut alternatives = frame.alternatives;
        if alternatives.len() == 1 {
            return Ok(alternatives.swap_remove(0));
        }
        let inner = |item: &Item| item.height - u32::from(matches!(item.node, Node::Alternate(_)));
        let height = alternatives.iter().map(inner).max().unwrap_or(0);
        self.higher(Node::alternate(alternatives.into_iter().map(|item| item.node).collect()), height)
    }

    /// A node over others of this height.
    fn higher(&self, node: Node, height: u32) -> Result<Item, MatcherError> {
        if height >= MAX_HEIGHT {
            return Err(RegexProblem::NestingDepth.at(self.pattern));
        }
        Ok(Item { node, height: height + 1 })
    }

    fn push_char(&mut self, c: char) {
        let node =
            if self.flags.fold { Node::Folded(fold::smallest(c).0.into()) } else { Node::Literal(c.into()) };
        self.push(node);
    }

    fn push(&mut self, node: Node) {
        self.items().push(Item { node, height: 1 });
    }

    fn items(&mut self) -> &mut Vec<Item> {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last].items
    }

    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, text: &str) -> bool {
        let accepted = self.rest().starts_with(text);
        self.at += if accepted { text.len() } else { 0 };
        accepted
    }
}

/// Digits without leading zeros, and what stands behind. What is too large becomes the largest.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}

/// Whether nothing in the node is repeated more often than this, all repetitions around it multiplied.
///
/// It is asked for counts of two and more only, of which there are no more than nine in each other.
fn repeats_within(node: &Node, limit: u32) -> bool {
    match node {
        Node::Repeat { max: Some(0), .. } => true,
        Node::Repeat { node, min, max } => {
            let count = max.unwrap_or(*min);
            count <= limit && repeats_within(node, limit / count.max(1))
        }
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().all(|node| repeats_within(node, limit)),
        _ => true,
    }
}
