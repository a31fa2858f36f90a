//! `gateway read`: a remote-read client for people.

mod print;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use promha_remote_proto::frame::{ChunkedSeriesView, FrameLimits, FrameReader};
use promha_remote_proto::negotiate::{self, NegotiateError};
use promha_remote_proto::prompb::ResponseType;
use promha_remote_proto::read::AnswerDecoder;
use promha_remote_proto::{DecodeError, Limits, snappy};
use reqwest::Url;

use self::print::{Printer, Value};
use super::samples::{Samples, SamplesError};
use crate::common::causes::causes;
use crate::common::duration::PromDuration;
use crate::common::http_client::{HttpClient, HttpClientConfig};
use crate::common::remote_read::{AskError, Query, ask};
use crate::common::selector;
use crate::common::yaml::{self, ConfigError};

/// Most bytes a sampled answer may have once decompressed.
const SAMPLED_ANSWER_BYTES: usize = 4 << 30;

/// Arguments of `gateway read`.
#[derive(Args, Debug)]
pub struct ReadArgs {
    /// Which series, as PromQL writes it: `up{job="node"}`.
    pub selector: String,
    /// Start of the range: RFC 3339, Unix seconds, `now`, or relative as `now-1h30m`.
    #[arg(long, default_value = "now-1h", value_parser = Moment::parse, allow_hyphen_values = true)]
    pub from: Moment,
    /// End of the range, included.
    #[arg(long, default_value = "now", value_parser = Moment::parse, allow_hyphen_values = true)]
    pub to: Moment,
    /// Where to read.
    #[arg(long, default_value = "http://127.0.0.1:9099/api/v1/read")]
    pub url: Url,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Which answer to ask for; both, streamed preferred, if not given.
    #[arg(long, value_enum)]
    pub accept: Option<Accept>,
    /// Longest silence of the server.
    #[arg(long, default_value = "1m")]
    pub timeout: PromDuration,
    /// Authentication, TLS and headers, as in a scrape configuration.
    #[arg(long = "http.config.file", value_name = "FILE")]
    pub http_config_file: Option<PathBuf>,
}

/// How series are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// One line a sample.
    Csv,
    /// One object a series, as VictoriaMetrics' export writes it.
    Json,
}

/// Which answer to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accept {
    /// Frames of chunks.
    Streamed,
    /// Everything in one message.
    Samples,
}

/// A point in time, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// An instant, in milliseconds since 1970.
    At(i64),
    /// That long before now.
    Ago(Duration),
}

/// Why a read did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The arguments.
    #[error("{0}")]
    Argument(String),
    /// The connection.
    #[error("{0:#}")]
    Transport(String),
    /// The server says no.
    #[error("the server answered {status}: {text}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The body.
        text: String,
    },
    /// The question cannot be sent.
    #[error("{0}")]
    Ask(#[from] AskError),
    /// The answer is of a type that was not asked for.
    #[error("{0}")]
    Negotiate(#[from] NegotiateError),
    /// The answer is broken.
    #[error("the answer cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// A chunk has no samples that can be printed.
    #[error("the answer cannot be read: {0}")]
    Samples(#[from] SamplesError),
    /// Standard output.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// What was read.
#[derive(Debug, Default)]
struct Counts {
    bytes: u64,
    series: u64,
    chunks: u64,
    samples: u64,
    /// Chunks in an encoding that is unknown here.
    unshown: u64,
}

/// Reads and prints series to standard output; what came back is summed up on standard error.
///
/// # Errors
/// [`ClientError`]; what was printed before is valid.
pub async fn read(args: &ReadArgs) -> Result<(), ClientError> {
    let now_ms = Timestamp::now().as_millisecond();
    let (start_ms, end_ms) = (args.from.at(now_ms), args.to.at(now_ms));
    if start_ms > end_ms {
        return Err(ClientError::Argument("--from is later than --to".to_owned()));
    }
    let matchers = selector::parse(&args.selector).map_err(|error| {
        let text = &args.selector;
        ClientError::Argument(format!(
            "{text:?} is not a series selector, expected one as up{{job=\"node\"}}: {error}"
        ))
    })?;
    let query = Query { start_ms, end_ms, matchers, hints: None };
    let client = http_client(args.http_config_file.as_deref())
        .map_err(|error| ClientError::Argument(error.to_string()))?;
    let started = Instant::now();
    let response = tokio::time::timeout(args.timeout.as_duration(), send(&client, args, &query))
        .await
        .map_err(|_| ClientError::Transport(format!("no answer within {}", args.timeout)))??;
    let header =
        |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let content_type = header("content-type");
    let shortcomings = [("degraded", header("x-promha-degraded")), ("partial", header("x-promha-partial"))];
    let answer_type = negotiate::answer_type(content_type.as_deref())?;

    let mut reader = Reader {
        printer: Printer::new(args.output, io::BufWriter::new(io::stdout().lock())),
        counts: Counts::default(),
        samples: Samples::default(),
        start_ms,
        end_ms,
        progress: progress(),
    };
    match answer_type {
        ResponseType::StreamedXorChunks => reader.streamed(response, args.timeout.as_duration()).await?,
        ResponseType::Samples => reader.sampled(response, args.timeout.as_duration()).await?,
    }
    let Reader { printer, counts, progress, .. } = reader;
    printer.finish()?;
    progress.finish_and_clear();
    let Counts { bytes, series, chunks, samples, unshown } = counts;
    let kind = if answer_type == ResponseType::Samples { "samples" } else { "streamed chunks" };
    eprintln!(
        "{kind} ({}): {} series, {} chunks, {} samples, {} in {:.3} s",
        content_type.unwrap_or_default(),
        HumanCount(series),
        HumanCount(chunks),
        HumanCount(samples),
        HumanBytes(bytes),
        started.elapsed().as_secs_f64()
    );
    if unshown > 0 {
        eprintln!("not shown: {} chunks in an encoding that is unknown here", HumanCount(unshown));
    }
    for (what, names) in shortcomings {
        if let Some(names) = names {
            eprintln!("{what}: {names} did not answer");
        }
    }
    Ok(())
}

async fn send(client: &HttpClient, args: &ReadArgs, query: &Query) -> Result<reqwest::Response, ClientError> {
    let types: &[ResponseType] = match args.accept {
        None => &[ResponseType::StreamedXorChunks, ResponseType::Samples],
        Some(Accept::Streamed) => &[ResponseType::StreamedXorChunks],
        Some(Accept::Samples) => &[ResponseType::Samples],
    };
    let request = ask(client, &args.url, query, types).await?;
    let response = request.send().await.map_err(|error| transport(&error))?;
    if !response.status().is_success() {
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default().trim().to_owned();
        return Err(ClientError::Status { status, text });
    }
    Ok(response)
}

fn http_client(file: Option<&Path>) -> Result<HttpClient, ConfigError> {
    let Some(file) = file else { return HttpClientConfig::default().client("") };
    let mut config: HttpClientConfig = yaml::load(file)?;
    if let Some(directory) = file.parent() {
        config.resolve_paths(directory);
    }
    config.client(&file.display().to_string())
}

struct Reader<W: Write> {
    printer: Printer<W>,
    counts: Counts,
    samples: Samples,
    start_ms: i64,
    end_ms: i64,
    progress: ProgressBar,
}

impl<W: Write> Reader<W> {
    async fn streamed(
        &mut self,
        mut response: reqwest::Response,
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let mut frames = FrameReader::new(FrameLimits::default());
        while let Some(piece) = next_piece(&mut response, timeout).await? {
            self.counts.bytes += piece.len() as u64;
            frames.push(&piece);
            while let Some(series) = frames.next_frame()? {
                self.series(&series)?;
            }
            self.show();
        }
        Ok(frames.finish()?)
    }

    fn series(&mut self, series: &ChunkedSeriesView<'_>) -> Result<(), ClientError> {
        let mut samples = Vec::new();
        for chunk in series.chunks() {
            self.counts.chunks += 1;
            match self.samples.decode(chunk) {
                Err(SamplesError::Encoding(_)) => self.counts.unshown += 1,
                decoded => decoded?,
            }
            samples.extend(self.samples.floats().map(|(t_ms, value)| (t_ms, Value::Float(value))));
            samples.extend(self.samples.histograms().map(|view| (view.t_ms, Value::histogram(&view))));
        }
        self.print(series.labels(), samples)
    }

    async fn sampled(
        &mut self,
        mut response: reqwest::Response,
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let mut body = Vec::new();
        while let Some(piece) = next_piece(&mut response, timeout).await? {
            self.counts.bytes += piece.len() as u64;
            body.extend_from_slice(&piece);
            self.show();
        }
        let mut limits = Limits::default();
        limits.max_message_bytes = SAMPLED_ANSWER_BYTES;
        limits.max_samples = usize::MAX;
        let (mut raw, mut decoder) = (Vec::new(), AnswerDecoder::new(limits));
        let answer = decoder.decode(snappy::decompress(&body, SAMPLED_ANSWER_BYTES, &mut raw)?)?;
        for series in answer.results().flat_map(|result| result.series()) {
            let floats = series.samples().iter().map(|&(t_ms, value)| (t_ms, Value::Float(value)));
            let histograms = series.histograms().map(|view| (view.t_ms, Value::histogram(&view)));
            let mut samples: Vec<_> = floats.chain(histograms).collect();
            samples.sort_by_key(|(t_ms, _)| *t_ms);
            self.print(series.labels(), samples)?;
        }
        Ok(())
    }

    /// Prints what is in the range: a chunk may reach beyond it.
    fn print(&mut self, labels: &[(&str, &str)], mut samples: Vec<(i64, Value)>) -> Result<(), ClientError> {
        let range = self.start_ms..=self.end_ms;
        samples.retain(|(t_ms, _)| range.contains(t_ms));
        if samples.is_empty() {
            return Ok(());
        }
        self.counts.samples += samples.len() as u64;
        if self.printer.series(labels, &samples)? {
            self.counts.series += 1;
        }
        Ok(())
    }

    fn show(&self) {
        let Counts { bytes, series, samples, .. } = self.counts;
        self.progress.set_message(format!(
            "{} series, {} samples, {}",
            HumanCount(series),
            HumanCount(samples),
            HumanBytes(bytes)
        ));
        self.progress.tick();
    }
}

async fn next_piece(
    response: &mut reqwest::Response,
    timeout: Duration,
) -> Result<Option<bytes::Bytes>, ClientError> {
    match tokio::time::timeout(timeout, response.chunk()).await {
        Ok(piece) => piece.map_err(|error| transport(&error)),
        Err(_) => Err(ClientError::Transport(format!("the server has been silent for {timeout:?}"))),
    }
}

/// A line that moves, where somebody can see it.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let progress = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
        progress.set_style(style);
    }
    progress
}

fn transport(error: &reqwest::Error) -> ClientError {
    ClientError::Transport(causes(error))
}

impl Moment {
    /// Reads `now`, `now-5m`, RFC 3339 or Unix seconds.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Ago(Duration::ZERO));
        }
        if let Some(ago) = text.strip_prefix("now-") {
            return ago
                .parse()
                .map(|ago: PromDuration| Self::Ago(ago.as_duration()))
                .map_err(|error| error.to_string());
        }
        if let Ok(seconds) = text.parse::<f64>()
            && seconds.is_finite()
        {
            return Ok(Self::At((seconds * 1000.0).round() as i64));
        }
        text.parse::<Timestamp>().map(|at| Self::At(at.as_millisecond())).map_err(|error| {
            format!("{error}; write it as 2026-11-22T10:00:00Z, 1795341600, now or now-1h30m")
        })
    }

    fn at(self, now_ms: i64) -> i64 {
        match self {
            Self::At(at_ms) => at_ms,
            Self::Ago(ago) => now_ms.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}
