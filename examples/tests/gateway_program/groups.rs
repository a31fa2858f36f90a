//! Groups are shards: each has what the others do not have, and its own replicas.

use promha_remote_proto::prompb::MatcherType::Eq;
use promha_remote_proto::prompb::ResponseType;

use super::data::{FORMS, SAMPLES, ask, everything, merged, nodes, one, query};
use crate::harness::dataset::Series;
use crate::harness::fake::{Gate, Upstream, streamed};
use crate::harness::gateway::{Gateway, config, group};
use crate::harness::wire::{self, Reply};
use crate::harness::{DEADLINE, free_port};

/// The series of every so-many-th node.
fn shard(replica: &str, index: usize, of: usize) -> Vec<Series> {
    nodes(replica, 60).into_iter().skip(index).step_by(of).collect()
}

fn dead() -> String {
    format!("http://127.0.0.1:{}/api/v1/read", free_port())
}

#[tokio::test]
async fn shards_give_the_union() {
    let upstreams: Vec<Upstream> =
        (0..6).map(|n| Upstream::good(shard(["a", "b"][n % 2], n / 2, 3))).collect();
    // The same names in every group: they are told apart by it.
    let names = ["north", "middle", "south"];
    let groups: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(n, name)| group(name, &[("a", &upstreams[2 * n].url()), ("b", &upstreams[2 * n + 1].url())]))
        .collect();
    let gateway = Gateway::start(&config(&groups)).await;
    for form in FORMS {
        let reply = ask(&gateway, everything(), form).await.expect("an answer");
        assert_eq!(reply.results, [merged(60)], "{form:?}");
        assert_eq!((reply.degraded, reply.partial), (None, None));
    }
    assert!(upstreams.iter().all(|upstream| upstream.requests() == 2));
    for group in names {
        for upstream in ["a", "b"] {
            let labels = [("group", group), ("upstream", upstream), ("outcome", "ok")];
            assert_eq!(gateway.metric("promha_gateway_upstream_requests_total", &labels).await, 2.0);
        }
    }
}

/// A target that moved from one shard to the other has its past here and its present there.
#[tokio::test]
async fn a_series_that_several_shards_have_is_there_once_with_all_its_samples() {
    let whole = one(&[("__name__", "up"), ("instance", "moved")]);
    let part = |from: i64, to: i64| {
        let mut part = whole.clone();
        part.samples = whole.samples[from as usize..to as usize].to_vec();
        Upstream::good(vec![part])
    };
    let (past, present) = (part(0, 130), part(120, SAMPLES));
    let groups = [group("past", &[("a", &past.url())]), group("present", &[("a", &present.url())])];
    let gateway = Gateway::start(&config(&groups)).await;
    for form in FORMS {
        let reply = ask(&gateway, everything(), form).await.expect("an answer");
        assert_eq!(reply.results, [vec![whole.clone()]], "{form:?}");
    }
}

#[tokio::test]
async fn upstreams_of_the_same_name_fail_each_for_itself() {
    let (north, south) = (Upstream::good(shard("b", 0, 2)), Upstream::good(shard("b", 1, 2)));
    let groups = [
        group("north", &[("a", &dead()), ("b", &north.url())]),
        group("south", &[("a", &north.url()), ("b", &south.url())]),
    ];
    let gateway = Gateway::start(&config(&groups)).await;
    for form in FORMS {
        let reply = ask(&gateway, everything(), form).await.expect("an answer");
        assert_eq!(reply.results, [merged(60)]);
        assert_eq!(reply.degraded.as_deref(), Some("a"));
    }
    for (group, degraded) in [("north", 2.0), ("south", 0.0)] {
        let labels = [("group", group), ("upstream", "a")];
        assert_eq!(gateway.metric("promha_gateway_degraded_reads_total", &labels).await, degraded, "{group}");
    }
}

/// Which of three groups are dead, and what is said then if groups may be left out.
#[tokio::test]
async fn a_partial_answer_names_what_it_lacks_and_nothing_is_no_answer() {
    let upstreams: Vec<Upstream> = (0..3).map(|n| Upstream::good(shard("a", n, 3))).collect();
    for (dead_ones, partial) in
        [(&[][..], None), (&[1][..], Some("g1")), (&[2, 0], Some("g0, g2")), (&[0, 1, 2], None)]
    {
        let groups: Vec<String> = (0..3)
            .map(|n| {
                let url = if dead_ones.contains(&n) { dead() } else { upstreams[n].url() };
                group(&format!("g{n}"), &[("a", &url), ("b", &url)])
            })
            .collect();
        for allowed in [true, false] {
            let gateway = Gateway::start(&format!("partial_response: {allowed}\n{}", config(&groups))).await;
            for form in FORMS {
                let reply = ask(&gateway, everything(), form).await;
                if dead_ones.len() == 3 || (!allowed && !dead_ones.is_empty()) {
                    let error = reply.expect_err("nothing to answer");
                    assert!(error.contains("502"), "{error}");
                    for n in 0..3 {
                        assert_eq!(
                            error.contains(&format!("group g{n} ")),
                            dead_ones.contains(&n),
                            "{error}"
                        );
                    }
                    continue;
                }
                let reply = reply.expect("the rest");
                let mut expected = merged(60);
                let mut n = 0;
                expected.retain(|_| {
                    n += 1;
                    !dead_ones.contains(&((n - 1) % 3))
                });
                assert_eq!(reply.results, [expected]);
                assert_eq!((reply.partial.as_deref(), reply.degraded), (partial, None));
            }
        }
    }
}

/// A group that is lost once the head is out can no longer be named: a stream breaks, samples are partial.
#[tokio::test]
async fn a_group_that_is_lost_in_the_middle_breaks_a_stream_and_is_named_with_samples() {
    let good = Upstream::good(shard("a", 0, 2));
    let gate = Gate::default();
    let (opened, half) = (gate.clone(), shard("a", 1, 2));
    let lost = Upstream::start(move |request, connection| {
        assert!(streamed(request), "the gateway asks for streams");
        connection.begin_stream()?;
        for one in &half[..20] {
            connection.chunk(&wire::frames(0, one))?;
        }
        opened.wait(DEADLINE);
        Ok(())
    });
    let groups = [group("good", &[("a", &good.url())]), group("lost", &[("a", &lost.url())])];
    let gateway = Gateway::start(&format!("partial_response: true\n{}", config(&groups))).await;
    let body = wire::request(vec![everything()], &[ResponseType::StreamedXorChunks]);
    let answer = wire::post(&gateway.read_url(), body).await.expect("the head of a stream");
    assert!(!answer.headers().contains_key("x-promha-partial"));
    gate.open();
    assert!(Reply::of(answer, 1).await.is_err(), "the answer ends as if it were complete");
    let labels = [("group", "lost")];
    assert_eq!(gateway.metric("promha_gateway_failed_reads_total", &labels).await, 1.0);

    let reply = ask(&gateway, everything(), ResponseType::Samples).await.expect("a partial answer");
    assert_eq!(reply.partial.as_deref(), Some("lost"));
    assert_eq!(gateway.metric("promha_gateway_partial_reads_total", &labels).await, 1.0);
    assert_eq!(gateway.metric("promha_gateway_failed_reads_total", &[]).await, 1.0);
}

/// A group that is not asked is not missed.
#[tokio::test]
async fn a_dead_group_that_cannot_have_anything_harms_nobody() {
    let good = Upstream::good(shard("a", 0, 1));
    let labelled = |zone: &str, url: &str| {
        group(zone, &[("a", url)])
            .replace("    upstreams", &format!("    external_labels: {{ zone: {zone} }}\n    upstreams"))
    };
    let gateway = Gateway::start(&config(&[labelled("eu", &good.url()), labelled("us", &dead())])).await;
    let asked = |zone: &str| query(&[(Eq, "__name__", "up"), (Eq, "zone", zone)]);
    for form in FORMS {
        let reply = ask(&gateway, asked("eu"), form).await.expect("an answer");
        assert_eq!((reply.results[0].len(), reply.partial, reply.degraded), (60, None, None));
        let reply = ask(&gateway, asked("mars"), form).await.expect("nothing");
        assert_eq!((reply.results, reply.partial), (vec![vec![]], None));
        ask(&gateway, asked("us"), form).await.expect_err("a dead group");
    }
}
