//! A write 2 request: the view and the owned message with its references resolved agree on accept, reject and content,
//! and so does what is encoded of it.

#![no_main]

#[path = "../../tests/common/owned.rs"]
mod owned;

use libfuzzer_sys::fuzz_target;
use promha_remote_proto::Limits;
use promha_remote_proto::negotiate::WriteVersion;
use promha_remote_proto::prompb::v2::Request;
use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
use prost::Message;

fuzz_target!(|body: &[u8]| {
    let mut decoder = WriteDecoder::new(Limits::default());
    let expected = Request::decode(body).ok().and_then(owned::resolve);
    let view = match (decoder.decode(WriteVersion::V2, body), &expected) {
        (Ok(view), Some(_)) => view,
        (Err(error), None) => return assert!(error.offset() <= body.len()),
        (view, expected) => panic!("{view:?} but {expected:?}"),
    };
    // Floats compare by bits in this form, apart from the payload of a NaN.
    let expected = format!("{:?}", expected.unwrap());
    assert_eq!(format!("{:?}", owned::write_v2(&view)), expected);
    let mut encoder = WriteEncoder::new(WriteVersion::V2);
    view.series().for_each(|series| encoder.series_view(&series));
    let again = Request::decode(encoder.finish()).unwrap();
    assert_eq!(format!("{:?}", owned::resolve(again).unwrap()), expected);
});
