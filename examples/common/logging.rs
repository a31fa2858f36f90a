//! Logs as operators of Prometheus know them: one line an event on standard error, logfmt or JSON.
//!
//! ```text
//! ts=2026-11-22T10:00:00.123Z caller=gateway.rs:12 level=info msg="Listening on" address=127.0.0.1:9099
//! ```

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::Write;
use std::panic::PanicHookInfo;

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, span};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::causes::{causes, panic_message};

/// The flags that say how much is logged and how.
#[derive(Debug, Clone, clap::Args)]
pub struct LoggingFlags {
    /// Only log messages with the given severity or above.
    #[arg(long = "log.level", value_enum, default_value = "info", value_name = "LEVEL")]
    pub level: LogLevel,
    /// Output format of log messages.
    #[arg(long = "log.format", value_enum, default_value = "logfmt", value_name = "FORMAT")]
    pub format: LogFormat,
}

/// The least severity that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object a line, with the same keys.
    Json,
}

impl LoggingFlags {
    /// Sends the events of the whole process to standard error, panics among them; `program` is the crate of
    /// its `main`.
    ///
    /// Libraries beneath (HTTP, TLS) stay at info even when the program is at debug: their debug lines tell
    /// of packets, not of the program.
    ///
    /// # Errors
    /// When the process has a subscriber already.
    pub fn install(&self, program: &'static str) -> Result<(), tracing::dispatcher::SetGlobalDefaultError> {
        tracing::subscriber::set_global_default(self.subscriber(program, std::io::stderr))?;
        std::panic::set_hook(Box::new(log_panic));
        Ok(())
    }

    fn subscriber<W>(&self, program: &'static str, writer: W) -> impl Subscriber + Send + Sync
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let level = LevelFilter::from_level(match self.level {
            LogLevel::Debug => Level::DEBUG,
            LogLevel::Info => Level::INFO,
            LogLevel::Warn => Level::WARN,
            LogLevel::Error => Level::ERROR,
        });
        let targets = Targets::new()
            .with_default(level.min(LevelFilter::INFO))
            .with_target("promha", level)
            .with_target(program, level);
        let lines = Lines { format: self.format, writer };
        tracing_subscriber::registry().with(lines.with_filter(targets))
    }
}

/// As a line like all others, so that who reads the log finds it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string);
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    let message = panic_message(panic.payload());
    tracing::error!(panic = message, at, thread = thread.name(), backtrace, "A thread panicked");
}

/// Writes each event as one line.
struct Lines<W> {
    format: LogFormat,
    writer: W,
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let mut fields = head(event.metadata(), Timestamp::now());
        fields.set("msg", own.take("message").unwrap_or_default());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer);
            }
        }
        fields.extend(&own);
        let line = match self.format {
            LogFormat::Logfmt => logfmt(&fields),
            LogFormat::Json => json(&fields),
        };
        // In one piece, so that lines of several threads do not mix. Who cannot log cannot say so either.
        self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes()).ok();
    }
}

fn head(metadata: &Metadata<'_>, now: Timestamp) -> Fields {
    let file = metadata.file().unwrap_or(metadata.target());
    let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let caller = match metadata.line() {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    };
    let mut fields = Fields::default();
    fields.set("ts", Value::String(format!("{now:.3}")));
    fields.set("caller", Value::String(caller));
    fields.set("level", Value::String(metadata.level().as_str().to_ascii_lowercase()));
    fields
}

/// Keys with values, in the order of writing; a key given again replaces its value.
#[derive(Debug, Default)]
struct Fields {
    pairs: Vec<(&'static str, Value)>,
}

impl Fields {
    fn set(&mut self, key: &'static str, value: Value) {
        match self.pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.pairs.push((key, value)),
        }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let at = self.pairs.iter().position(|(known, _)| *known == key)?;
        Some(self.pairs.remove(at).1)
    }

    fn extend(&mut self, other: &Self) {
        for (key, value) in &other.pairs {
            self.set(key, value.clone());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no NaN and no infinity.
        let number = serde_json::Number::from_f64(value).map(Value::Number);
        self.set(field.name(), number.unwrap_or_else(|| Value::String(value.to_string())));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.set(field.name(), Value::String(causes(value)));
    }
}

fn logfmt(fields: &Fields) -> String {
    let mut line = String::new();
    for (key, value) in &fields.pairs {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(key);
        line.push('=');
        match value {
            Value::String(text) if is_bare(text) => line.push_str(text),
            // JSON's quoting is logfmt's, and for numbers and booleans there is none.
            other => line.push_str(&other.to_string()),
        }
    }
    line.push('\n');
    line
}

/// Whether logfmt can hold the text without quotes.
fn is_bare(text: &str) -> bool {
    // U+FFFD stands for bytes that were no text.
    let special = |c: char| c <= ' ' || matches!(c, '=' | '"' | '\u{7f}' | '\u{fffd}');
    !text.is_empty() && !text.contains(special)
}

fn json(fields: &Fields) -> String {
    let pair = |(key, value): &(&str, Value)| format!("{}:{value}", Value::from(*key));
    let pairs: Vec<_> = fields.pairs.iter().map(pair).collect();
    format!("{{{}}}\n", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        logging: LoggingFlags,
    }

    fn flags(arguments: &[&str]) -> LoggingFlags {
        Program::try_parse_from([&["program"], arguments].concat()).unwrap().logging
    }

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` leaves behind.
    fn logged(arguments: &[&str], log: impl FnOnce()) -> Vec<String> {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = flags(arguments).subscriber("gateway", move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    /// The line without its time and place, which change with every run and edit.
    fn without_head(line: &str) -> &str {
        let rest = line.strip_prefix("ts=").unwrap();
        let (time, rest) = rest.split_once(" caller=logging.rs:").unwrap();
        assert!(
            time.parse::<Timestamp>().is_ok() && time.len() == "2026-11-22T10:00:00.123Z".len(),
            "{time}"
        );
        let (line_number, rest) = rest.split_once(' ').unwrap();
        assert!(line_number.parse::<u32>().is_ok(), "{line_number}");
        rest
    }

    #[test]
    fn logfmt_quotes_what_needs_it_and_nothing_else() {
        let lines = logged(&[], || {
            tracing::info!(address = "127.0.0.1:9099", count = 3, ratio = 0.5, ok = true, "Listening on");
            tracing::warn!(
                empty = "",
                text = "a b",
                quote = "say \"a\"",
                equals = "a=b",
                lines = "a\nb",
                "one"
            );
            tracing::error!(debug = ?Some("x"), display = %"plain", umlaut = "é", nan = f64::NAN, "done");
        });
        let lines: Vec<_> = lines.iter().map(|line| without_head(line)).collect();
        assert_eq!(
            lines,
            [
                r#"level=info msg="Listening on" address=127.0.0.1:9099 count=3 ratio=0.5 ok=true"#,
                r#"level=warn msg=one empty="" text="a b" quote="say \"a\"" equals="a=b" lines="a\nb""#,
                r#"level=error msg=done debug="Some(\"x\")" display=plain umlaut=é nan=NaN"#,
            ]
        );
    }

    #[test]
    fn json_has_the_same_keys() {
        let lines = logged(&["--log.format=json"], || {
            tracing::info!(address = "a \"b\"", count = 3, ok = true, ratio = f64::INFINITY, "Listening on");
        });
        let value: Value = serde_json::from_str(&lines[0]).unwrap();
        assert!(value["caller"].as_str().unwrap().starts_with("logging.rs:"));
        assert!(value["ts"].as_str().unwrap().parse::<Timestamp>().is_ok());
        let rest =
            r#","level":"info","msg":"Listening on","address":"a \"b\"","count":3,"ok":true,"ratio":"inf"}"#;
        assert!(lines[0].ends_with(rest), "{}", lines[0]);
        assert!(lines[0].starts_with(r#"{"ts":""#), "{}", lines[0]);
    }

    #[test]
    fn the_level_decides_what_is_written() {
        let all = || {
            tracing::debug!("debug");
            tracing::info!("info");
            tracing::warn!("warn");
            tracing::error!("error");
            tracing::debug!(target: "gateway::read", "debug of the program");
            tracing::debug!(target: "hyper::proto", "debug of a library");
            tracing::info!(target: "hyper::proto", "info of a library");
        };
        for (level, expected) in [("debug", 6), ("info", 4), ("warn", 2), ("error", 1)] {
            let lines = logged(&[&format!("--log.level={level}")], all);
            assert_eq!(lines.len(), expected, "{level}: {lines:?}");
            assert!(!lines.iter().any(|line| line.contains("debug of a library")));
        }
    }

    #[test]
    fn spans_add_their_fields() {
        let lines = logged(&[], || {
            let outer = tracing::info_span!("read", upstream = "a", series = tracing::field::Empty);
            outer.record("series", 7);
            let _outer = outer.enter();
            let _inner = tracing::info_span!("try", upstream = "b").entered();
            tracing::info!(bytes = 1, "Answered");
        });
        assert_eq!(without_head(&lines[0]), "level=info msg=Answered upstream=b series=7 bytes=1");
    }

    #[test]
    fn errors_say_their_cause() {
        #[derive(Debug, thiserror::Error)]
        #[error("no answer")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("connection refused"));
        let lines = logged(&[], || {
            tracing::error!(error = &error as &(dyn std::error::Error + 'static), "Read failed");
        });
        let expected = r#"level=error msg="Read failed" error="no answer: connection refused""#;
        assert_eq!(without_head(&lines[0]), expected);
    }

    #[test]
    fn flags_that_do_not_exist_say_what_does() {
        let error = Program::try_parse_from(["program", "--log.level=trace"]).err().unwrap().to_string();
        assert!(error.contains("[possible values: debug, info, warn, error]"), "{error}");
        assert_eq!(flags(&[]).level, LogLevel::Info);
        assert_eq!(flags(&["--log.format", "json"]).format, LogFormat::Json);
    }
}
