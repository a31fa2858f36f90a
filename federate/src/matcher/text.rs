//! Names and values as PromQL can write them: any bytes.

use crate::selector::{push_escaped, quote};

/// A text, or bytes that are none: a string in PromQL may hold any, but nothing in a series does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    lossy: Box<str>,
    /// What it is, if that is not UTF-8.
    bytes: Option<Box<[u8]>>,
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self { lossy: text.into(), bytes: None }
    }
}

impl Text {
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self { lossy: text.into(), bytes: None },
            Err(error) => {
                let bytes = error.into_bytes();
                Self { lossy: String::from_utf8_lossy(&bytes).into(), bytes: Some(bytes.into()) }
            }
        }
    }

    #[inline]
    pub(crate) fn utf8(&self) -> Option<&str> {
        if self.bytes.is_none() { Some(&self.lossy) } else { None }
    }

    /// The text, with a replacement for what is not UTF-8.
    pub(crate) fn lossy(&self) -> &str {
        &self.lossy
    }

    /// In double quotes, as PromQL reads it. The replacement character is escaped: PromQL refuses it in a string.
    pub(crate) fn quoted(&self) -> String {
        let Some(bytes) = &self.bytes else {
            return quote(&self.lossy).replace(char::REPLACEMENT_CHARACTER, "\\ufffd");
        };
        let mut out = String::from("\"");
        for chunk in bytes.utf8_chunks() {
            chunk.valid().chars().for_each(|c| push_escaped(c, '"', &mut out));
            chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
        }
        out.push('"');
        out.replace(char::REPLACEMENT_CHARACTER, "\\ufffd")
    }
}
