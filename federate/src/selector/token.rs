//! The tokens of PromQL, as far as a selector and what may stand behind one need them.

use super::error::quote;

/// A piece of the text, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    /// Where it begins, in bytes.
    pub(super) start: usize,
    pub(super) text: &'t str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Identifier,
    MetricIdentifier,
    Word(Word),
    String,
    Number,
    Duration,
    Comma,
    LeftBrace,
    RightBrace,
    Equal,
    NotEqual,
    EqualRegex,
    NotEqualRegex,
    /// Another operator.
    Operator,
    /// Brackets and parentheses.
    Punctuation,
}

/// What a reserved word is; in lower case it may also be the name of a metric, if `as_name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    class: Class,
    pub(super) as_name: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Keyword,
    Operator,
    Aggregator,
    Plain,
}

impl Token<'_> {
    /// What the token is called in a message.
    pub(super) fn describe(&self) -> String {
        match self.kind {
            Kind::End => "end of input".into(),
            Kind::Identifier => format!("identifier {}", quote(self.text)),
            Kind::MetricIdentifier => format!("metric identifier {}", quote(self.text)),
            Kind::String => format!("string {}", abridged(self.text)),
            Kind::Number => format!("number {}", abridged(self.text)),
            Kind::Duration => format!("duration {}", abridged(self.text)),
            Kind::Word(word) => match word.class {
                Class::Keyword => format!("<{}>", self.text),
                Class::Operator => format!("<op:{}>", self.text),
                Class::Aggregator => format!("<aggr:{}>", self.text),
                Class::Plain => quote(self.text),
            },
            Kind::NotEqual | Kind::EqualRegex | Kind::NotEqualRegex | Kind::Operator => {
                format!("<op:{}>", self.text)
            }
            Kind::Comma | Kind::LeftBrace | Kind::RightBrace | Kind::Equal | Kind::Punctuation => {
                quote(self.text)
            }
        }
    }
}

/// Quoted, and cut after ten characters.
fn abridged(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    let end = text.char_indices().nth(10).map_or(text.len(), |(at, _)| at);
    format!("{}...", quote(&text[..end]))
}

/// What a word outside of braces is. Reserved words are so in any case of letters.
pub(super) fn word(text: &str) -> Kind {
    const LONGEST: usize = "count_values".len();
    let mut buffer = [0; LONGEST];
    let Some(lower) = buffer.get_mut(..text.len()) else { return identifier(text) };
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    let (class, as_name) = match &*lower {
        b"and" | b"or" | b"unless" => (Class::Operator, true),
        b"atan2" => (Class::Operator, false),
        b"sum" | b"avg" | b"count" | b"min" | b"max" | b"group" | b"stddev" | b"stdvar" | b"topk"
        | b"bottomk" | b"count_values" | b"quantile" | b"limitk" | b"limit_ratio" => {
            (Class::Aggregator, true)
        }
        b"offset" | b"smoothed" | b"anchored" | b"by" | b"without" => (Class::Keyword, true),
        b"on" | b"ignoring" | b"group_left" | b"group_right" | b"bool" => (Class::Keyword, false),
        b"start" | b"end" | b"step" => (Class::Plain, true),
        b"inf" | b"nan" => return Kind::Number,
        _ => return identifier(text),
    };
    Kind::Word(Word { class, as_name })
}

fn identifier(text: &str) -> Kind {
    if text.contains(':') { Kind::MetricIdentifier } else { Kind::Identifier }
}
