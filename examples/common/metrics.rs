//! A program's own metrics, as Prometheus scrapes them from `/metrics`.
//!
//! Everything a program counts is called `promha_<program>_...`; beside it stand the `process_...` metrics
//! that every Prometheus client library gives. Names follow the registry's rule: a counter is registered
//! without `_total`, which is added when it is written.

mod exposition;
mod http;
#[cfg(target_os = "linux")]
mod process;

use std::fmt;
use std::sync::atomic::AtomicU64;

use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};

use super::flags;
pub use http::HttpMetrics;
pub(super) use http::measure;

/// The metrics of one program.
///
/// Filled at the start through [`Metrics::registry_mut`], then shared.
#[derive(Debug)]
pub struct Metrics {
    own: Registry,
    process: Registry,
    reload: ReloadMetrics,
    http: HttpMetrics,
}

impl Metrics {
    /// The metrics that every program has; `program` is its name, as in `gateway` or `alert-peer`.
    pub fn new(program: &str) -> Self {
        let mut own = Registry::with_prefix(format!("promha_{}", program.replace('-', "_")));
        let build_info = own.sub_registry_with_labels(
            [
                ("version", flags::VERSION),
                ("revision", flags::REVISION),
                ("rustversion", flags::RUSTC_VERSION),
            ]
            .into_iter()
            .map(|(name, value)| (name.into(), value.into())),
        );
        build_info.register(
            "build_info",
            "A metric with a constant '1' value labeled by what the program was built from",
            ConstGauge::new(1),
        );
        let reload = ReloadMetrics::register(&mut own);
        let http = HttpMetrics::register(&mut own);
        #[allow(unused_mut, reason = "only Linux tells what is registered here")]
        let mut process = Registry::default();
        #[cfg(target_os = "linux")]
        process.register_collector(Box::new(process::ProcessCollector));
        Self { own, process, reload, http }
    }

    /// Where the program registers what it counts; names get the prefix `promha_<program>_`.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.own
    }

    /// What became of the last reload of the configuration.
    pub fn reload(&self) -> &ReloadMetrics {
        &self.reload
    }

    /// What became of the requests the program was sent.
    pub fn http(&self) -> &HttpMetrics {
        &self.http
    }

    /// All metrics now, in the OpenMetrics text format.
    pub fn open_metrics(&self) -> String {
        let mut text = String::new();
        let written = encode_registry(&mut text, &self.own)
            .and_then(|()| encode_registry(&mut text, &self.process))
            .and_then(|()| encode_eof(&mut text));
        // A text that ends without "# EOF" would be refused as a whole by who reads it, and rightly so.
        if let Err(fmt::Error) = written {
            tracing::error!("A metric cannot be written, the exposition ends before it");
        }
        text
    }

    /// All metrics now, in Prometheus' own text format.
    pub fn prometheus_text(&self) -> String {
        exposition::to_prometheus_text(&self.open_metrics())
    }

    /// The answer to a scrape whose headers are `request`: OpenMetrics for who asks for it, Prometheus' own
    /// text format for everyone else.
    pub fn answer(&self, request: &HeaderMap) -> Response {
        if exposition::wants_open_metrics(request.get_all(ACCEPT)) {
            ([(CONTENT_TYPE, exposition::OPEN_METRICS_TYPE)], self.open_metrics()).into_response()
        } else {
            ([(CONTENT_TYPE, exposition::PROMETHEUS_TYPE)], self.prometheus_text()).into_response()
        }
    }
}

/// What became of the last reload of the configuration.
#[derive(Debug, Clone)]
pub struct ReloadMetrics {
    successful: Gauge,
    success_seconds: Gauge<f64, AtomicU64>,
}

impl ReloadMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self { successful: Gauge::default(), success_seconds: Gauge::default() };
        registry.register(
            "config_last_reload_successful",
            "Whether the last configuration reload attempt was successful",
            metrics.successful.clone(),
        );
        registry.register(
            "config_last_reload_success_timestamp_seconds",
            "Timestamp of the last successful configuration reload",
            metrics.success_seconds.clone(),
        );
        metrics
    }

    /// Notes that the configuration was read and taken into use now.
    pub fn succeeded(&self) {
        self.successful.set(1);
        self.success_seconds.set(Timestamp::now().as_millisecond() as f64 / 1_000.0);
    }

    /// Notes that the configuration was refused and the one before stays in use.
    pub fn failed(&self) {
        self.successful.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;
    use std::process::{Command, Stdio};

    fn sample(text: &str, name: &str) -> f64 {
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    fn every_program_tells_what_it_is_and_how_it_fares() {
        let metrics = Metrics::new("alert-peer");
        let text = metrics.prometheus_text();
        let build = text.lines().find(|line| line.starts_with("promha_alert_peer_build_info{")).unwrap();
        for part in [flags::VERSION, flags::REVISION, flags::RUSTC_VERSION, "} 1"] {
            assert!(build.contains(part), "{build}");
        }
        assert!(text.contains("# TYPE promha_alert_peer_build_info gauge\n"));
        if cfg!(target_os = "linux") {
            assert!(sample(&text, "process_resident_memory_bytes") > 0.0);
            assert!(text.contains("# TYPE process_cpu_seconds_total counter\n"), "{text}");
        }
    }

    #[test]
    fn a_failed_reload_shows_and_keeps_the_time_of_the_last_good_one() {
        let metrics = Metrics::new("gateway");
        let read = || {
            let text = metrics.open_metrics();
            (
                sample(&text, "promha_gateway_config_last_reload_successful"),
                sample(&text, "promha_gateway_config_last_reload_success_timestamp_seconds"),
            )
        };
        assert_eq!(read(), (0.0, 0.0));
        let before = Timestamp::now().as_second() as f64;
        metrics.reload().succeeded();
        let (good, at) = read();
        assert!(good == 1.0 && at >= before, "{good} {at}");
        metrics.reload().failed();
        assert_eq!(read(), (0.0, at));
    }

    #[test]
    fn what_the_program_registers_gets_its_prefix() {
        let mut metrics = Metrics::new("gateway");
        let reads = Family::<Vec<(String, String)>, Counter>::default();
        metrics.registry_mut().register("reads", "Reads so far", reads.clone());
        reads.get_or_create(&vec![("upstream".to_owned(), "a \"b\"".to_owned())]).inc_by(3);
        let sample = "\npromha_gateway_reads_total{upstream=\"a \\\"b\\\"\"} 3\n";
        let (old, new) = (metrics.prometheus_text(), metrics.open_metrics());
        assert!(old.contains(&format!("# TYPE promha_gateway_reads_total counter{sample}")), "{old}");
        assert!(new.contains(&format!("# TYPE promha_gateway_reads counter{sample}")), "{new}");
        assert!(new.ends_with("\n# EOF\n") && !old.contains("# EOF"));
    }

    #[test]
    fn promtool_finds_nothing_to_complain_about() {
        if std::env::var_os("PROMHA_INTEROP").is_none_or(|value| value != "1") {
            eprintln!("not run: set PROMHA_INTEROP=1 where promtool is installed");
            return;
        }
        let metrics = Metrics::new("gateway");
        metrics.reload().succeeded();
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = promtool.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, metrics.prometheus_text().as_bytes()).unwrap();
        drop(input);
        let output = promtool.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}
