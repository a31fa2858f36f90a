use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::any;
use axum_server::tls_rustls::RustlsConfig;
use rustls::server::WebPkiClientVerifier;

use super::*;
use crate::common::testing::Authority;
use crate::common::tls::{key_pair_from_pem, provider, roots_from_pem};
use crate::common::yaml;

fn config(text: &str) -> HttpClientConfig {
    yaml::parse(text, "c.yml").unwrap()
}

/// Answers with what it was sent, one header a line; `/moved` points to `/`.
fn echo() -> Router {
    let echo = |request: Request| async move {
        let mut text = format!("{:?} {}\n", request.version(), request.uri());
        for (name, value) in request.headers() {
            text += &format!("{name}: {}\n", value.to_str().unwrap());
        }
        text
    };
    let moved = || async { (StatusCode::FOUND, [(header::LOCATION, "/")]).into_response() };
    Router::new().route("/moved", any(moved)).fallback(echo)
}

fn serve_plain() -> SocketAddr {
    let listener = bind();
    let address = listener.local_addr().unwrap();
    let server = axum_server::from_tcp(listener).unwrap();
    tokio::spawn(server.serve(echo().into_make_service()));
    address
}

fn serve_tls(config: rustls::ServerConfig) -> SocketAddr {
    let listener = bind();
    let address = listener.local_addr().unwrap();
    let server = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(config))).unwrap();
    tokio::spawn(server.serve(echo().into_make_service()));
    address
}

fn bind() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

async fn ask(config: &HttpClientConfig, url: &str) -> Result<(StatusCode, String), String> {
    let client = config.client("c.yml").map_err(|error| error.to_string())?;
    let request = client.request(reqwest::Method::GET, url.parse().unwrap()).await;
    let answer = request.map_err(|error| error.to_string())?.send().await;
    let answer = answer.map_err(|error| format!("{error:?}"))?;
    Ok((answer.status(), answer.text().await.unwrap()))
}

#[test]
fn all_keys_are_read() {
    let config = config(
        "basic_auth: { username: u, password: p }\n\
         tls_config: { ca_file: ca, cert_file: c, key_file: k, server_name: s, insecure_skip_verify: true, \
         min_version: TLS13 }\n\
         follow_redirects: false\n\
         enable_http2: false\n\
         proxy_url: http://127.0.0.1:1\n\
         no_proxy: localhost\n\
         headers: { X-Scope-OrgID: t }\n",
    );
    assert_eq!(config.validate("c.yml"), Ok(()));
    assert!(!config.follow_redirects && !config.enable_http2);
    assert_eq!(config.basic_auth.unwrap().value.password, Some(Secret::new("p")));
    assert_eq!(config.tls_config.unwrap().value.min_version, Some(TlsVersion::TLS13));
}

#[test]
fn secrets_are_not_shown() {
    let shown = |text| {
        let config = config(text);
        format!("{} {config:?}", serde_json::to_string(&config).unwrap())
    };
    let texts = [
        "basic_auth: { username: u, password: hunter2 }",
        "authorization: { credentials: hunter2 }",
        "bearer_token: hunter2",
        "tls_config: { key: hunter2, cert: c }",
    ];
    for text in texts {
        let shown = shown(text);
        assert!(shown.contains("<secret>") && !shown.contains("hunter2"), "{shown}");
    }
    assert_eq!(
        serde_json::to_string(&config("bearer_token: t")).unwrap(),
        r#"{"bearer_token":"<secret>","follow_redirects":true,"enable_http2":true}"#
    );
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_line() {
    let cases = [
        (
            "bearer_token: a\nbearer_token_file: b",
            "2:20: at most one of bearer_token & bearer_token_file must be configured",
        ),
        (
            "bearer_token: a\nbasic_auth: { username: u }",
            "2:13: at most one of basic_auth, bearer_token & bearer_token_file must be configured",
        ),
        (
            "basic_auth: { username: u, username_file: f }",
            "1:13: at most one of basic_auth username & username_file must be configured",
        ),
        (
            "basic_auth:\n  password: p\n  password_file: f",
            "2:3: at most one of basic_auth password & password_file must be configured",
        ),
        (
            "authorization: { credentials: a }\nbearer_token_file: b",
            "1:16: authorization is not compatible with bearer_token & bearer_token_file",
        ),
        (
            "basic_auth: { username: u }\nauthorization: { credentials: a }",
            "2:16: at most one of basic_auth & authorization must be configured",
        ),
        (
            "authorization: { credentials: a, credentials_file: b }",
            "1:16: at most one of authorization credentials & credentials_file must be configured",
        ),
        (
            "authorization: { type: Basic, credentials: a }",
            r#"1:16: authorization type cannot be set to "basic", use "basic_auth" instead"#,
        ),
        (
            "proxy_from_environment: true\nproxy_url: http://a",
            "1:25: if proxy_from_environment is configured, proxy_url and no_proxy must not be configured",
        ),
        ("no_proxy: a", "1:11: if no_proxy is configured, proxy_url must also be configured"),
        ("proxy_url: a:b", "1:12: proxy_url is not the URL of a proxy: expected http://host:port"),
        (
            "headers: { Authorization: a }",
            "1:27: authorization header must be changed via the basic_auth or authorization parameter",
        ),
        ("headers:\n  Content-Type: a", "2:17: Content-Type is a reserved header. It must not be changed"),
        (
            "headers: { 'a b': c }",
            r#"1:19: "a b" is not the name of a header: expected letters, digits or -"#,
        ),
        ("headers: { a: \"b\\nc\" }", "1:15: the value of header a holds a character that cannot be sent"),
        ("tls_config: { ca: a, ca_file: b }", "1:13: at most one of ca and ca_file must be configured"),
        (
            "tls_config: { cert: a, cert_file: b }",
            "1:13: at most one of cert and cert_file must be configured",
        ),
        ("tls_config: { key: a, key_file: b }", "1:13: at most one of key and key_file must be configured"),
        (
            "tls_config: { cert: a }",
            "1:13: exactly one of key or key_file must be configured when a client certificate is configured",
        ),
        (
            "tls_config: { key_file: a }",
            "1:13: exactly one of cert or cert_file must be configured when a client key is configured",
        ),
        (
            "tls_config: { server_name: 'a b' }",
            r#"1:13: server_name "a b" is neither a host name nor an IP address"#,
        ),
        (
            "tls_config: { min_version: TLS13, max_version: TLS12 }",
            "1:13: min_version and max_version leave no TLS version: expected TLS12 or TLS13 between them",
        ),
    ];
    for (text, expected) in cases {
        let error = config(text).validate("c.yml").unwrap_err();
        assert_eq!(error.to_string(), format!("c.yml:{expected}"), "{text}");
        assert_eq!(config(text).client("c.yml").unwrap_err(), error, "building checks as well");
    }
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    let cases = [
        ("bearer: a", 1),
        ("basic_auth: { user: a }", 15),
        ("authorization: { token: a }", 18),
        ("tls_config: { ca_path: a }", 15),
    ];
    for (text, column) in cases {
        let error = yaml::parse::<HttpClientConfig>(text, "c.yml").unwrap_err();
        assert_eq!(error.position(), Some((1, column)), "{error}");
        assert!(error.message().starts_with("unknown key"), "{error}");
    }
}

with_http_client_config! {
    #[derive(Debug)]
    struct Upstream {
        name: Spanned<String>,
        #[serde(default)]
        weight: u32,
    }
}

#[test]
fn embedded_keys_stand_beside_the_own_ones() {
    let text = "name: a\nbearer_token: t\nweight: 3\nfollow_redirects: false\n";
    let upstream: Upstream = yaml::parse(text, "c.yml").unwrap();
    assert_eq!((upstream.name.value.as_str(), upstream.weight), ("a", 3));
    assert_eq!((upstream.name.referenced.line(), upstream.http_client.follow_redirects), (1, false));
    let token = upstream.http_client.bearer_token.as_ref().unwrap();
    assert_eq!((token.value.expose(), token.referenced.line()), ("t", 2));

    let error = yaml::parse::<Upstream>("name: a\nwieght: 3\n", "c.yml").unwrap_err();
    let expected = "c.yml:2:1: unknown key \"wieght\": expected one of name, weight, basic_auth, authorization, \
                    bearer_token, bearer_token_file, tls_config, follow_redirects, enable_http2, proxy_url, \
                    no_proxy, proxy_from_environment, headers";
    assert_eq!(error.to_string(), expected);
    assert_eq!(yaml::parse::<Upstream>("weight: 3", "c.yml").unwrap_err().message(), r#"missing key "name""#);
}

#[test]
fn files_are_relative_to_the_configuration() {
    let mut config = config(
        "authorization: { credentials_file: a }\n\
         tls_config: { ca_file: b, cert_file: /abs/c, key_file: ../k }",
    );
    config.resolve_paths(Path::new("/etc/promha"));
    let tls = config.tls_config.unwrap().value;
    assert_eq!(config.authorization.unwrap().value.credentials_file, Some("/etc/promha/a".into()));
    assert_eq!(tls.ca_file, Some("/etc/promha/b".into()));
    assert_eq!(tls.cert_file, Some("/abs/c".into()));
    assert_eq!(tls.key_file, Some("/etc/promha/../k".into()));
}

#[tokio::test]
async fn credentials_and_headers_are_sent() {
    let url = format!("http://{}/", serve_plain());
    let cases = [
        ("{}", None),
        ("basic_auth: { username: u, password: p }", Some("Basic dTpw")),
        ("basic_auth: { username: u }", Some("Basic dTo=")),
        ("authorization: { credentials: t }", Some("Bearer t")),
        ("authorization: { type: Token, credentials: t }", Some("Token t")),
        ("bearer_token: t", Some("Bearer t")),
    ];
    for (text, expected) in cases {
        let (status, echo) = ask(&config(text), &url).await.unwrap();
        let sent = echo.lines().find_map(|line| line.strip_prefix("authorization: "));
        assert_eq!((status, sent), (StatusCode::OK, expected), "{text}");
        assert!(echo.contains("\nuser-agent: promha/"), "{echo}");
    }
    let (_, echo) = ask(&config("headers: { X-Scope-OrgID: tenant }"), &url).await.unwrap();
    assert!(echo.contains("\nx-scope-orgid: tenant\n"), "{echo}");
}

#[tokio::test]
async fn secrets_in_files_are_read_at_each_request() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    let url: Url = format!("http://{}/", serve_plain()).parse().unwrap();
    let texts = [
        ("basic_auth: { username: u, password_file: secret }", "Basic dTpvbmU=", "Basic dTp0d28="),
        ("basic_auth: { username_file: secret, password: p }", "Basic b25lOnA=", "Basic dHdvOnA="),
        ("authorization: { credentials_file: secret }", "Bearer one", "Bearer two"),
        ("bearer_token_file: secret", "Bearer one", "Bearer two"),
    ];
    for (text, first, second) in texts {
        std::fs::remove_file(&file).ok();
        let mut config = config(text);
        config.resolve_paths(directory.path());
        let client = config.client("c.yml").unwrap();
        let error = client.request(reqwest::Method::GET, url.clone()).await.unwrap_err();
        assert!(error.to_string().contains("secret cannot be read"), "{error}");

        for (content, expected) in [("one\n", first), ("two", second)] {
            std::fs::write(&file, content).unwrap();
            let request = client.request(reqwest::Method::GET, url.clone()).await.unwrap();
            let echo = request.send().await.unwrap().text().await.unwrap();
            assert!(echo.contains(&format!("authorization: {expected}\n")), "{echo}");
        }
    }
    std::fs::write(&file, "a\nb").unwrap();
    let mut config = config("bearer_token_file: secret");
    config.resolve_paths(directory.path());
    let error = ask(&config, url.as_str()).await.unwrap_err();
    assert_eq!(error, "the credentials hold a character that no HTTP header may have");
}

#[tokio::test]
async fn redirects_are_followed_unless_switched_off() {
    let url = format!("http://{}/moved", serve_plain());
    assert_eq!(ask(&config("{}"), &url).await.unwrap().0, StatusCode::OK);
    assert_eq!(ask(&config("follow_redirects: false"), &url).await.unwrap().0, StatusCode::FOUND);
}

#[tokio::test]
async fn a_proxy_is_used_except_where_it_must_not() {
    let proxy = serve_plain();
    let through = format!("proxy_url: 'http://{proxy}'");
    // The name does not resolve: only a proxy can have answered, and it saw the whole URL.
    let (_, echo) = ask(&config(&through), "http://upstream.invalid/path").await.unwrap();
    assert!(echo.contains(" http://upstream.invalid/path\n"), "{echo}");

    let direct = serve_plain();
    let text = format!("{through}\nno_proxy: '127.0.0.1,example.com'");
    let (_, echo) = ask(&config(&text), &format!("http://{direct}/path")).await.unwrap();
    assert!(echo.starts_with("HTTP/1.1 /path\n"), "{echo}");
}

/// A server whose certificate holds one name, with the authority that signed it.
fn tls_server(authority: &Authority, name: &str, client_authority: Option<&Authority>) -> SocketAddr {
    let issued = authority.issue(name);
    let pair = key_pair_from_pem(issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    let builder = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match client_authority {
        Some(authority) => {
            let roots = Arc::new(roots_from_pem(authority.pem().as_bytes()).unwrap());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    serve_tls(config)
}

#[tokio::test]
async fn a_server_must_prove_who_it_is() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(directory.path().join("stranger.pem"), stranger.pem()).unwrap();
    let server = tls_server(&authority, "upstream.example", None);
    let url = format!("https://{server}/");
    let outcome = async |text: &str| {
        let mut config = config(text);
        config.resolve_paths(directory.path());
        ask(&config, &url).await
    };

    let named = "tls_config: { ca_file: ca.pem, server_name: upstream.example }";
    assert!(outcome(named).await.unwrap().1.starts_with("HTTP/2.0 "), "offered unless switched off");
    let old = outcome(&format!("{named}\nenable_http2: false")).await.unwrap().1;
    assert!(old.starts_with("HTTP/1.1 "), "{old}");
    let inline = format!(
        "tls_config:\n  server_name: upstream.example\n  ca: |\n    {}",
        authority.pem().trim().replace('\n', "\n    ")
    );
    assert!(outcome(&inline).await.is_ok());
    assert!(outcome("tls_config: { insecure_skip_verify: true }").await.is_ok());

    let wrong = [
        ("tls_config: { ca_file: ca.pem }", "NotValidForName"),
        ("tls_config: { ca_file: ca.pem, server_name: other.example }", "NotValidForName"),
        ("tls_config: { ca_file: stranger.pem, server_name: upstream.example }", "InvalidCertificate("),
    ];
    for (text, expected) in wrong {
        let error = outcome(text).await.unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let error = outcome("{}").await.unwrap_err();
    assert!(error.contains("UnknownIssuer") || error.contains("no certificate authorities"), "{error}");

    let missing = outcome("\ntls_config: { ca_file: none.pem }").await.unwrap_err();
    assert!(missing.starts_with("c.yml:2:13: tls_config: ") && missing.contains("none.pem cannot be read"));
}

#[tokio::test]
async fn a_client_can_prove_who_it_is() {
    let authority = Authority::new();
    let client = authority.issue("client");
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(directory.path().join("cert.pem"), &client.cert_pem).unwrap();
    std::fs::write(directory.path().join("key.pem"), &client.key_pem).unwrap();
    let url = format!("https://localhost:{}/", tls_server(&authority, "localhost", Some(&authority)).port());

    let mut with =
        config("tls_config: { ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem, max_version: TLS12 }");
    with.resolve_paths(directory.path());
    assert_eq!(ask(&with, &url).await.unwrap().0, StatusCode::OK);

    let mut without = config("tls_config: { ca_file: ca.pem }");
    without.resolve_paths(directory.path());
    let error = ask(&without, &url).await.unwrap_err();
    assert!(error.contains("CertificateRequired"), "{error}");

    let mut halved = config("tls_config: { ca_file: ca.pem, cert_file: cert.pem, key: x }");
    halved.resolve_paths(directory.path());
    assert!(ask(&halved, &url).await.unwrap_err().contains("no private key in PEM"));
}
