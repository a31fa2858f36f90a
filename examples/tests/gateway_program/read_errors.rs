//! `gateway read` when something is wrong: one sentence on standard error, and an exit code that says so.

use std::process::Command;

use super::data::{SAMPLES, STEP_MS, nodes};
use crate::harness::fake::Upstream;
use crate::harness::gateway::{Setup, config, group, program};
use crate::harness::process::{Ran, ran};
use crate::harness::{free_port, wire};

async fn read(arguments: &[&str]) -> Ran {
    ran(Command::new(program()).arg("read").args(arguments)).await
}

/// It failed, said so in one line that begins with `gateway: ` and holds `words`, and printed nothing else.
fn failed(ran: &Ran, words: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("gateway: "), "{}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in {:?}", ran.stderr);
    }
}

#[tokio::test]
async fn a_selector_that_is_none_is_refused_before_anybody_is_asked() {
    let upstream = Upstream::good(nodes("a", 1));
    for (selector, words) in [
        ("up{", "not a series selector"),
        ("", "not a series selector"),
        ("{}", "not a series selector"),
        ("up{a=~\"(\"}", "not a series selector"),
        ("sum(up)", "expected one as up{job=\"node\"}"),
        ("up[5m]", "expected one as up{job=\"node\"}"),
        ("up offset 5m", "expected one as up{job=\"node\"}"),
        ("up @ 5", "expected one as up{job=\"node\"}"),
        ("1", "expected one as up{job=\"node\"}"),
    ] {
        let ran = read(&[selector, "--url", &upstream.url()]).await;
        failed(&ran, &[words, &format!("{selector:?}")]);
    }
    failed(
        &read(&["up", "--from=now", "--to=now-1h", "--url", &upstream.url()]).await,
        &["--from is later than --to"],
    );
    failed(&read(&["up", "--from=5", "--to=4.999", "--url", &upstream.url()]).await, &["--from is later"]);
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn an_argument_that_cannot_be_read_is_an_error_of_use() {
    for moment in ["yesterday", "now-", "now-1x", "now+5m", "2026-13-01T00:00:00Z", "1e400", "", "NaN"] {
        for flag in ["--from", "--to"] {
            let ran = read(&["up", &format!("{flag}={moment}")]).await;
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{flag}={moment}");
            let examples = ["now-1h30m", "1m30s"];
            assert!(ran.stderr.contains(flag), "{}", ran.stderr);
            assert!(examples.iter().any(|example| ran.stderr.contains(example)), "{}", ran.stderr);
        }
    }
    for argument in ["--accept=everything", "--output=xml", "--url=nowhere", "--timeout=5"] {
        let ran = read(&["up", argument]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{argument}");
        assert!(ran.stderr.contains(argument.split('=').next().unwrap()), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_named() {
    let address = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{address}/api/v1/read");
    failed(&read(&["up", "--url", &url]).await, &[&address, "refused"]);

    let busy = Upstream::failing(503, "come back later\n");
    failed(&read(&["up", "--url", &busy.url()]).await, &["the server answered 503", "come back later"]);
    let elsewhere = Upstream::start(|_, connection| connection.plain(200, "text/html", b"<h1>Welcome</h1>"));
    failed(&read(&["up", "--url", &elsewhere.url()]).await, &["text/html"]);

    // What the gateway says of a group that fails reaches who reads.
    let gateway = Setup::new(&config(&[group("dc1", &[("a", &busy.url())])])).start().await;
    let ran = gateway.read("up", &[]).await;
    failed(&ran, &["the server answered 502", "group dc1", "a: answered 503: come back later"]);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let silent = Upstream::start(|_, connection| connection.until_closed());
    let begun = Upstream::start(|_, connection| {
        connection.begin_stream()?;
        connection.until_closed()
    });
    let ran = read(&["up", "--timeout=200ms", "--url", &silent.url()]).await;
    failed(&ran, &["no answer within 200ms"]);
    // Long enough for the answer to begin, however busy the machine is.
    let ran = read(&["up", "--timeout=5s", "--url", &begun.url()]).await;
    failed(&ran, &["silent for 5s"]);
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_after_what_came_before() {
    let series = nodes("a", 3);
    let first = [wire::frames(0, &series[0]), wire::frames(0, &series[1])].concat();
    let rest = wire::frames(0, &series[2]);
    let until = format!("--to={}", SAMPLES * STEP_MS);
    for (name, piece, ends) in [
        ("between frames", &[][..], false),
        ("inside a frame", &rest[..rest.len() / 2], false),
        ("an end inside a frame", &rest[..rest.len() / 2], true),
        ("garbage", &[0xee; 100][..], true),
    ] {
        let (first, piece) = (first.clone(), piece.to_vec());
        let upstream = Upstream::start(move |_, connection| {
            connection.begin_stream()?;
            connection.chunk(&first)?;
            if !piece.is_empty() {
                connection.chunk(&piece)?;
            }
            if ends { connection.end_stream() } else { Ok(()) }
        });
        let gateway = Setup::new(&config(&[group("dc1", &[("a", &upstream.url())])])).start().await;
        for url in [upstream.url(), gateway.read_url()] {
            // A line of JSON is a whole series, which the last one may not be.
            for (output, lines) in [("table", 2 * (1 + SAMPLES)), ("csv", 1 + 2 * SAMPLES), ("json", 1)] {
                let ran = read(&["up", "--from=0", &until, "--output", output, "--url", &url]).await;
                assert_eq!(ran.code, Some(1), "{name}, {output}: {}", ran.stderr);
                assert_eq!(ran.stderr.lines().count(), 1, "{name}, {output}: {}", ran.stderr);
                assert!(ran.stderr.starts_with("gateway: "), "{name}, {output}: {}", ran.stderr);
                assert!(!ran.stderr.contains(" series, "), "{name}: no summary of what is not whole");
                if url == upstream.url() {
                    let printed = ran.stdout.lines().count() as i64;
                    assert_eq!(printed, lines, "{name}, {output}: {}", ran.stdout);
                }
            }
        }
        let body = &[0xee; 50][..];
        let broken =
            Upstream::start(move |_, connection| connection.plain(200, "application/x-protobuf", body));
        let ran = read(&["up", "--url", &broken.url()]).await;
        failed(&ran, &["the answer cannot be read"]);
    }
}
