//! Remote read: requests, and answers as samples. Streamed answers are in [`frame`](crate::frame).
//!
//! ```
//! use promha_remote_proto::Limits;
//! use promha_remote_proto::prompb::ResponseType;
//! use promha_remote_proto::read::{
//!     AnswerDecoder, AnswerEncoder, MatcherOp, MatcherView, QueryView, RequestDecoder, encode_request,
//! };
//!
//! // A client asks ...
//! let matchers = [MatcherView { op: MatcherOp::Equal, name: "__name__", value: "up" }];
//! let query = QueryView { start_ms: 0, end_ms: 60_000, matchers: &matchers, hints: None };
//! let mut request = Vec::new();
//! encode_request(&[query], &[ResponseType::Samples.into()], &mut request);
//!
//! // ... a server reads that and answers each query ...
//! let mut requests = RequestDecoder::new(Limits::default());
//! let mut encoder = AnswerEncoder::new();
//! for query in requests.decode(&request)?.queries() {
//!     encoder.result();
//!     if query.matchers[0].value == "up" {
//!         encoder.series(&[("__name__", "up")], [(15_000, 1.0), (30_000, 1.0)]);
//!     }
//! }
//!
//! // ... and the client sums up.
//! let mut answers = AnswerDecoder::new(Limits::default());
//! let answer = answers.decode(encoder.finish())?;
//! let series = answer.results().flat_map(|result| result.series());
//! assert_eq!(series.flat_map(|series| series.samples()).map(|sample| sample.1).sum::<f64>(), 2.0);
//! # Ok::<(), promha_remote_proto::DecodeError>(())
//! ```

mod answer;
mod compressed;
mod request;

pub use answer::{AnswerDecoder, AnswerEncoder, AnswerView, ResultView};
pub use compressed::AnswerCompressor;
pub use request::{
    HintsView, MatcherOp, MatcherView, QueryView, RequestDecoder, RequestView, encode_request,
};

/// Numbers of fields. Sources: `prompb/remote.proto` and `prompb/types.proto`.
mod fields {
    pub(super) mod request {
        pub(in crate::read) const QUERIES: u32 = 1;
        pub(in crate::read) const ACCEPTED_RESPONSE_TYPES: u32 = 2;
    }
    pub(super) mod query {
        pub(in crate::read) const START_TIMESTAMP_MS: u32 = 1;
        pub(in crate::read) const END_TIMESTAMP_MS: u32 = 2;
        pub(in crate::read) const MATCHERS: u32 = 3;
        pub(in crate::read) const HINTS: u32 = 4;
    }
    pub(super) mod matcher {
        pub(in crate::read) const TYPE: u32 = 1;
        pub(in crate::read) const NAME: u32 = 2;
        pub(in crate::read) const VALUE: u32 = 3;
    }
    pub(super) mod hints {
        pub(in crate::read) const STEP_MS: u32 = 1;
        pub(in crate::read) const FUNC: u32 = 2;
        pub(in crate::read) const START_MS: u32 = 3;
        pub(in crate::read) const END_MS: u32 = 4;
        pub(in crate::read) const GROUPING: u32 = 5;
        pub(in crate::read) const BY: u32 = 6;
        pub(in crate::read) const RANGE_MS: u32 = 7;
    }
    pub(super) mod answer {
        pub(in crate::read) const RESULTS: u32 = 1;
    }
    pub(super) mod result {
        pub(in crate::read) const TIMESERIES: u32 = 1;
    }
}
