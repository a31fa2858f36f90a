//! What an expression is reduced to.

use memchr::memmem::Finder;
use unicode_normalization::UnicodeNormalization;

use super::automaton::Automaton;
use super::fold::FoldedText;
use super::glob::Glob;
use super::set::Set;

/// The cheapest form of an expression that was found.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// Matches no text.
    Nothing,
    /// `.*`
    Everything,
    /// `.+`
    NonEmpty,
    /// `foo`
    Literal(Box<str>),
    /// `foo|bar`
    Set(Set),
    /// `(?i)foo`
    Folded(FoldedText),
    /// `(?i)foo|bar|...`, compared as Prometheus 3.9 does with 16 and more: normalised, in lower case.
    Normalised(Set),
    /// `foo.*`
    Prefix(Box<str>),
    /// `.*foo`
    Suffix(Box<str>),
    /// `.*foo.*`
    Contains(Box<Finder<'static>>),
    /// `(?i)foo.*`, as Prometheus 3.9 compares it: in as many bytes. At least so many bytes are behind.
    EvenPrefix(FoldedText, usize),
    /// `(?i).*foo`, likewise.
    EvenSuffix(FoldedText, usize),
    /// Sets of texts with anything between them.
    Glob(Glob),
    /// One of these.
    AnyOf(Box<[Form]>),
    Automaton(Automaton),
}

impl Form {
    #[inline]
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::NonEmpty => !text.is_empty(),
            Self::Literal(literal) => **literal == *text,
            Self::Set(set) => set.contains(text),
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Suffix(suffix) => text.ends_with(&**suffix),
            Self::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Self::EvenPrefix(folded, behind) => {
                folded.is_even_prefix_of(text) && text.len() - folded.len() >= *behind
            }
            Self::EvenSuffix(folded, before) => {
                folded.is_even_suffix_of(text) && text.len() - folded.len() >= *before
            }
            Self::Glob(glob) => glob.matches(text),
            Self::Automaton(automaton) => automaton.matches(text),
            Self::Folded(folded) => folded.equals(text),
            Self::Normalised(set) => normalised(text, |text| set.contains(text)),
            Self::AnyOf(forms) => forms.iter().any(|form| form.matches(text)),
        }
    }

    /// Whether something in it follows Prometheus and not RE2.
    #[cfg(test)]
    pub(super) fn is_even(&self) -> bool {
        match self {
            Self::EvenPrefix(..) | Self::EvenSuffix(..) | Self::Normalised(_) => true,
            Self::AnyOf(forms) => forms.iter().any(Self::is_even),
            _ => false,
        }
    }

    /// What it is called, for tests.
    #[cfg(test)]
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Everything => "everything",
            Self::NonEmpty => "non-empty",
            Self::Literal(_) => "literal",
            Self::Set(_) => "set",
            Self::Folded(_) => "folded",
            Self::Normalised(_) => "normalised",
            Self::Prefix(_) => "prefix",
            Self::Suffix(_) => "suffix",
            Self::Contains(_) => "contains",
            Self::EvenPrefix(..) => "even-prefix",
            Self::EvenSuffix(..) => "even-suffix",
            Self::Glob(_) => "glob",
            Self::AnyOf(_) => "any-of",
            Self::Automaton(automaton) => match automaton {
                Automaton::Table(_) => "table",
                Automaton::Lazy(_) => "lazy",
            },
        }
    }
}

/// What comes of a text in the decomposition NFKD and then in lower case.
pub(super) fn normalised<R>(text: &str, then: impl FnOnce(&str) -> R) -> R {
    if !text.is_ascii() {
        return then(&text.nfkd().flat_map(char::to_lowercase).collect::<String>());
    }
    let mut buffer = [0; 128];
    match buffer.get_mut(..text.len()) {
        Some(lower) => {
            lower.copy_from_slice(text.as_bytes());
            lower.make_ascii_lowercase();
            then(std::str::from_utf8(lower).unwrap_or_default())
        }
        None => then(&text.to_ascii_lowercase()),
    }
}
