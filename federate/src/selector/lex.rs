//! From text to tokens, as the lexer of Prometheus makes them.

use super::error::{ParseError, quote, quote_char};
use super::token::{Kind, Token, word};

/// Makes tokens of a text one at a time.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    /// Where the token begins that is being made.
    start: usize,
    /// Where the next character is.
    at: usize,
    in_braces: bool,
    parentheses: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, start: 0, at: 0, in_braces: false, parentheses: 0 }
    }

    /// The next token; at the end of the text always [`Kind::End`].
    pub(super) fn next(&mut self) -> Result<Token<'t>, ParseError> {
        self.skip_space();
        self.start = self.at;
        let kind = if self.in_braces { self.inside_braces()? } else { self.outside_braces()? };
        Ok(Token { kind, start: self.start, text: &self.text[self.start..self.at] })
    }

    fn skip_space(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | '\r' => self.at += 1,
                '#' => {
                    let rest = &self.text.as_bytes()[self.at..];
                    let line = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r');
                    self.at += line.unwrap_or(rest.len());
                }
                _ => break,
            }
        }
    }

    fn inside_braces(&mut self) -> Result<Kind, ParseError> {
        let Some(c) = self.advance() else { return Err(self.error("unexpected end of input inside braces")) };
        Ok(match c {
            c if is_alpha(c) => {
                self.accept_while(is_alphanumeric);
                Kind::Identifier
            }
            ',' => Kind::Comma,
            '"' | '\'' => self.string(c)?,
            '`' => self.raw_string()?,
            '=' if self.accept("~") => Kind::EqualRegex,
            '=' => Kind::Equal,
            '!' => match self.advance() {
                Some('~') => Kind::NotEqualRegex,
                Some('=') => Kind::NotEqual,
                other => {
                    let message =
                        format!("unexpected character after '!' inside braces: {}", quote_char(other));
                    return Err(self.error(message));
                }
            },
            '{' => return Err(self.error("unexpected left brace '{'")),
            '}' => {
                self.in_braces = false;
                Kind::RightBrace
            }
            c => {
                let message = format!("unexpected character inside braces: {}", quote_char(Some(c)));
                return Err(self.error(message));
            }
        })
    }

    fn outside_braces(&mut self) -> Result<Kind, ParseError> {
        let Some(c) = self.advance() else {
            return if self.parentheses > 0 {
                Err(self.error("unclosed left parenthesis"))
            } else {
                Ok(Kind::End)
            };
        };
        Ok(match c {
            ',' => Kind::Comma,
            '*' | '/' | '%' | '+' | '-' | '^' | '@' => Kind::Operator,
            '=' if self.accept("=") => Kind::Operator,
            '=' if self.peek() == Some('~') => return Err(self.error("unexpected character after '=': '~'")),
            '=' => Kind::Equal,
            '!' => match self.advance() {
                Some('=') => Kind::NotEqual,
                other => {
                    let message = format!("unexpected character after '!': {}", quote_char(other));
                    return Err(self.error(message));
                }
            },
            '<' | '>' => {
                self.accept("=");
                Kind::Operator
            }
            c if c.is_ascii_digit() || (c == '.' && self.peek().is_some_and(|c| c.is_ascii_digit())) => {
                self.at = self.start;
                self.number_or_duration()?
            }
            '"' | '\'' => self.string(c)?,
            '`' => self.raw_string()?,
            c if is_alpha(c) || c == ':' => {
                self.accept_while(|c| is_alphanumeric(c) || c == ':');
                word(&self.text[self.start..self.at])
            }
            '(' => {
                self.parentheses += 1;
                Kind::Punctuation
            }
            ')' => match self.parentheses.checked_sub(1) {
                Some(left) => {
                    self.parentheses = left;
                    Kind::Punctuation
                }
                None => {
                    self.start = self.at;
                    return Err(self.error("unexpected right parenthesis ')'"));
                }
            },
            '{' => {
                self.in_braces = true;
                Kind::LeftBrace
            }
            '[' => Kind::Punctuation,
            ']' => return Err(self.error("unexpected right bracket ']'")),
            c => return Err(self.error(format!("unexpected character: {}", quote_char(Some(c))))),
        })
    }

    /// The rest of a string in quotes, whose escapes are looked at but not resolved.
    fn string(&mut self, delimiter: char) -> Result<Kind, ParseError> {
        loop {
            match self.advance() {
                Some('\\') => self.escape(delimiter)?,
                Some(char::REPLACEMENT_CHARACTER) => return Err(self.error("invalid UTF-8 rune")),
                None | Some('\n') => return Err(self.error("unterminated quoted string")),
                Some(c) if c == delimiter => return Ok(Kind::String),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Result<Kind, ParseError> {
        loop {
            match self.advance() {
                Some(char::REPLACEMENT_CHARACTER) => return Err(self.error("invalid UTF-8 rune")),
                None => return Err(self.error("unterminated raw string")),
                Some('`') => return Ok(Kind::String),
                Some(_) => {}
            }
        }
    }

    fn escape(&mut self, delimiter: char) -> Result<(), ParseError> {
        let unterminated = "escape sequence not terminated";
        let Some(first) = self.advance() else { return Err(self.error(unterminated)) };
        let (digits, base, max) = match first {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            c if c == delimiter => return Ok(()),
            '0'..='7' => {
                self.at -= 1;
                (3, 8, 255)
            }
            'x' => (2, 16, 255),
            'u' => (4, 16, u32::from(char::MAX)),
            'U' => (8, 16, u32::from(char::MAX)),
            c => return Err(self.error(format!("unknown escape sequence {}", code_point(c)))),
        };
        let mut value = 0_u32;
        for _ in 0..digits {
            let Some(c) = self.advance() else { return Err(self.error(unterminated)) };
            let Some(digit) = c.to_digit(base) else {
                return Err(self.error(format!("illegal character {} in escape sequence", code_point(c))));
            };
            value = value.wrapping_mul(base).wrapping_add(digit);
        }
        if value > max || (0xd800..0xe000).contains(&value) {
            return Err(self.error("escape sequence is an invalid Unicode code point"));
        }
        Ok(())
    }

    fn number_or_duration(&mut self) -> Result<Kind, ParseError> {
        if self.number() {
            return Ok(Kind::Number);
        }
        if self.rest_of_duration() {
            return Ok(Kind::Duration);
        }
        let message = format!("bad number or duration syntax: {}", quote(&self.text[self.start..self.at]));
        Err(self.error(message))
    }

    /// Whether a number stands here, which is then behind.
    fn number(&mut self) -> bool {
        let start = self.at;
        let hexadecimal = self.accept("0") && self.accept("xX");
        if hexadecimal {
            self.accept("_");
        }
        let is_digit = |c: char| if hexadecimal { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
        self.accept(".");
        self.accept_if(is_digit);
        let (mut dot, mut exponent) = (false, false);
        while let Some(c) = self.peek() {
            match c {
                c if is_digit(c) => self.accept_while(is_digit),
                '.' => {
                    self.at += 1;
                    if dot || hexadecimal || self.accept("_.") {
                        return false;
                    }
                    dot = true;
                }
                'e' | 'E' => {
                    self.at += 1;
                    if exponent {
                        return false;
                    }
                    exponent = true;
                    self.accept("+-");
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                '_' => {
                    self.at += 1;
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                _ => break,
            }
        }
        self.at > start && !self.peek().is_some_and(is_alphanumeric)
    }

    /// Whether units stand here, and further numbers with units.
    fn rest_of_duration(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept_if(|c| c.is_ascii_digit()) {
            self.accept_while(|c| c.is_ascii_digit());
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        match self.peek() {
            Some(c) if is_alphanumeric(c) => {
                self.at += 1;
                false
            }
            _ => true,
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, any_of: &str) -> bool {
        self.accept_if(|c| any_of.contains(c))
    }

    fn accept_if(&mut self, accepted: impl Fn(char) -> bool) -> bool {
        let next = self.peek().filter(|&c| accepted(c));
        self.at += next.map_or(0, char::len_utf8);
        next.is_some()
    }

    fn accept_while(&mut self, accepted: impl Fn(char) -> bool) {
        while self.accept_if(&accepted) {}
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError::syntax(self.text, self.start, message)
    }
}

pub(super) fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

pub(super) fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

/// `U+0071 'q'`
fn code_point(c: char) -> String {
    let code = u32::from(c);
    if c.is_control() { format!("U+{code:04X}") } else { format!("U+{code:04X} '{c}'") }
}
