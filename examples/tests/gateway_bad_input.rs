//! Everything that can be wrong with a request or an upstream, over real sockets, and what the gateway says to it.
//!
//! Needs no other programs: the upstreams are fakes in this process.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used)]

mod harness;

use harness::dataset::Series;
use harness::fake::{Connection, Gate, Upstream, streamed};
use harness::gateway::{Gateway, config, group};
use harness::wire::{self, Reply, pack, post, query, request};
use harness::{free_port, http};
use promha_remote_proto::prompb::{LabelMatcher, MatcherType, Query, ReadRequest, ResponseType};
use prost::Message as _;
use reqwest::{Method, StatusCode};

/// The forms of an answer that a client can ask for.
const FORMS: [ResponseType; 2] = [ResponseType::StreamedXorChunks, ResponseType::Samples];

/// What every upstream of a group has, if it has anything; `replica` is the label that tells them apart.
fn data(replica: &str, series: usize) -> Vec<Series> {
    let one = |index: usize| {
        let labels = [
            ("__name__", "up"),
            ("instance", &format!("node-{index:05}")),
            ("replica", replica),
            ("zone", "z"),
        ];
        Series {
            labels: labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            samples: (0..240).map(|n| (n * 15_000, (n * (index as i64 + 1)) as f64)).collect(),
        }
    };
    (0..series).map(one).collect()
}

/// The same without the replica label: what a client should get.
fn merged(series: usize) -> Vec<Series> {
    let mut all = data("", series);
    all.iter_mut().for_each(|one| one.labels.retain(|label| label.0 != "replica"));
    all
}

fn everything() -> Query {
    query(MatcherType::Eq, "__name__", "up", 0, 3_600_000)
}

/// A gateway of one group, `dc1`.
async fn gateway(upstreams: &[(&str, &str)]) -> Gateway {
    Gateway::start(&config(&[group("dc1", upstreams)])).await
}

async fn ask(gateway: &Gateway, form: ResponseType) -> Result<Reply, String> {
    wire::read(&gateway.read_url(), vec![everything()], &[form]).await
}

/// The gateway answers as if nothing had been.
async fn still_answers(gateway: &Gateway, expected: &[Series]) {
    gateway.get("/-/healthy").await.expect("a healthy gateway");
    for form in FORMS {
        let reply = ask(gateway, form).await.expect("an answer after all that");
        assert_eq!((reply.form, &*reply.results[0]), (form, expected));
        assert_eq!((reply.degraded, reply.partial), (None, None));
    }
}

#[tokio::test]
async fn a_bad_request_is_refused_with_a_sentence() {
    let upstream = Upstream::good(data("a", 3));
    let gateway = gateway(&[("a", &upstream.url())]).await;
    let good = request(vec![everything()], &[ResponseType::Samples]);
    let with = |kind: i32, value: &str| {
        let mut query = everything();
        query.matchers.push(LabelMatcher { r#type: kind, name: "job".to_owned(), value: value.to_owned() });
        pack(&ReadRequest { queries: vec![query], accepted_response_types: vec![] }.encode_to_vec())
    };
    // 4 GiB less one byte declared, nothing there; and with a body that decompresses well up to its end.
    let bomb = |body: &[u8]| [&[0xff, 0xff, 0xff, 0xff, 0x0f], body].concat();
    let copies = [&[0x00, b'a'][..], &[0xfe, 0x01, 0x00].repeat(10_000)].concat();

    let snappy: &[&str] = &["snappy"];
    let protobuf: &[&str] = &["protobuf", "ReadRequest", "message", "field"];
    let cases: &[Case] = &[
        ("no body", vec![], &[&["snappy", "empty"]]),
        ("garbage", b"this is not a snappy block at all".repeat(20), &[snappy]),
        ("garbage of high bytes", vec![0xff; 64], &[snappy]),
        ("a truncated block", good[..good.len() - 3].to_vec(), &[snappy]),
        ("half a block", good[..good.len() / 2].to_vec(), &[snappy]),
        (
            "a bomb of a few bytes",
            bomb(&[]),
            &[&["snappy", "decompress", "declare"], &["4294967295", "limit", "bytes"]],
        ),
        (
            "a bomb of many bytes",
            bomb(&copies),
            &[&["snappy", "decompress", "declare"], &["4294967295", "limit", "bytes"]],
        ),
        ("bad protobuf", pack(&[0xff; 32]), &[protobuf]),
        ("protobuf of another message", pack(b"\x0a\x7fhello"), &[protobuf]),
        (
            "plain protobuf",
            ReadRequest { queries: vec![everything()], accepted_response_types: vec![] }.encode_to_vec(),
            &[snappy],
        ),
        ("an unsupported matcher", with(9, "x"), &[&["matcher"], &["9"]]),
        ("a negative matcher", with(-1, "x"), &[&["matcher"], &["-1"]]),
        (
            "a bad regex",
            with(MatcherType::Re.into(), "node-(1"),
            &[&["regex", "regular expression"], &["node-(1"]],
        ),
        (
            "a bad negative regex",
            with(MatcherType::Nre.into(), "*"),
            &[&["regex", "regular expression"], &["*"]],
        ),
    ];
    for (name, body, words) in cases {
        let answer = post(&gateway.read_url(), body.clone()).await.expect(name);
        refused(name, answer, StatusCode::BAD_REQUEST, words).await;
    }

    // The same good request, sent the wrong way.
    let send = async |method: Method, kind: &str, encoding: &str| {
        let request = http().request(method, gateway.read_url()).header("content-type", kind);
        request.header("content-encoding", encoding).body(good.clone()).send().await.expect("an answer")
    };
    let protobuf = "application/x-protobuf";
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let name = method.to_string();
        let answer = send(method, protobuf, "snappy").await;
        let allow = answer.headers().get("allow").expect("what is allowed").to_str().expect("text");
        assert!(allow.contains("POST"), "{name}: {allow}");
        refused(&name, answer, StatusCode::METHOD_NOT_ALLOWED, &[&["POST"]]).await;
    }
    for encoding in ["gzip", "zstd", "identity", "snappy, gzip"] {
        let answer = send(Method::POST, protobuf, encoding).await;
        refused(
            encoding,
            answer,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &[&["encoding", "Encoding"], &["snappy"]],
        )
        .await;
    }
    for kind in ["application/json", "text/plain; charset=utf-8", "application/x-www-form-urlencoded"] {
        let answer = send(Method::POST, kind, "snappy").await;
        let words: &[&[&str]] = &[&["type", "Type"], &["application/x-protobuf"]];
        refused(kind, answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, words).await;
    }

    assert_eq!(upstream.requests(), 0, "the upstream is asked nothing that is refused");
    still_answers(&gateway, &merged(3)).await;
}

/// Its name, the body, and words of which the answer must have one of each row.
type Case<'a> = (&'a str, Vec<u8>, &'a [&'a [&'a str]]);

/// The answer has this status and a body of text with one word of each row.
async fn refused(name: &str, answer: reqwest::Response, status: StatusCode, words: &[&[&str]]) {
    assert_eq!(answer.status(), status, "{name}");
    let text = answer.text().await.expect(name);
    for row in words {
        assert!(row.iter().any(|word| text.contains(word)), "{name}: none of {row:?} in {text:?}");
    }
    assert!(text.trim().contains(' ') && !text.contains('\u{fffd}'), "{name}: not a sentence: {text:?}");
}

/// vmctl sends the type of the answer that it wants as the type of its request.
#[tokio::test]
async fn the_streamed_type_on_a_request_is_taken_too() {
    let upstream = Upstream::good(data("a", 3));
    let gateway = gateway(&[("a", &upstream.url())]).await;
    let body = request(vec![everything()], &[ResponseType::StreamedXorChunks]);
    for kind in
        [wire::STREAMED, "application/x-protobuf", "application/x-protobuf;proto=prometheus.ReadRequest"]
    {
        let request =
            http().post(gateway.read_url()).header("content-type", kind).header("content-encoding", "snappy");
        let answer = request.body(body.clone()).send().await.expect(kind);
        assert_eq!(answer.status(), StatusCode::OK, "{kind}");
        assert_eq!(answer.headers()["content-type"], wire::STREAMED, "{kind}");
    }
}

#[tokio::test]
async fn a_failing_upstream_is_named_while_another_replica_answers() {
    let good = Upstream::good(data("b", 5));
    let dead = format!("http://127.0.0.1:{}/api/v1/read", free_port());
    let failing = Upstream::failing(500, "out of order");
    let unwilling = Upstream::failing(404, "no such page");
    let elsewhere = Upstream::start(|_, connection| connection.plain(200, "text/html", b"<h1>Welcome</h1>"));
    let silent = Upstream::start(|_, connection| connection.until_closed());
    let closing = Upstream::start(|_, _| Ok(()));
    for (name, url) in [
        ("dead", dead.clone()),
        ("failing", failing.url()),
        ("unwilling", unwilling.url()),
        ("elsewhere", elsewhere.url()),
        ("silent", silent.url()),
        ("closing", closing.url()),
    ] {
        // The good one last and first: the order must not matter.
        for names in [[name, "good"], ["good", name]] {
            let url = |upstream: &str| if upstream == "good" { good.url() } else { url.clone() };
            let upstreams: Vec<(&str, String)> =
                names.iter().map(|&upstream| (upstream, url(upstream))).collect();
            let gateway = Gateway::start(&impatient(&[("dc1", &upstreams)], "")).await;
            for form in FORMS {
                let reply = ask(&gateway, form).await.expect(name);
                assert_eq!(reply.results, [merged(5)], "{name}");
                assert_eq!((reply.form, reply.degraded.as_deref(), reply.partial), (form, Some(name), None));
            }
            let degraded = |upstream| [("upstream", upstream)];
            assert_eq!(
                gateway.metric("promha_gateway_degraded_reads_total", &degraded(name)).await,
                2.0,
                "{name}"
            );
            assert_eq!(
                gateway.metric("promha_gateway_degraded_reads_total", &degraded("good")).await,
                0.0,
                "{name}"
            );
            assert_eq!(gateway.metric("promha_gateway_failed_reads_total", &[]).await, 0.0, "{name}");
            let asked = [("group", "dc1"), ("upstream", name)];
            assert_eq!(gateway.metric("promha_gateway_upstream_requests_total", &asked).await, 2.0, "{name}");
        }
    }
}

#[tokio::test]
async fn a_group_that_fails_is_a_bad_gateway() {
    let (north, failing) = (Upstream::good(data("a", 2)), Upstream::failing(503, "not now"));
    let dead = format!("http://127.0.0.1:{}/api/v1/read", free_port());
    let groups: &[(&str, &[(&str, String)])] = &[
        ("north", &[("a", north.url()), ("b", north.url())]),
        ("south", &[("c", dead), ("d", failing.url())]),
    ];
    for switch in ["", "partial_response: false\n"] {
        let gateway = Gateway::start(&impatient(groups, switch)).await;
        for form in FORMS {
            let answer =
                post(&gateway.read_url(), request(vec![everything()], &[form])).await.expect("an answer");
            refused("a dead group", answer, StatusCode::BAD_GATEWAY, &[&["south"]]).await;
        }
        assert_eq!(gateway.metric("promha_gateway_failed_reads_total", &[("group", "south")]).await, 2.0);
        assert_eq!(gateway.metric("promha_gateway_failed_reads_total", &[("group", "north")]).await, 0.0);
        assert_eq!(gateway.metric("promha_gateway_partial_reads_total", &[]).await, 0.0);
        gateway.get("/-/healthy").await.expect("a healthy gateway");
    }
}

#[tokio::test]
async fn a_partial_response_names_the_group_that_is_missing() {
    let north = Upstream::good(data("a", 2));
    let dead = format!("http://127.0.0.1:{}/api/v1/read", free_port());
    let groups: &[(&str, &[(&str, String)])] = &[("north", &[("a", north.url())]), ("south", &[("b", dead)])];
    let gateway = Gateway::start(&impatient(groups, "partial_response: true\n")).await;
    for form in FORMS {
        let reply = ask(&gateway, form).await.expect("the rest");
        assert_eq!(reply.results, [merged(2)]);
        assert_eq!((reply.form, reply.partial.as_deref()), (form, Some("south")));
    }
    assert_eq!(gateway.metric("promha_gateway_partial_reads_total", &[("group", "south")]).await, 2.0);
    assert_eq!(gateway.metric("promha_gateway_partial_reads_total", &[("group", "north")]).await, 0.0);
}

/// A configuration whose upstreams time out soon.
fn impatient(groups: &[(&str, &[(&str, String)])], switch: &str) -> String {
    let mut groups_text = Vec::new();
    for (name, upstreams) in groups {
        let upstreams: Vec<(&str, &str)> =
            upstreams.iter().map(|(name, url)| (*name, url.as_str())).collect();
        groups_text.push(group(name, &upstreams).replace("timeout: 30s", "timeout: 1s"));
    }
    format!("{switch}{}", config(&groups_text))
}

/// The ways in which a stream can break after it began well.
#[derive(Clone, Copy, Debug)]
enum Break {
    InsideFrame,
    BetweenFrames,
    EndInsideFrame,
    Checksum,
    Garbage,
    HugeFrame,
}

const BREAKS: [Break; 6] = [
    Break::InsideFrame,
    Break::BetweenFrames,
    Break::EndInsideFrame,
    Break::Checksum,
    Break::Garbage,
    Break::HugeFrame,
];

/// How many series come before a stream breaks, and how many would be in it.
const WHOLE: usize = 40;
const ALL: usize = 60;

/// An upstream whose stream breaks once `gate` is open.
fn breaking(how: Break, gate: Gate) -> Upstream {
    let series = data("a", ALL);
    Upstream::start(move |request, connection| {
        if !streamed(request) {
            let body = wire::samples_body(std::slice::from_ref(&series));
            return connection.plain(200, "application/x-protobuf", &body[..body.len() / 2]);
        }
        connection.begin_stream()?;
        for one in &series[..WHOLE] {
            connection.chunk(&wire::frames(0, one))?;
        }
        gate.wait(harness::DEADLINE);
        break_off(how, connection, wire::frames(0, &series[WHOLE]))
    })
}

fn break_off(how: Break, connection: &mut Connection, mut frame: Vec<u8>) -> std::io::Result<()> {
    let half = frame.len() / 2;
    match how {
        Break::InsideFrame => connection.chunk(&frame[..half]),
        Break::BetweenFrames => Ok(()),
        Break::EndInsideFrame => connection.chunk(&frame[..half]).and_then(|()| connection.end_stream()),
        Break::Checksum => {
            frame[half] ^= 1;
            connection.chunk(&frame).and_then(|()| connection.end_stream())
        }
        Break::Garbage => connection.chunk(&[0xee; 2000]).and_then(|()| connection.end_stream()),
        // A length of 1 TiB, with a checksum and the begin of a payload.
        Break::HugeFrame => {
            connection.chunk(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 1, 2, 3, 4, 5, 6, 7, 8])?;
            connection.until_closed()
        }
    }
}

/// Without this the next tests could pass because the fake breaks nothing, or because a break cannot be seen.
#[tokio::test]
async fn a_broken_stream_is_seen_by_a_direct_client() {
    for how in BREAKS.into_iter().filter(|how| !matches!(how, Break::HugeFrame)) {
        let gate = Gate::default();
        gate.open();
        let upstream = breaking(how, gate);
        wire::read(&upstream.url(), vec![everything()], &[ResponseType::StreamedXorChunks])
            .await
            .expect_err("a break");
        wire::read(&upstream.url(), vec![everything()], &[ResponseType::Samples])
            .await
            .expect_err("half an answer");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_broken_for_the_client_too() {
    for how in BREAKS {
        let gate = Gate::default();
        let upstream = breaking(how, gate.clone());
        let gateway = gateway(&[("a", &upstream.url())]).await;
        let body = request(vec![everything()], &[ResponseType::StreamedXorChunks]);
        // The head comes while the upstream is still at it: the answer is a stream and not a copy.
        let answer = post(&gateway.read_url(), body).await.expect("the head of a stream");
        assert_eq!(answer.status(), StatusCode::OK, "{how:?}");
        gate.open();
        let ended = answer.bytes().await;
        assert!(ended.is_err(), "{how:?}: the transfer ends as if it were complete");

        let reply = ask(&gateway, ResponseType::Samples).await;
        assert!(reply.is_err(), "{how:?}: an answer as samples out of half an answer");
        assert!(
            gateway.metric("promha_gateway_failed_reads_total", &[("group", "dc1")]).await >= 1.0,
            "{how:?}"
        );
        gateway.get("/-/healthy").await.expect("a healthy gateway");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_from_another_replica() {
    let good = Upstream::good(data("b", ALL));
    for how in BREAKS {
        let gate = Gate::default();
        let upstream = breaking(how, gate.clone());
        let gateway = gateway(&[("a", &upstream.url()), ("b", &good.url())]).await;
        let body = request(vec![everything()], &[ResponseType::StreamedXorChunks]);
        let answer = post(&gateway.read_url(), body).await.expect("the head of a stream");
        gate.open();
        let reply = Reply::of(answer, 1).await.expect("a complete answer");
        assert_eq!(reply.results, [merged(ALL)], "{how:?}");
        let reply = ask(&gateway, ResponseType::Samples).await.expect("a complete answer");
        assert_eq!(reply.results, [merged(ALL)], "{how:?}");
        let degraded = gateway.metric("promha_gateway_degraded_reads_total", &[("upstream", "a")]).await;
        assert_eq!(degraded, 2.0, "{how:?}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let series = data("a", 2000);
    let upstream = Upstream::good(series);
    let gateway = gateway(&[("a", &upstream.url())]).await;
    for _ in 0..20 {
        let body = request(vec![everything()], &[ResponseType::StreamedXorChunks]);
        let answer = post(&gateway.read_url(), body).await.expect("the head of a stream");
        drop(answer);
    }
    still_answers(&gateway, &merged(2000)).await;
}

#[tokio::test]
async fn several_queries_are_answered_each_and_an_upstream_that_knows_only_samples_is_fine() {
    let series = data("b", 7);
    let mut unsorted = data("a", 7);
    unsorted.reverse();
    let old = Upstream::start(move |request, connection| {
        connection.answer(&ReadRequest { accepted_response_types: vec![], ..request.clone() }, &unsorted)
    });
    let new = Upstream::good(series);
    let gateway = gateway(&[("old", &old.url()), ("new", &new.url())]).await;
    for form in FORMS {
        let reply = wire::read(&gateway.read_url(), vec![everything(); 3], &[form]).await.expect("an answer");
        assert_eq!(reply.form, form);
        assert_eq!(reply.results, [merged(7), merged(7), merged(7)]);
        assert_eq!(reply.degraded, None);
    }
}
