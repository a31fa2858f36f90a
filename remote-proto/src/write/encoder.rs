//! From series to a message.

use crate::histogram::HistogramView;
use crate::negotiate::WriteVersion;
use crate::series::fields::{exemplar, metadata_v2, series_v1, series_v2};
use crate::series::{ExemplarView, MetadataView, SeriesView};
use crate::wire;
use crate::wire::fast::{WireType, key};
use crate::wire::open::{Guess, Open};
use crate::write::fields::{v1, v2};
use crate::write::put;
use crate::write::symbols::Symbols;

const LABELS_V1: u8 = key(series_v1::LABELS, WireType::Delimited);
const REFERENCES_V2: u8 = key(series_v2::LABELS_REFS, WireType::Delimited);
const EXEMPLAR_LABELS: u8 = key(exemplar::LABELS, WireType::Delimited);

/// Writes write requests of one version. Its memory serves one after the other.
///
/// The bytes are those of the owned messages (which leave minus zero out, as if it were zero), if each series is given
/// its parts in the order in which its message has them: samples, then exemplars and histograms (version 1) or
/// histograms, exemplars and metadata (version 2).
#[derive(Debug)]
pub struct WriteEncoder {
    version: WriteVersion,
    /// The message, but for the symbols of version 2.
    body: Vec<u8>,
    series_guess: Guess,
    symbols: Symbols,
    /// The references of the series before: neighbours have most labels in common.
    references: Vec<u32>,
    finished: bool,
    /// The message of version 2, whose symbols come first and are known last.
    message: Vec<u8>,
}

impl WriteEncoder {
    /// An encoder for this version.
    pub fn new(version: WriteVersion) -> Self {
        Self {
            version,
            body: Vec::new(),
            series_guess: Guess::default(),
            symbols: Symbols::default(),
            references: Vec::new(),
            finished: false,
            message: Vec::new(),
        }
    }

    /// The version it writes.
    pub fn version(&self) -> WriteVersion {
        self.version
    }

    /// Adds a series with float samples: milliseconds since 1970, and the value.
    ///
    /// The labels should be sorted by name, and the samples by time; neither is checked. Takes time linear in what
    /// is written.
    pub fn series(&mut self, labels: &[(&str, &str)], samples: impl IntoIterator<Item = (i64, f64)>) {
        self.series_with(labels, |series| series.samples(samples));
    }

    /// Adds a series whose parts `write` adds.
    ///
    /// ```
    /// use promha_remote_proto::histogram::{Count, HistogramView};
    /// use promha_remote_proto::negotiate::WriteVersion;
    /// use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
    ///
    /// let mut encoder = WriteEncoder::new(WriteVersion::V2);
    /// encoder.series_with(&[("__name__", "requests")], |series| {
    ///     series.sample(60_000, 7.0, 1_000);
    ///     series.histogram(&HistogramView { t_ms: 60_000, count: Some(Count::Int(0)), ..Default::default() });
    /// });
    /// let mut decoder = WriteDecoder::default();
    /// let view = decoder.decode(WriteVersion::V2, encoder.finish())?;
    /// let series = view.series().next().unwrap();
    /// assert_eq!((series.samples(), series.sample_starts_ms()), (&[(60_000, 7.0)][..], &[1_000][..]));
    /// assert_eq!(series.histograms().len(), 1);
    /// # Ok::<(), promha_remote_proto::DecodeError>(())
    /// ```
    pub fn series_with(&mut self, labels: &[(&str, &str)], write: impl FnOnce(&mut SeriesWriter<'_>)) {
        self.begin();
        let number = match self.version {
            WriteVersion::V1 => v1::TIMESERIES,
            WriteVersion::V2 => v2::TIMESERIES,
        };
        let open = Open::new(key(number, WireType::Delimited), self.series_guess, &mut self.body);
        match self.version {
            WriteVersion::V1 => {
                put::labels(LABELS_V1, labels, &mut self.body);
            }
            WriteVersion::V2 => {
                refer(labels, &mut self.symbols, &mut self.references);
                put_references(&self.references, &mut self.body);
            }
        }
        let symbols = match self.version {
            WriteVersion::V1 => None,
            WriteVersion::V2 => Some(&mut self.symbols),
        };
        write(&mut SeriesWriter { body: &mut self.body, symbols });
        open.close(&mut self.series_guess, &mut self.body);
    }

    /// Adds a series as it was read, whatever the version it came in. What this version has no place for is left
    /// out: version 1 has none for metadata of series and start times of samples.
    pub fn series_view(&mut self, series: &SeriesView<'_>) {
        self.series_with(series.labels(), |writer| writer.parts_of(series));
    }

    /// Adds what is known about a metric family. Version 2 has no place for it here, but one in each series:
    /// [`SeriesWriter::metadata`].
    pub fn metadata(&mut self, metadata: &MetadataView<'_>) {
        self.begin();
        if self.version == WriteVersion::V1 {
            put::metadata(key(v1::METADATA, WireType::Delimited), metadata, &mut self.body);
        }
    }

    /// The message of all that was added; what is added next belongs to another one.
    pub fn finish(&mut self) -> &[u8] {
        self.begin();
        self.finished = true;
        match self.version {
            WriteVersion::V1 => &self.body,
            WriteVersion::V2 => {
                self.message.clear();
                self.message.extend_from_slice(self.symbols.wire());
                self.message.extend_from_slice(&self.body);
                &self.message
            }
        }
    }

    /// How large the message is so far, in bytes. With it, whoever sends decides when to do so.
    pub fn len(&self) -> usize {
        if self.finished {
            return 0;
        }
        let symbols = if self.version == WriteVersion::V2 { self.symbols.wire().len() } else { 0 };
        self.body.len() + symbols
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.finished || self.body.is_empty()
    }

    /// Forgets a message that is finished.
    fn begin(&mut self) {
        if self.finished {
            self.finished = false;
            self.body.clear();
            self.symbols.clear();
            self.references.clear();
        }
    }
}

/// Writes the parts of one series.
#[derive(Debug)]
pub struct SeriesWriter<'e> {
    body: &'e mut Vec<u8>,
    /// In version 2.
    symbols: Option<&'e mut Symbols>,
}

impl<'e> SeriesWriter<'e> {
    /// Writes a series of version 1.
    pub(crate) fn v1(body: &'e mut Vec<u8>) -> Self {
        Self { body, symbols: None }
    }

    /// Adds all parts of a series in the order of the fields.
    pub(crate) fn parts_of(&mut self, series: &SeriesView<'_>) {
        let starts_ms = series.sample_starts_ms();
        if starts_ms.is_empty() {
            self.samples(series.samples().iter().copied());
        } else {
            let samples = series.samples().iter().zip(starts_ms);
            samples.for_each(|(&(t_ms, value), &start_ms)| self.sample(t_ms, value, start_ms));
        }
        let is_v1 = self.symbols.is_none();
        if is_v1 {
            series.exemplars().for_each(|exemplar| self.exemplar(&exemplar));
        }
        series.histograms().for_each(|histogram| self.histogram(&histogram));
        if !is_v1 {
            series.exemplars().for_each(|exemplar| self.exemplar(&exemplar));
        }
        if let Some(metadata) = series.metadata() {
            self.metadata(&metadata);
        }
    }

    /// Adds float samples: milliseconds since 1970, and the value.
    #[inline]
    pub fn samples(&mut self, samples: impl IntoIterator<Item = (i64, f64)>) {
        const { assert!(series_v1::SAMPLES == series_v2::SAMPLES) };
        put::samples(key(series_v1::SAMPLES, WireType::Delimited), samples, self.body);
    }

    /// Adds a float sample with the time when counting began, 0 if that is not known. Version 1 leaves it out.
    pub fn sample(&mut self, t_ms: i64, value: f64, start_ms: i64) {
        let start_ms = if self.symbols.is_some() { start_ms } else { 0 };
        put::any_sample(key(series_v1::SAMPLES, WireType::Delimited), t_ms, value, start_ms, self.body);
    }

    /// Adds a histogram.
    pub fn histogram(&mut self, histogram: &HistogramView<'_>) {
        let number = if self.symbols.is_some() { series_v2::HISTOGRAMS } else { series_v1::HISTOGRAMS };
        put::histogram(key(number, WireType::Delimited), histogram, self.body);
    }

    /// Adds an exemplar.
    pub fn exemplar(&mut self, exemplar: &ExemplarView<'_>) {
        match &mut self.symbols {
            None => {
                let labels = |into: &mut Vec<u8>| {
                    put::labels(EXEMPLAR_LABELS, exemplar.labels, into);
                };
                put::exemplar(key(series_v1::EXEMPLARS, WireType::Delimited), exemplar, labels, self.body);
            }
            Some(symbols) => {
                let labels = |into: &mut Vec<u8>| put_new_references(exemplar.labels, symbols, into);
                put::exemplar(key(series_v2::EXEMPLARS, WireType::Delimited), exemplar, labels, self.body);
            }
        }
    }

    /// Adds what is known about the metric family; its name is not written. Version 1 leaves it out.
    pub fn metadata(&mut self, metadata: &MetadataView<'_>) {
        let Some(symbols) = &mut self.symbols else {
            return;
        };
        let mut guess = Guess::default();
        let open = Open::new(key(series_v2::METADATA, WireType::Delimited), guess, self.body);
        let metric_type = i64::from(metadata.metric_type.to_wire()) as u64;
        wire::put_varint_field(metadata_v2::TYPE, metric_type, self.body);
        wire::put_varint_field(metadata_v2::HELP_REF, u64::from(symbols.number(metadata.help)), self.body);
        wire::put_varint_field(metadata_v2::UNIT_REF, u64::from(symbols.number(metadata.unit)), self.body);
        open.close(&mut guess, self.body);
    }
}

/// Brings `references` from those of the last labels to those of these.
#[inline]
fn refer(labels: &[(&str, &str)], symbols: &mut Symbols, references: &mut Vec<u32>) {
    references.resize(labels.len() * 2, 0);
    let (pairs, _) = references.as_chunks_mut::<2>();
    for (&(name, value), pair) in labels.iter().zip(pairs) {
        *pair = [symbols.number_near(name, pair[0]), symbols.number_near(value, pair[1])];
    }
}

/// Appends references as a packed field, unless there are none.
#[inline]
fn put_references(references: &[u32], into: &mut Vec<u8>) {
    if references.is_empty() {
        return;
    }
    let mut guess = Guess::default();
    let open = Open::new(REFERENCES_V2, guess, into);
    into.reserve(references.len() * 5);
    references.iter().for_each(|&reference| wire::put_uvarint(u64::from(reference), into));
    open.close(&mut guess, into);
}

fn put_new_references(labels: &[(&str, &str)], symbols: &mut Symbols, into: &mut Vec<u8>) {
    const { assert!(EXEMPLAR_LABELS == REFERENCES_V2) };
    if labels.is_empty() {
        return;
    }
    let mut guess = Guess::default();
    let open = Open::new(EXEMPLAR_LABELS, guess, into);
    for &(name, value) in labels {
        wire::put_uvarint(u64::from(symbols.number(name)), into);
        wire::put_uvarint(u64::from(symbols.number(value)), into);
    }
    open.close(&mut guess, into);
}
