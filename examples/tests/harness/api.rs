//! The HTTP API of Prometheus.

use serde_json::Value;

use super::answer::{Answer, Sample};
use super::get;

/// The API of one server.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
}

impl Api {
    /// The API below `base`, an address without a path.
    pub fn new(base: String) -> Self {
        Self { base }
    }

    /// Evaluates `query` at one time.
    ///
    /// # Errors
    ///
    /// Also when the server only warns: that is how Prometheus tells that a remote read failed.
    pub async fn instant(&self, query: &str, time_ms: i64) -> Result<Answer, String> {
        let data = self.ask("/api/v1/query", &[("query", query), ("time", &seconds(time_ms))]).await?;
        Ok(Answer::parse(&data))
    }

    /// Evaluates `query` at every step from `from_ms` to `to_ms`.
    ///
    /// # Errors
    ///
    /// As `instant`.
    pub async fn range(&self, query: &str, from_ms: i64, to_ms: i64, step_ms: i64) -> Result<Answer, String> {
        let (from, to, step) = (seconds(from_ms), seconds(to_ms), seconds(step_ms));
        let parameters = [("query", query), ("start", &*from), ("end", &*to), ("step", &*step)];
        Ok(Answer::parse(&self.ask("/api/v1/query_range", &parameters).await?))
    }

    /// The raw samples of `selector` between two times. Whether one exactly at `from_ms` is among them depends on the
    /// version of the server.
    ///
    /// # Errors
    ///
    /// As `instant`.
    pub async fn samples(&self, selector: &str, from_ms: i64, to_ms: i64) -> Result<Answer, String> {
        self.instant(&format!("{selector}[{}ms]", to_ms - from_ms), to_ms).await
    }

    /// The raw samples of the only series that `selector` selects.
    ///
    /// # Errors
    ///
    /// As `instant`, and when there is no series or more than one.
    pub async fn one(&self, selector: &str, from_ms: i64, to_ms: i64) -> Result<Vec<Sample>, String> {
        let mut answer = self.samples(selector, from_ms, to_ms).await?;
        match answer.series.len() {
            1 => Ok(answer.series.remove(0).samples),
            n => Err(format!("{selector} selects {n} series")),
        }
    }

    /// The label sets that `selector` selects between two times, sorted.
    ///
    /// # Errors
    ///
    /// As `instant`.
    pub async fn series(&self, selector: &str, from_ms: i64, to_ms: i64) -> Result<Vec<String>, String> {
        let (from, to) = (seconds(from_ms), seconds(to_ms));
        let data =
            self.ask("/api/v1/series", &[("match[]", selector), ("start", &from), ("end", &to)]).await?;
        let mut sets: Vec<String> =
            data.as_array().expect("a list of label sets").iter().map(Value::to_string).collect();
        sets.sort_unstable();
        Ok(sets)
    }

    /// `data` of an answer that is a success without a warning.
    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let url =
            reqwest::Url::parse_with_params(&format!("{}{path}", self.base), parameters).expect("an address");
        let body = get(url.as_str()).await?;
        let mut answer: Value =
            serde_json::from_str(&body).map_err(|error| format!("{url}: {error}: {body}"))?;
        match answer.get("warnings") {
            Some(warnings) => Err(format!("{url} warns: {warnings}")),
            None => Ok(answer["data"].take()),
        }
    }
}

/// Milliseconds as the seconds that the API wants.
fn seconds(time_ms: i64) -> String {
    format!("{}.{:03}", time_ms / 1000, time_ms % 1000)
}
