//! TLS for a listener: `tls_server_config`, and handshakes that use what it says now.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use serde::Deserialize;
use tokio::net::TcpStream;

use super::config::WebConfig;
use crate::common::tls::{KeyPairFiles, TlsVersion, protocol_versions, provider, read, roots_from_pem};

/// exporter-toolkit's `tls_server_config`. Files are relative to the one that names them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsServerConfig {
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    client_ca_file: Option<PathBuf>,
    client_auth_type: ClientAuth,
    min_version: Option<TlsVersion>,
    max_version: Option<TlsVersion>,
}

/// What a client must show of itself; the names are Go's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum ClientAuth {
    #[default]
    NoClientCert,
    RequestClientCert,
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

impl TlsServerConfig {
    /// Reads the files; the certificate's are read again when they change.
    pub(super) fn rustls(&self, directory: &Path, http2: bool) -> Result<ServerConfig, String> {
        let (Some(cert_file), Some(key_file)) = (&self.cert_file, &self.key_file) else {
            return Err("cert_file and key_file must both be set".to_owned());
        };
        let provider = provider();
        let versions = protocol_versions(self.min_version, self.max_version)?;
        let clients = self.client_verifier(directory, &provider)?;
        let pair = KeyPairFiles::open(&directory.join(cert_file), &directory.join(key_file))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| error.to_string())?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(pair));
        config.alpn_protocols = if http2 { vec![b"h2".to_vec()] } else { Vec::new() };
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(config)
    }

    fn client_verifier(
        &self,
        directory: &Path,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, String> {
        let verified = matches!(
            self.client_auth_type,
            ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert
        );
        let Some(ca_file) = self.client_ca_file.as_ref().map(|file| directory.join(file)) else {
            return match self.client_auth_type {
                ClientAuth::NoClientCert => Ok(WebPkiClientVerifier::no_client_auth()),
                ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert => Ok(Arc::new(AnyClient {
                    required: self.client_auth_type == ClientAuth::RequireAnyClientCert,
                    provider: provider.clone(),
                })),
                ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert => {
                    Err("client_auth_type needs client_ca_file, which says whose certificates are good"
                        .to_owned())
                }
            };
        };
        if !verified {
            return Err(
                "client_ca_file is set but client_auth_type asks for no certificate that is verified: \
                        expected VerifyClientCertIfGiven or RequireAndVerifyClientCert"
                    .to_owned(),
            );
        }
        let roots =
            roots_from_pem(&read(&ca_file)?).map_err(|error| format!("{}: {error}", ca_file.display()))?;
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let builder = match self.client_auth_type {
            ClientAuth::VerifyClientCertIfGiven => builder.allow_unauthenticated(),
            _ => builder,
        };
        builder.build().map(|verifier| verifier as _).map_err(|error| error.to_string())
    }
}

/// Takes any certificate whose key the client has: it tells clients apart, but vouches for nobody.
#[derive(Debug)]
struct AnyClient {
    required: bool,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Begins each handshake with what the web configuration says by then.
#[derive(Clone)]
pub(super) struct LiveTls {
    config: Arc<WebConfig>,
    rustls: RustlsConfig,
    acceptor: Inner,
}

type Inner = RustlsAcceptor<NoDelayAcceptor>;

impl LiveTls {
    /// `None` when the configuration asks for plain HTTP.
    pub(super) fn of(config: Arc<WebConfig>) -> Option<Self> {
        let rustls = RustlsConfig::from_config(config.current().tls.clone()?);
        let acceptor = RustlsAcceptor::new(rustls.clone()).acceptor(NoDelayAcceptor::new());
        Some(Self { config, rustls, acceptor })
    }
}

impl<S> Accept<TcpStream, S> for LiveTls {
    type Stream = <Inner as Accept<TcpStream, S>>::Stream;
    type Service = <Inner as Accept<TcpStream, S>>::Service;
    type Future = <Inner as Accept<TcpStream, S>>::Future;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        if let Some(tls) = &self.config.current().tls {
            self.rustls.reload_from_config(tls.clone());
        }
        self.acceptor.accept(stream, service)
    }
}
