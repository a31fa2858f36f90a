//! The grammar of a selector.
//!
//! It is small enough to stand here whole. A parser of all PromQL takes more (other expressions, offsets, `or`), takes less
//! (strings in backticks with a backslash, two names, selectors that match everything), and reads regular expressions in another
//! syntax; and its errors are in other words at other places.

use super::error::{ParseError, ParseErrorKind};
use super::lex::Lexer;
use super::token::{Kind, Token};
use crate::matcher::{METRIC_NAME, Matcher, MatcherLimits, Op, Text};

/// Reads matchers in the order of the text.
pub(super) fn parse(text: &str, limits: &MatcherLimits) -> Result<Vec<Matcher>, ParseError> {
    let mut parser = Parser { text, lexer: Lexer::new(text), limits, matchers: Vec::new() };
    let mut token = parser.lexer.next()?;
    let named = match token.kind {
        Kind::Identifier | Kind::MetricIdentifier => true,
        Kind::Word(word) => word.as_name,
        _ => false,
    };
    if named {
        parser.push(token, Text::from(METRIC_NAME), Op::Equal, Text::from(token.text))?;
        token = parser.lexer.next()?;
    }
    if token.kind == Kind::LeftBrace {
        parser.braces()?;
        token = parser.lexer.next()?;
    } else if !named {
        return Err(parser.unexpected(token, ""));
    }
    if token.kind != Kind::End {
        return Err(parser.unexpected(token, ""));
    }
    Ok(parser.matchers)
}

struct Parser<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
    limits: &'t MatcherLimits,
    matchers: Vec<Matcher>,
}

impl<'t> Parser<'t> {
    /// What stands between the braces, and the closing one.
    fn braces(&mut self) -> Result<(), ParseError> {
        loop {
            let token = self.lexer.next()?;
            // A comma may be last, but not alone.
            if token.kind == Kind::RightBrace {
                return Ok(());
            }
            let next = self.matcher(token)?;
            match next.kind {
                Kind::RightBrace => return Ok(()),
                Kind::Comma => {}
                _ => return Err(self.unexpected(next, " in label matching, expected \",\" or \"}\"")),
            }
        }
    }

    /// One matcher that begins with this token; the token behind it.
    fn matcher(&mut self, first: Token<'t>) -> Result<Token<'t>, ParseError> {
        let name = match first.kind {
            Kind::Identifier => Text::from(first.text),
            Kind::String => unquote(first.text),
            _ => return Err(self.unexpected(first, " in label matching, expected identifier or \"}\"")),
        };
        let operator = self.lexer.next()?;
        let op = match operator.kind {
            Kind::Equal => Op::Equal,
            Kind::NotEqual => Op::NotEqual,
            Kind::EqualRegex => Op::Regex,
            Kind::NotEqualRegex => Op::NotRegex,
            // A string alone is the name of the metric.
            _ if first.kind == Kind::String => {
                self.push(first, Text::from(METRIC_NAME), Op::Equal, name)?;
                return Ok(operator);
            }
            _ => {
                return Err(self.unexpected(operator, " in label matching, expected label matching operator"));
            }
        };
        let value = self.lexer.next()?;
        if value.kind != Kind::String {
            return Err(self.unexpected(value, " in label matching, expected string"));
        }
        self.push(first, name, op, unquote(value.text))?;
        self.lexer.next()
    }

    fn push(&mut self, at: Token<'t>, name: Text, op: Op, value: Text) -> Result<(), ParseError> {
        let matcher = Matcher::of_text(name, op, value, self.limits);
        let matcher =
            matcher.map_err(|error| ParseError::at(self.text, at.start, ParseErrorKind::Matcher(error)))?;
        self.matchers.push(matcher);
        Ok(())
    }

    fn unexpected(&self, token: Token<'t>, expected: &str) -> ParseError {
        ParseError::syntax(self.text, token.start, format!("unexpected {}{expected}", token.describe()))
    }
}

/// What a string stands for, whose escapes the lexer has looked at.
fn unquote(quoted: &str) -> Text {
    let inner = &quoted[1..quoted.len() - 1];
    if quoted.starts_with('`') || !inner.contains('\\') {
        return Text::from(inner);
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let digits = |from: usize, count: usize, base| {
            (u32::from_str_radix(&escape[from..from + count], base).unwrap_or_default(), from + count)
        };
        let (byte, length) = match escape.as_bytes()[0] {
            b'a' => (7, 1),
            b'b' => (8, 1),
            b'f' => (12, 1),
            b'n' => (b'\n', 1),
            b'r' => (b'\r', 1),
            b't' => (b'\t', 1),
            b'v' => (11, 1),
            b'0'..=b'7' => byte(digits(0, 3, 8)),
            b'x' => byte(digits(1, 2, 16)),
            kind @ (b'u' | b'U') => {
                let (code, length) = digits(1, if kind == b'u' { 4 } else { 8 }, 16);
                let c = char::from_u32(code).unwrap_or_default();
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &escape[length..];
                continue;
            }
            other => (other, 1),
        };
        bytes.push(byte);
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Text::of_bytes(bytes)
}

fn byte((value, length): (u32, usize)) -> (u8, usize) {
    (value.to_le_bytes()[0], length)
}
