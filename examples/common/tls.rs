//! What TLS clients and TLS servers of the programs share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, SignatureScheme, SupportedProtocolVersion};
use serde::{Deserialize, Serialize};

use super::file_stamp::FileStamp;

/// The process's cryptography; the first call installs ring unless something is installed already.
pub fn provider() -> Arc<CryptoProvider> {
    loop {
        match CryptoProvider::get_default() {
            Some(provider) => return provider.clone(),
            // A lost race is fine: the winner's provider is there in the next round.
            None => drop(rustls::crypto::ring::default_provider().install_default()),
        }
    }
}

/// A TLS version as Prometheus spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum TlsVersion {
    TLS10,
    TLS11,
    TLS12,
    TLS13,
}

/// The versions to offer between `min` and `max`, both included; no bound means what is safe today.
///
/// TLS 1.0 and 1.1 are understood as bounds but never spoken.
///
/// # Errors
/// When nothing that is safe lies between the bounds; the text says so.
pub fn protocol_versions(
    min: Option<TlsVersion>,
    max: Option<TlsVersion>,
) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let spoken = [(TlsVersion::TLS12, &rustls::version::TLS12), (TlsVersion::TLS13, &rustls::version::TLS13)];
    let offered: Vec<_> = spoken
        .into_iter()
        .filter(|(version, _)| min.is_none_or(|min| *version >= min) && max.is_none_or(|max| *version <= max))
        .map(|(_, version)| version)
        .collect();
    if offered.is_empty() {
        return Err("min_version and max_version leave no TLS version: expected TLS12 or TLS13 between them"
            .to_owned());
    }
    Ok(offered)
}

/// The authorities in a PEM text.
///
/// # Errors
/// When the text holds no certificate or a broken one.
pub fn roots_from_pem(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| format!("not a usable authority: {error}"))?;
    }
    Ok(roots)
}

/// A certificate chain with its key, from PEM texts.
///
/// # Errors
/// When either is missing or broken, or the key belongs to another certificate.
pub fn key_pair_from_pem(cert: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    let key =
        PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("no private key in PEM: {error}"))?;
    CertifiedKey::from_der(certificates(cert)?, key, &provider()).map_err(|error| error.to_string())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("broken PEM: {error}"))?;
    if found.is_empty() { Err("no certificate in PEM".to_owned()) } else { Ok(found) }
}

/// A certificate and its key in files, read again when they change, so that a renewed certificate is used
/// from the next handshake on.
///
/// While the files do not fit together (one of them is being replaced) the last good pair stays in use.
pub struct KeyPairFiles {
    cert_file: PathBuf,
    key_file: PathBuf,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    /// Of the files as last tried, good or bad: a bad pair is reported once, not at each handshake.
    stamps: Option<(FileStamp, FileStamp)>,
    pair: Arc<CertifiedKey>,
}

impl KeyPairFiles {
    /// Reads both files.
    ///
    /// # Errors
    /// When a file cannot be read or they do not fit together; the text names the file.
    pub fn open(cert_file: &Path, key_file: &Path) -> Result<Self, String> {
        let stamps = stamps(cert_file, key_file);
        let pair = Arc::new(read_pair(cert_file, key_file)?);
        Ok(Self {
            cert_file: cert_file.to_owned(),
            key_file: key_file.to_owned(),
            loaded: Mutex::new(Loaded { stamps, pair }),
        })
    }

    /// The pair as it is in the files now, or the last good one.
    ///
    /// Looks at the files on the calling thread, also within an asynchronous handshake: two `stat` calls
    /// are cheaper than a hand-over to another thread.
    pub fn current(&self) -> Arc<CertifiedKey> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.cert_file, &self.key_file);
        if now != loaded.stamps {
            loaded.stamps = now;
            match read_pair(&self.cert_file, &self.key_file) {
                Ok(pair) => loaded.pair = Arc::new(pair),
                Err(error) => tracing::error!(error, "Keeping the previous TLS certificate"),
            }
        }
        loaded.pair.clone()
    }
}

impl ResolvesServerCert for KeyPairFiles {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for KeyPairFiles {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for KeyPairFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPairFiles")
            .field("cert_file", &self.cert_file)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

fn stamps(cert_file: &Path, key_file: &Path) -> Option<(FileStamp, FileStamp)> {
    Some((FileStamp::of(cert_file).ok()?, FileStamp::of(key_file).ok()?))
}

fn read_pair(cert_file: &Path, key_file: &Path) -> Result<CertifiedKey, String> {
    key_pair_from_pem(&read(cert_file)?, &read(key_file)?)
        .map_err(|error| format!("{} with {}: {error}", cert_file.display(), key_file.display()))
}

/// The file's bytes, or a sentence that names the file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::testing::Authority;

    #[test]
    fn versions_between_the_bounds() {
        use TlsVersion::{TLS10, TLS11, TLS12, TLS13};
        let count = |min, max| protocol_versions(min, max).map(|versions| versions.len());
        assert_eq!(count(None, None), Ok(2));
        assert_eq!(count(Some(TLS10), None), Ok(2));
        assert_eq!(protocol_versions(Some(TLS13), None), Ok(vec![&rustls::version::TLS13]));
        assert_eq!(protocol_versions(None, Some(TLS12)), Ok(vec![&rustls::version::TLS12]));
        assert!(count(None, Some(TLS11)).unwrap_err().contains("leave no TLS version"));
        assert!(count(Some(TLS13), Some(TLS12)).is_err());
    }

    #[test]
    fn a_renewed_pair_is_used_and_a_broken_one_is_not() {
        let authority = Authority::new();
        let (first, second) = (authority.issue("localhost"), authority.issue("localhost"));
        let directory = tempfile::tempdir().unwrap();
        let (cert_file, key_file) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));

        let missing = KeyPairFiles::open(&cert_file, &key_file).unwrap_err();
        assert!(missing.contains("cert.pem cannot be read"), "{missing}");
        std::fs::write(&cert_file, &first.cert_pem).unwrap();
        std::fs::write(&key_file, &second.key_pem).unwrap();
        let mismatch = KeyPairFiles::open(&cert_file, &key_file).unwrap_err();
        assert!(mismatch.contains("key.pem"), "{mismatch}");

        std::fs::write(&key_file, &first.key_pem).unwrap();
        let files = KeyPairFiles::open(&cert_file, &key_file).unwrap();
        let before = files.current();
        assert!(Arc::ptr_eq(&before, &files.current()), "not read again without a change");

        replace(&cert_file, &second.cert_pem);
        assert!(Arc::ptr_eq(&before, &files.current()), "half a change does not fit together");
        replace(&key_file, &second.key_pem);
        assert_ne!(files.current().cert, before.cert);
        assert_eq!(files.current().cert, certificates(second.cert_pem.as_bytes()).unwrap());
    }

    fn replace(path: &Path, text: &str) {
        let beside = path.with_extension("new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    #[test]
    fn pem_without_what_is_needed_says_so() {
        assert_eq!(roots_from_pem(b"").unwrap_err(), "no certificate in PEM");
        assert!(roots_from_pem(b"-----BEGIN CERTIFICATE-----\n%%\n").unwrap_err().contains("PEM"));
        let pair = Authority::new().issue("localhost");
        assert!(
            key_pair_from_pem(pair.cert_pem.as_bytes(), b"")
                .unwrap_err()
                .starts_with("no private key in PEM")
        );
        assert_eq!(roots_from_pem(pair.cert_pem.as_bytes()).map(|roots| roots.len()), Ok(1));
    }
}
