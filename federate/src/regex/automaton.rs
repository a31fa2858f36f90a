//! What is left when nothing simpler fits.

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind, meta};
use regex_syntax::hir::{self, Class, ClassUnicode, ClassUnicodeRange, Dot, Hir, Repetition};

use super::fold;
use super::node::{Look, Node};
use crate::matcher::{MatcherError, MatcherLimits};

/// A table of states where that is small, and a lazy one otherwise.
#[derive(Debug, Clone)]
pub(super) enum Automaton {
    /// Every byte of a text is one step; a text that has failed is left.
    Table(Box<Table>),
    /// As the `regex` crate does it.
    Lazy(meta::Regex),
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
}

/// How large a table may become, and what it takes to make one.
const TABLE_BYTES: usize = 128 << 10;
const MAKE_TABLE_BYTES: usize = 512 << 10;

/// An expression with more states is not worth the attempt.
const TABLE_STATES: usize = 3000;

impl Automaton {
    /// Takes time and memory up to the limit.
    pub(super) fn new(node: &Node, limits: &MatcherLimits) -> Result<Self, MatcherError> {
        let limit = limits.max_automaton_bytes;
        let hir = to_hir(node, !has_look(node));
        let config = thompson::Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(limit));
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(&hir);
        let nfa = nfa.map_err(|_| MatcherError::AutomatonBytes { limit })?;
        if nfa.states().len() <= TABLE_STATES
            && let Some(table) = Self::table(&nfa)
        {
            return Ok(table);
        }
        Self::lazy(hir, limit)
    }

    /// One without a table, for tests.
    #[cfg(test)]
    pub(super) fn new_lazy(node: &Node, limits: &MatcherLimits) -> Result<Self, MatcherError> {
        Self::lazy(to_hir(node, !has_look(node)), limits.max_automaton_bytes)
    }

    fn lazy(hir: Hir, limit: usize) -> Result<Self, MatcherError> {
        let whole = Hir::concat(vec![Hir::look(hir::Look::Start), hir, Hir::look(hir::Look::End)]);
        let config = meta::Config::new()
            .utf8_empty(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(limit))
            .dfa(false);
        let lazy = meta::Builder::new().configure(config).build_from_hir(&whole);
        lazy.map(Self::Lazy).map_err(|_| MatcherError::AutomatonBytes { limit })
    }

    fn table(nfa: &NFA) -> Option<Self> {
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::All)
            .accelerate(false)
            .dfa_size_limit(Some(TABLE_BYTES))
            .determinize_size_limit(Some(MAKE_TABLE_BYTES));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(nfa).ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        Some(Self::Table(Box::new(Table { dfa, start })))
    }

    #[inline]
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Table(table) => table.matches(text.as_bytes()),
            Self::Lazy(regex) => regex.is_match(text),
        }
    }
}

impl Table {
    #[inline]
    fn matches(&self, text: &[u8]) -> bool {
        let mut state = self.start;
        for &byte in text {
            state = self.dfa.next_state(state, byte);
            if self.dfa.is_dead_state(state) {
                return false;
            }
        }
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }
}

/// Whether anything in the node depends on what is around it.
fn has_look(node: &Node) -> bool {
    match node {
        Node::Look(_) => true,
        Node::Repeat { node, .. } => has_look(node),
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().any(has_look),
        Node::Empty | Node::Literal(_) | Node::Folded(_) | Node::Class(_) | Node::Any => false,
    }
}

/// With `any_bytes`, any number of characters is any number of bytes: a text is UTF-8, and all else in the expression begins
/// and ends between characters. A place in the middle of one would be seen only by what looks around.
fn to_hir(node: &Node, any_bytes: bool) -> Hir {
    let all = |nodes: &[Node]| nodes.iter().map(|node| to_hir(node, any_bytes)).collect();
    match node {
        Node::Empty => Hir::empty(),
        Node::Literal(text) => Hir::literal(text.as_bytes()),
        Node::Folded(text) => Hir::concat(text.chars().map(any_case).collect()),
        Node::Class(class) => Hir::class(Class::Unicode(class.clone())),
        Node::Any => Hir::dot(Dot::AnyChar),
        Node::Look(look) => Hir::look(match look {
            Look::Start => hir::Look::Start,
            Look::End => hir::Look::End,
            Look::StartLine => hir::Look::StartLF,
            Look::EndLine => hir::Look::EndLF,
            Look::WordBoundary => hir::Look::WordAscii,
            Look::NotWordBoundary => hir::Look::WordAsciiNegate,
        }),
        Node::Repeat { node, min, max: None } if any_bytes && **node == Node::Any => {
            let chars = repetition(Hir::dot(Dot::AnyChar), *min, Some(*min));
            Hir::concat(vec![chars, repetition(Hir::dot(Dot::AnyByte), 0, None)])
        }
        Node::Repeat { node, min, max } => repetition(to_hir(node, any_bytes), *min, *max),
        Node::Concat(nodes) => Hir::concat(all(nodes)),
        Node::Alternate(nodes) => Hir::alternation(all(nodes)),
    }
}

fn repetition(sub: Hir, min: u32, max: Option<u32>) -> Hir {
    Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(sub) })
}

fn any_case(c: char) -> Hir {
    let ranges = fold::orbit(c).into_iter().map(|c| ClassUnicodeRange::new(c, c));
    Hir::class(Class::Unicode(ClassUnicode::new(ranges)))
}
