//! The file of `--web.config.file`: TLS, users and headers, in the format of Prometheus' exporter-toolkit.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::auth::Users;
use super::tls::TlsServerConfig;
use crate::common::file_stamp::FileStamp;
use crate::common::secret::Secret;
use crate::common::yaml::{self, ConfigError, Spanned};

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WebConfigFile {
    tls_server_config: Option<Spanned<TlsServerConfig>>,
    http_server_config: HttpServerConfig,
    basic_auth_users: BTreeMap<String, Spanned<Secret>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpServerConfig {
    http2: bool,
    headers: BTreeMap<String, Spanned<String>>,
}

impl Default for HttpServerConfig {
    fn default() -> Self {
        Self { http2: true, headers: BTreeMap::new() }
    }
}

/// The file as it is used.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    pub(super) users: Users,
    pub(super) headers: HeaderMap,
}

/// What the file says now: it is read again when it has changed, and while it is broken what it said before
/// stays in force.
///
/// Only whether TLS is spoken at all is fixed at the start, since clients could not follow.
pub(super) struct WebConfig {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

struct State {
    /// Of the file as last tried, good or bad: a bad one is reported once, not at each request.
    stamp: Option<FileStamp>,
    loaded: Arc<Loaded>,
}

impl WebConfig {
    /// Reads the file; without one, everything is plain and open.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, ConfigError> {
        let (stamp, loaded) = match &path {
            Some(path) => (FileStamp::of(path).ok(), load(path)?),
            None => (None, Loaded::default()),
        };
        Ok(Self { path, state: Mutex::new(State { stamp, loaded: Arc::new(loaded) }) })
    }

    /// What is in force for the next request or handshake.
    ///
    /// Looks at the file on the calling thread: one `stat` is cheaper than a hand-over to another thread.
    pub(super) fn current(&self) -> Arc<Loaded> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.path.as_deref().and_then(|path| FileStamp::of(path).ok());
        if now != state.stamp
            && let Err(error) = self.read_again(&mut state)
        {
            tracing::error!(%error, "Keeping the previous web configuration");
        }
        state.loaded.clone()
    }

    /// Reads the file again, changed or not.
    pub(super) fn reload(&self) -> Result<(), ConfigError> {
        self.read_again(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn is_tls(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).loaded.tls.is_some()
    }

    fn read_again(&self, state: &mut State) -> Result<(), ConfigError> {
        let Some(path) = &self.path else { return Ok(()) };
        // Before the content: a change in between is noticed the next time.
        state.stamp = FileStamp::of(path).ok();
        let loaded = load(path)?;
        if loaded.tls.is_some() != state.loaded.tls.is_some() {
            let message = "TLS cannot be switched on or off while the program runs: restart it";
            return Err(ConfigError::in_file(&path.display().to_string(), message));
        }
        state.loaded = Arc::new(loaded);
        Ok(())
    }
}

impl fmt::Debug for WebConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebConfig").field("path", &self.path).finish_non_exhaustive()
    }
}

fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let file: WebConfigFile = yaml::load(path)?;
    let name = path.display().to_string();
    let directory = path.parent().unwrap_or(Path::new(""));
    let tls =
        match &file.tls_server_config {
            Some(tls) => {
                let built = tls.value.rustls(directory, file.http_server_config.http2);
                Some(Arc::new(built.map_err(|error| {
                    ConfigError::spanned(&name, tls, format!("tls_server_config: {error}"))
                })?))
            }
            None => None,
        };
    let mut hashes = BTreeMap::new();
    for (user, hash) in file.basic_auth_users {
        if hash.value.expose().parse::<bcrypt::HashParts>().is_err() {
            let message = format!("the password of {user:?} is not a bcrypt hash: expected $2y$10$...");
            return Err(ConfigError::spanned(&name, &hash, message));
        }
        hashes.insert(user, Arc::from(hash.value.expose()));
    }
    let mut headers = HeaderMap::new();
    for (header, value) in &file.http_server_config.headers {
        let (header, value) =
            answer_header(header, value).map_err(|message| ConfigError::spanned(&name, value, message))?;
        headers.insert(header, value);
    }
    Ok(Loaded { tls, users: Users::new(hashes), headers })
}

/// The headers that may be set, with their values where there are only some; exporter-toolkit's list.
const ANSWER_HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

fn answer_header(name: &str, value: &Spanned<String>) -> Result<(HeaderName, HeaderValue), String> {
    let Some((_, values)) = ANSWER_HEADERS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = ANSWER_HEADERS.iter().map(|(known, _)| *known).collect();
        return Err(format!(
            "HTTP header {name:?} can not be configured: expected one of {}",
            known.join(", ")
        ));
    };
    let text = value.value.as_str();
    if !values.is_empty() && !values.contains(&text) {
        return Err(format!("{text:?} does not fit {name}: expected {}", values.join(" or ")));
    }
    let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
    let value = HeaderValue::try_from(text)
        .map_err(|_| format!("the value of {name} holds a character that cannot be sent"))?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Result<Loaded, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.yml");
        std::fs::write(&path, text).unwrap();
        load(&path).map_err(|error| error.to_string().rsplit_once("web.yml:").unwrap().1.to_owned())
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let cases = [
            (
                "tls_server_conf: {}",
                r#"1:1: unknown key "tls_server_conf": expected one of tls_server_config, http_server_config, basic_auth_users"#,
            ),
            (
                "basic_auth_users:\n  ada: lovelace",
                r#"2:8: the password of "ada" is not a bcrypt hash: expected $2y$10$..."#,
            ),
            (
                "http_server_config:\n  headers:\n    Server: me",
                "3:13: HTTP header \"Server\" can not be configured: expected one of Content-Security-Policy, \
                 Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection",
            ),
            (
                "http_server_config: { headers: { X-Frame-Options: allow } }",
                r#"1:51: "allow" does not fit X-Frame-Options: expected deny or sameorigin"#,
            ),
            (
                "tls_server_config: { cert_file: a }",
                "1:20: tls_server_config: cert_file and key_file must both be set",
            ),
            (
                "tls_server_config: { cert_file: a, key_file: b, client_ca_file: c }",
                "1:20: tls_server_config: client_ca_file is set but client_auth_type asks for no certificate that \
                 is verified: expected VerifyClientCertIfGiven or RequireAndVerifyClientCert",
            ),
            (
                "tls_server_config: { cert_file: a, key_file: b, client_auth_type: RequireAndVerifyClientCert }",
                "1:20: tls_server_config: client_auth_type needs client_ca_file, which says whose certificates \
                 are good",
            ),
            (
                "tls_server_config: { client_auth_type: Sometimes }",
                r#"1:40: unknown value "Sometimes": expected one of NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"#,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(loaded(text).unwrap_err(), expected, "{text}");
        }
        let missing = loaded("tls_server_config: { cert_file: a.pem, key_file: b.pem }").unwrap_err();
        assert!(missing.contains("a.pem cannot be read"), "{missing}");
    }

    #[test]
    fn headers_are_taken_over() {
        let text = "http_server_config:\n  headers: { X-Frame-Options: deny, Content-Security-Policy: a }";
        let headers = loaded(text).unwrap().headers;
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["x-frame-options"], "deny");
    }

    #[test]
    fn a_broken_change_leaves_the_file_before_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.yml");
        let write = |text: &str| {
            let beside = path.with_extension("new");
            std::fs::write(&beside, text).unwrap();
            std::fs::rename(beside, &path).unwrap();
        };
        let frame = |config: &WebConfig| config.current().headers.get("x-frame-options").cloned();
        let text = |value: &str| format!("http_server_config: {{ headers: {{ X-Frame-Options: {value} }} }}");
        write(&text("deny"));
        let config = WebConfig::open(Some(path.clone())).unwrap();
        assert_eq!(frame(&config).unwrap(), "deny");
        write(&text("sameorigin"));
        assert_eq!(frame(&config).unwrap(), "sameorigin");
        write(&text("allow"));
        assert_eq!(frame(&config).unwrap(), "sameorigin");
        assert!(config.reload().is_err());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(frame(&config).unwrap(), "sameorigin");
        write("{}");
        assert!(config.reload().is_ok());
        assert_eq!(frame(&config), None);
        assert!(WebConfig::open(None).unwrap().reload().is_ok());
    }
}
