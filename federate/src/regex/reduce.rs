//! From an expression to something cheaper than an automaton, where there is such a thing.

use super::ends::{Head, Middle, Tail};
use super::expand::{self, Few};
use super::fold::FoldedText;
use super::form::{Form, normalised};
use super::glob::Glob;
use super::node::{Look, Node};
use super::set::Set;

/// So many alternatives that ignore case are compared as Prometheus 3.9 does it.
const NORMALISED_FROM: usize = 16;

/// So many forms are tried one after the other; more are for an automaton.
const MAX_FORMS: usize = 8;

/// So many combinations of alternatives with gaps in them are looked at.
const MAX_BRANCHES: usize = 64;

/// So deep gaps are looked for.
const MAX_DEPTH: u32 = 8;

/// The node without the looks at both ends that are true there anyway.
pub(super) fn strip(node: Node) -> Node {
    match node {
        Node::Alternate(nodes) => Node::alternate(nodes.into_iter().map(strip).collect()),
        Node::Concat(mut nodes) => {
            let last = nodes.iter().rposition(|node| !is_end(node)).map_or(0, |at| at + 1);
            nodes.truncate(last);
            let first = nodes.iter().position(|node| !is_start(node)).unwrap_or(nodes.len());
            Node::concat(nodes.split_off(first))
        }
        node if is_start(&node) || is_end(&node) => Node::Empty,
        node => node,
    }
}

fn is_start(node: &Node) -> bool {
    matches!(node, Node::Look(Look::Start | Look::StartLine))
}

fn is_end(node: &Node) -> bool {
    matches!(node, Node::Look(Look::End | Look::EndLine))
}

/// A form for the node of an expression of this length, if there is one.
pub(super) fn reduce(node: &Node, pattern_len: usize) -> Option<Form> {
    let few = Few { texts: 1024.max(pattern_len), bytes: (64 << 10) + 4 * pattern_len };
    let alternatives = match node {
        Node::Alternate(nodes) => nodes,
        node => std::slice::from_ref(node),
    };
    let mut sorted = Sorted::default();
    for alternative in alternatives {
        for branch in branches(alternative, 0)? {
            sorted.add(branch, few)?;
        }
    }
    sorted.form()
}

/// A part of a branch.
#[derive(Debug, Clone)]
enum Part<'n> {
    Gap(u32),
    Node(&'n Node),
}

/// The ways through a node, in each of which there are gaps and nodes that stand for a few texts.
fn branches<'n>(node: &'n Node, depth: u32) -> Option<Vec<Vec<Part<'n>>>> {
    if depth > MAX_DEPTH {
        return None;
    }
    match node {
        Node::Repeat { node, min, max: None } if **node == Node::Any => Some(vec![vec![Part::Gap(*min)]]),
        Node::Repeat { node: inner, min: 0, max: Some(1) } if has_gap(inner) => {
            let mut all = branches(inner, depth + 1)?;
            all.push(Vec::new());
            Some(all)
        }
        Node::Concat(nodes) => {
            let mut all = vec![Vec::new()];
            for node in nodes {
                let next = branches(node, depth + 1)?;
                if let [only] = &*next {
                    all.iter_mut().for_each(|branch: &mut Vec<Part<'n>>| branch.extend_from_slice(only));
                    continue;
                }
                if all.len() * next.len() > MAX_BRANCHES {
                    return None;
                }
                let with = |branch: &Vec<Part<'n>>| {
                    next.iter().map(|next| [&**branch, next].concat()).collect::<Vec<_>>()
                };
                all = all.iter().flat_map(with).collect();
            }
            Some(all)
        }
        Node::Alternate(nodes) if has_gap(node) => {
            let mut all = Vec::new();
            for node in nodes {
                all.extend(branches(node, depth + 1)?);
                if all.len() > MAX_BRANCHES {
                    return None;
                }
            }
            Some(all)
        }
        Node::Any | Node::Look(_) => None,
        node if has_gap(node) => None,
        node => Some(vec![vec![Part::Node(node)]]),
    }
}

fn has_gap(node: &Node) -> bool {
    match node {
        Node::Repeat { node, max: None, .. } if **node == Node::Any => true,
        Node::Repeat { node, .. } => has_gap(node),
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().any(has_gap),
        _ => false,
    }
}

/// What stands between two gaps.
#[derive(Debug)]
enum Run {
    Texts(Vec<String>),
    Folded(String),
}

impl Run {
    fn of(nodes: &[&Node], few: Few) -> Option<Self> {
        match nodes {
            [] => Some(Self::Texts(vec![String::new()])),
            [Node::Folded(text)] => Some(Self::Folded(text.clone())),
            [node] => expand::expand(node, few).map(Self::Texts),
            nodes => {
                let nodes: Vec<Node> = nodes.iter().map(|&node| node.clone()).collect();
                expand::concat(&nodes, few).map(Self::Texts)
            }
        }
    }

    /// Whether the empty text is one of them.
    fn may_be_empty(&self) -> bool {
        matches!(self, Self::Texts(texts) if texts.iter().any(String::is_empty))
    }
}

/// Branches of an expression by what they are.
#[derive(Default)]
struct Sorted {
    texts: Vec<String>,
    folded: Vec<String>,
    everything: bool,
    non_empty: bool,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
    others: Vec<Form>,
}

impl Sorted {
    fn add(&mut self, branch: Vec<Part<'_>>, few: Few) -> Option<()> {
        let mut runs = Vec::new();
        let mut gaps: Vec<u32> = Vec::new();
        let mut nodes: Vec<&Node> = Vec::new();
        for part in branch {
            match part {
                Part::Node(node) => nodes.push(node),
                Part::Gap(min) => {
                    let run = Run::of(&nodes, few)?;
                    nodes.clear();
                    // A part in the middle that may be empty is no part.
                    match gaps.last_mut() {
                        Some(gap) if run.may_be_empty() => *gap = gap.saturating_add(min),
                        _ => {
                            runs.push(run);
                            gaps.push(min);
                        }
                    }
                }
            }
        }
        runs.push(Run::of(&nodes, few)?);
        // Nothing can stand for a class without characters.
        if runs.iter().any(|run| matches!(run, Run::Texts(texts) if texts.is_empty())) {
            return Some(());
        }
        match (&mut *runs, &*gaps) {
            ([Run::Texts(texts)], _) => self.texts.append(texts),
            ([Run::Folded(text)], _) => self.folded.push(std::mem::take(text)),
            ([head, tail], [gap]) => return self.add_with_one_gap(head, *gap, tail),
            _ => self.others.push(simplest(glob(runs, &gaps)?)),
        }
        (self.others.len() <= MAX_FORMS).then_some(())
    }

    fn add_with_one_gap(&mut self, head: &mut Run, gap: u32, tail: &mut Run) -> Option<()> {
        match (&mut *head, gap, &mut *tail) {
            (head, 0, tail) if head.may_be_empty() && tail.may_be_empty() => self.everything = true,
            (head, 1, tail) if head.may_be_empty() && tail.may_be_empty() => self.non_empty = true,
            (Run::Texts(texts), 0, tail) if tail.may_be_empty() => self.prefixes.append(texts),
            (head, 0, Run::Texts(texts)) if head.may_be_empty() => self.suffixes.append(texts),
            (Run::Folded(text), 0 | 1, tail) if tail.may_be_empty() => {
                self.others.push(Form::EvenPrefix(FoldedText::new(text), gap as usize));
            }
            (head, 0 | 1, Run::Folded(text)) if head.may_be_empty() => {
                self.others.push(Form::EvenSuffix(FoldedText::new(text), gap as usize));
            }
            _ => {
                let empty = || Run::Texts(Vec::new());
                let runs = vec![std::mem::replace(head, empty()), std::mem::replace(tail, empty())];
                self.others.push(Form::Glob(glob(runs, &[gap])?));
            }
        }
        Some(())
    }

    fn form(mut self) -> Option<Form> {
        if self.everything || (self.non_empty && self.texts.iter().any(String::is_empty)) {
            return Some(Form::Everything);
        }
        let mut forms = Vec::new();
        if self.non_empty {
            forms.push(Form::NonEmpty);
        }
        self.add_sets(&mut forms)?;
        if !self.prefixes.is_empty() {
            forms.push(match Head::new(self.prefixes) {
                Head::One(prefix) => Form::Prefix(prefix),
                head => {
                    let (tail, middles) = (Tail::Anything, Box::default());
                    Form::Glob(Glob { head, tail, middles, last_gap: 0 })
                }
            });
        }
        if !self.suffixes.is_empty() {
            forms.push(match Tail::new(self.suffixes) {
                Tail::One(suffix) => Form::Suffix(suffix),
                tail => {
                    let (head, middles) = (Head::Anything, Box::default());
                    Form::Glob(Glob { head, tail, middles, last_gap: 0 })
                }
            });
        }
        forms.append(&mut self.others);
        match forms.len() {
            0 => Some(Form::Nothing),
            1 => forms.pop(),
            2..=MAX_FORMS => Some(Form::AnyOf(forms.into())),
            _ => None,
        }
    }

    fn add_sets(&mut self, forms: &mut Vec<Form>) -> Option<()> {
        let without_case = |text: &String| text.chars().all(|c| super::fold::smallest(c).1);
        let all = self.folded.len() + self.texts.len();
        if !self.folded.is_empty() && all >= NORMALISED_FROM && self.texts.iter().all(without_case) {
            let texts = self.folded.iter().chain(&self.texts);
            let texts: Vec<String> = texts.map(|text| normalised(text, str::to_owned)).collect();
            forms.push(Form::Normalised(Set::new(texts.iter().map(String::as_str))?));
            return Some(());
        }
        match &*self.texts {
            [] => {}
            [text] => forms.push(Form::Literal(text.as_str().into())),
            texts => forms.push(Form::Set(Set::new(texts.iter().map(String::as_str))?)),
        }
        if self.folded.len() > MAX_FORMS {
            // Some thirty letters in any case are still a set, and more are an automaton.
            return None;
        }
        forms.extend(self.folded.iter().map(|text| Form::Folded(FoldedText::new(text))));
        Some(())
    }
}

/// A glob of three runs or more, or of two with something special between them.
fn glob(runs: Vec<Run>, gaps: &[u32]) -> Option<Glob> {
    let mut runs = runs.into_iter();
    let head = match runs.next()? {
        Run::Texts(texts) => Head::new(texts),
        Run::Folded(text) => Head::Folded(FoldedText::new(&text)),
    };
    let tail = match runs.next_back()? {
        Run::Texts(texts) => Tail::new(texts),
        Run::Folded(text) => Tail::Folded(FoldedText::new(&text)),
    };
    let (&last_gap, gaps) = gaps.split_last()?;
    let middle = |(&gap, run)| match run {
        Run::Texts(texts) => Some((gap, Middle::new(texts)?)),
        Run::Folded(_) => None,
    };
    let middles: Box<[_]> = gaps.iter().zip(runs).map(middle).collect::<Option<_>>()?;
    Some(Glob { head, tail, middles, last_gap })
}

/// A glob that is only one text somewhere is that.
fn simplest(glob: Glob) -> Form {
    if let (Head::Anything, Tail::Anything, [(0, Middle::One(finder))], 0) =
        (&glob.head, &glob.tail, &*glob.middles, glob.last_gap)
    {
        return Form::Contains(finder.clone());
    }
    Form::Glob(glob)
}
