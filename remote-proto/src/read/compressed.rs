//! Answers with samples that are compressed while they are written.

use crate::error::EncodeError;
use crate::read::answer::{RESULT_KEY, put_series};
use crate::series::SeriesView;
use crate::snappy::{Elements, PIECE_BYTES, Place};
use crate::wire::open::{Guess, header};
use crate::write::SeriesWriter;

/// Writes the bodies of answers with samples: what [`AnswerEncoder`](crate::read::AnswerEncoder) followed by
/// [`snappy::compress`](crate::snappy::compress) would make, as another compressor might have compressed it.
///
/// Whoever holds an answer until it is whole (a sampled one cannot be sent before) holds it compressed. Only one series
/// at a time, and less than 64 KiB besides, are in memory as they are.
///
/// ```
/// use promha_remote_proto::read::{AnswerDecoder, AnswerCompressor};
/// use promha_remote_proto::snappy;
///
/// let mut compressor = AnswerCompressor::new();
/// compressor.result();
/// compressor.series(&[("__name__", "up")], [(15_000, 1.0), (30_000, 1.0)]);
/// let body = compressor.finish()?.concat();
///
/// let (mut message, mut decoder) = (Vec::new(), AnswerDecoder::default());
/// let answer = decoder.decode(snappy::decompress(&body, 1 << 20, &mut message)?)?;
/// assert_eq!(answer.results().next().unwrap().series().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct AnswerCompressor {
    body: Elements,
    /// The end of the current result, which is not compressed yet.
    raw: Vec<u8>,
    result: Option<OpenResult>,
    series_guess: Guess,
}

/// A result whose length is not known yet.
#[derive(Debug)]
struct OpenResult {
    header: Place,
    bytes_before: u64,
}

impl AnswerCompressor {
    /// A compressor for the first answer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the answer to the next query.
    pub fn result(&mut self) {
        self.end_result();
        self.result = Some(OpenResult { bytes_before: self.body.raw_bytes(), header: self.body.place() });
    }

    /// Adds a series with float samples to the answer to the current query: milliseconds since 1970, and the value.
    /// Without a query before it, it begins the first one.
    ///
    /// The labels should be sorted by name, and the samples by time; neither is checked. Takes time linear in what
    /// is written.
    pub fn series(&mut self, labels: &[(&str, &str)], samples: impl IntoIterator<Item = (i64, f64)>) {
        self.series_with(labels, |series| series.samples(samples));
    }

    /// Adds a series whose parts `write` adds, as
    /// [`AnswerEncoder::series_with`](crate::read::AnswerEncoder::series_with) does.
    pub fn series_with(&mut self, labels: &[(&str, &str)], write: impl FnOnce(&mut SeriesWriter<'_>)) {
        if self.result.is_none() {
            self.result();
        }
        put_series(labels, write, &mut self.series_guess, &mut self.raw);
        let whole_bytes = self.raw.len() / PIECE_BYTES * PIECE_BYTES;
        if whole_bytes > 0 {
            self.body.add(&self.raw[..whole_bytes]);
            self.raw.drain(..whole_bytes);
            // A long series is not a reason to keep room for the next one.
            self.raw.shrink_to(2 * PIECE_BYTES);
        }
    }

    /// Adds a series as it was read; what an answer has no place for is left out.
    pub fn series_view(&mut self, series: &SeriesView<'_>) {
        self.series_with(series.labels(), |writer| writer.parts_of(series));
    }

    /// The body of all that was added, in pieces one behind the other; what is added next belongs to another one.
    ///
    /// # Errors
    ///
    /// If the message has more than 4 GiB, which snappy has no way to say.
    pub fn finish(&mut self) -> Result<Vec<Vec<u8>>, EncodeError> {
        self.end_result();
        self.body.finish()
    }

    fn end_result(&mut self) {
        let Some(result) = self.result.take() else { return };
        self.body.add(&self.raw);
        self.raw.clear();
        let mut bytes = Vec::new();
        header(RESULT_KEY, (self.body.raw_bytes() - result.bytes_before) as usize, &mut bytes);
        self.body.insert(result.header, &bytes);
    }
}
