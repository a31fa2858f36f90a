//! The gateway's configuration file.
//!
//! ```yaml
//! partial_response: false
//! groups:
//!   - name: dc1
//!     replica_labels: [replica]
//!     external_labels: { zone: eu }
//!     upstreams:
//!       - { name: a, url: "http://127.0.0.1:9091/api/v1/read", timeout: 30s }
//!       - { name: b, url: "http://127.0.0.1:9092/api/v1/read" }
//! ```
//!
//! An upstream also takes the keys of Prometheus' `http_config`, and `headers`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use super::labels::Relabel;
use super::metrics::Metrics;
use super::threads;
use super::topology::{Group, Topology};
use super::upstream::{Origin, Upstream};
use crate::common::duration::PromDuration;
use crate::common::http_client::with_http_client_config;
use crate::common::yaml::{self, ConfigError, Spanned};

/// Prometheus' own `remote_timeout` for reads.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The file, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether a group that fails may be left out of an answer.
    #[serde(default)]
    pub partial_response: bool,
    /// Shards: each group has data that the others do not have.
    pub groups: Spanned<Vec<GroupConfig>>,
}

/// Replicas of the same data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// Unique name, for headers, metrics and logs.
    pub name: Spanned<String>,
    /// Labels that only tell replicas apart; they are dropped.
    #[serde(default)]
    pub replica_labels: Vec<Spanned<String>>,
    /// The other labels that the group's collectors add themselves (their `global.external_labels`). Every series
    /// leaves with them; a query whose matchers contradict them does not go to this group.
    #[serde(default)]
    pub external_labels: BTreeMap<String, Spanned<String>>,
    /// The replicas.
    pub upstreams: Spanned<Vec<UpstreamConfig>>,
}

with_http_client_config! {
    /// A server that answers remote reads.
    #[derive(Debug)]
    pub struct UpstreamConfig {
        /// Its name, unique in the group, for headers, metrics and logs.
        pub name: Spanned<String>,
        /// Its remote-read endpoint.
        pub url: Spanned<String>,
        /// How long to wait for its headers, and then for each further piece of its answer; 1m unless set.
        #[serde(default)]
        pub timeout: Option<Spanned<PromDuration>>,
        /// Its series are not sorted: hold the whole answer and sort it.
        #[serde(default)]
        pub sort: bool,
        /// Most bytes of an answer that must be held whole (sampled, or sorted here); 512 MiB unless set.
        #[serde(default)]
        pub max_held_bytes: Option<Spanned<usize>>,
    }
}

/// Reads the configuration file at `path`, and builds what it describes.
///
/// # Errors
/// [`ConfigError`], with file, line and what would be right. Nothing is kept of a file that is wrong anywhere.
pub fn load(path: &Path, metrics: &Metrics) -> Result<Topology, ConfigError> {
    let file = path.display().to_string();
    build(yaml::load(path)?, &file, path.parent(), metrics)
}

/// Builds what a file describes; `directory` is what the relative paths in it are relative to.
fn build(
    config: Config,
    file: &str,
    directory: Option<&Path>,
    metrics: &Metrics,
) -> Result<Topology, ConfigError> {
    if config.groups.value.is_empty() {
        return Err(ConfigError::spanned(
            file,
            &config.groups,
            "no groups: expected at least one, with upstreams",
        ));
    }
    let mut names = Names { what: "group", file, seen: HashSet::new() };
    let mut groups = Vec::new();
    for group in config.groups.value {
        names.take(&group.name)?;
        groups.push(build_group(group, file, directory, metrics)?);
    }
    Ok(Topology { partial_response: config.partial_response, groups })
}

fn build_group(
    group: GroupConfig,
    file: &str,
    directory: Option<&Path>,
    metrics: &Metrics,
) -> Result<Group, ConfigError> {
    if group.upstreams.value.is_empty() {
        let message = format!("group {:?} has no upstreams: expected at least one", group.name.value);
        return Err(ConfigError::spanned(file, &group.upstreams, message));
    }
    for label in &group.replica_labels {
        if label.value.is_empty() || label.value == "__name__" {
            let message = format!(
                "{:?} cannot be a replica label: expected a label that tells replicas apart",
                label.value
            );
            return Err(ConfigError::spanned(file, label, message));
        }
        if let Some(value) = group.external_labels.get(&label.value) {
            let message =
                format!("{:?} is a replica label too: expected it in one of the two lists", label.value);
            return Err(ConfigError::spanned(file, value, message));
        }
    }
    let mut names = Names { what: "upstream", file, seen: HashSet::new() };
    let mut upstreams = Vec::new();
    for upstream in group.upstreams.value {
        names.take(&upstream.name)?;
        upstreams.push(Arc::new(build_upstream(upstream, &group.name.value, file, directory, metrics)?));
    }
    let replica_labels = group.replica_labels.into_iter().map(|label| label.value).collect();
    let external_labels = group.external_labels.into_iter().map(|(name, value)| (name, value.value));
    Ok(Group { name: group.name.value, relabel: Relabel::new(replica_labels, external_labels), upstreams })
}

fn build_upstream(
    upstream: UpstreamConfig,
    group: &str,
    file: &str,
    directory: Option<&Path>,
    metrics: &Metrics,
) -> Result<Upstream, ConfigError> {
    let url = Url::parse(&upstream.url.value).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        let message = format!(
            "{:?} is not an http or https URL: expected one as http://127.0.0.1:9090/api/v1/read",
            upstream.url.value
        );
        return Err(ConfigError::spanned(file, &upstream.url, message));
    };
    let timeout = match &upstream.timeout {
        None => DEFAULT_TIMEOUT,
        Some(timeout) if timeout.value.is_zero() => {
            return Err(ConfigError::spanned(file, timeout, "timeout is 0: expected a duration as 30s"));
        }
        Some(timeout) => timeout.value.as_duration(),
    };
    let mut http_client = upstream.http_client;
    if let Some(directory) = directory {
        http_client.resolve_paths(directory);
    }
    let clients = (0..threads::count()).map(|_| http_client.client(file)).collect::<Result<_, _>>()?;
    Ok(Upstream {
        origin: Origin::Http { url, clients },
        timeout,
        sort: upstream.sort,
        max_held_bytes: upstream.max_held_bytes.map_or(512 << 20, |bytes| bytes.value),
        metrics: metrics.upstream(group, &upstream.name.value),
        name: upstream.name.value,
        last_seen: Mutex::default(),
    })
}

/// Names that must be unique and fit into a header.
struct Names<'f> {
    what: &'static str,
    file: &'f str,
    seen: HashSet<String>,
}

impl Names<'_> {
    fn take(&mut self, name: &Spanned<String>) -> Result<(), ConfigError> {
        let what = self.what;
        let visible =
            !name.value.is_empty() && name.value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        if !visible {
            let message = format!(
                "{:?} cannot name a {what}: expected visible ASCII without commas and spaces",
                name.value
            );
            return Err(ConfigError::spanned(self.file, name, message));
        }
        if !self.seen.insert(name.value.clone()) {
            let message = format!("there are two {what}s {:?}: expected each name once", name.value);
            return Err(ConfigError::spanned(self.file, name, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::registry::Registry;

    fn topology(text: &str) -> Result<Topology, String> {
        let metrics = Metrics::register(&mut Registry::default());
        let config = yaml::parse(text, "gateway.yml").map_err(|error| error.to_string())?;
        build(config, "gateway.yml", None, &metrics).map_err(|error| error.to_string())
    }

    const GOOD: &str = r#"
partial_response: false
groups:
  - name: dc1
    replica_labels: [replica]
    external_labels: { zone: eu }
    upstreams:
      - { name: a, url: "http://127.0.0.1:9091/api/v1/read", timeout: 30s }
      - { name: b, url: "http://127.0.0.1:9092/api/v1/read", headers: { X-Scope-OrgID: t }, sort: true }
"#;

    #[test]
    fn a_good_file_is_what_it_says() {
        let topology = topology(GOOD).unwrap();
        let [group] = topology.groups.as_slice() else { panic!("{topology:?}") };
        assert!(!topology.partial_response);
        assert_eq!(
            group.relabel,
            Relabel::new(vec!["replica".to_owned()], [("zone".to_owned(), "eu".to_owned())])
        );
        let [a, b] = group.upstreams.as_slice() else { panic!("{group:?}") };
        assert_eq!((a.name.as_str(), a.timeout, a.sort), ("a", Duration::from_secs(30), false));
        assert_eq!((b.name.as_str(), b.timeout, b.sort), ("b", DEFAULT_TIMEOUT, true));
    }

    #[test]
    fn mistakes_are_found_with_their_line() {
        for (from, to, want) in [
            (
                "url: \"http://127.0.0.1:9091/api/v1/read\"",
                "urll: x",
                "gateway.yml:8:20: unknown key \"urll\"",
            ),
            ("name: b", "name: a", "gateway.yml:9:17: there are two upstreams \"a\""),
            ("name: dc1", "name: \"d c\"", "gateway.yml:4:11: \"d c\" cannot name a group"),
            (
                "http://127.0.0.1:9092/api/v1/read",
                "127.0.0.1:9092",
                "gateway.yml:9:25: \"127.0.0.1:9092\" is not an http",
            ),
            ("timeout: 30s", "timeout: 0", "gateway.yml:8:71: timeout is 0"),
            ("timeout: 30s", "timeout: 30", "gateway.yml:8:71: \"30\" is not a duration"),
            ("zone: eu", "replica: a", "gateway.yml:6:33: \"replica\" is a replica label too"),
            ("[replica]", "[__name__]", "gateway.yml:5:22: \"__name__\" cannot be a replica label"),
            ("sort: true", "basic_auth: {}, bearer_token: t", "gateway.yml:9:"),
            (&GOOD[GOOD.find("groups").unwrap()..], "groups: []", "gateway.yml:3:9: no groups"),
            (&GOOD[GOOD.find("groups").unwrap()..], "group: []", "gateway.yml:3:1: unknown key \"group\""),
            (
                &GOOD[GOOD.find("upstreams:").unwrap()..],
                "upstreams: []",
                "gateway.yml:7:16: group \"dc1\" has no upstreams",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let error = topology(&text).unwrap_err();
            assert!(error.starts_with(want), "{error}\nshould begin with {want}");
        }
    }
}
