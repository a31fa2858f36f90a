//! The text format, read in the most obvious way: one character after the other, nothing borrowed.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use promha_federate::exposition::{Entry, Limits, text::TextParser};

type Labels = Vec<(String, String)>;

/// What the parser makes of it, each entry as text; as far as it goes, and whether that is all.
pub fn parsed(input: &[u8]) -> (Vec<String>, bool) {
    let (mut parser, mut all) = (TextParser::new(input, Limits::default()), Vec::new());
    loop {
        match parser.next_entry() {
            Ok(None) => return (all, true),
            Err(_) => return (all, false),
            Ok(Some(Entry::Series(series))) => {
                let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
                all.push(shown(series.labels().iter().map(own).collect(), series.value(), series.t_ms()));
            }
            Ok(Some(Entry::Type { family, metric_type })) => {
                all.push(format!("type {family} {metric_type:?}"))
            }
            Ok(Some(Entry::Help { family, help })) => all.push(format!("help {family} {help}")),
            Ok(Some(Entry::Comment(text))) => all.push(format!("comment {text:?}")),
            Ok(Some(other)) => panic!("{other:?}"),
        }
    }
}

/// The same in the obvious way.
pub fn expected(input: &[u8]) -> (Vec<String>, bool) {
    let (mut plain, mut all) = (Plain { input, at: 0 }, Vec::new());
    loop {
        match plain.entry() {
            Some(Some(entry)) => all.push(entry),
            Some(None) => return (all, true),
            None => return (all, false),
        }
    }
}

fn shown(mut labels: Labels, value: f64, t_ms: Option<i64>) -> String {
    labels.sort();
    format!("{labels:?} {:x} {t_ms:?}", value.to_bits())
}

/// Each function gives `None` for what is to be refused.
struct Plain<'a> {
    input: &'a [u8],
    at: usize,
}

impl Plain<'_> {
    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn while_(&mut self, class: impl Fn(u8) -> bool) -> Vec<u8> {
        let mut taken = Vec::new();
        while let Some(byte) = self.peek().filter(|&byte| class(byte)) {
            taken.push(byte);
            self.at += 1;
        }
        taken
    }

    fn blanks(&mut self) -> usize {
        self.while_(|byte| byte == b' ' || byte == b'\t').len()
    }

    fn line_end(&mut self) -> Option<()> {
        (self.peek().is_none() || self.take(b'\n')).then_some(())
    }

    fn entry(&mut self) -> Option<Option<String>> {
        let blanks = self.blanks();
        match self.peek() {
            None => Some(None),
            Some(b'\n') => {
                self.at += 1;
                self.entry()
            }
            Some(b'#') => self.comment().map(Some),
            Some(b'{') => self.series().map(Some),
            Some(byte) if is_name(byte, true) && !byte.is_ascii_digit() && blanks == 0 => {
                self.series().map(Some)
            }
            Some(_) => None,
        }
    }

    fn comment(&mut self) -> Option<String> {
        self.at += 1;
        let blanks = self.blanks();
        let start = self.at;
        let word = self.while_(|byte| byte.is_ascii_uppercase());
        if blanks == 0 || !(word == b"TYPE" || word == b"HELP") || self.blanks() == 0 {
            self.at = start;
            let text = self.while_(|byte| byte != b'\n');
            self.line_end()?;
            return Some(format!("comment {text:?}"));
        }
        let family = if self.peek() == Some(b'"') { self.quoted(true)? } else { self.name(true)? };
        let text = self.while_(|byte| byte != b'\n');
        self.line_end()?;
        let text = String::from_utf8(text).ok()?;
        let text = if text.is_empty() { text } else { text.get(1..)?.to_owned() };
        if word == b"HELP" {
            let text = if text.trim_matches([' ', '\t']).is_empty() { String::new() } else { text };
            return Some(format!("help {family} {}", unescaped(&text, false)));
        }
        let metric_type = match text.as_str() {
            "counter" => "Counter",
            "gauge" => "Gauge",
            "histogram" => "Histogram",
            "summary" => "Summary",
            "untyped" => "Unknown",
            _ => return None,
        };
        Some(format!("type {family} {metric_type}"))
    }

    fn series(&mut self) -> Option<String> {
        let mut name = if self.peek() == Some(b'{') { None } else { Some(self.name(true)?) };
        let mut labels = Vec::new();
        self.blanks();
        if self.take(b'{') {
            self.labels(&mut name, &mut labels)?;
        }
        labels.push(("__name__".to_owned(), name?));
        labels.sort();
        if labels.windows(2).any(|two| two[0].0 == two[1].0) {
            return None;
        }
        self.blanks();
        let value = self.while_(|byte| !b" \t\n{".contains(&byte));
        let value = go_float(std::str::from_utf8(&value).ok()?)?;
        self.blanks();
        let digits = self.while_(|byte| byte.is_ascii_digit());
        let t_ms = match digits.as_slice() {
            b"" => None,
            digits => Some(std::str::from_utf8(digits).ok()?.parse().ok()?),
        };
        self.blanks();
        self.line_end()?;
        Some(shown(labels, value, t_ms))
    }

    fn labels(&mut self, metric: &mut Option<String>, labels: &mut Labels) -> Option<()> {
        loop {
            self.blanks();
            if self.take(b'}') {
                return Some(());
            }
            let is_quoted = self.peek() == Some(b'"');
            let name = if is_quoted { self.quoted(true)? } else { self.name(false)? };
            self.blanks();
            if is_quoted && matches!(self.peek(), Some(b',' | b'}')) {
                if metric.replace(name).is_some() {
                    return None;
                }
                self.take(b',');
                continue;
            }
            if !self.take(b'=') {
                return None;
            }
            self.blanks();
            let value = self.quoted(false)?;
            labels.push((name, value));
            self.blanks();
            self.take(b',');
        }
    }

    fn name(&mut self, with_colon: bool) -> Option<String> {
        let name = self.while_(|byte| is_name(byte, with_colon));
        let is_one = name.first().is_some_and(|first| !first.is_ascii_digit());
        is_one.then(|| String::from_utf8_lossy(&name).into_owned())
    }

    fn quoted(&mut self, is_name: bool) -> Option<String> {
        if !self.take(b'"') {
            return None;
        }
        let mut text = Vec::new();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    let escaped = self.peek().filter(|&byte| byte != b'\n')?;
                    self.at += 1;
                    text.extend([b'\\', escaped]);
                }
                _ => text.push(byte),
            }
        }
        let text = String::from_utf8(text).ok()?;
        let is_bad = is_name && (text.is_empty() || text.contains('\0'));
        (!is_bad).then(|| unescaped(&text, true))
    }
}

fn is_name(byte: u8, with_colon: bool) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || with_colon && byte == b':'
}

fn unescaped(text: &str, quotes: bool) -> String {
    let (mut plain, mut chars) = (String::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some('\\')) => plain.push('\\'),
            ('\\', Some('"')) if quotes => plain.push('"'),
            _ => {
                plain.push(c);
                continue;
            }
        }
        chars.next();
    }
    plain
}

fn go_float(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "nan" => Some(f64::from_bits(0x7ff8_0000_0000_0001)),
        "inf" | "+inf" | "infinity" | "+infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        other if other.bytes().all(|byte| b"0123456789+-.e".contains(&byte)) => {
            other.parse().ok().filter(|number: &f64| number.is_finite())
        }
        _ => None,
    }
}
