//! The `process_...` metrics of Prometheus' client libraries.

use std::fmt;

use procfs::process::{LimitValue, Process};
use procfs::{CurrentSI, KernelStats, ProcResult};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Looks at this process anew for each scrape.
#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // A sandbox may hide /proc; then there is nothing to tell, and the program's own metrics still are.
        let Ok(process) = ProcessMetrics::now() else { return Ok(()) };
        let mut write = |name: &str, help: &str, metric: &dyn EncodeMetric| {
            let encoder = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(encoder)
        };
        write(
            "process_cpu_seconds",
            "Total user and system CPU time spent in seconds.",
            &ConstCounter::new(process.cpu_seconds),
        )?;
        write("process_open_fds", "Number of open file descriptors.", &ConstGauge::new(process.open_fds))?;
        write(
            "process_max_fds",
            "Maximum number of open file descriptors.",
            &ConstGauge::new(process.max_fds),
        )?;
        write(
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            &ConstGauge::new(process.virtual_memory_bytes),
        )?;
        write(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            &ConstGauge::new(process.resident_memory_bytes),
        )?;
        write(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            &ConstGauge::new(process.start_time_seconds),
        )
    }
}

struct ProcessMetrics {
    cpu_seconds: f64,
    open_fds: u64,
    max_fds: u64,
    virtual_memory_bytes: u64,
    resident_memory_bytes: u64,
    start_time_seconds: f64,
}

impl ProcessMetrics {
    fn now() -> ProcResult<Self> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        Ok(Self {
            cpu_seconds: seconds(stat.utime + stat.stime),
            open_fds: process.fd_count()? as u64,
            max_fds: match process.limits()?.max_open_files.soft_limit {
                LimitValue::Value(limit) => limit,
                LimitValue::Unlimited => u64::MAX,
            },
            virtual_memory_bytes: stat.vsize,
            resident_memory_bytes: stat.rss * procfs::page_size(),
            start_time_seconds: KernelStats::current()?.btime as f64 + seconds(stat.starttime),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_of_this_very_process() {
        let before = ProcessMetrics::now().unwrap();
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        // Touched, so that it is resident, and not known to be unneeded.
        let memory = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = ProcessMetrics::now().unwrap();
        assert!(after.open_fds > 0 && after.open_fds < after.max_fds);
        assert!(after.resident_memory_bytes >= memory.len() as u64);
        assert!(after.virtual_memory_bytes >= after.resident_memory_bytes);
        assert!(after.cpu_seconds >= before.cpu_seconds);
        let now = jiff::Timestamp::now().as_second() as f64;
        assert!(after.start_time_seconds <= now + 1.0 && after.start_time_seconds > 1.6e9);
        drop(file);
    }
}
