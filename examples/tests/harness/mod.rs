//! What the tests of the gateway share: real servers as child processes, fake ones in this process, data, waiting, HTTP.
//!
//! Everything listens on 127.0.0.1, every started process ends with the value that guards it, and every wait polls
//! for the event it waits for until a generous deadline.
#![allow(dead_code, unreachable_pub)] // each test binary uses its own part

pub mod alertmanager;
pub mod answer;
pub mod api;
pub mod dataset;
pub mod exporter;
pub mod fake;
pub mod gateway;
#[path = "../../../remote-proto/tests/common/port.rs"]
mod port;
pub mod process;
pub mod prometheus;
pub mod serf;
pub mod victoria;
pub mod wire;

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use port::free_port;

/// How long anything may take before a test gives up on it. Machines are slow and shared.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(50);

/// Whether this run may talk to real servers; when not, says so in one line that no capture hides.
///
/// With `PROMHA_INTEROP=1` a server that is not installed is a failure and never a skip.
pub fn interop(test: &str) -> bool {
    let wanted = std::env::var("PROMHA_INTEROP").is_ok_and(|value| value == "1");
    if !wanted {
        let _ = writeln!(std::io::stderr(), "{test}: not run, it needs real servers (set PROMHA_INTEROP=1)");
    }
    wanted
}

/// Polls `attempt` until it succeeds.
///
/// # Panics
///
/// When `DEADLINE` has passed, with the last error.
pub async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) if start.elapsed() > DEADLINE => panic!("{what}: not within {DEADLINE:?}: {error}"),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// An HTTP client that holds no connection open, so that a restarted server is reached at once.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default(); // only the first call can succeed
    reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(DEADLINE)
        .build()
        .expect("an HTTP client")
}

/// The body of a page that answers 200.
pub async fn get(url: &str) -> Result<String, String> {
    get_by(&http(), url).await
}

/// The body of a page that answers 200 to `client`.
pub async fn get_by(client: &reqwest::Client, url: &str) -> Result<String, String> {
    let answer = client.get(url).send().await.map_err(|error| format!("GET {url}: {error}"))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|error| format!("GET {url}: {error}"))?;
    if status.is_success() { Ok(body) } else { Err(format!("GET {url}: {status}: {body}")) }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis() as i64
}
