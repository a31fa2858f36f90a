//! How a Prometheus is told to scrape a federation.

use std::fmt::Write;

/// Who scrapes whom, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrapeTarget<'a> {
    /// The name of the job.
    pub job_name: &'a str,
    /// `host:port` of each server that exposes `/federate`.
    pub targets: &'a [&'a str],
    /// How often, as Prometheus writes durations; `""` leaves it to the scraper.
    pub scrape_interval: &'a str,
}

/// A part of a Prometheus configuration, as YAML: `scrape_configs` with one entry that asks for these selectors.
/// With `honor_labels`, because the labels of a series are those of where it comes from, not of the federation.
///
/// ```
/// use promha_federate::split::{ScrapeTarget, scrape_config};
///
/// let target = ScrapeTarget { job_name: "dc1", targets: &["dc1:9090"], scrape_interval: "30s" };
/// let yaml = scrape_config(&target, &["{__name__=\"up\"}".to_owned()]);
/// assert_eq!(
///     yaml,
///     r#"scrape_configs:
///   - job_name: 'dc1'
///     honor_labels: true
///     metrics_path: /federate
///     scrape_interval: '30s'
///     params:
///       'match[]':
///         - '{__name__="up"}'
///     static_configs:
///       - targets:
///           - 'dc1:9090'
/// "#
/// );
/// ```
pub fn scrape_config(target: &ScrapeTarget<'_>, selectors: &[String]) -> String {
    let mut yaml = format!("scrape_configs:\n  - job_name: {}\n", quoted(target.job_name));
    yaml.push_str("    honor_labels: true\n    metrics_path: /federate\n");
    if !target.scrape_interval.is_empty() {
        // Writing to a string cannot fail.
        let _ = writeln!(yaml, "    scrape_interval: {}", quoted(target.scrape_interval));
    }
    yaml.push_str("    params:\n      'match[]':\n");
    for selector in selectors {
        let _ = writeln!(yaml, "        - {}", quoted(selector));
    }
    yaml.push_str("    static_configs:\n      - targets:\n");
    for target in target.targets {
        let _ = writeln!(yaml, "          - {}", quoted(target));
    }
    yaml
}

/// A text as YAML: in single quotes, or in double ones if it has more than one line or what cannot be seen.
fn quoted(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted() {
        assert_eq!(quoted("it's {a=\"\\d\"}"), "'it''s {a=\"\\d\"}'");
        assert_eq!(quoted("a\n\"\\"), "\"a\\u000a\\\"\\\\\"");
    }
}
