//! All replicas of a group fail in the middle, each in its own way: what is left must not look like everything.

use promha_remote_proto::frame::{ChunkEncoding, ChunkView, FrameWriter};
use promha_remote_proto::prompb::ResponseType;

use super::data::{FORMS, SAMPLES, STEP_MS, ask, everything, merged, nodes};
use crate::harness::DEADLINE;
use crate::harness::fake::{Gate, Upstream};
use crate::harness::gateway::{Gateway, config, group};
use crate::harness::wire::{self, Reply};

/// Sends so many of forty series, waits for the gate, and breaks off.
fn breaking(replica: &str, after: usize, gate: &Gate) -> Upstream {
    let (series, gate) = (nodes(replica, 40), gate.clone());
    Upstream::start(move |_, connection| {
        connection.begin_stream()?;
        for one in &series[..after] {
            connection.chunk(&wire::frames(0, one))?;
        }
        gate.wait(DEADLINE);
        Ok(())
    })
}

/// The frame of one series whose chunk is of the right time and no XOR chunk.
fn undecodable(labels: &[(String, String)], replica: &str) -> Vec<u8> {
    let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
    // Not the same bytes: of two identical chunks only one is looked at.
    let data = &[0, 9, replica.as_bytes()[0]];
    let chunk = ChunkView { min_ms: 0, max_ms: SAMPLES * STEP_MS, encoding: ChunkEncoding::Xor, data };
    let mut frame = Vec::new();
    FrameWriter::default().write(0, &labels, std::iter::once(chunk), &mut frame);
    frame
}

/// Three series, of which one cannot be decoded; the samples of the others are those of the replica.
fn damaged(replica: &str, index: usize) -> Upstream {
    let (series, name) = (nodes(replica, 3), replica.to_owned());
    let shift_ms = i64::from(replica == "b") * 7;
    Upstream::start(move |_, connection| {
        connection.begin_stream()?;
        for (n, one) in series.iter().enumerate() {
            let mut one = one.clone();
            one.samples.iter_mut().for_each(|sample| sample.0 += shift_ms);
            let frame = if n == index { undecodable(&one.labels, &name) } else { wire::frames(0, &one) };
            connection.chunk(&frame)?;
        }
        connection.end_stream()
    })
}

#[tokio::test]
async fn two_replicas_that_break_one_after_the_other_are_no_answer() {
    for (first, second) in [(10, 20), (20, 10), (20, 20), (0, 20), (39, 40), (40, 0)] {
        let gates = [Gate::default(), Gate::default()];
        let (a, b) = (breaking("a", first, &gates[0]), breaking("b", second, &gates[1]));
        let upstreams = [("a", &*a.url()), ("b", &*b.url())];
        for partial_response in [false, true] {
            let groups = config(&[group("dc1", &upstreams)]);
            let gateway = Gateway::start(&format!("partial_response: {partial_response}\n{groups}")).await;
            let body = wire::request(vec![everything()], &[ResponseType::StreamedXorChunks]);
            let answer = wire::post(&gateway.read_url(), body).await.expect("the head of a stream");
            gates.iter().for_each(Gate::open);
            let reply = Reply::of(answer, 1).await;
            assert!(reply.is_err(), "{first} and {second} of 40 series look like all there is");
            let error = ask(&gateway, everything(), ResponseType::Samples).await.expect_err("a broken group");
            assert!(error.contains("502") && error.contains("no upstream of group dc1 answers ("), "{error}");
            assert!(error.contains("a: ") && error.contains("b: "), "{error}");
            assert_eq!(gateway.metric("promha_gateway_failed_reads_total", &[("group", "dc1")]).await, 2.0);
        }
    }
}

/// The last series is special: it is decoded after the end of the answer has been seen.
#[tokio::test]
async fn damaged_chunks_are_not_left_out_in_silence() {
    for index in 0..3 {
        let (a, b) = (damaged("a", index), damaged("b", index));
        let good = Upstream::good(nodes("c", 3));
        let gateway = Gateway::start(&config(&[group("dc1", &[("a", &a.url()), ("b", &b.url())])])).await;
        for form in FORMS {
            let reply = ask(&gateway, everything(), form).await;
            assert!(reply.is_err(), "series {index} is missing, {form:?}: {reply:?}");
        }
        // Another replica has it whole, and is all that is left then.
        let upstreams = [("a", &*a.url()), ("c", &*good.url()), ("b", &*b.url())];
        let gateway = Gateway::start(&config(&[group("dc1", &upstreams)])).await;
        for form in FORMS {
            let reply = ask(&gateway, everything(), form).await.expect("an answer");
            assert_eq!(reply.results[0][index], merged(3)[index], "{form:?}");
        }
        assert_eq!(gateway.metric("promha_gateway_degraded_reads_total", &[("upstream", "a")]).await, 2.0);
        assert_eq!(gateway.metric("promha_gateway_degraded_reads_total", &[("upstream", "b")]).await, 2.0);
        assert_eq!(gateway.metric("promha_gateway_failed_reads_total", &[]).await, 0.0);
    }
}
