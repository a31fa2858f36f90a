//! The gateway behind TLS, passwords and prefixes.

use std::process::Command;

use promha_remote_proto::prompb::ResponseType;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, StatusCode};

use super::data::{everything, merged, nodes};
use crate::harness::fake::Upstream;
use crate::harness::gateway::{Setup, config, group, program};
use crate::harness::process::ran;
use crate::harness::wire::{self, Reply};
use crate::harness::{get, http};

/// `ada:lovelace`.
const ADA: &str = "Basic YWRhOmxvdmVsYWNl";

/// A client that trusts this certificate, and says who it is or does not.
fn client(pem: &str, authorization: Option<&'static str>) -> Client {
    drop(http()); // installs what computes
    let mut headers = HeaderMap::new();
    headers.extend(authorization.map(|text| (AUTHORIZATION, HeaderValue::from_static(text))));
    let root = Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    Client::builder()
        .no_proxy()
        .tls_certs_only([root])
        .default_headers(headers)
        .timeout(crate::harness::DEADLINE)
        .build()
        .expect("a client")
}

#[tokio::test]
async fn only_who_has_a_password_is_answered_and_only_over_tls() {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let pem = issued.cert.pem();
    let hash = bcrypt::hash("lovelace", 4).expect("a hash");
    let web = format!(
        "tls_server_config: {{ cert_file: cert.pem, key_file: key.pem }}\nbasic_auth_users: {{ ada: '{hash}' }}\n"
    );
    let upstream = Upstream::good(nodes("a", 3));
    let setup = Setup::new(&config(&[group("dc1", &[("a", &upstream.url())])]))
        .file("web.yml", &web)
        .file("cert.pem", &pem)
        .file("key.pem", &issued.signing_key.serialize_pem())
        .file(
            "client.yml",
            "basic_auth: { username: ada, password: lovelace }\ntls_config: { ca_file: cert.pem }\n",
        )
        .file("nobody.yml", "tls_config: { ca_file: cert.pem }\n")
        .file("stranger.yml", "basic_auth: { username: ada, password: lovelace }\n");
    let file = |name: &str| format!("--http.config.file={}", setup.folder().join(name).display());
    let files = ["client.yml", "nobody.yml", "stranger.yml"].map(file);
    let flag = format!("--web.config.file={}", setup.folder().join("web.yml").display());
    let gateway = setup.flag(&flag).https(client(&pem, Some(ADA))).start().await;

    let stranger = client(&pem, None);
    for page in ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/read"] {
        let answer = stranger.get(format!("{}{page}", gateway.url())).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{page}");
    }
    let read = async |client: &Client| {
        let body = wire::request(vec![everything()], &[ResponseType::StreamedXorChunks]);
        let request = wire::REQUEST_HEADERS
            .iter()
            .fold(client.post(gateway.read_url()), |request, (name, value)| request.header(*name, *value));
        Reply::of(request.body(body).send().await.expect("an answer"), 1).await
    };
    assert_eq!(read(&client(&pem, Some(ADA))).await.expect("an answer").results, [merged(3)]);
    assert!(read(&stranger).await.expect_err("no password").starts_with("401 "));
    assert!(read(&client(&pem, Some("Basic YWRhOmd1ZXNz"))).await.is_err(), "a wrong password");
    assert_eq!(upstream.requests(), 1);

    // The same with the program's own client.
    let ran = gateway.read("up", &["--from=0", &files[0]]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains(": 3 series, "), "{}", ran.stderr);
    let ran = gateway.read("up", &[&files[1]]).await;
    assert_eq!((ran.code, &*ran.stderr), (Some(1), "gateway: the server answered 401: Unauthorized\n"));
    let ran = gateway.read("up", &[&files[2]]).await;
    assert!(ran.code == Some(1) && ran.stderr.contains("certificate"), "{}", ran.stderr);

    let plain = gateway.url().replace("https:", "http:");
    get(&format!("{plain}/-/healthy")).await.expect_err("no answer without TLS");
    // What is told to try is what works here.
    let page = gateway.get("/").await.expect("a page");
    assert!(page.contains(&format!("--url {}", gateway.read_url())), "{page}");
}

#[tokio::test]
async fn everything_is_below_the_prefix_of_the_external_url() {
    let upstream = Upstream::good(nodes("a", 3));
    let configured = config(&[group("dc1", &[("a", &upstream.url())])]);
    for (flags, prefix, told) in [
        (
            &["--web.external-url=https://example.org/ha/gateway/"][..],
            "/ha/gateway",
            "https://example.org/ha/gateway",
        ),
        (&["--web.external-url=http://example.org"], "", "http://example.org"),
        (
            &["--web.external-url=https://example.org/ha", "--web.route-prefix=/"],
            "",
            "https://example.org/ha",
        ),
        (&["--web.route-prefix=/inside"], "/inside", ""),
    ] {
        let mut setup = Setup::new(&configured).prefix(prefix).flag("--web.enable-lifecycle");
        for flag in flags {
            setup = setup.flag(flag);
        }
        let root = format!("http://127.0.0.1:{}", setup.port());
        let gateway = setup.start().await;
        let inside = gateway.read("up", &["--from=0"]).await;
        assert!(inside.code == Some(0) && inside.stderr.contains(": 3 series, "), "{}", inside.stderr);

        let page = gateway.get("/").await.expect("a page");
        for link in page.split("href=").skip(1).map(|rest| rest.split('>').next().unwrap()) {
            gateway.get(&format!("/{link}")).await.expect(link);
        }
        // What is told to try is how others reach it.
        let told = if told.is_empty() { gateway.url() } else { told.to_owned() };
        for text in [&*format!("--url {told}/api/v1/read"), &*format!("- url: {told}/api/v1/read")] {
            assert!(page.contains(text), "{flags:?}: {text} is not on {page}");
        }
        let handler = [("handler", "/api/v1/read"), ("code", "200")];
        gateway.metric_is("promha_gateway_http_requests_total", &handler, 1.0).await;
        let answer = http().post(format!("{}/-/reload", gateway.url())).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        if !prefix.is_empty() {
            get(&format!("{root}/metrics")).await.expect_err("nothing outside of the prefix");
            let url = format!("{root}/api/v1/read");
            let outside = ran(Command::new(program()).args(["read", "up", "--url", &url])).await;
            assert!(outside.code == Some(1) && outside.stderr.contains("404"), "{}", outside.stderr);
            // Who comes without the prefix is shown the way.
            let page = get(&format!("{root}/")).await.expect("a page");
            assert!(page.contains("<h1>promha gateway</h1>"), "{page}");
        }
    }
}

/// A newcomer behind a prefix is sent to where the page is.
#[tokio::test]
async fn the_log_names_the_page_as_others_reach_it() {
    for (flags, page) in [
        (&["--web.external-url=https://example.org/ha/"][..], "https://example.org/ha/"),
        (&["--web.route-prefix=/ha"], "/ha/"),
        (&[], "/"),
    ] {
        let mut setup = Setup::embedded();
        for flag in flags {
            setup = setup.flag(flag);
        }
        let setup = if flags.is_empty() { setup } else { setup.prefix("/ha") };
        let page = match page.strip_prefix('/') {
            Some(path) => format!("http://127.0.0.1:{}/{path}", setup.port()),
            None => page.to_owned(),
        };
        let gateway = setup.start().await;
        gateway.logged(&format!(" page={page}\n")).await;
    }
}
