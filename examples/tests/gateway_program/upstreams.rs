//! How upstreams are asked: who the gateway says it is, how it knows who they are, and how long it waits.

use std::io;
use std::sync::Arc;

use promha_remote_proto::prompb::ResponseType;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::data::{FORMS, ask, everything, merged, nodes};
use crate::harness::fake::{Gate, Upstream};
use crate::harness::gateway::{Gateway, Setup, config, group};
use crate::harness::wire::{self, Reply};
use crate::harness::{DEADLINE, free_port};

const STREAMED: ResponseType = ResponseType::StreamedXorChunks;

/// A configuration of one upstream with further keys.
fn with(upstream: &str, more: &str) -> String {
    format!(
        "groups:\n  - name: dc1\n    replica_labels: [replica]\n    upstreams:\n      - {{ name: a, url: \"{upstream}\", {more} }}\n"
    )
}

/// `user:secret` as basic authentication says it.
const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";

#[tokio::test]
async fn headers_and_credentials_reach_the_upstream() {
    let upstream = Upstream::good(nodes("a", 1));
    for (more, header, value) in [
        ("headers: { X-Scope-OrgID: team, X-Other: \"1\" }", "x-scope-orgid", "team"),
        ("basic_auth: { username: user, password: secret }", "authorization", BASIC),
        ("basic_auth: { username_file: name, password_file: password }", "authorization", BASIC),
        ("bearer_token: token", "authorization", "Bearer token"),
        ("authorization: { credentials: token }", "authorization", "Bearer token"),
        ("authorization: { type: ApiKey, credentials_file: password }", "authorization", "ApiKey secret"),
    ] {
        let setup =
            Setup::new(&with(&upstream.url(), more)).file("password", "secret\n").file("name", "user");
        let gateway = setup.start().await;
        for form in FORMS {
            assert_eq!(ask(&gateway, everything(), form).await.expect(more).results, [merged(1)]);
            assert_eq!(upstream.last_request().header(header), Some(value), "{more}");
        }
        let request = upstream.last_request();
        assert_eq!(request.header("content-encoding"), Some("snappy"));
        assert_eq!(request.header("x-prometheus-remote-read-version"), Some("0.1.0"));
        assert!(request.header("user-agent").expect("a name").starts_with("promha/"), "{request:?}");
    }
    // In the address, as a browser takes them; never shown.
    let url = upstream.url().replace("http://", "http://user:secret@");
    let mut gateway = Setup::new(&with(&url, "timeout: 5s")).start().await;
    ask(&gateway, everything(), STREAMED).await.expect("an answer");
    assert_eq!(upstream.last_request().header("authorization"), Some(BASIC));
    drop(upstream);
    let error = ask(&gateway, everything(), STREAMED).await.expect_err("nobody there");
    let page = gateway.get("/").await.expect("a page");
    let log = gateway.process().log();
    for (place, text) in [("error", error), ("page", page), ("log", log)] {
        assert!(!text.contains("secret"), "the {place} shows the password: {text}");
    }
}

#[tokio::test]
async fn a_renewed_token_is_used_from_the_next_read_on() {
    let upstream = Upstream::good(nodes("a", 1));
    let setup = Setup::new(&with(&upstream.url(), "bearer_token_file: token")).file("token", "first\n");
    let token = setup.folder().join("token");
    let gateway = setup.start().await;
    for renewed in ["first", "second", "third"] {
        std::fs::write(&token, renewed).expect("a token");
        ask(&gateway, everything(), STREAMED).await.expect("an answer");
        let expected = format!("Bearer {renewed}");
        assert_eq!(upstream.last_request().header("authorization"), Some(&*expected));
    }
    // Without its token it does not ask as nobody.
    std::fs::remove_file(&token).expect("a token");
    let asked = upstream.requests();
    let error = ask(&gateway, everything(), STREAMED).await.expect_err("no token");
    assert!(error.contains("502") && error.contains("a: credentials file "), "{error}");
    assert!(error.contains("/token cannot be read: No such file"), "{error}");
    assert_eq!(upstream.requests(), asked);
}

/// An authority and the certificate it gave to a server on 127.0.0.1.
fn issue() -> (String, Arc<ServerConfig>) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let certificate = server.signed_by(&key, &authority).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a certificate");
    (authority.pem(), Arc::new(config))
}

#[tokio::test]
async fn an_upstream_over_tls_proves_who_it_is() {
    let (authority, tls) = issue();
    let (other, _) = issue();
    let upstream =
        Upstream::start_tls(tls, |request, connection| connection.answer(request, &nodes("a", 30)));
    let inline = format!("tls_config: {{ ca: {} }}", serde_json::to_string(&authority).expect("a text"));
    for more in ["tls_config: { ca_file: ca.pem }", &inline, "tls_config: { insecure_skip_verify: true }"] {
        let setup = Setup::new(&with(&upstream.url(), more)).file("ca.pem", &authority);
        let gateway = setup.start().await;
        for form in FORMS {
            let reply = ask(&gateway, everything(), form).await.expect(more);
            assert_eq!(reply.results, [merged(30)]);
        }
    }
    let asked = upstream.requests();
    for (more, said) in [
        ("tls_config: { ca_file: other.pem }", "invalid peer certificate"),
        ("tls_config: { ca_file: ca.pem, server_name: somebody }", "somebody"),
    ] {
        let setup = Setup::new(&with(&upstream.url(), more)).file("ca.pem", &authority);
        let gateway = setup.file("other.pem", &other).start().await;
        let error = ask(&gateway, everything(), STREAMED).await.expect_err(more);
        assert!(error.contains("502") && error.contains("certificate") && error.contains(said), "{error}");
    }
    assert_eq!(upstream.requests(), asked, "whoever cannot prove it is told nothing");
}

/// Sends `before` series, then nothing.
fn falls_silent(before: usize, noticed: &Gate) -> Upstream {
    let noticed = noticed.clone();
    Upstream::start(move |_, connection| -> io::Result<()> {
        connection.begin_stream()?;
        for one in &nodes("a", 40)[..before] {
            connection.chunk(&wire::frames(0, one))?;
        }
        let ended = connection.until_closed();
        noticed.open();
        ended
    })
}

#[tokio::test]
async fn an_upstream_that_falls_silent_is_given_up() {
    let good = Upstream::good(nodes("b", 40));
    let short = |upstreams: &[(&str, &str)]| {
        config(&[group("dc1", upstreams)]).replace("timeout: 30s", "timeout: 300ms")
    };
    for before in [0, 1, 20, 40] {
        let noticed = Gate::default();
        let silent = falls_silent(before, &noticed);
        // With another replica all is there; the head of the stream is out, so the log and a counter tell.
        let gateway = Gateway::start(&short(&[("silent", &silent.url()), ("good", &good.url())])).await;
        for form in FORMS {
            let reply = ask(&gateway, everything(), form).await.expect("an answer");
            assert_eq!(reply.results, [merged(40)], "{form:?} after {before}");
        }
        let degraded = [("upstream", "silent")];
        assert_eq!(gateway.metric("promha_gateway_degraded_reads_total", &degraded).await, 2.0);
        let outcome = [("upstream", "silent"), ("outcome", "timeout")];
        assert_eq!(gateway.metric("promha_gateway_upstream_requests_total", &outcome).await, 2.0);
        gateway.logged("upstream=silent error=\"no further bytes within 300ms\"").await;
        assert!(gateway.get("/").await.expect("a page").contains("no further bytes within 300ms"));

        // Without one the answer breaks, and the connection is not kept.
        let gateway = Gateway::start(&short(&[("silent", &silent.url())])).await;
        let body = wire::request(vec![everything()], &[STREAMED]);
        let answer = wire::post(&gateway.read_url(), body).await.expect("the head of a stream");
        assert!(Reply::of(answer, 1).await.is_err(), "the answer ends as if it were complete");
        let error = ask(&gateway, everything(), ResponseType::Samples).await.expect_err("silence");
        assert!(error.contains("502") && error.contains("silent: no further bytes within 300ms"), "{error}");
        drop(gateway);
        assert!(noticed.wait(DEADLINE));
    }
}

#[tokio::test]
async fn an_upstream_that_never_begins_is_given_up() {
    let silent = Upstream::start(|_, connection| connection.until_closed());
    let gateway = Setup::new(&with(&silent.url(), "timeout: 300ms")).start().await;
    for form in FORMS {
        let error = ask(&gateway, everything(), form).await.expect_err("silence");
        assert!(error.contains("502") && error.contains("a: no answer within 300ms"), "{error}");
    }
}

/// What cannot be passed on as it comes is held, and what is held has a limit.
#[tokio::test]
async fn an_answer_that_must_be_held_is_not_held_without_limit() {
    let streamed = Upstream::good(nodes("a", 40));
    let old = Upstream::start(|_, connection| connection.snappy(&wire::samples_body(&[nodes("a", 40)])));
    let bytes: usize = nodes("a", 40).iter().map(|one| wire::frames(0, one).len()).sum();
    let sampled = wire::samples_body(&[nodes("a", 40)]).len();
    for (upstream, more, limit, fits) in [
        (&streamed, ", sort: true", bytes, true),
        (&streamed, ", sort: true", bytes / 2, false),
        (&streamed, "", bytes / 2, true),
        (&old, "", 4 * sampled, true),
        (&old, "", sampled / 2, false),
        (&old, "", sampled, false),
    ] {
        let more = format!("max_held_bytes: {limit}{more}");
        let gateway = Setup::new(&with(&upstream.url(), &more)).start().await;
        for form in FORMS {
            let reply = ask(&gateway, everything(), form).await;
            if fits {
                assert_eq!(reply.expect(&more).results, [merged(40)], "{more}");
            } else {
                let error = reply.expect_err(&more);
                assert!(error.contains("502") && error.contains(&limit.to_string()), "{more}: {error}");
            }
        }
    }
}

/// However it is sent, and however long: no more of it is taken than may be held.
#[tokio::test]
async fn an_answer_without_an_end_is_not_held_for_ever() {
    for streamed in [false, true] {
        let closed = Gate::default();
        let noticed = closed.clone();
        let endless = Upstream::start(move |_, connection| {
            let sent = if streamed {
                connection.begin_stream().and_then(|()| {
                    let frame = wire::frames(0, &nodes("a", 1)[0]);
                    (0..).try_for_each(|_: u64| connection.chunk(&frame))
                })
            } else {
                connection
                    .begin_samples()
                    .and_then(|()| (0..).try_for_each(|_: u64| connection.chunk(&[1; 1000])))
            };
            noticed.open();
            sent
        });
        let gateway = Setup::new(&with(&endless.url(), "sort: true, max_held_bytes: 100000")).start().await;
        let error = ask(&gateway, everything(), STREAMED).await.expect_err("no end");
        assert!(error.contains("502") && error.contains("larger than 100000 bytes"), "{error}");
        assert!(closed.wait(DEADLINE), "nobody takes the rest");
    }
}

#[tokio::test]
async fn a_proxy_is_gone_through_where_one_is_configured() {
    // Whom a proxy is asked for stands in the first line; the fake answers for everybody.
    let proxy = Upstream::good(nodes("a", 2));
    let address = proxy.url().replace("/api/v1/read", "");
    let far = format!("http://far-away.invalid:{}/api/v1/read", free_port());
    let gateway = Setup::new(&with(&far, &format!("proxy_url: \"{address}\""))).start().await;
    let reply = ask(&gateway, everything(), STREAMED).await.expect("an answer");
    assert_eq!(reply.results, [merged(2)]);
    assert!(proxy.last_request().header("host").expect("a host").starts_with("far-away.invalid"));
}
