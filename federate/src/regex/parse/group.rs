//! `(?...`

use super::{Flags, Parser};
use crate::matcher::{MatcherError, RegexProblem};

impl Parser<'_> {
    /// A group with a name, one that is not captured, or a change of flags.
    pub(super) fn perl_group(&mut self) -> Result<(), MatcherError> {
        let rest = self.rest();
        let name_at = match rest.as_bytes() {
            [b'(', b'?', b'P', b'<', _, ..] => Some(4),
            [b'(', b'?', b'<', _, ..] => Some(3),
            _ => None,
        };
        if let Some(name_at) = name_at {
            let Some(end) = rest.find('>') else { return Err(RegexProblem::InvalidNamedCapture.at(rest)) };
            let name = rest.get(name_at..end).unwrap_or_default();
            if name.is_empty() || !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
                return Err(RegexProblem::InvalidNamedCapture.at(&rest[..=end]));
            }
            self.at += end + 1;
            return self.open(self.flags);
        }
        self.flags_or_group()
    }

    fn flags_or_group(&mut self) -> Result<(), MatcherError> {
        let start = self.at;
        self.at += 2;
        let mut flags = self.flags;
        // What is switched off must be named.
        let (mut on, mut named) = (true, true);
        while let Some(c) = self.advance() {
            match c {
                'i' => flags.fold = on,
                'm' => flags.one_line = !on,
                's' => flags.dot_all = on,
                // Whether repetitions are lazy is not a matter of whether it matches.
                'U' => {}
                '-' if on => {
                    (on, named) = (false, false);
                    continue;
                }
                ':' | ')' if named => {
                    if c == ':' {
                        self.open(self.flags)?;
                    }
                    self.flags = Flags { ..flags };
                    return Ok(());
                }
                _ => break,
            }
            named = true;
        }
        Err(RegexProblem::InvalidPerlOp.at(&self.pattern[start..self.at]))
    }
}
