//! Texts in any case of letters, by simple case folding of Unicode.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// All characters that are the same as this one but for case, itself among them, in ascending order.
pub(super) fn orbit(c: char) -> Vec<char> {
    match c {
        'k' | 'K' => vec!['K', 'k', '\u{212a}'],
        's' | 'S' => vec!['S', 's', '\u{17f}'],
        c if c.is_ascii_alphabetic() => vec![c.to_ascii_uppercase(), c.to_ascii_lowercase()],
        c if c.is_ascii() => vec![c],
        c => {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            class.case_fold_simple();
            class.iter().flat_map(|range| range.start()..=range.end()).collect()
        }
    }
}

/// The smallest character that is the same but for case, and whether it is the only one.
pub(super) fn smallest(c: char) -> (char, bool) {
    match c {
        c if c.is_ascii() => (c.to_ascii_uppercase(), !c.is_ascii_alphabetic()),
        c => {
            let orbit = orbit(c);
            (orbit.first().copied().unwrap_or(c), orbit.len() < 2)
        }
    }
}

/// Compares texts with one that may stand there in any case of letters.
#[derive(Debug, Clone)]
pub(super) struct FoldedText {
    /// What each character may be; the first two by themselves, for nearly all have no more.
    letters: Box<[Letter]>,
    /// How many bytes it takes in the form with the smallest characters.
    len: usize,
    /// In upper case, if all of it is ASCII that folds to nothing else.
    ascii: Option<Box<[u8]>>,
}

#[derive(Debug, Clone)]
struct Letter {
    upper: char,
    lower: char,
    others: Box<[char]>,
}

impl FoldedText {
    pub(super) fn new(text: &str) -> Self {
        let letter = |c| {
            let orbit = orbit(c);
            let (upper, lower) = (orbit[0], *orbit.get(1).unwrap_or(&c));
            Letter { upper, lower, others: orbit.get(2..).unwrap_or_default().into() }
        };
        let letters: Box<[Letter]> = text.chars().map(letter).collect();
        let plain = |letter: &Letter| letter.upper.is_ascii() && letter.others.is_empty();
        let ascii = letters.iter().all(plain).then(|| text.to_ascii_uppercase().into_bytes().into());
        Self { letters, len: text.len(), ascii }
    }

    /// Whether this is all of the text.
    pub(super) fn equals(&self, text: &str) -> bool {
        self.prefix_of(text) == Some(text.len())
    }

    /// How many bytes at the beginning of the text are this one.
    pub(super) fn prefix_of(&self, text: &str) -> Option<usize> {
        if let Some(ascii) = &self.ascii {
            let head = text.as_bytes().get(..ascii.len())?;
            return head.eq_ignore_ascii_case(ascii).then_some(ascii.len());
        }
        let mut chars = text.chars();
        let rest_matches = self.letters.iter().all(|letter| chars.next().is_some_and(|c| letter.is(c)));
        rest_matches.then(|| text.len() - chars.as_str().len())
    }

    /// How many bytes at the end of the text are this one.
    pub(super) fn suffix_of(&self, text: &str) -> Option<usize> {
        let mut chars = text.chars();
        let matches = self.letters.iter().rev().all(|letter| chars.next_back().is_some_and(|c| letter.is(c)));
        matches.then(|| text.len() - chars.as_str().len())
    }

    /// Whether the text begins with this one, in as many bytes.
    pub(super) fn is_even_prefix_of(&self, text: &str) -> bool {
        self.prefix_of(text) == Some(self.len)
    }

    /// Whether the text ends with this one, in as many bytes.
    pub(super) fn is_even_suffix_of(&self, text: &str) -> bool {
        self.suffix_of(text) == Some(self.len)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Letter {
    #[inline]
    fn is(&self, c: char) -> bool {
        c == self.upper || c == self.lower || self.others.contains(&c)
    }
}
