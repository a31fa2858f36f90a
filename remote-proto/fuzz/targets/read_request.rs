//! A read request: the view and the owned message agree on accept, reject and content, and the encoder gives the bytes
//! of the owned message.

#![no_main]

#[path = "../../tests/common/owned.rs"]
mod owned;

use libfuzzer_sys::fuzz_target;
use promha_remote_proto::Limits;
use promha_remote_proto::prompb::ReadRequest;
use promha_remote_proto::read::{RequestDecoder, encode_request};
use prost::Message;

fuzz_target!(|body: &[u8]| {
    let mut decoder = RequestDecoder::new(Limits::default());
    let expected = ReadRequest::decode(body);
    // What one of the two limits is over, the owned message takes.
    if let Ok(request) = &expected
        && request.queries.len() > Limits::default().max_queries
    {
        return assert!(decoder.decode(body).is_err());
    }
    let view = match (decoder.decode(body), &expected) {
        (Ok(view), Ok(_)) => view,
        (Err(error), Err(_)) => return assert!(error.offset() <= body.len()),
        (view, expected) => panic!("{view:?} but {expected:?}"),
    };
    let expected = expected.unwrap();
    assert_eq!(owned::request(&view), expected);
    let (queries, mut again) = (view.queries().collect::<Vec<_>>(), Vec::new());
    encode_request(&queries, view.accepted_response_types(), &mut again);
    assert_eq!(again, expected.encode_to_vec());
});
