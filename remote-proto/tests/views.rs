//! Views and owned messages: the same is accepted, with the same content, and written with the same bytes.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

mod common {
    pub(crate) mod made;
    pub(crate) mod owned;
}

use proptest::prelude::*;
use prost::Message;

use common::{made, owned};
use promha_remote_proto::negotiate::WriteVersion;
use promha_remote_proto::prompb::{QueryResult, ReadRequest, ReadResponse, WriteRequest, v2};
use promha_remote_proto::read::{
    AnswerCompressor, AnswerDecoder, AnswerEncoder, RequestDecoder, encode_request,
};
use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
use promha_remote_proto::{DecodeError, Limits, snappy};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn write_1(request in made::write_request(), damage in made::damage()) {
        let body = made::damaged(request.encode_to_vec(), &damage);
        let mut decoder = WriteDecoder::new(Limits::default());
        let view = decoder.decode(WriteVersion::V1, &body);
        match WriteRequest::decode(&body[..]) {
            Err(_) => prop_assert!(view.is_err(), "prost refuses it"),
            Ok(expected) => {
                let view = view.unwrap();
                owned::assert_same(&owned::write_v1(&view), &expected);
                let mut encoder = WriteEncoder::new(WriteVersion::V1);
                view.series().for_each(|series| encoder.series_view(&series));
                view.metadata().iter().for_each(|metadata| encoder.metadata(metadata));
                let again = encoder.finish();
                owned::assert_same(&WriteRequest::decode(again).unwrap(), &expected);
                if damage.is_empty() {
                    // The bytes are the same too, but for minus zero, which owned messages leave out.
                    prop_assert_eq!(again, expected.encode_to_vec());
                }
            }
        }
    }

    #[test]
    fn write_2(request in made::write_request_v2(), damage in made::damage()) {
        let body = made::damaged(request.encode_to_vec(), &damage);
        let mut decoder = WriteDecoder::new(Limits::default());
        let view = decoder.decode(WriteVersion::V2, &body);
        match v2::Request::decode(&body[..]).ok().and_then(owned::resolve) {
            None => prop_assert!(view.is_err(), "prost refuses it, or its references are not right"),
            Some(expected) => {
                let view = view.unwrap();
                let resolved = owned::write_v2(&view);
                prop_assert_eq!(format!("{resolved:?}"), format!("{expected:?}"));
                // Written again, in this version and as far as it goes in the other, it is the same.
                let mut encoder = WriteEncoder::new(WriteVersion::V2);
                view.series().for_each(|series| encoder.series_view(&series));
                let again = v2::Request::decode(encoder.finish()).unwrap();
                prop_assert_eq!(again.encode_to_vec(), encoder_bytes(&view, WriteVersion::V2));
                prop_assert_eq!(format!("{:?}", owned::resolve(again).unwrap()), format!("{expected:?}"));
                let v1 = WriteRequest::decode(&encoder_bytes(&view, WriteVersion::V1)[..]).unwrap();
                let expected = expected.into_iter().map(|resolved| resolved.series).collect();
                prop_assert_eq!(bits(&v1), bits(&WriteRequest { timeseries: expected, metadata: vec![] }));
            }
        }
    }

    /// They usually stand before all series.
    #[test]
    fn symbols_may_stand_anywhere(
        mut request in made::write_request_v2(),
        (symbols, series) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let whole = request.encode_to_vec();
        let later = v2::Request {
            symbols: request.symbols.split_off(symbols.index(request.symbols.len() + 1)),
            timeseries: request.timeseries.split_off(series.index(request.timeseries.len() + 1)),
        };
        // One message behind the other is both in one.
        let cut = [request.encode_to_vec(), later.encode_to_vec()].concat();
        let show = |body: &[u8]| {
            let mut decoder = WriteDecoder::default();
            decoder.decode(WriteVersion::V2, body).map(|view| format!("{view:?}")).map_err(|error| error.kind())
        };
        prop_assert_eq!(show(&cut), show(&whole));
    }

    #[test]
    fn answers(
        results in prop::collection::vec(prop::collection::vec(made::series(), 0..4), 0..3),
        damage in made::damage(),
    ) {
        let response = ReadResponse {
            results: results.into_iter().map(|timeseries| QueryResult { timeseries }).collect(),
        };
        let message = made::damaged(response.encode_to_vec(), &damage);
        let mut decoder = AnswerDecoder::new(Limits::default());
        let view = decoder.decode(&message);
        match ReadResponse::decode(&message[..]) {
            Err(_) => prop_assert!(view.is_err(), "prost refuses it"),
            Ok(expected) => {
                let view = view.unwrap();
                owned::assert_same(&owned::answer(&view), &expected);
                let (mut encoder, mut compressor) = (AnswerEncoder::new(), AnswerCompressor::new());
                for result in view.results() {
                    encoder.result();
                    compressor.result();
                    result.series().for_each(|series| encoder.series_view(&series));
                    result.series().for_each(|series| compressor.series_view(&series));
                }
                let again = encoder.finish();
                let (body, mut decompressed) = (compressor.finish().unwrap().concat(), Vec::new());
                prop_assert_eq!(snappy::decompress(&body, again.len(), &mut decompressed).unwrap(), again);
                owned::assert_same(&ReadResponse::decode(again).unwrap(), &expected);
                if damage.is_empty() {
                    prop_assert_eq!(again, expected.encode_to_vec());
                }
            }
        }
    }

    #[test]
    fn read_requests(request in made::read_request(), damage in made::damage()) {
        let message = made::damaged(request.encode_to_vec(), &damage);
        let mut decoder = RequestDecoder::new(Limits::default());
        let view = decoder.decode(&message);
        match ReadRequest::decode(&message[..]) {
            Err(_) => prop_assert!(view.is_err(), "prost refuses it"),
            Ok(expected) => {
                let view = view.unwrap();
                prop_assert_eq!(&owned::request(&view), &expected);
                let (queries, mut again) = (view.queries().collect::<Vec<_>>(), vec![1]);
                encode_request(&queries, view.accepted_response_types(), &mut again);
                prop_assert_eq!(again, expected.encode_to_vec());
            }
        }
    }

    #[test]
    fn noise_is_accepted_as_prost_does(noise in prop::collection::vec(prop_oneof![0..0x30_u8, any::<u8>()], 0..60)) {
        let mut decoder = WriteDecoder::new(Limits::default());
        let accepted = |result: Result<(), DecodeError>| result.is_ok();
        let v1 = accepted(decoder.decode(WriteVersion::V1, &noise).map(drop));
        prop_assert_eq!(v1, WriteRequest::decode(&noise[..]).is_ok());
        let v2 = accepted(decoder.decode(WriteVersion::V2, &noise).map(drop));
        prop_assert_eq!(v2, v2::Request::decode(&noise[..]).ok().and_then(owned::resolve).is_some());
        let answer = accepted(AnswerDecoder::default().decode(&noise).map(drop));
        prop_assert_eq!(answer, ReadResponse::decode(&noise[..]).is_ok());
        let request = accepted(RequestDecoder::default().decode(&noise).map(drop));
        prop_assert_eq!(request, ReadRequest::decode(&noise[..]).is_ok());
    }
}

fn encoder_bytes(view: &promha_remote_proto::write::WriteView<'_, '_>, version: WriteVersion) -> Vec<u8> {
    let mut encoder = WriteEncoder::new(version);
    view.series().for_each(|series| encoder.series_view(&series));
    encoder.finish().to_vec()
}

/// Floats compare by bits in this form.
fn bits(message: &impl Message) -> Vec<u8> {
    message.encode_to_vec()
}
