//! Regular expressions with the syntax and the meaning of RE2, anchored at both ends; the dot matches line breaks.
//!
//! An expression is read into a tree (`parse`), of which a cheap form is made (`reduce`): a literal, a set, a prefix, texts in
//! order with anything between them. An automaton is made of what is left.

mod automaton;
mod ends;
mod expand;
mod fold;
mod form;
mod glob;
mod node;
mod parse;
mod reduce;
mod set;
#[cfg(test)]
mod tests;

use self::automaton::Automaton;
use self::expand::Few;
use self::form::Form;
use self::set::Set;
use crate::matcher::{MatcherError, MatcherLimits};

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Regex {
    pattern: Box<str>,
    form: Form,
    prefix: Box<str>,
}

impl Regex {
    /// Compiles an expression. Literals and alternations of them are not even parsed.
    pub(crate) fn new(pattern: &str, limits: &MatcherLimits) -> Result<Self, MatcherError> {
        let (found, limit) = (pattern.len(), limits.max_pattern_bytes);
        if found > limit {
            return Err(MatcherError::PatternBytes { found, limit });
        }
        if let Some((form, prefix)) = literals(pattern) {
            return Ok(Self { pattern: pattern.into(), form, prefix });
        }
        let node = reduce::strip(parse::parse(pattern, limits)?);
        let form = match reduce::reduce(&node, pattern.len()) {
            Some(form) => form,
            None => Form::Automaton(Automaton::new(&node, limits)?),
        };
        let prefix = match &form {
            Form::Literal(text) => text.clone(),
            _ => expand::prefix(&node).into(),
        };
        Ok(Self { pattern: pattern.into(), form, prefix })
    }

    #[inline]
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.form.matches(text)
    }

    /// The texts that match, sorted, if there are no more than so many.
    pub(crate) fn values(&self, max: usize) -> Option<Vec<String>> {
        let mut values: Vec<String> = match &self.form {
            Form::Nothing => Vec::new(),
            Form::Literal(text) => vec![text.as_ref().into()],
            Form::Set(set) if set.len() > max => return None,
            Form::Set(set) => set.texts().map(str::to_owned).collect(),
            Form::Folded(_) | Form::AnyOf(_) => {
                let node = parse::parse(&self.pattern, &MatcherLimits::default()).ok()?;
                let few = Few { texts: max, bytes: (64 << 10) + 4 * self.pattern.len() };
                let forms: &[Form] = if let Form::AnyOf(forms) = &self.form { forms } else { &[] };
                if forms.iter().any(|form| matches!(form, Form::Normalised(_))) {
                    return None;
                }
                expand::expand(&reduce::strip(node), few)?
            }
            // Each of these stands for any number of texts, or for those that were too many to make a set of them.
            Form::Everything | Form::NonEmpty | Form::Normalised(_) | Form::Prefix(_) | Form::Suffix(_) => {
                return None;
            }
            Form::Contains(_) | Form::EvenPrefix(..) | Form::EvenSuffix(..) => return None,
            Form::Glob(_) | Form::Automaton(_) => return None,
        };
        values.sort_unstable();
        values.dedup();
        (values.len() <= max).then_some(values)
    }

    /// What every text begins with that matches.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// The form of a literal or an alternation of literals, and what all of them begin with.
fn literals(pattern: &str) -> Option<(Form, Box<str>)> {
    const SPECIAL: &[u8] = b"\\.+*?()[]{}^$";
    // Bytes beyond are those of other characters.
    const IS_SPECIAL: [bool; 256] = {
        let mut table = [false; 256];
        let mut at = 0;
        while at < SPECIAL.len() {
            table[SPECIAL[at] as usize] = true;
            at += 1;
        }
        table
    };
    if pattern.bytes().any(|byte| IS_SPECIAL[usize::from(byte)]) {
        return None;
    }
    let mut texts = pattern.split('|');
    let first = texts.next()?;
    if first.len() == pattern.len() {
        return Some((Form::Literal(pattern.into()), pattern.into()));
    }
    let prefix = texts.fold(first, |common, text| expand::common_prefix(common, text)).into();
    Some((Form::Set(Set::new(pattern.split('|'))?), prefix))
}
