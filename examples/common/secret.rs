//! Values that must not show up in logs, on pages or in error messages.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A password, token or key: printed and serialised as `<secret>`, as Prometheus does.
///
/// ```
/// use promha_examples::common::secret::Secret;
///
/// let password = Secret::new("hunter2");
/// assert_eq!(format!("{password:?}"), "<secret>");
/// assert_eq!(password.expose(), "hunter2");
/// ```
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret {
    text: String,
}

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The hidden text, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::yaml;

    #[test]
    fn is_read_but_never_printed() {
        let secret: Secret = yaml::parse("hunter2", "c.yml").unwrap();
        assert_eq!(secret, Secret::new("hunter2"));
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "<secret> Some(<secret>)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), r#""<secret>""#);
    }

    #[test]
    fn a_number_is_a_good_password() {
        assert_eq!(yaml::parse::<Secret>("0123", "c.yml").unwrap().expose(), "0123");
    }
}
