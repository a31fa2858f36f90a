//! What one read may take, and all of them together.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameWriter};
use promha_remote_proto::prompb::ResponseType;
use promha_remote_proto::xor;

use super::data::{FORMS, SAMPLES, STEP_MS, ask, everything, merged, nodes, one};
use crate::harness::fake::{Gate, Upstream};
use crate::harness::gateway::{Gateway, Setup, config, group};
use crate::harness::wire::{self, REQUEST_HEADERS};
use crate::harness::{DEADLINE, eventually};

const STREAMED: ResponseType = ResponseType::StreamedXorChunks;

async fn start(upstream: &Upstream, flag: &str) -> Gateway {
    Setup::new(&config(&[group("dc1", &[("a", &upstream.url())])])).flag(flag).start().await
}

#[tokio::test]
async fn the_sample_limit_is_one_of_sampled_answers() {
    let upstream = Upstream::good(nodes("a", 4));
    let all = 4 * SAMPLES;
    for (limit, fits) in [(all - 1, false), (1, false), (all, true), (all + 1, true), (0, true)] {
        let gateway = start(&upstream, &format!("--storage.remote.read-sample-limit={limit}")).await;
        let reply = ask(&gateway, everything(), STREAMED).await.expect("a stream has no limit");
        assert_eq!(reply.results, [merged(4)]);
        let reply = ask(&gateway, everything(), ResponseType::Samples).await;
        if fits {
            assert_eq!(reply.expect("an answer").results, [merged(4)], "limit {limit}, where 0 is none");
        } else {
            let error = reply.expect_err("too many samples");
            let expected = format!("400 Bad Request: exceeded sample limit ({limit})");
            assert!(error.starts_with(&expected) && error.contains("streamed"), "{error}");
            let ran = gateway.read("up", &["--from=0", "--accept=samples"]).await;
            let expected = format!("gateway: the server answered 400: exceeded sample limit ({limit})");
            assert!(ran.code == Some(1) && ran.stderr.starts_with(&expected), "{}", ran.stderr);
            assert_eq!(
                gateway.metric("promha_gateway_failed_reads_total", &[]).await,
                0.0,
                "no upstream failed"
            );
        }
        // Several queries are one answer, which is held whole.
        let reply = wire::read(&gateway.read_url(), vec![everything(); 2], &[ResponseType::Samples]).await;
        assert_eq!(reply.is_ok(), limit == 0, "limit {limit}");
    }
}

/// Only what is in the range counts, though chunks reach beyond it.
#[tokio::test]
async fn samples_that_were_not_asked_for_do_not_count() {
    let upstream = Upstream::good(nodes("a", 4));
    let gateway = start(&upstream, "--storage.remote.read-sample-limit=8").await;
    let mut query = everything();
    (query.start_timestamp_ms, query.end_timestamp_ms) = (15_000, 30_000);
    let reply = ask(&gateway, query.clone(), ResponseType::Samples).await.expect("eight samples");
    assert!(reply.results[0].iter().all(|one| one.samples.len() == 2), "{reply:?}");
    query.end_timestamp_ms = 45_000;
    ask(&gateway, query, ResponseType::Samples).await.expect_err("twelve samples");
}

/// An upstream that counts who is being answered at the same time, and answers once the gate is open.
fn counting(gate: &Gate) -> (Upstream, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, counts) = (gate.clone(), (Arc::clone(&now), Arc::clone(&most)));
    let upstream = Upstream::start(move |request, connection| {
        let (now, most) = &counts;
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        gate.wait(DEADLINE);
        // What follows is no longer waited for: the gateway may begin another read as soon as it has the answer.
        now.fetch_sub(1, Ordering::SeqCst);
        connection.answer(request, &nodes("a", 3))
    });
    (upstream, now, most)
}

#[tokio::test]
async fn reads_beyond_the_concurrent_limit_wait_for_their_turn() {
    for (limit, at_once) in [(1, 1), (3, 3), (0, 6)] {
        let gate = Gate::default();
        let (upstream, now, most) = counting(&gate);
        let gateway = start(&upstream, &format!("--storage.remote.read-concurrent-limit={limit}")).await;
        let reads: Vec<_> = (0..6)
            .map(|n| {
                let url = gateway.read_url();
                tokio::spawn(async move { wire::read(&url, vec![everything()], &[FORMS[n % 2]]).await })
            })
            .collect();
        eventually("as many reads as may are under way", async || match now.load(Ordering::SeqCst) {
            n if n == at_once => Ok(()),
            n => Err(format!("{n} reads")),
        })
        .await;
        let in_flight = "promha_gateway_reads_in_flight";
        gateway.metric_is(in_flight, &[], at_once as f64).await;
        // Everything else is answered meanwhile.
        for page in ["/", "/-/healthy", "/-/ready"] {
            gateway.get(page).await.expect(page);
        }
        gate.open();
        for read in reads {
            assert_eq!(read.await.expect("a task").expect("an answer").results, [merged(3)]);
        }
        assert_eq!((most.load(Ordering::SeqCst), upstream.requests()), (at_once, 6), "limit {limit}");
        gateway.metric_is(in_flight, &[], 0.0).await;
    }
}

/// Whoever gives up waiting takes no place.
#[tokio::test]
async fn a_client_that_left_the_queue_is_not_read_for() {
    let gate = Gate::default();
    let (upstream, now, _) = counting(&gate);
    let gateway = start(&upstream, "--storage.remote.read-concurrent-limit=1").await;
    let url = gateway.read_url();
    let first = tokio::spawn(async move { wire::read(&url, vec![everything()], &[STREAMED]).await });
    eventually("the first read is under way", async || match now.load(Ordering::SeqCst) {
        1 => Ok(()),
        n => Err(format!("{n} reads")),
    })
    .await;
    for _ in 0..3 {
        let mut client = send(&gateway);
        client.shutdown(Shutdown::Write).expect("a connection");
        // The gateway has noticed once it closes its side too.
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        assert!(answer.is_empty(), "nobody answers who has left");
    }
    gate.open();
    first.await.expect("a task").expect("an answer");
    assert_eq!(ask(&gateway, everything(), STREAMED).await.expect("an answer").results, [merged(3)]);
    assert_eq!(upstream.requests(), 2);
}

/// Sends a request for a stream and reads nothing.
fn send(gateway: &Gateway) -> TcpStream {
    let body = wire::request(vec![everything()], &[STREAMED]);
    let address = gateway.url().replace("http://", "");
    let mut socket = TcpStream::connect(&address).expect("a connection");
    let headers: Vec<String> =
        REQUEST_HEADERS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "POST /api/v1/read HTTP/1.1\r\nhost: {address}\r\n{}content-length: {}\r\n\r\n",
        headers.concat(),
        body.len()
    );
    socket.write_all(head.as_bytes()).expect("a head");
    socket.write_all(&body).expect("a body");
    socket
}

/// Sends series until nobody takes them any more; then the gate is open.
fn endless(closed: &Gate) -> Upstream {
    let closed = closed.clone();
    Upstream::start(move |_, connection| {
        let sent = connection.begin_stream().and_then(|()| {
            let instance = |n: u64| one(&[("__name__", "up"), ("instance", &format!("node-{n:020}"))]);
            (0..).try_for_each(|n| connection.chunk(&wire::frames(0, &instance(n))))
        });
        closed.open();
        sent
    })
}

#[tokio::test]
async fn a_client_that_stops_reading_is_let_go_and_so_are_its_upstreams() {
    let closed = [Gate::default(), Gate::default()];
    let (a, b) = (endless(&closed[0]), endless(&closed[1]));
    let setup = Setup::new(&config(&[group("dc1", &[("a", &a.url()), ("b", &b.url())])]));
    let gateway = setup.flag("--storage.remote.client-stall-timeout=300ms").start().await;
    let mut client = send(&gateway);
    let mut head = [0; 12];
    client.read_exact(&mut head).expect("the head of a stream");
    assert_eq!(&head, b"HTTP/1.1 200");
    gateway.metric_is("promha_gateway_reads_in_flight", &[], 1.0).await;

    for gate in &closed {
        eventually("the connection of the upstream is closed", async || {
            if gate.is_open() { Ok(()) } else { Err("it is open".to_owned()) }
        })
        .await;
    }
    gateway.metric_is("promha_gateway_reads_in_flight", &[], 0.0).await;
    gateway.logged("the client has taken nothing for 300ms").await;
    assert_eq!(gateway.metric("promha_gateway_failed_reads_total", &[]).await, 0.0, "no upstream failed");
    assert_eq!(gateway.metric("promha_gateway_degraded_reads_total", &[]).await, 0.0, "no upstream failed");

    // Should it wake up, it must not take what it has for everything.
    let mut rest = Vec::new();
    let ended = client.read_to_end(&mut rest);
    assert!(ended.is_err() || !rest.ends_with(b"0\r\n\r\n"), "the answer ends as if it were complete");
}

#[tokio::test]
async fn a_client_that_goes_away_lets_its_upstreams_go() {
    let closed = Gate::default();
    let upstream = endless(&closed);
    let gateway = start(&upstream, "--storage.remote.client-stall-timeout=1h").await;
    let mut client = send(&gateway);
    client.read_exact(&mut [0; 12]).expect("the head of a stream");
    drop(client);
    eventually("the connection of the upstream is closed", async || {
        if closed.is_open() { Ok(()) } else { Err("it is open".to_owned()) }
    })
    .await;
    gateway.metric_is("promha_gateway_reads_in_flight", &[], 0.0).await;
}

/// Far more than sockets hold: series with the same hundred chunks.
fn large(series: usize) -> Upstream {
    let chunks: Vec<(i64, i64, Vec<u8>)> = (0..100)
        .map(|index| {
            let samples = one(&[]).samples.into_iter();
            let later = samples.map(|(time_ms, value)| (time_ms + index * SAMPLES * STEP_MS, value));
            let (times, values): (Vec<i64>, Vec<f64>) = later.unzip();
            let mut data = Vec::new();
            xor::encode(&times, &values, &mut data).expect("a chunk");
            (times[0], times[times.len() - 1], data)
        })
        .collect();
    Upstream::start(move |_, connection| {
        connection.begin_stream()?;
        for n in 0..series {
            let views = chunks.iter().map(|(min_ms, max_ms, data)| ChunkView {
                min_ms: *min_ms,
                max_ms: *max_ms,
                encoding: ChunkEncoding::Xor,
                data,
            });
            let mut frame = Vec::new();
            let labels = [("__name__", "up"), ("instance", &*format!("node-{n:05}"))];
            FrameWriter::default().write(0, &labels, views, &mut frame);
            connection.chunk(&frame)?;
        }
        connection.end_stream()
    })
}

/// A client that is only slow gets everything: what counts is silence, not how long it takes. 0 is no limit.
#[tokio::test]
async fn a_client_that_reads_slowly_is_not_let_go() {
    let upstream = large(160);
    for limit in ["2s", "0"] {
        let gateway = start(&upstream, &format!("--storage.remote.client-stall-timeout={limit}")).await;
        let body = wire::request(vec![everything()], &[STREAMED]);
        let mut answer = wire::post(&gateway.read_url(), body).await.expect("the head of a stream");
        let (mut bytes, mut rests, mut last) = (0, 0, Vec::new());
        while let Some(piece) = answer.chunk().await.expect("a piece") {
            bytes += piece.len();
            last = piece.to_vec();
            // In all it takes longer than the limit, but each time far less.
            if bytes > rests * 500_000 && rests < 80 {
                rests += 1;
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
        assert!(bytes > 30_000_000 && rests > 60 && !last.is_empty(), "{bytes} bytes, {rests} rests");
        gateway.metric_is("promha_gateway_series_total", &[], 160.0).await;
    }
}
