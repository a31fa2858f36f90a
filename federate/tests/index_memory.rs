//! What an index takes for a series.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use promha_federate::SeriesIndex;

/// Series of ten labels, one of which is unique.
fn labels(at: u32) -> [(&'static str, String); 10] {
    let noise = at.wrapping_mul(0x9e37_79b9) >> 4;
    [
        ("__name__", format!("metric_{}", at % 200)),
        ("code", format!("{}", 200 + noise % 20)),
        ("instance", format!("10.0.0.{}:9090", at / 200 % 1000)),
        ("job", format!("job-{}", noise % 50)),
        ("method", format!("method-{}", noise % 3)),
        ("path", format!("/api/v1/{}", noise % 100)),
        ("pod", format!("pod-{}", noise % 20_000)),
        ("uid", format!("{:016x}", u64::from(at).wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        ("version", format!("v{}", noise % 4)),
        ("zone", format!("zone-{}", noise % 4)),
    ]
}

#[test]
fn a_series_takes_few_bytes() {
    let series: u32 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let mut index = SeriesIndex::new();
    let allocated = allocation_counter::measure(|| {
        for at in 0..series {
            let labels = labels(at);
            index.insert(&labels.each_ref().map(|(name, value)| (*name, &**value))).unwrap();
        }
    });
    let bytes = usize::try_from(allocated.bytes_current).unwrap();
    let texts: usize = index.statistics(10).value_bytes_by_label_name.iter().map(|(_, bytes)| bytes).sum();
    let per_series = (bytes - texts) / series as usize;
    println!("{series} series: {per_series} bytes a series beyond the strings");
    assert!(per_series <= 150, "{per_series}");
    let told = index.memory_bytes();
    assert!(told <= bytes && bytes - told < 4096, "told {told} of {bytes}");
}
