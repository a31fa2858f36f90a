//! The client that an [`HttpClientConfig`] describes.

use std::path::{Path, PathBuf};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, NoProxy, Proxy, RequestBuilder, Url, redirect};

use super::{HttpClientConfig, TlsConfig};
use crate::common::secret::Secret;
use crate::common::yaml::ConfigError;

impl HttpClientConfig {
    /// The client these keys describe, after [`HttpClientConfig::validate`]; `file_name` is only for errors.
    ///
    /// The files of `tls_config` are read now: a change of `ca_file` needs a new client, a renewed client
    /// certificate is picked up by itself. Secrets in other files are read at each request.
    ///
    /// # Errors
    /// When the keys are not valid or a file of `tls_config` cannot be used.
    pub fn client(&self, file_name: &str) -> Result<HttpClient, ConfigError> {
        self.validate(file_name)?;
        let (tls, at) = match &self.tls_config {
            Some(tls) => (&tls.value, Some(tls)),
            None => (&TlsConfig::default(), None),
        };
        let refuse = |message: String| match at {
            Some(at) => ConfigError::spanned(file_name, at, message),
            None => ConfigError::in_file(file_name, message),
        };
        let tls = tls.rustls(self.enable_http2).map_err(|error| refuse(format!("tls_config: {error}")))?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("promha/", env!("CARGO_PKG_VERSION")))
            .default_headers(self.header_map());
        if !self.follow_redirects {
            builder = builder.redirect(redirect::Policy::none());
        }
        if !self.enable_http2 {
            builder = builder.http1_only();
        }
        if let Some(proxy) = self.proxy().map_err(|error| refuse(error.to_string()))? {
            builder = builder.proxy(proxy);
        } else if !self.proxy_from_environment.as_ref().is_some_and(|set| set.value) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| refuse(error.to_string()))?;
        Ok(HttpClient { client, credentials: self.credentials() })
    }

    fn header_map(&self) -> HeaderMap {
        let headers = self.headers.iter().filter_map(|(name, value)| {
            let name = HeaderName::try_from(name).ok()?;
            Some((name, HeaderValue::try_from(&value.value).ok()?))
        });
        headers.collect()
    }

    fn proxy(&self) -> reqwest::Result<Option<Proxy>> {
        let Some(url) = &self.proxy_url else { return Ok(None) };
        let exceptions = self.no_proxy.as_ref().and_then(|list| NoProxy::from_string(&list.value));
        Ok(Some(Proxy::all(url.value.as_str())?.no_proxy(exceptions)))
    }

    fn credentials(&self) -> Credentials {
        if let Some(basic) = &self.basic_auth {
            let basic = &basic.value;
            let username = match &basic.username_file {
                Some(file) => Source::File(file.clone()),
                None => Source::Given(Secret::new(basic.username.clone())),
            };
            return Credentials::Basic {
                username,
                password: Source::of(&basic.password, &basic.password_file),
            };
        }
        let (scheme, credentials) = match (&self.authorization, &self.bearer_token, &self.bearer_token_file) {
            (Some(authorization), _, _) => {
                let Some(source) =
                    Source::of(&authorization.value.credentials, &authorization.value.credentials_file)
                else {
                    return Credentials::None;
                };
                let kind = authorization.value.kind.as_deref().map(str::trim).unwrap_or_default();
                (if kind.is_empty() { "Bearer" } else { kind }, source)
            }
            (None, Some(token), _) => ("Bearer", Source::Given(token.value.clone())),
            (None, None, Some(file)) => ("Bearer", Source::File(file.value.clone())),
            (None, None, None) => return Credentials::None,
        };
        Credentials::Header { scheme: scheme.to_owned(), credentials }
    }
}

/// An HTTP client with its credentials and headers; cheap to clone, clones share their connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    credentials: Credentials,
}

impl HttpClient {
    /// A request that carries the configured headers and credentials.
    ///
    /// Secrets that live in files are read now, so that a rotated one is used from this request on.
    ///
    /// # Errors
    /// When a file with a secret cannot be read or holds what no header can.
    pub async fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, CredentialsError> {
        let request = self.client.request(method, url);
        Ok(match &self.credentials {
            Credentials::None => request,
            Credentials::Basic { username, password } => {
                let username = username.read().await?;
                let password = match password {
                    Some(password) => Some(password.read().await?),
                    None => None,
                };
                request.basic_auth(username.expose(), password.as_ref().map(|password| password.expose()))
            }
            Credentials::Header { scheme, credentials } => {
                let text = credentials.read().await?;
                let mut value = HeaderValue::try_from(format!("{scheme} {}", text.expose()))
                    .map_err(|_| CredentialsError::NotAHeader)?;
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
        })
    }
}

/// Why a request could not be given its credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file with the secret cannot be read.
    #[error("credentials file {} cannot be read: {source}", path.display())]
    Read {
        /// The file as configured.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The secret holds a character that no header may have.
    #[error("the credentials hold a character that no HTTP header may have")]
    NotAHeader,
}

#[derive(Debug, Clone)]
enum Credentials {
    None,
    Basic { username: Source, password: Option<Source> },
    Header { scheme: String, credentials: Source },
}

/// Where a secret comes from.
#[derive(Debug, Clone)]
enum Source {
    Given(Secret),
    File(PathBuf),
}

impl Source {
    fn of(given: &Option<Secret>, file: &Option<PathBuf>) -> Option<Self> {
        let given = given.clone().map(Self::Given);
        given.or_else(|| file.clone().map(Self::File))
    }

    async fn read(&self) -> Result<Secret, CredentialsError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => read_secret(path).await,
        }
    }
}

async fn read_secret(path: &Path) -> Result<Secret, CredentialsError> {
    match tokio::fs::read_to_string(path).await {
        // Editors end files with a line break, which is not part of the secret.
        Ok(text) => Ok(Secret::new(text.trim())),
        Err(source) => Err(CredentialsError::Read { path: path.to_owned(), source }),
    }
}
