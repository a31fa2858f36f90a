//! Names that not every reader knows: what Prometheus 3 allows beside letters, digits and underscores.

/// How names are written that have more than letters, digits and underscores (and colons, of metrics).
///
/// Source: `EscapeName` in `prometheus/common`. It leaves colons in the names of labels as they are, which no reader
/// takes; here they are escaped as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Escaping {
    /// Whatever else is in a name becomes an underscore.
    #[default]
    Underscores,
    /// Names stand as they are, in quotes.
    AllowUtf8,
    /// A dot becomes `_dot_`, an underscore two, and so does whatever else is in the name.
    Dots,
    /// `U__` and the name, with whatever else is in it as a hexadecimal number: it can be undone.
    Values,
}

impl Escaping {
    /// The name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Underscores => "underscores",
            Self::AllowUtf8 => "allow-utf-8",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// The one that has this name in headers.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Underscores, Self::AllowUtf8, Self::Dots, Self::Values].into_iter().find(|e| e.name() == name)
    }

    /// Writes the name of a metric or a label.
    pub(super) fn put(self, name: &str, is_metric: bool, out: &mut Vec<u8>) {
        if self == Self::AllowUtf8 || is_plain(name, is_metric) {
            return out.extend_from_slice(name.as_bytes());
        }
        if self == Self::Values {
            out.extend_from_slice(b"U__");
        }
        for (at, character) in name.char_indices() {
            let may_stand = character.is_ascii() && is_plain_byte(character as u8, at == 0, is_metric);
            match self {
                Self::Dots if character == '.' => out.extend_from_slice(b"_dot_"),
                Self::Dots | Self::Values if character == '_' => out.extend_from_slice(b"__"),
                _ if may_stand => out.push(character as u8),
                Self::Dots => out.extend_from_slice(b"__"),
                Self::Values => out.extend_from_slice(format!("_{:x}_", u32::from(character)).as_bytes()),
                Self::Underscores | Self::AllowUtf8 => out.push(b'_'),
            }
        }
    }

    /// Writes a name for text; returns whether it had to be put in quotes.
    #[inline]
    pub(super) fn put_quoted(self, name: &str, is_metric: bool, out: &mut Vec<u8>) -> bool {
        if is_plain(name, is_metric) {
            out.extend_from_slice(name.as_bytes());
            return false;
        }
        if self == Self::AllowUtf8 {
            out.push(b'"');
            super::text::put_escaped(name, out);
            out.push(b'"');
            return true;
        }
        self.put(name, is_metric, out);
        false
    }
}

/// Whether every reader knows a name.
#[inline]
pub(super) fn is_plain(name: &str, is_metric: bool) -> bool {
    let wanted = if is_metric { METRIC } else { LABEL };
    let bytes = name.as_bytes();
    let all = bytes.iter().fold(u8::MAX, |all, &byte| all & CLASSES[usize::from(byte)]);
    all & wanted != 0 && bytes.first().is_some_and(|first| !first.is_ascii_digit())
}

fn is_plain_byte(byte: u8, is_first: bool, is_metric: bool) -> bool {
    let wanted = if is_metric { METRIC } else { LABEL };
    CLASSES[usize::from(byte)] & wanted != 0 && !(is_first && byte.is_ascii_digit())
}

const LABEL: u8 = 1;
const METRIC: u8 = 2;

/// In which names a byte may stand.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            classes[byte as usize] = LABEL | METRIC;
        } else if byte == b':' {
            classes[byte as usize] = METRIC;
        }
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_prometheus_does() {
        let table = [
            // plain, underscores, dots, values
            ("up_total", true, "up_total", "up_total", "up_total"),
            ("job:up:sum", true, "job:up:sum", "job:up:sum", "job:up:sum"),
            ("http.requests_a", true, "http_requests_a", "http_dot_requests__a", "U__http_2e_requests__a"),
            ("1up", true, "_up", "__up", "U___31_up"),
            ("日本", true, "__", "____", "U___65e5__672c_"),
            ("a:b", false, "a_b", "a__b", "U__a_3a_b"),
        ];
        let escape = |escaping: Escaping, name, is_metric| {
            let mut out = Vec::new();
            escaping.put(name, is_metric, &mut out);
            String::from_utf8(out).unwrap()
        };
        for (name, is_metric, underscores, dots, values) in table {
            assert_eq!(escape(Escaping::Underscores, name, is_metric), underscores);
            assert_eq!(escape(Escaping::Dots, name, is_metric), dots);
            assert_eq!(escape(Escaping::Values, name, is_metric), values);
            assert_eq!(escape(Escaping::AllowUtf8, name, is_metric), name);
            assert_eq!(is_plain(name, is_metric), name == underscores);
        }
        let mut out = Vec::new();
        assert!(Escaping::AllowUtf8.put_quoted("a\"b", false, &mut out));
        assert_eq!(out, b"\"a\\\"b\"");
        assert!(!is_plain("", true));
    }
}
