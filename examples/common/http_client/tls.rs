//! `tls_config`: how an `https` server proves itself, and how we do.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::TlsConfig;
use crate::common::tls::{
    KeyPairFiles, key_pair_from_pem, protocol_versions, provider, read, roots_from_pem,
};

impl TlsConfig {
    pub(super) fn validate(&self) -> Result<(), String> {
        let cert = self.cert.is_some() || self.cert_file.is_some();
        let key = self.key.is_some() || self.key_file.is_some();
        let complaint = if self.ca.is_some() && self.ca_file.is_some() {
            "at most one of ca and ca_file must be configured"
        } else if self.cert.is_some() && self.cert_file.is_some() {
            "at most one of cert and cert_file must be configured"
        } else if self.key.is_some() && self.key_file.is_some() {
            "at most one of key and key_file must be configured"
        } else if cert && !key {
            "exactly one of key or key_file must be configured when a client certificate is configured"
        } else if key && !cert {
            "exactly one of cert or cert_file must be configured when a client key is configured"
        } else {
            self.fixed_name()?;
            return protocol_versions(self.min_version, self.max_version).map(drop);
        };
        Err(complaint.to_owned())
    }

    /// The TLS side of a client; reads the files that are named.
    pub(super) fn rustls(&self, http2: bool) -> Result<ClientConfig, String> {
        let provider = provider();
        let versions = protocol_versions(self.min_version, self.max_version)?;
        let verifier =
            ServerProof { rule: self.rule(&provider)?, name: self.fixed_name()?, provider: provider.clone() };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => {
                builder.with_client_cert_resolver(Arc::new(KeyPairFiles::open(cert, key)?))
            }
            _ => match (self.text_or_file(self.cert.as_deref(), &self.cert_file)?, self.key_pem()?) {
                (Some(cert), Some(key)) => {
                    let pair = key_pair_from_pem(&cert, &key)?;
                    builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair)))
                }
                _ => builder.with_no_client_auth(),
            },
        };
        config.alpn_protocols = if http2 { vec![b"h2".to_vec()] } else { Vec::new() };
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(config)
    }

    fn rule(&self, provider: &Arc<CryptoProvider>) -> Result<Rule, String> {
        if self.insecure_skip_verify {
            return Ok(Rule::TrustAnyone);
        }
        let roots = match self.text_or_file(self.ca.as_deref(), &self.ca_file)? {
            Some(pem) => Arc::new(roots_from_pem(&pem).map_err(|error| match &self.ca_file {
                Some(file) => format!("{}: {error}", file.display()),
                None => format!("ca: {error}"),
            })?),
            None => system_roots(),
        };
        if roots.is_empty() {
            return Ok(Rule::NobodyToTrust);
        }
        WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map(Rule::Authorities)
            .map_err(|error| error.to_string())
    }

    fn fixed_name(&self) -> Result<Option<ServerName<'static>>, String> {
        let Some(name) = &self.server_name else { return Ok(None) };
        ServerName::try_from(name.clone())
            .map(Some)
            .map_err(|_| format!("server_name {name:?} is neither a host name nor an IP address"))
    }

    fn key_pem(&self) -> Result<Option<Vec<u8>>, String> {
        self.text_or_file(self.key.as_ref().map(|key| key.expose()), &self.key_file)
    }

    fn text_or_file(&self, text: Option<&str>, file: &Option<PathBuf>) -> Result<Option<Vec<u8>>, String> {
        match (text, file) {
            (Some(text), _) => Ok(Some(text.as_bytes().to_vec())),
            (None, Some(file)) => read(file).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// The system's authorities, read once per process as Go does.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    ROOTS
        .get_or_init(|| {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "Some of the system's certificate authorities cannot be read");
            }
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(found.certs);
            Arc::new(roots)
        })
        .clone()
}

/// Decides whether a server is who it should be.
#[derive(Debug)]
struct ServerProof {
    rule: Rule,
    /// The name that must be in the certificate instead of the URL's host.
    name: Option<ServerName<'static>>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Rule {
    Authorities(Arc<WebPkiServerVerifier>),
    /// A machine without certificate authorities: no reason to refuse a client that may never need them.
    NobodyToTrust,
    TrustAnyone,
}

impl ServerCertVerifier for ServerProof {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = self.name.as_ref().unwrap_or(server_name);
        match &self.rule {
            Rule::Authorities(verifier) => {
                verifier.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
            }
            Rule::NobodyToTrust => Err(Error::General(
                "this system has no certificate authorities: install ca-certificates or set ca_file"
                    .to_owned(),
            )),
            Rule::TrustAnyone => Ok(ServerCertVerified::assertion()),
        }
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
