//! Classes of characters.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::Parser;
use crate::matcher::{MatcherError, RegexProblem};
use crate::regex::node::Node;

/// No character.
pub(super) fn nothing() -> ClassUnicode {
    ClassUnicode::empty()
}

/// Any character but a line break.
pub(super) fn not_newline() -> ClassUnicode {
    let mut class = of_ranges(&[('\n', '\n')]);
    class.negate();
    class
}

impl Parser<'_> {
    /// A class in brackets.
    pub(super) fn class(&mut self) -> Result<(), MatcherError> {
        let start = self.at;
        self.at += 1;
        let negated = self.accept("^");
        let mut ranges: Vec<ClassUnicodeRange> = Vec::new();
        // A bracket that comes first is a character.
        let mut first = true;
        while first || !self.rest().starts_with(']') {
            first = false;
            let class = match self.posix_class()? {
                Some(class) => class,
                None => match self.escaped_class()? {
                    Some(class) => class,
                    None => self.range(start)?,
                },
            };
            self.count_ranges(class.ranges().len())?;
            ranges.extend_from_slice(class.ranges());
        }
        self.at += 1;
        let mut class = ClassUnicode::new(ranges);
        if negated {
            class.negate();
        }
        match (class.literal(), self.flags.fold) {
            // One character by itself is a text.
            (Some(bytes), false) if !bytes.is_empty() => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.push(Node::Literal(text));
            }
            _ => self.push(Node::Class(class)),
        }
        Ok(())
    }

    /// One character or from one to another, in a class that begins at `start`.
    fn range(&mut self, start: usize) -> Result<ClassUnicode, MatcherError> {
        let range_start = self.at;
        let low = self.class_char(start)?;
        let rest = self.rest().as_bytes();
        let mut high = low;
        if rest.len() >= 2 && rest[0] == b'-' && rest[1] != b']' {
            self.at += 1;
            high = self.class_char(start)?;
            if high < low {
                return Err(RegexProblem::InvalidCharRange.at(&self.pattern[range_start..self.at]));
            }
        }
        // No text has surrogates.
        let low = char::from_u32(low).unwrap_or('\u{e000}');
        let high = char::from_u32(high).unwrap_or('\u{d7ff}');
        let class = if low <= high { of_ranges(&[(low, high)]) } else { nothing() };
        Ok(self.folded(class))
    }

    fn class_char(&mut self, start: usize) -> Result<u32, MatcherError> {
        match self.peek() {
            None => Err(RegexProblem::MissingBracket.at(&self.pattern[start..])),
            Some('\\') => self.escaped_code(),
            Some(c) => {
                self.at += c.len_utf8();
                Ok(c.into())
            }
        }
    }

    /// `[:alpha:]`, if one stands here.
    fn posix_class(&mut self) -> Result<Option<ClassUnicode>, MatcherError> {
        let rest = self.rest();
        if !rest.starts_with("[:") || rest.len() <= 2 {
            return Ok(None);
        }
        let Some(end) = rest[2..].find(":]") else { return Ok(None) };
        let whole = &rest[..end + 4];
        let name = &rest[2..end + 2];
        let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let ranges: &[(char, char)] = match name {
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "ascii" => &[('\0', '\x7f')],
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
            "digit" => DIGIT,
            "graph" => &[('!', '~')],
            "lower" => &[('a', 'z')],
            "print" => &[(' ', '~')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => &[('\t', '\r'), (' ', ' ')],
            "upper" => &[('A', 'Z')],
            "word" => WORD,
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return Err(RegexProblem::InvalidCharRange.at(whole)),
        };
        self.at += whole.len();
        Ok(Some(self.signed(of_ranges(ranges), negated)))
    }

    /// `\d`, `\pL` and their like, if one stands here.
    pub(super) fn escaped_class(&mut self) -> Result<Option<ClassUnicode>, MatcherError> {
        let &[b'\\', kind, ..] = self.rest().as_bytes() else { return Ok(None) };
        let ranges = match kind.to_ascii_lowercase() {
            b'd' => DIGIT,
            b's' => SPACE,
            b'w' => WORD,
            b'p' => return self.unicode_class().map(Some),
            _ => return Ok(None),
        };
        self.at += 2;
        Ok(Some(self.signed(of_ranges(ranges), kind.is_ascii_uppercase())))
    }

    /// `\pL`, `\p{Greek}`, `\P{^Lu}`
    fn unicode_class(&mut self) -> Result<ClassUnicode, MatcherError> {
        let start = self.at;
        let mut negated = self.rest().starts_with("\\P");
        self.at += 2;
        let name = if self.accept("{") {
            let Some(end) = self.rest().find('}') else {
                return Err(RegexProblem::InvalidCharRange.at(&self.pattern[start..]));
            };
            let name = &self.rest()[..end];
            self.at += end + 1;
            name
        } else {
            self.advance();
            &self.pattern[start + 2..self.at]
        };
        let name = name.strip_prefix('^').inspect(|_| negated = !negated).unwrap_or(name);
        let Some(class) = property(name) else {
            return Err(RegexProblem::InvalidCharRange.at(&self.pattern[start..self.at]));
        };
        self.count_ranges(class.ranges().len())?;
        Ok(self.signed(class, negated))
    }

    /// The class or all others, in any case of letters if that is the flag.
    fn signed(&self, class: ClassUnicode, negated: bool) -> ClassUnicode {
        let mut class = self.folded(class);
        if negated {
            class.negate();
        }
        class
    }

    fn folded(&self, mut class: ClassUnicode) -> ClassUnicode {
        if self.flags.fold {
            class.case_fold_simple();
        }
        class
    }

    fn count_ranges(&mut self, ranges: usize) -> Result<(), MatcherError> {
        self.class_ranges = self.class_ranges.saturating_add(ranges);
        let (found, limit) = (self.class_ranges, self.max_class_ranges);
        if found > limit { Err(MatcherError::ClassRanges { found, limit }) } else { Ok(()) }
    }
}

const DIGIT: &[(char, char)] = &[('0', '9')];
/// There is no vertical tab in it.
const SPACE: &[(char, char)] = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

fn of_ranges(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|&(low, high)| ClassUnicodeRange::new(low, high)))
}

/// The characters of a general category or of a script.
fn property(name: &str) -> Option<ClassUnicode> {
    /// The scripts whose whole name has four letters; all other names of four letters are abbreviations, which RE2 does not know.
    const SHORT_SCRIPTS: [&str; 8] = ["ahom", "cham", "kawi", "lisu", "modi", "newa", "thai", "toto"];
    let letters: String =
        name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    if letters.is_empty() || !letters.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    // Surrogates are no characters of a text.
    if matches!(&*letters, "cs" | "surrogate") {
        return Some(nothing());
    }
    let script = letters.len() != 4 || SHORT_SCRIPTS.contains(&&*letters);
    named("gc", name).or_else(|| script.then(|| named("sc", name)).flatten())
}

fn named(property: &str, value: &str) -> Option<ClassUnicode> {
    let hir = regex_syntax::parse(&format!("\\p{{{property}={value}}}")).ok()?;
    match hir.into_kind() {
        regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => Some(class),
        // A class of one character has become a literal.
        regex_syntax::hir::HirKind::Literal(literal) => {
            let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(of_ranges(&[(c, c)]))
        }
        _ => None,
    }
}
