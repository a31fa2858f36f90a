//! What begins with a backslash.

use super::Parser;
use crate::matcher::{MatcherError, RegexProblem};
use crate::regex::node::{Look, Node};

impl Parser<'_> {
    /// An escape outside of a class.
    pub(super) fn backslash(&mut self) -> Result<(), MatcherError> {
        let rest = self.rest();
        let look = match rest.as_bytes().get(1) {
            Some(b'A') => Look::Start,
            Some(b'z') => Look::End,
            Some(b'b') => Look::WordBoundary,
            Some(b'B') => Look::NotWordBoundary,
            Some(b'C') => return Err(RegexProblem::InvalidEscape.at(&rest[..2])),
            Some(b'Q') => {
                let quoted = &rest[2..];
                let (literal, length) =
                    quoted.find("\\E").map_or((quoted, quoted.len()), |end| (&quoted[..end], end + 2));
                literal.chars().for_each(|c| self.push_char(c));
                self.at += 2 + length;
                return Ok(());
            }
            _ => {
                if let Some(class) = self.escaped_class()? {
                    self.push(Node::Class(class));
                } else {
                    match self.escaped_char()? {
                        Some(c) => self.push_char(c),
                        None => self.push(Node::Class(super::class::nothing())),
                    }
                }
                return Ok(());
            }
        };
        self.at += 2;
        self.push(Node::Look(look));
        Ok(())
    }

    /// One character that is written as an escape. None is a surrogate, which no text has.
    pub(super) fn escaped_char(&mut self) -> Result<Option<char>, MatcherError> {
        let code = self.escaped_code()?;
        Ok(char::from_u32(code))
    }

    /// The code point of an escape; it may be that of a surrogate.
    pub(super) fn escaped_code(&mut self) -> Result<u32, MatcherError> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.advance() else { return Err(RegexProblem::TrailingBackslash.at("")) };
        let code = match c {
            '1'..='7' if !self.peek().is_some_and(|c| c.is_digit(8)) => None, // would refer back
            '0'..='7' => Some(self.octal(c)),
            'x' => self.hexadecimal(),
            'a' => Some(7),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c.into()),
            _ => None,
        };
        code.ok_or_else(|| RegexProblem::InvalidEscape.at(&self.pattern[start..self.at]))
    }

    /// Up to three digits, of which this is the first.
    fn octal(&mut self, first: char) -> u32 {
        let mut code = first.to_digit(8).unwrap_or_default();
        for _ in 1..3 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.at += 1;
        }
        code
    }

    /// `41` or `{1F600}`
    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.advance()?;
        if first != '{' {
            let second = self.advance()?;
            return Some(first.to_digit(16)? * 16 + second.to_digit(16)?);
        }
        let mut code = 0;
        let mut digits = 0;
        loop {
            match self.advance()? {
                '}' if digits > 0 => return Some(code),
                c => code = code * 16 + c.to_digit(16)?,
            }
            if code > u32::from(char::MAX) {
                return None;
            }
            digits += 1;
        }
    }
}
