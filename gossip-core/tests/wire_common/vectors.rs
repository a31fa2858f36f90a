//! The captured packets and streams, and what is in them (`testdata/memberlist/`; `PROMHA_VECTORS=<dir>` reads
//! `<dir>/memberlist/` instead).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// What it decodes to.
    pub(crate) decoded: Value,
    /// Who wrote it, or who took part.
    pub(crate) source: String,
    pub(crate) stream: bool,
}

impl Vector {
    /// The label, if it tells one.
    pub(crate) fn label(&self) -> &str {
        match self.decoded[0][0].as_str() {
            Some("label") => self.decoded[0][1].as_str().unwrap(),
            _ => "",
        }
    }
}

/// All of them, sorted by name. A table that is missing or empty is a failure, and so is a file of another length than it says, or
/// one that it does not name.
pub(crate) fn vectors() -> Vec<Vector> {
    let dir = match std::env::var_os("PROMHA_VECTORS") {
        Some(dir) => PathBuf::from(dir).join("memberlist"),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/memberlist"),
    };
    let table = std::fs::read(dir.join("description.json")).unwrap();
    let table: BTreeMap<String, Value> = serde_json::from_slice(&table).unwrap();
    assert!(!table.is_empty(), "an empty table");
    let files = std::fs::read_dir(&dir).unwrap().filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_str().is_some_and(|name| name.ends_with(".bin"))
    });
    assert_eq!(files.count(), table.len(), "files that the table does not name");
    let vector = |(name, mut described): (String, Value)| {
        let bytes = std::fs::read(dir.join(&name)).unwrap();
        assert_eq!(Some(bytes.len() as u64), described["len"].as_u64(), "{name}");
        let stream = described["transport"].as_str().unwrap().starts_with("tcp");
        let source = described["source"].as_str().unwrap().to_owned();
        Vector { name, bytes, decoded: described["decoded"].take(), source, stream }
    };
    table.into_iter().map(vector).collect()
}
