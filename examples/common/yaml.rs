//! Strict YAML: what is wrong is said with file, line, column and what would be right.
//!
//! Types that are loaded carry `#[serde(deny_unknown_fields)]`, so that a misspelt key is an error and
//! never a silent default. What YAML alone cannot know (two keys that exclude each other, a name given
//! twice) is checked after loading; wrap such values in [`Spanned`] and report them with
//! [`ConfigError::spanned`], so that these errors name their line as well.
//!
//! ```
//! use promha_examples::common::yaml;
//!
//! #[derive(Debug, serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Upstream {
//!     name: String,
//! }
//!
//! let error = yaml::parse::<Upstream>("nam: a\n", "gateway.yml").unwrap_err();
//! assert_eq!(error.to_string(), r#"gateway.yml:1:1: unknown key "nam": expected name"#);
//! ```

use std::fmt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Location, UserMessageFormatter};

pub use serde_saphyr::Spanned;

/// Reads the file at `path` as one YAML document of type `T`.
///
/// # Errors
/// When the file cannot be read, is not YAML, or does not fit `T`. Nothing is kept in between: either the
/// whole file is good or there is an error.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let file_name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => parse(text, &file_name),
            Err(error) => Err(ConfigError::in_file(
                &file_name,
                format!("not UTF-8 from byte {} on: expected a YAML text", error.valid_up_to()),
            )),
        },
        Err(error) => Err(ConfigError::in_file(&file_name, format!("cannot be read: {error}"))),
    }
}

/// Reads `text` as one YAML document of type `T`; `file_name` is only for errors.
///
/// # Errors
/// When the text is not YAML or does not fit `T`.
pub fn parse<T: DeserializeOwned>(text: &str, file_name: &str) -> Result<T, ConfigError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.without_snippet();
        ConfigError {
            file: file_name.to_owned(),
            position: error.location().and_then(position),
            message: sentence(error),
        }
    })
}

/// A value that was not read from a file, for a [`Spanned`] field that is filled by code.
pub fn unlocated<T>(value: T) -> Spanned<T> {
    Spanned::new(value, Location::UNKNOWN, Location::UNKNOWN)
}

/// What is wrong with a configuration file, and where.
///
/// Displayed as `file:line:column: message`, or `file: message` when no place is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: String,
    position: Option<(u64, u64)>,
    message: String,
}

impl ConfigError {
    /// An error at a place; lines and columns count from 1.
    pub fn at(file: &str, line: u64, column: u64, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), position: Some((line, column)), message: message.into() }
    }

    /// An error at the place where `culprit` stands.
    pub fn spanned<T>(file: &str, culprit: &Spanned<T>, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), position: position(culprit.referenced), message: message.into() }
    }

    /// An error of the whole file.
    pub fn in_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), position: None, message: message.into() }
    }

    /// The file as it was named when it was loaded.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Line and column, both counted from 1, when there is a place to blame.
    pub fn position(&self) -> Option<(u64, u64)> {
        self.position
    }

    /// What is wrong and what would be right, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

fn position(location: Location) -> Option<(u64, u64)> {
    (location != Location::UNKNOWN).then(|| (location.line(), location.column()))
}

/// The YAML crate speaks to developers of Rust types; this speaks to the operator who wrote the file.
fn sentence(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key {field:?}: expected {}", one_of(expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown value {variant:?}: expected {}", one_of(expected))
        }
        Error::SerdeMissingField { field, .. } => format!("missing key {field:?}"),
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("{unexpected} does not fit: expected {expected}")
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("key {key:?} is given twice: expected it once")
        }
        Error::NullIntoString { .. } => "no value is given: expected a text".to_owned(),
        Error::MultipleDocuments { .. } => "a second YAML document begins here: expected one".to_owned(),
        Error::UnknownAnchor { .. } => "this alias has no anchor: expected &name before *name".to_owned(),
        Error::Unexpected { expected, .. } => format!("expected {}", shape(expected)),
        Error::InvalidScalar { ty, .. } => format!("expected {}", shape(ty)),
        other => {
            // Displayed with its place, which the caller has already.
            let text = other.render_with_formatter(&UserMessageFormatter);
            match text.rfind(" at line ") {
                Some(end) => text[..end].to_owned(),
                None => text,
            }
        }
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "no key here".to_owned(),
        [name] => (*name).to_owned(),
        [..] => format!("one of {}", names.join(", ")),
    }
}

/// What the parser and Rust call a thing, in the words of the YAML that would be right.
fn shape(internal: &'static str) -> &'static str {
    match internal {
        "mapping start" => "a mapping (key: value)",
        "sequence start" => "a list ([a, b] or lines of - a)",
        "string scalar" => "a text",
        "boolean" | "bool" => "true or false",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" | "u128" => "a whole number from 0 on",
        "i8" | "i16" | "i32" | "i64" | "isize" | "i128" => "a whole number",
        "f32" | "f64" | "floating point" => "a number",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(default)]
        upstreams: Vec<Upstream>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read only by the derived code")]
    struct Upstream {
        name: Spanned<String>,
        #[serde(default)]
        port: u16,
        #[serde(default)]
        weight: f64,
        #[serde(default)]
        enabled: bool,
        #[serde(default)]
        mode: Option<Mode>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Read,
        Write,
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        for text in ["", "\n", "# nothing yet\n", "upstreams: []\n"] {
            assert!(parse::<Config>(text, "c.yml").unwrap().upstreams.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn errors_say_where_and_what_would_be_right() {
        let keys = "name, port, weight, enabled, mode, headers";
        let cases = [
            ("upstream: []\n", r#"c.yml:1:1: unknown key "upstream": expected upstreams"#.to_owned()),
            (
                "upstreams:\n  - { name: a, nam: b }\n",
                format!(r#"c.yml:2:16: unknown key "nam": expected one of {keys}"#),
            ),
            ("upstreams:\n  - port: 1\n", r#"c.yml:2:5: missing key "name""#.to_owned()),
            (
                "upstreams:\n  - name: a\n    name: b\n",
                r#"c.yml:3:5: key "name" is given twice: expected it once"#.to_owned(),
            ),
            ("upstreams:\n  - name:\n", "c.yml:2:9: no value is given: expected a text".to_owned()),
            ("upstreams:\n  - name: [a]\n", "c.yml:2:11: expected a text".to_owned()),
            ("upstreams: 5\n", "c.yml:1:12: expected a list ([a, b] or lines of - a)".to_owned()),
            ("- a\n", "c.yml:1:1: expected a mapping (key: value)".to_owned()),
            (
                "upstreams:\n  - name: a\n    port: 70000\n",
                "c.yml:3:11: expected a whole number from 0 to 65535".to_owned(),
            ),
            ("upstreams:\n  - name: a\n    weight: x\n", "c.yml:3:13: expected a number".to_owned()),
            (
                "upstreams:\n  - name: a\n    enabled: no way\n",
                "c.yml:3:14: expected true or false".to_owned(),
            ),
            (
                "upstreams:\n  - name: a\n    mode: both\n",
                r#"c.yml:3:11: unknown value "both": expected one of read, write"#.to_owned(),
            ),
            (
                "upstreams:\n  - name: a\n    headers:\n      X: [1]\n",
                "c.yml:4:10: expected a text".to_owned(),
            ),
            (
                "upstreams: []\n---\n{}\n",
                "c.yml:3:1: a second YAML document begins here: expected one".to_owned(),
            ),
            (
                "upstreams: *missing\n",
                "c.yml:1:12: this alias has no anchor: expected &name before *name".to_owned(),
            ),
            ("upstreams: [\n", "c.yml:1:12: unclosed bracket '['".to_owned()),
            (
                "upstreams:\n\t- name: a\n",
                "c.yml:2:2: tabs disallowed within this context (block indentation)".to_owned(),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse::<Config>(text, "c.yml").unwrap_err().to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_check_after_loading_names_its_line() {
        let text = "upstreams:\n  - name: a\n  - name: a\n    mode: read\n  - { name: b, mode: write }\n";
        let config: Config = parse(text, "c.yml").unwrap();
        let second = &config.upstreams[1].name;
        let error = ConfigError::spanned("c.yml", second, format!("name {:?} is taken", second.value));
        assert_eq!(error.to_string(), r#"c.yml:3:11: name "a" is taken"#);
        assert_eq!((error.file(), error.position()), ("c.yml", Some((3, 11))));
        assert_eq!(ConfigError::at("c.yml", 3, 11, error.message()), error);
    }

    #[test]
    fn a_value_from_code_has_no_line() {
        let error = ConfigError::spanned("default", &unlocated("a"), "empty");
        assert_eq!((error.to_string().as_str(), error.position()), ("default: empty", None));
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.yml");
        let error = load::<Config>(&path).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}: cannot be read: ", path.display())), "{error}");

        std::fs::write(&path, b"upstreams: []\n# \xff\n").unwrap();
        let error = load::<Config>(&path).unwrap_err();
        assert_eq!(error.message(), "not UTF-8 from byte 16 on: expected a YAML text");

        std::fs::write(&path, "upstreams: [{name: a}]\n").unwrap();
        assert_eq!(load::<Config>(&path).unwrap().upstreams[0].name.value, "a");
    }
}
