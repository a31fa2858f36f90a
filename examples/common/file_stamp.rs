//! Noticing that a file has changed without reading it.

use std::io;
use std::path::Path;
use std::time::SystemTime;

/// What the file system says about a file's content; two equal stamps mean "not changed since".
///
/// Beside time and length it holds the file's identity where the system has one, so that a file that was
/// replaced by another one (as Kubernetes does with mounted secrets) is noticed within one clock tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    modified: SystemTime,
    length: u64,
    identity: u64,
}

impl FileStamp {
    /// The stamp of the file at `path` now; symbolic links are followed.
    ///
    /// # Errors
    /// When there is no such file or it may not be looked at.
    pub fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { modified: metadata.modified()?, length: metadata.len(), identity: identity(&metadata) })
    }
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn identity(_metadata: &std::fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_with_the_file_and_only_then() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("a"), directory.path().join("b"));
        assert!(FileStamp::of(&path).is_err());
        std::fs::write(&path, "one").unwrap();
        let first = FileStamp::of(&path).unwrap();
        assert_eq!(FileStamp::of(&path).unwrap(), first);

        std::fs::write(&path, "three").unwrap();
        assert_ne!(FileStamp::of(&path).unwrap(), first);

        // Same length, and quite possibly the same tick: only the identity tells them apart.
        let second = FileStamp::of(&path).unwrap();
        std::fs::write(&other, "seven").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_ne!(FileStamp::of(&path).unwrap(), second);
    }
}
