//! Another configuration while the gateway runs, by signal and by request.

use promha_remote_proto::prompb::ResponseType;
use reqwest::StatusCode;

use super::data::{FORMS, ask, everything, merged, nodes};
use crate::harness::fake::{Gate, Upstream};
use crate::harness::gateway::{Gateway, Setup, config, group};
use crate::harness::wire::{self, Reply};
use crate::harness::{DEADLINE, eventually, http};

const SUCCESSFUL: &str = "promha_gateway_config_last_reload_successful";

/// A configuration of one group with one upstream.
fn one(name: &str, upstream: &Upstream) -> String {
    config(&[group("dc1", &[(name, &upstream.url())])])
}

async fn reload(gateway: &Gateway) -> (StatusCode, String) {
    let answer = http().post(format!("{}/-/reload", gateway.url())).send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("text"))
}

/// How many series are read.
async fn count(gateway: &Gateway) -> usize {
    ask(gateway, everything(), ResponseType::Samples).await.expect("an answer").results[0].len()
}

#[tokio::test]
async fn a_signal_makes_it_read_from_elsewhere() {
    let (before, after) = (Upstream::good(nodes("a", 1)), Upstream::good(nodes("a", 2)));
    let mut gateway = Setup::new(&one("before", &before)).start().await;
    assert_eq!(count(&gateway).await, 1);
    gateway.configure(&one("after", &after));
    gateway.process().signal("HUP");
    gateway.logged("Completed loading of configuration").await;
    let asked = before.requests();
    assert_eq!(count(&gateway).await, 2);
    assert_eq!((before.requests(), after.requests()), (asked, 1), "only the new one is asked");
    let page = gateway.get("/").await.expect("a page");
    assert!(page.contains(&after.url()) && !page.contains(&before.url()), "{page}");
}

#[tokio::test]
async fn a_request_makes_it_read_from_elsewhere_if_that_is_allowed() {
    let (before, after) = (Upstream::good(nodes("a", 1)), Upstream::good(nodes("a", 2)));
    for allowed in [false, true] {
        let mut setup = Setup::new(&one("before", &before));
        if allowed {
            setup = setup.flag("--web.enable-lifecycle");
        }
        let mut gateway = setup.start().await;
        gateway.configure(&one("after", &after));
        let (status, text) = reload(&gateway).await;
        if allowed {
            assert_eq!(status, StatusCode::OK, "{text}");
            assert_eq!(count(&gateway).await, 2, "in use once the request is answered");
        } else {
            assert_eq!((status, text.as_str()), (StatusCode::FORBIDDEN, "Lifecycle API is not enabled."));
            assert_eq!(count(&gateway).await, 1);
        }
        let url = format!("{}/-/reload", gateway.url());
        let answer = http().get(url).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        let quit = http().post(format!("{}/-/quit", gateway.url())).send().await.expect("an answer");
        assert_eq!(quit.status() == StatusCode::OK, allowed);
        if allowed {
            assert_eq!(gateway.process().ended().await.code(), Some(0));
        }
    }
}

#[tokio::test]
async fn a_bad_file_changes_nothing() {
    let (before, after) = (Upstream::good(nodes("a", 1)), Upstream::good(nodes("a", 2)));
    let mut gateway = Gateway::start(&one("before", &before)).await;
    assert_eq!(gateway.metric(SUCCESSFUL, &[]).await, 1.0);

    // A group that would work comes first: nothing is taken from a file that is wrong anywhere.
    gateway.configure(&format!("{}  - nam: dc2\n", one("after", &after)));
    let message = format!("{}:6:5: unknown key \"nam\"", gateway.config_file().display());
    let (status, text) = reload(&gateway).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.starts_with(&format!("failed to reload config: {message}")), "{text}");
    assert_eq!(gateway.metric(SUCCESSFUL, &[]).await, 0.0);
    let log = gateway.logged("the previous one stays in use").await;
    assert!(log.replace("\\\"", "\"").contains(&message), "{log}");
    assert_eq!(count(&gateway).await, 1);

    gateway.configure(&one("after", &after));
    gateway.process().signal("HUP");
    gateway.metric_is(SUCCESSFUL, &[], 1.0).await;
    assert_eq!(count(&gateway).await, 2);

    // The same the other way round: a bad one by signal, a good one by request.
    std::fs::remove_file(gateway.config_file()).expect("a file");
    gateway.process().signal("HUP");
    gateway.metric_is(SUCCESSFUL, &[], 0.0).await;
    gateway.logged("cannot be read: No such file").await;
    assert_eq!(count(&gateway).await, 2);
    gateway.configure(&one("before", &before));
    assert_eq!(reload(&gateway).await.0, StatusCode::OK);
    assert_eq!((count(&gateway).await, gateway.metric(SUCCESSFUL, &[]).await), (1, 1.0));
}

#[tokio::test]
async fn a_read_under_way_ends_as_it_began() {
    let gate = Gate::default();
    let (series, opened) = (nodes("a", 40), gate.clone());
    let before = Upstream::start(move |request, connection| {
        if !crate::harness::fake::streamed(request) {
            return connection.answer(request, &series);
        }
        connection.begin_stream()?;
        for (n, one) in series.iter().enumerate() {
            if n == 20 {
                opened.wait(DEADLINE);
            }
            connection.chunk(&wire::frames(0, one))?;
        }
        connection.end_stream()
    });
    let after = Upstream::good(nodes("a", 2));
    let gateway = Gateway::start(&one("before", &before)).await;
    let body = wire::request(vec![everything()], &[ResponseType::StreamedXorChunks]);
    let first = wire::post(&gateway.read_url(), body).await.expect("the head of a stream");

    gateway.configure(&one("after", &after));
    assert_eq!(reload(&gateway).await.0, StatusCode::OK);
    for form in FORMS {
        let reply = ask(&gateway, everything(), form).await.expect("an answer from elsewhere");
        assert_eq!(reply.results, [merged(2)]);
    }
    // A reload that fails does it no harm either, and neither do many.
    for n in 0..20 {
        gateway.configure(&if n % 3 == 0 { "bad".to_owned() } else { one("after", &after) });
        reload(&gateway).await;
    }
    gate.open();
    let reply = Reply::of(first, 1).await.expect("a complete answer");
    assert_eq!(reply.results, [merged(40)]);
    assert_eq!((reply.degraded, before.requests()), (None, 1));
}

#[tokio::test]
async fn without_a_file_there_is_nothing_to_reload_and_nothing_is_lost() {
    let mut gateway = Setup::embedded().flag("--web.enable-lifecycle").start().await;
    let sampled = async |gateway: &Gateway| {
        let ran = gateway.read("up", &["--output=csv", "--from=0"]).await;
        ran.stdout.lines().nth(1).map(str::to_owned).ok_or(ran.stderr)
    };
    let first = eventually("a first sample", async || sampled(&gateway).await).await;
    assert_eq!(reload(&gateway).await.0, StatusCode::OK);
    gateway.process().signal("HUP");
    eventually("the signal is obeyed", async || {
        let reloads = gateway.process().log().matches("Completed loading").count();
        if reloads == 2 { Ok(()) } else { Err(format!("{reloads} reloads")) }
    })
    .await;
    assert_eq!(sampled(&gateway).await, Ok(first), "the samples from before are still there");
}
