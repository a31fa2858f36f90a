//! Series as a person, a spreadsheet or a program wants them.

use std::fmt;
use std::io::{self, Write};

use jiff::Timestamp;
use promha_remote_proto::histogram::{Count, HistogramView};
use serde_json::{Map, json};

use super::Output;

/// What a sample says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Float(f64),
    /// A native histogram, of which count and sum are shown.
    Histogram {
        count: f64,
        sum: f64,
    },
}

impl Value {
    pub(super) fn histogram(view: &HistogramView<'_>) -> Self {
        let count = match view.count {
            None => 0.0,
            Some(Count::Int(count)) => count as f64,
            Some(Count::Float(count)) => count,
        };
        Self::Histogram { count, sum: view.sum }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Float(value) => float_json(*value),
            Self::Histogram { count, sum } => json!({ "count": float_json(*count), "sum": float_json(*sum) }),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(value) => out.write_str(&float_text(*value)),
            Self::Histogram { count, sum } => {
                write!(out, "{{count:{} sum:{}}}", float_text(*count), float_text(*sum))
            }
        }
    }
}

/// Prints series as they come. A series may come in several pieces, one right after the other.
#[derive(Debug)]
pub(super) struct Printer<W: Write> {
    output: Output,
    out: W,
    /// The series that is being printed.
    labels: Vec<(String, String)>,
    /// Its samples, where it can only be printed as a whole.
    samples: Vec<(i64, Value)>,
    begun: bool,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(output: Output, out: W) -> Self {
        Self { output, out, labels: Vec::new(), samples: Vec::new(), begun: false }
    }

    /// Prints a piece of a series; returns whether it is the first piece.
    pub(super) fn series(&mut self, labels: &[(&str, &str)], samples: &[(i64, Value)]) -> io::Result<bool> {
        let same = self
            .labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .eq(labels.iter().copied());
        let begins = !self.begun || !same;
        if begins {
            self.end_series()?;
            self.begin()?;
            self.labels =
                labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            if self.output == Output::Table {
                writeln!(self.out, "{}", metric_text(labels))?;
            }
        }
        match self.output {
            Output::Table => {
                for (t_ms, value) in samples {
                    writeln!(self.out, "  {}  {value}", time_text(*t_ms))?;
                }
            }
            Output::Csv => {
                let series = metric_text(labels).replace('"', "\"\"");
                for (t_ms, value) in samples {
                    writeln!(self.out, "\"{series}\",{t_ms},{value}")?;
                }
            }
            Output::Json => self.samples.extend_from_slice(samples),
        }
        Ok(begins)
    }

    /// Prints what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.end_series()?;
        self.begin()?;
        self.out.flush()
    }

    /// Prints what comes before the first series, also where there is none.
    fn begin(&mut self) -> io::Result<()> {
        if !self.begun && self.output == Output::Csv {
            self.out.write_all(b"series,timestamp_ms,value\n")?;
        }
        self.begun = true;
        Ok(())
    }

    fn end_series(&mut self) -> io::Result<()> {
        if self.output != Output::Json || !self.begun {
            return Ok(());
        }
        let labels = self.labels.drain(..).map(|(name, value)| (name, json!(value)));
        let metric: Map<String, serde_json::Value> = labels.collect();
        let (timestamps, values): (Vec<_>, Vec<_>) =
            self.samples.drain(..).map(|(t_ms, value)| (t_ms, value.json())).unzip();
        writeln!(self.out, "{}", json!({ "metric": metric, "values": values, "timestamps": timestamps }))
    }
}

/// The series as PromQL writes it.
fn metric_text(labels: &[(&str, &str)]) -> String {
    let name = labels.iter().find(|(name, _)| *name == "__name__").map_or("", |(_, value)| value);
    let pairs = labels
        .iter()
        .filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| format!("{name}={value:?}"));
    format!("{name}{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

/// A value as Prometheus writes it.
fn float_text(value: f64) -> String {
    if value.is_infinite() { format!("{value:+}").replace("inf", "Inf") } else { value.to_string() }
}

/// A value as VictoriaMetrics exports and imports it: JSON has no number for some.
fn float_json(value: f64) -> serde_json::Value {
    match value {
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        // NaN is null.
        _ => json!(value),
    }
}

fn time_text(t_ms: i64) -> String {
    match Timestamp::from_millisecond(t_ms) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => t_ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: &[(&str, &str)] = &[("__name__", "up"), ("job", "a\"b")];

    fn printed(output: Output) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::new(output, &mut out);
        assert!(printer.series(LABELS, &[(1_000, Value::Float(1.0))]).unwrap());
        assert!(
            !printer.series(LABELS, &[(2_500, Value::Float(f64::NAN))]).unwrap(),
            "the same series goes on"
        );
        assert!(printer.series(&[("job", "b")], &[(0, Value::Float(f64::NEG_INFINITY))]).unwrap());
        printer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_series_in_pieces_is_printed_as_one() {
        assert_eq!(
            printed(Output::Table),
            "up{job=\"a\\\"b\"}\n  1970-01-01T00:00:01.000Z  1\n  1970-01-01T00:00:02.500Z  NaN\n\
             {job=\"b\"}\n  1970-01-01T00:00:00.000Z  -Inf\n"
        );
        assert_eq!(
            printed(Output::Csv),
            "series,timestamp_ms,value\n\"up{job=\"\"a\\\"\"b\"\"}\",1000,1\n\"up{job=\"\"a\\\"\"b\"\"}\",2500,NaN\n\
             \"{job=\"\"b\"\"}\",0,-Inf\n"
        );
        assert_eq!(
            printed(Output::Json),
            "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\\\"b\"},\"timestamps\":[1000,2500],\"values\":[1.0,null]}\n\
             {\"metric\":{\"job\":\"b\"},\"timestamps\":[0],\"values\":[\"-Infinity\"]}\n"
        );
    }
}
