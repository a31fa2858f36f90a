//! `vmctl remote-read` copies everything through the gateway into a real VictoriaMetrics.

use std::collections::BTreeMap;

use crate::harness::dataset::{Dataset, STEP_MS, Series};
use crate::harness::gateway::{Gateway, config, group};
use crate::harness::prometheus::Setup;
use crate::harness::victoria::{Victoria, key};
use crate::harness::{eventually, interop, now_ms};

#[tokio::test]
async fn vmctl_copies_everything_in_both_modes() {
    if !interop("vmctl_copies_everything_in_both_modes") {
        return;
    }
    Victoria::check_vmctl();
    let data = Dataset::shop(now_ms() - 300_000).ordinary();
    let minute = |n: i64| data.start_ms + n * 60_000;
    let collector = |name: &str, data: &Dataset| {
        let setup = Setup::new(name).external_label("replica", name);
        data.write_blocks(&setup.data());
        setup.start()
    };
    let (a, b) = tokio::join!(
        collector("a", &data.without(minute(30), minute(45))),
        collector("b", &data.without(minute(90), minute(90) + STEP_MS)),
    );
    let upstreams = group("dc1", &[("a", &a.read_url()), ("b", &b.read_url())]);
    let gateway = Gateway::start(&config(&[upstreams])).await;

    for streamed in [false, true] {
        let copy = Victoria::start().await;
        let (from, to) = (rfc3339(data.start_ms - 1000), rfc3339(data.end_ms + 1000));
        let printed = copy.copy_from(&gateway.url(), &from, &to, streamed);
        let copied = eventually("everything that was copied can be exported", async || {
            let copied = copy.export().await?;
            let samples: usize = copied.values().map(|series| series.samples.len()).sum();
            if samples == data.samples() {
                Ok(copied)
            } else {
                Err(format!("{samples} samples of {}", data.samples()))
            }
        })
        .await;
        let source: BTreeMap<String, &Series> =
            data.series.iter().map(|series| (key(series), series)).collect();
        assert!(
            copied.keys().eq(source.keys()),
            "streamed {streamed}: other series than the source's\n{printed}"
        );
        for (key, series) in &source {
            assert_eq!(copied[key].samples.len(), series.samples.len(), "streamed {streamed}: {key}");
            let different =
                copied[key].samples.iter().zip(&series.samples).find(|(copy, source)| copy != source);
            assert_eq!(different, None, "streamed {streamed}: {key}");
        }
    }
}

fn rfc3339(time_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(time_ms).expect("a time").to_string()
}
