//! Prometheus' `http_config`: how a program speaks to another server, spelled as in Prometheus.
//!
//! In Prometheus' files these keys stand beside those of what embeds them. serde cannot flatten and refuse
//! unknown keys at once, and flattening loses the lines that errors need; therefore a type that embeds them
//! is declared through [`with_http_client_config!`], which lists all keys at one level:
//!
//! ```
//! use promha_examples::common::{http_client::with_http_client_config, yaml};
//!
//! with_http_client_config! {
//!     /// A server to read from.
//!     #[derive(Debug, Clone)]
//!     pub struct Upstream {
//!         /// Where it listens.
//!         pub url: String,
//!     }
//! }
//!
//! let upstream: Upstream = yaml::parse("{ url: 'http://a', basic_auth: { username: u } }", "c.yml")?;
//! upstream.http_client.validate("c.yml")?;
//! let error = yaml::parse::<Upstream>("{ url: 'http://a', basicauth: {} }", "c.yml").unwrap_err();
//! assert!(error.to_string().starts_with(r#"c.yml:1:20: unknown key "basicauth": expected one of url, "#));
//! # Ok::<(), yaml::ConfigError>(())
//! ```

mod client;
mod tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::tls::TlsVersion;
use super::yaml::{ConfigError, Spanned};

pub use super::causes::causes;
pub use client::{CredentialsError, HttpClient};

/// The keys of Prometheus' `http_config`.
///
/// As a value of its own it is read from a mapping with exactly these keys; see the module's page for
/// embedding them. [`HttpClientConfig::validate`] checks what depends on several keys,
/// [`HttpClientConfig::client`] builds the client.
#[derive(Debug, Clone, Serialize)]
pub struct HttpClientConfig {
    /// User name and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<Spanned<BasicAuth>>,
    /// The `Authorization` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Spanned<Authorization>>,
    /// Older spelling of `authorization` with type Bearer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<Spanned<Secret>>,
    /// Older spelling of `authorization` with type Bearer and the token in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_token_file: Option<Spanned<PathBuf>>,
    /// How an `https` server proves itself, and how we do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_config: Option<Spanned<TlsConfig>>,
    /// Whether answers that point elsewhere are followed; on unless set.
    pub follow_redirects: bool,
    /// Whether HTTP/2 is offered to `https` servers; on unless set.
    pub enable_http2: bool,
    /// The proxy to go through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<Spanned<String>>,
    /// Hosts, networks and domains that are reached without the proxy, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_proxy: Option<Spanned<String>>,
    /// Whether `HTTP_PROXY` and its kin say which proxy to use; off unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_from_environment: Option<Spanned<bool>>,
    /// Headers to add to each request, as Prometheus' `remote_read` has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Spanned<String>>,
}

/// User name and password, each given or in a file that is read at each request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "Prometheus' own names")]
pub struct BasicAuth {
    pub username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// The `Authorization` header: a type, `Bearer` unless set, and credentials, given or in a file that is
/// read at each request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "Prometheus' own names")]
pub struct Authorization {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
}

/// How an `https` server proves itself, and how we do.
///
/// `server_name` is the name that the server's certificate must hold; the name sent to choose among the
/// server's certificates (SNI) stays the URL's host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "Prometheus' own names")]
pub struct TlsConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    pub insecure_skip_verify: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_version: Option<TlsVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_version: Option<TlsVersion>,
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            bearer_token_file: None,
            tls_config: None,
            follow_redirects: true,
            enable_http2: true,
            proxy_url: None,
            no_proxy: None,
            proxy_from_environment: None,
            headers: BTreeMap::new(),
        }
    }
}

impl HttpClientConfig {
    /// Checks what depends on several keys, with Prometheus' complaints; `file_name` is only for errors.
    ///
    /// # Errors
    /// When keys exclude each other, a needed one is missing, or a value cannot be what it should be.
    pub fn validate(&self, file_name: &str) -> Result<(), ConfigError> {
        self.validate_auth(file_name)?;
        self.validate_proxy(file_name)?;
        self.validate_headers(file_name)?;
        match &self.tls_config {
            Some(tls) => tls.value.validate().map_err(|error| ConfigError::spanned(file_name, tls, error)),
            None => Ok(()),
        }
    }

    fn validate_auth(&self, file_name: &str) -> Result<(), ConfigError> {
        let bearer_file = self.bearer_token_file.as_ref();
        if let (Some(_), Some(file)) = (&self.bearer_token, bearer_file) {
            let message = "at most one of bearer_token & bearer_token_file must be configured";
            return Err(ConfigError::spanned(file_name, file, message));
        }
        if let Some(basic) = &self.basic_auth {
            if self.bearer_token.is_some() || bearer_file.is_some() {
                let message =
                    "at most one of basic_auth, bearer_token & bearer_token_file must be configured";
                return Err(ConfigError::spanned(file_name, basic, message));
            }
            basic.value.validate().map_err(|message| ConfigError::spanned(file_name, basic, message))?;
        }
        if let Some(authorization) = &self.authorization {
            let message = if self.bearer_token.is_some() || bearer_file.is_some() {
                Some("authorization is not compatible with bearer_token & bearer_token_file")
            } else if self.basic_auth.is_some() {
                Some("at most one of basic_auth & authorization must be configured")
            } else {
                authorization.value.complaint()
            };
            if let Some(message) = message {
                return Err(ConfigError::spanned(file_name, authorization, message));
            }
        }
        Ok(())
    }

    fn validate_proxy(&self, file_name: &str) -> Result<(), ConfigError> {
        if let Some(from_environment) = self.proxy_from_environment.as_ref().filter(|set| set.value)
            && (self.proxy_url.is_some() || self.no_proxy.is_some())
        {
            let message =
                "if proxy_from_environment is configured, proxy_url and no_proxy must not be configured";
            return Err(ConfigError::spanned(file_name, from_environment, message));
        }
        match (&self.proxy_url, &self.no_proxy) {
            (None, Some(no_proxy)) => {
                let message = "if no_proxy is configured, proxy_url must also be configured";
                Err(ConfigError::spanned(file_name, no_proxy, message))
            }
            (Some(proxy), _) => match Url::parse(&proxy.value) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
                _ => {
                    let message = "proxy_url is not the URL of a proxy: expected http://host:port";
                    Err(ConfigError::spanned(file_name, proxy, message))
                }
            },
            (None, None) => Ok(()),
        }
    }

    fn validate_headers(&self, file_name: &str) -> Result<(), ConfigError> {
        for (name, value) in &self.headers {
            let complain = |message| Err(ConfigError::spanned(file_name, value, message));
            let lower_case = name.to_ascii_lowercase();
            if lower_case == "authorization" {
                return complain(
                    "authorization header must be changed via the basic_auth or authorization parameter"
                        .to_owned(),
                );
            }
            if RESERVED_HEADERS.contains(&lower_case.as_str()) {
                return complain(format!("{name} is a reserved header. It must not be changed"));
            }
            if HeaderName::try_from(name).is_err() {
                return complain(format!(
                    "{name:?} is not the name of a header: expected letters, digits or -"
                ));
            }
            if HeaderValue::try_from(&value.value).is_err() {
                return complain(format!("the value of header {name} holds a character that cannot be sent"));
            }
        }
        Ok(())
    }

    /// Takes relative file names as relative to `directory`, as Prometheus does with that of its
    /// configuration file.
    pub fn resolve_paths(&mut self, directory: &Path) {
        let mut files = Vec::new();
        if let Some(basic) = &mut self.basic_auth {
            files.extend(basic.value.username_file.as_mut());
            files.extend(basic.value.password_file.as_mut());
        }
        if let Some(authorization) = &mut self.authorization {
            files.extend(authorization.value.credentials_file.as_mut());
        }
        files.extend(self.bearer_token_file.as_mut().map(|file| &mut file.value));
        if let Some(tls) = &mut self.tls_config {
            files.extend(tls.value.ca_file.as_mut());
            files.extend(tls.value.cert_file.as_mut());
            files.extend(tls.value.key_file.as_mut());
        }
        for file in files {
            // An absolute file name replaces the directory.
            *file = directory.join(&*file);
        }
    }
}

/// Headers that belong to the protocol, not to the operator; the list of Prometheus.
const RESERVED_HEADERS: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "user-agent",
    "www-authenticate",
    "x-prometheus-remote-read-version",
    "x-prometheus-remote-write-version",
];

impl BasicAuth {
    fn validate(&self) -> Result<(), &'static str> {
        if !self.username.is_empty() && self.username_file.is_some() {
            Err("at most one of basic_auth username & username_file must be configured")
        } else if self.password.is_some() && self.password_file.is_some() {
            Err("at most one of basic_auth password & password_file must be configured")
        } else {
            Ok(())
        }
    }
}

impl Authorization {
    fn complaint(&self) -> Option<&'static str> {
        let kind = self.kind.as_deref().map(str::trim);
        if self.credentials.is_some() && self.credentials_file.is_some() {
            Some("at most one of authorization credentials & credentials_file must be configured")
        } else if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("basic")) {
            Some(r#"authorization type cannot be set to "basic", use "basic_auth" instead"#)
        } else {
            None
        }
    }
}

/// Declares a configuration struct whose file holds Prometheus' `http_config` keys beside its own.
///
/// The struct gets a field `http_client: HttpClientConfig` and implements `Deserialize`, refusing unknown
/// keys, and `Serialize`. Attributes of serde are allowed on the struct's own fields. The types of the
/// struct's own fields must implement both traits.
#[macro_export]
#[doc(hidden)]
macro_rules! __with_http_client_config {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(::serde::Serialize)]
        $visibility struct $name {
            $($(#[$field_meta])* $field_visibility $field: $type,)*
            /// How requests are sent: the keys of Prometheus' `http_config`, at the same level of the file.
            #[serde(flatten)]
            pub http_client: $crate::common::http_client::HttpClientConfig,
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use ::std::{collections::BTreeMap, option::Option, path::PathBuf, string::String};
                use $crate::common::http_client::{Authorization, BasicAuth, HttpClientConfig, TlsConfig};
                use $crate::common::{secret::Secret, yaml::Spanned};

                #[derive(::serde::Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Keys {
                    $($(#[$field_meta])* $field: $type,)*
                    basic_auth: Option<Spanned<BasicAuth>>,
                    authorization: Option<Spanned<Authorization>>,
                    bearer_token: Option<Spanned<Secret>>,
                    bearer_token_file: Option<Spanned<PathBuf>>,
                    tls_config: Option<Spanned<TlsConfig>>,
                    follow_redirects: Option<bool>,
                    enable_http2: Option<bool>,
                    proxy_url: Option<Spanned<String>>,
                    no_proxy: Option<Spanned<String>>,
                    proxy_from_environment: Option<Spanned<bool>>,
                    headers: Option<BTreeMap<String, Spanned<String>>>,
                }
                let keys = <Keys as ::serde::Deserialize>::deserialize(deserializer)?;
                Ok(Self {
                    $($field: keys.$field,)*
                    http_client: HttpClientConfig {
                        basic_auth: keys.basic_auth,
                        authorization: keys.authorization,
                        bearer_token: keys.bearer_token,
                        bearer_token_file: keys.bearer_token_file,
                        tls_config: keys.tls_config,
                        follow_redirects: keys.follow_redirects.unwrap_or(true),
                        enable_http2: keys.enable_http2.unwrap_or(true),
                        proxy_url: keys.proxy_url,
                        no_proxy: keys.no_proxy,
                        proxy_from_environment: keys.proxy_from_environment,
                        headers: keys.headers.unwrap_or_default(),
                    },
                })
            }
        }
    };
}
#[doc(inline)]
pub use crate::__with_http_client_config as with_http_client_config;

impl<'de> Deserialize<'de> for HttpClientConfig {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        with_http_client_config! {
            struct Alone {}
        }
        Alone::deserialize(deserializer).map(|alone| alone.http_client)
    }
}

#[cfg(test)]
mod tests;
