//! `gateway check-config`, and a server that is started with what cannot work: the same words.

use std::net::TcpListener;
use std::process::Command;

use crate::harness::gateway::{Setup, program};
use crate::harness::process::{Ran, ran};

const GOOD: &str = r#"partial_response: true
groups:
  - name: north
    replica_labels: [replica]
    external_labels: { zone: "n" }
    upstreams:
      - { name: a, url: "http://127.0.0.1:1/api/v1/read", timeout: 30s }
      - { name: b, url: "https://127.0.0.1:2/api/v1/read", sort: true, headers: { X-Scope-OrgID: team } }
  - name: south
    upstreams:
      - { name: a, url: "http://127.0.0.1:3/api/v1/read", basic_auth: { username: u, password_file: secret } }
"#;

async fn check(setup: &Setup) -> Ran {
    let file = setup.folder().join("gateway.yml");
    ran(Command::new(program()).arg("check-config").arg(file)).await
}

#[tokio::test]
async fn a_good_file_is_said_to_be_good_and_what_is_in_it() {
    let setup = Setup::new(GOOD);
    let ran = check(&setup).await;
    let file = setup.folder().join("gateway.yml");
    assert_eq!(ran.stdout, format!("{}: 2 groups, 3 upstreams\n", file.display()));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let gateway = setup.start().await;
    assert_eq!(gateway.metric("promha_gateway_config_last_reload_successful", &[]).await, 1.0);
}

#[tokio::test]
async fn a_bad_file_is_refused_with_the_place_and_what_would_be_right() {
    let edit = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1)
    };
    let cases = [
        (edit("partial_response", "partial_responses"), "1:1: unknown key \"partial_responses\""),
        (edit("true", "perhaps"), "1:19: expected true or false"),
        (
            edit("url: \"http:", "uri: \"http:"),
            "7:20: unknown key \"uri\": expected one of name, url, timeout",
        ),
        (edit("30s", "30"), "7:68: \"30\" is not a duration: expected a number and a unit"),
        (edit("30s", "0s"), "7:68: timeout is 0: expected a duration as 30s"),
        (
            edit("http://127.0.0.1:1/", "127.0.0.1:1/"),
            "7:25: \"127.0.0.1:1/api/v1/read\" is not an http or https URL",
        ),
        (edit("name: b", "name: a"), "8:17: there are two upstreams \"a\": expected each name once"),
        (edit("south", "north"), "9:11: there are two groups \"north\": expected each name once"),
        (edit("X-Scope-OrgID: team", "Content-Type: x"), "8:"),
        (edit("[replica]", "[zone]"), "5:30: \"zone\" is a replica label too"),
        (edit("  - name: south\n", "  - \n"), "10:5: missing key \"name\""),
        (edit("password_file: secret", "password_file: s, password: p"), "11:"),
        (edit("sort: true", "tls_config: { ca_file: nowhere.pem }"), "8:"),
        ("groups: []\n".to_owned(), "1:9: no groups: expected at least one, with upstreams"),
        ("partial_response: true\n".to_owned(), "1:1: missing key \"groups\""),
        (String::new(), "1:1: "),
        ("groups: [\n".to_owned(), "1:9: unclosed bracket '['"),
        ("groups:\n\t- name: a\n".to_owned(), "2:2: tabs disallowed"),
    ];
    for (text, expected) in cases {
        let setup = Setup::new(&text);
        let file = setup.folder().join("gateway.yml").display().to_string();
        let ran = check(&setup).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{expected}: {}", ran.stderr);
        let message = ran.stderr.strip_prefix("gateway: ").expect(&ran.stderr).trim_end();
        assert!(
            message.starts_with(&format!("{file}:")) && message.contains(expected),
            "{expected}: {message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");

        let started = setup.fails().await;
        assert_eq!((started.code, started.stdout.as_str()), (Some(1), ""), "{expected}: {}", started.stderr);
        let last = started.stderr.lines().last().expect("a log");
        assert!(last.contains("level=error"), "{last}");
        let unescaped = last.replace("\\\"", "\"");
        assert!(unescaped.contains(message), "{unescaped} does not hold {message}");
        assert!(!started.stderr.contains("Listening on"), "it never answers: {}", started.stderr);
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let setup = Setup::new(GOOD);
    std::fs::remove_file(setup.folder().join("gateway.yml")).expect("the file");
    let ran = check(&setup).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("gateway.yml: cannot be read: No such file"), "{}", ran.stderr);
    let started = setup.fails().await;
    assert_eq!(started.code, Some(1));
    assert!(started.stderr.contains("gateway.yml: cannot be read: No such file"), "{}", started.stderr);

    std::fs::write(setup.folder().join("gateway.yml"), b"groups: []\n# \xff\n").expect("a file");
    let ran = check(&setup).await;
    assert!(ran.code == Some(1) && ran.stderr.contains("not UTF-8 from byte 13 on"), "{}", ran.stderr);
}

/// Files that a configuration names lie beside it, wherever the gateway is started.
#[tokio::test]
async fn files_are_looked_for_beside_the_configuration() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let text = GOOD.replace("sort: true", "tls_config: { ca_file: ca.pem }");
    let setup = Setup::new(&text);
    let ran = check(&setup).await;
    assert!(ran.code == Some(1) && ran.stderr.contains("ca.pem"), "{}", ran.stderr);
    let setup = setup.file("ca.pem", &certificate.cert.pem());
    let ran = check(&setup).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    setup.start().await;
}

#[tokio::test]
async fn flags_that_cannot_work_are_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let started = Setup::new(GOOD).flag(&format!("--web.listen-address={address}")).fails().await;
    assert_eq!(started.code, Some(1));
    let line = started.stderr.lines().last().expect("a log");
    assert!(line.contains("level=error") && line.contains(&format!("cannot listen on {address}")), "{line}");

    let setup = Setup::new(GOOD).file("web.yml", "basic_auth_users: { ada: lovelace }\n");
    let file = setup.folder().join("web.yml").display().to_string();
    let started = setup.flag(&format!("--web.config.file={file}")).fails().await;
    assert_eq!(started.code, Some(1));
    let line = started.stderr.lines().last().expect("a log").replace("\\\"", "\"");
    assert!(line.contains(&format!("{file}:1:26: the password of \"ada\" is not a bcrypt hash")), "{line}");

    for flag in ["--config.fil=x", "--log.level=loud", "--storage.remote.client-stall-timeout=2", "check"] {
        let started = Setup::new(GOOD).flag(flag).fails().await;
        assert_eq!(started.code, Some(2), "{flag}");
        assert!(started.stderr.starts_with("error: "), "{}", started.stderr);
    }
}

#[tokio::test]
async fn the_version_is_printed_as_prometheus_prints_it() {
    let ran = ran(Command::new(program()).arg("--version")).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.starts_with("gateway, version "), "{}", ran.stdout);
    assert!(ran.stdout.contains(env!("CARGO_PKG_VERSION")), "{}", ran.stdout);
}
