//! What an expression means, once read.

use regex_syntax::hir::ClassUnicode;

use super::fold;

/// A regular expression as a tree.
///
/// Groups are gone, for only whether it matches is ever asked, and so is greediness. It is no deeper than the parser allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// The empty text.
    Empty,
    /// This text, which is not empty.
    Literal(String),
    /// This text in any case of letters. Each character is the smallest of those it folds to.
    Folded(String),
    /// One character out of these, of which there may be none.
    Class(ClassUnicode),
    /// Any one character.
    Any,
    /// A place.
    Look(Look),
    Repeat {
        node: Box<Node>,
        min: u32,
        /// None is any number.
        max: Option<u32>,
    },
    /// All of them one after the other: two or more, none of which is a concatenation.
    Concat(Vec<Node>),
    /// One of them: two or more, none of which is an alternation.
    Alternate(Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Start,
    End,
    StartLine,
    EndLine,
    WordBoundary,
    NotWordBoundary,
}

impl Node {
    /// These nodes one after the other.
    pub(super) fn concat(nodes: Vec<Self>) -> Self {
        let mut flat: Vec<Self> = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Self::Empty => {}
                Self::Concat(inner) => inner.into_iter().for_each(|node| push_joined(node, &mut flat)),
                node => push_joined(node, &mut flat),
            }
        }
        for node in &mut flat {
            if let Self::Folded(text) = node
                && text.chars().all(|c| fold::smallest(c).1)
            {
                *node = Self::Literal(std::mem::take(text));
            }
        }
        match flat.len() {
            0 => Self::Empty,
            1 => flat.swap_remove(0),
            _ => Self::Concat(flat),
        }
    }

    /// One of these nodes, of which there is at least one.
    pub(super) fn alternate(mut nodes: Vec<Self>) -> Self {
        if nodes.len() == 1 {
            return nodes.swap_remove(0);
        }
        let mut flat = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Self::Alternate(inner) => flat.extend(inner),
                node => flat.push(node),
            }
        }
        Self::Alternate(flat)
    }
}

fn push_joined(node: Node, into: &mut Vec<Node>) {
    match (into.last_mut(), node) {
        (Some(Node::Literal(before)), Node::Literal(text))
        | (Some(Node::Folded(before)), Node::Folded(text)) => before.push_str(&text),
        (_, node) => into.push(node),
    }
}
