//! An answer with samples: the view and the owned message agree on accept, reject and content, and so does what is
//! encoded of it, as it is or compressed.

#![no_main]

#[path = "../../tests/common/owned.rs"]
mod owned;

use libfuzzer_sys::fuzz_target;
use promha_remote_proto::prompb::ReadResponse;
use promha_remote_proto::read::{AnswerCompressor, AnswerDecoder, AnswerEncoder};
use promha_remote_proto::{Limits, snappy};
use prost::Message;

fuzz_target!(|body: &[u8]| {
    let mut decoder = AnswerDecoder::new(Limits::default());
    let expected = ReadResponse::decode(body);
    // What is over the limit, the owned message takes.
    if let Ok(answer) = &expected
        && answer.results.len() > Limits::default().max_queries
    {
        return assert!(decoder.decode(body).is_err());
    }
    let view = match (decoder.decode(body), &expected) {
        (Ok(view), Ok(_)) => view,
        (Err(error), Err(_)) => return assert!(error.offset() <= body.len()),
        (view, expected) => panic!("{view:?} but {expected:?}"),
    };
    let expected = expected.unwrap();
    owned::assert_same(&owned::answer(&view), &expected);
    let (mut encoder, mut compressor) = (AnswerEncoder::new(), AnswerCompressor::new());
    for result in view.results() {
        encoder.result();
        compressor.result();
        for series in result.series() {
            encoder.series_view(&series);
            compressor.series_view(&series);
        }
    }
    let again = encoder.finish();
    owned::assert_same(&ReadResponse::decode(again).unwrap(), &expected);
    let (packed, mut plain) = (compressor.finish().unwrap().concat(), Vec::new());
    assert_eq!(snappy::decompress(&packed, again.len(), &mut plain).unwrap(), again);
});
