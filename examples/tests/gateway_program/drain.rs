//! Being told to stop while somebody reads.

use promha_remote_proto::frame::FrameReader;
use promha_remote_proto::prompb::ResponseType;

use super::data::{everything, merged, nodes};
use crate::harness::fake::{Gate, Upstream};
use crate::harness::gateway::{Gateway, Setup, config, group};
use crate::harness::wire::{self, Reply};
use crate::harness::{DEADLINE, eventually};

/// How many series come at each step: more bytes than the gateway collects before it hands some on.
const STEP: usize = 60;

/// An upstream that goes on only when it is told to.
struct Stepped {
    gates: [Gate; 3],
    upstream: Upstream,
}

impl Stepped {
    fn start() -> Self {
        let gates: [Gate; 3] = Default::default();
        let steps = gates.clone();
        let series = nodes("a", (gates.len() + 1) * STEP);
        let upstream = Upstream::start(move |request, connection| {
            if !crate::harness::fake::streamed(request) {
                assert!(steps.iter().all(|gate| gate.wait(DEADLINE)), "nobody lets it go on");
                return connection.answer(request, &series);
            }
            connection.begin_stream()?;
            for (n, part) in series.chunks(STEP).enumerate() {
                if n > 0 {
                    steps[n - 1].wait(DEADLINE);
                }
                let frames: Vec<u8> = part.iter().flat_map(|one| wire::frames(0, one)).collect();
                connection.chunk(&frames)?;
            }
            connection.end_stream()
        });
        Self { gates, upstream }
    }

    async fn gateway(&self) -> Gateway {
        Setup::new(&config(&[group("dc1", &[("a", &self.upstream.url())])])).start().await
    }

    fn all(&self) -> Vec<crate::harness::dataset::Series> {
        merged((self.gates.len() + 1) * STEP)
    }
}

async fn begin(gateway: &Gateway, form: ResponseType) -> reqwest::Response {
    let body = wire::request(vec![everything()], &[form]);
    wire::post(&gateway.read_url(), body).await.expect("the head of an answer")
}

/// Nobody new is let in: the health check of a load balancer sees 503 or no connection.
async fn unready(gateway: &Gateway) {
    eventually("it is not ready any more", async || match gateway.get("/-/ready").await {
        Ok(text) => Err(text),
        Err(_) => Ok(()),
    })
    .await;
}

#[tokio::test]
async fn a_stream_under_way_is_finished() {
    for signal in ["TERM", "INT"] {
        let stepped = Stepped::start();
        let mut gateway = stepped.gateway().await;
        let mut answer = begin(&gateway, ResponseType::StreamedXorChunks).await;
        gateway.process().signal(signal);
        unready(&gateway).await;

        let (mut frames, mut series) = (FrameReader::default(), 0);
        for gate in &stepped.gates {
            assert_eq!(gateway.process().exited(), None, "it waits for the reader");
            gate.open();
            // What was let go arrives while the rest is still held back.
            let begun = series;
            while series < begun + STEP / 2 {
                let piece = answer.chunk().await.expect("a piece").expect("more than that");
                frames.push(&piece);
                while frames.next_frame().expect("a frame").is_some() {
                    series += 1;
                }
            }
        }
        while let Some(piece) = answer.chunk().await.expect("a piece") {
            frames.push(&piece);
            while frames.next_frame().expect("a frame").is_some() {
                series += 1;
            }
        }
        frames.finish().expect("no half frame at the end");
        assert_eq!(series, stepped.all().len());
        assert_eq!(gateway.process().ended().await.code(), Some(0), "{signal}");
        let log = gateway.process().log();
        assert!(log.contains(&format!("\"Told to stop, draining\" by=SIG{signal} timeout=30s")), "{log}");
        assert!(log.lines().last().unwrap().contains("Drained"), "{log}");
    }
}

/// Samples have no head until all is there, and still somebody waits for them.
#[tokio::test]
async fn samples_under_way_are_finished() {
    let stepped = Stepped::start();
    let mut gateway = stepped.gateway().await;
    let body = wire::request(vec![everything()], &[ResponseType::Samples]);
    let url = gateway.read_url();
    let answer = tokio::spawn(async move { wire::post(&url, body).await });
    eventually("the upstream is asked", async || match stepped.upstream.requests() {
        1 => Ok(()),
        n => Err(format!("{n} requests")),
    })
    .await;
    gateway.process().signal("TERM");
    unready(&gateway).await;
    assert_eq!(gateway.process().exited(), None, "it waits for the reader");
    stepped.gates.iter().for_each(Gate::open);
    let reply = Reply::of(answer.await.expect("a task").expect("an answer"), 1).await.expect("all of it");
    assert_eq!(reply.results, [stepped.all()]);
    assert_eq!(gateway.process().ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once_and_the_reader_sees_that() {
    let stepped = Stepped::start();
    let mut gateway = stepped.gateway().await;
    let answer = begin(&gateway, ResponseType::StreamedXorChunks).await;
    gateway.process().signal("TERM");
    unready(&gateway).await;
    assert_eq!(gateway.process().exited(), None);
    gateway.process().signal("TERM");
    assert_eq!(gateway.process().ended().await.code(), Some(128 + 15));
    assert!(answer.bytes().await.is_err(), "the answer ends as if it were complete");
    assert!(gateway.process().log().contains("Told to stop a second time, ending at once"));
}

#[tokio::test]
async fn a_reader_who_never_ends_is_cut_off() {
    let stepped = Stepped::start();
    let setup = Setup::new(&config(&[group("dc1", &[("a", &stepped.upstream.url())])]));
    let mut gateway = setup.flag("--web.drain-timeout=300ms").start().await;
    let answer = begin(&gateway, ResponseType::StreamedXorChunks).await;
    gateway.process().signal("TERM");
    assert_eq!(gateway.process().ended().await.code(), Some(0));
    assert!(answer.bytes().await.is_err(), "the answer ends as if it were complete");
    let log = gateway.process().log();
    assert!(log.contains("\"Not drained in time, connections are cut\" connections=1"), "{log}");
}

#[tokio::test]
async fn nobody_to_wait_for_is_no_reason_to_wait() {
    let mut gateway = Setup::embedded().flag("--web.drain-timeout=1h").start().await;
    gateway.read("up", &[]).await;
    gateway.process().signal("TERM");
    assert_eq!(gateway.process().ended().await.code(), Some(0));
}
