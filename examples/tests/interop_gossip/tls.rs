//! Alertmanager's transport over TLS, in which datagrams are frames: spoken with a real one, in both directions.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use promha_gossip_core::wire::alertmanager::{
    DEFAULT_FRAME_BYTES, Frame, FrameReader, write_packet, write_stream,
};
use promha_gossip_core::wire::{
    Codec, CodecConfig, Message, Ping, Side, Source, StreamMessage, StreamReader,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::harness::alertmanager::Alertmanager;
use crate::harness::interop;

/// One certificate for everybody, who are all on this machine, and who issued it.
struct Trust {
    authority_pem: String,
    cert_pem: String,
    key_pem: String,
}

impl Trust {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let cert = params.signed_by(&key, &issuer).expect("a certificate");
        Self { authority_pem: issuer.pem(), cert_pem: cert.pem(), key_pem: key.serialize_pem() }
    }

    /// What `--cluster.tls-config` reads.
    fn write(&self, folder: &Path) -> String {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let authority = write("authority.pem", &self.authority_pem);
        let (cert, key) = (write("cert.pem", &self.cert_pem), write("key.pem", &self.key_pem));
        let config = format!(
            "tls_server_config: {{ cert_file: {cert}, key_file: {key}, client_ca_file: {authority}, client_auth_type: RequireAndVerifyClientCert }}\n\
             tls_client_config: {{ cert_file: {cert}, key_file: {key}, ca_file: {authority} }}\n"
        );
        write("tls.yml", &config)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.authority_pem.as_bytes()).expect("a certificate");
        roots.add(authority).expect("an authority");
        Arc::new(roots)
    }

    fn cert(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let cert = CertificateDer::from_pem_slice(self.cert_pem.as_bytes()).expect("a certificate");
        (vec![cert], PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("a key"))
    }

    async fn connect(&self, to: SocketAddr) -> TlsStream<TcpStream> {
        let (chain, key) = self.cert();
        let config = ClientConfig::builder()
            .with_root_certificates(self.roots())
            .with_client_auth_cert(chain, key)
            .expect("a configuration");
        let connection = TcpStream::connect(to).await.expect("a connection");
        let name = ServerName::from(to.ip());
        TlsConnector::from(Arc::new(config)).connect(name, connection).await.expect("TLS")
    }

    fn acceptor(&self) -> TlsAcceptor {
        let (chain, key) = self.cert();
        let verifier = WebPkiClientVerifier::builder(self.roots()).build().expect("a verifier");
        let config = ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key);
        TlsAcceptor::from(Arc::new(config.expect("a configuration")))
    }
}

#[tokio::test]
async fn datagrams_and_streams_travel_over_tls() {
    if !interop("datagrams_and_streams_travel_over_tls") {
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default(); // only the first call can succeed
    let (trust, folder) = (Trust::new(), TempDir::new().expect("a temporary folder"));
    let flag = format!("--cluster.tls-config={}", trust.write(folder.path()));
    let alertmanager = Alertmanager::start("tls", &[], &[&flag]).await;
    let mut codec = Codec::new(CodecConfig::default()).expect("a codec");

    // An exchange over a stream: what is its name?
    let mut stream = trust.connect(alertmanager.cluster_address()).await;
    let mut bytes = Vec::new();
    write_stream(&mut bytes);
    stream.write_all(&bytes).await.expect("a connection");
    stream.flush().await.expect("a connection");
    bytes.clear();
    codec.write_push_pull(Side::Dialled, false, [].into_iter(), &[], &mut bytes).expect("a request");
    stream.write_all(&bytes).await.expect("a connection");
    stream.flush().await.expect("a connection");
    let mut reader = StreamReader::new(Side::Dialled);
    let name = loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.expect("an answer");
        assert!(length > 0, "the connection ended before its answer");
        reader.push(&piece[..length]);
        if let Some(message) = reader.next_message(&codec).expect("an answer") {
            let StreamMessage::PushPull(all) = message else { panic!("{message:?} is no exchange") };
            break all.nodes().next().expect("itself").alive.node.to_owned();
        }
    };
    assert_eq!(alertmanager.peers().await.expect("a status").keys().collect::<Vec<_>>(), [&name]);

    // A ping in a frame. The answer comes over a connection of its own, in a frame as well.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("an address to listen on");
    let here = listener.local_addr().expect("an address");
    let source = Source { addr: Some(&[127, 0, 0, 1]), port: here.port(), node: "promha" };
    let mut packet = codec.packet();
    assert!(packet.push(&Message::Ping(Ping { seq_no: 77, node: &name, source })));
    let (mut datagram, mut frame) = (Vec::new(), Vec::new());
    codec.seal(&packet, false, &mut datagram);
    write_packet(here, &datagram, &mut frame).expect("a frame");
    let mut pinging = trust.connect(alertmanager.cluster_address()).await;
    pinging.write_all(&frame).await.expect("a connection");
    pinging.flush().await.expect("a connection");

    let answer = tokio::time::timeout(Duration::from_secs(60), async {
        let (connection, _) = listener.accept().await.expect("a connection");
        let mut connection = trust.acceptor().accept(connection).await.expect("TLS");
        let mut reader = FrameReader::new(DEFAULT_FRAME_BYTES);
        loop {
            let mut piece = [0; 4096];
            let length = connection.read(&mut piece).await.expect("an answer");
            assert!(length > 0, "the connection ended before its answer");
            reader.push(&piece[..length]);
            if let Some(frame) = reader.next_frame().expect("a frame") {
                let Frame::Packet { from, datagram } = frame else { panic!("{frame:?} is no packet") };
                return (from, datagram.to_owned());
            }
        }
    });
    let (from, datagram) = answer.await.expect("an answer within a minute");
    assert_eq!(from, Some(alertmanager.cluster_address()));
    let bodies = codec.open(&datagram).expect("a datagram");
    let acks =
        bodies.filter(|body| matches!(Message::decode(body), Ok(Message::Ack(ack)) if ack.seq_no == 77));
    assert_eq!(acks.count(), 1);
}
