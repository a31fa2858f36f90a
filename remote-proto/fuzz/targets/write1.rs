//! A write 1 request: the view and the owned message agree on accept, reject and content, and so does what is encoded
//! of it.

#![no_main]

#[path = "../../tests/common/owned.rs"]
mod owned;

use libfuzzer_sys::fuzz_target;
use promha_remote_proto::Limits;
use promha_remote_proto::negotiate::WriteVersion;
use promha_remote_proto::prompb::WriteRequest;
use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
use prost::Message;

fuzz_target!(|body: &[u8]| {
    let mut decoder = WriteDecoder::new(Limits::default());
    let expected = WriteRequest::decode(body);
    let view = match (decoder.decode(WriteVersion::V1, body), &expected) {
        (Ok(view), Ok(_)) => view,
        (Err(error), Err(_)) => return assert!(error.offset() <= body.len()),
        (view, expected) => panic!("{view:?} but {expected:?}"),
    };
    let expected = expected.unwrap();
    owned::assert_same(&owned::write_v1(&view), &expected);
    let mut encoder = WriteEncoder::new(WriteVersion::V1);
    view.series().for_each(|series| encoder.series_view(&series));
    view.metadata().iter().for_each(|metadata| encoder.metadata(metadata));
    owned::assert_same(&WriteRequest::decode(encoder.finish()).unwrap(), &expected);
});
