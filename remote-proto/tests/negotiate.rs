//! Headers: what is accepted, what is refused, and with which status.

use promha_remote_proto::negotiate::{
    self, Encoding, NegotiateError, Outcome, RetryPolicy, WriteVersion, Written, header,
};
use promha_remote_proto::prompb::ResponseType;
use promha_remote_proto::snappy;

#[test]
fn the_first_response_type_that_there_is_is_chosen() {
    use ResponseType::{Samples, StreamedXorChunks};
    for (accepted, expected) in [
        (&[][..], Samples),
        (&[0], Samples),
        (&[1], StreamedXorChunks),
        (&[0, 1], Samples),
        (&[1, 0], StreamedXorChunks),
        (&[-1, 2, i32::MAX, 0, 1], Samples),
    ] {
        assert_eq!(negotiate::response_type(accepted), Ok(expected), "{accepted:?}");
    }
    let error = negotiate::response_type(&[5, 9]).unwrap_err();
    assert_eq!((&error, error.status()), (&NegotiateError::ResponseType { first: 5, count: 2 }, 400));
}

#[test]
fn an_answer_is_what_its_content_type_begins_with() {
    for (content_type, expected) in [
        ("application/x-protobuf", ResponseType::Samples),
        ("application/x-protobuf;proto=prometheus.ReadResponse", ResponseType::Samples),
        ("Application/X-Protobuf; charset=utf-8", ResponseType::Samples),
        (
            "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse",
            ResponseType::StreamedXorChunks,
        ),
        (
            "application/x-streamed-protobuf;proto=prometheus.ChunkedReadResponse",
            ResponseType::StreamedXorChunks,
        ),
        ("APPLICATION/x-streamed-protobuf", ResponseType::StreamedXorChunks),
    ] {
        assert_eq!(negotiate::answer_type(Some(content_type)), Ok(expected), "{content_type}");
    }
    for content_type in [
        None,
        Some(""),
        Some("text/html"),
        Some("application/x-protobu"),
        Some("application/x-streamed-protobué"),
    ] {
        let error = negotiate::answer_type(content_type).unwrap_err();
        assert_eq!(error, NegotiateError::AnswerType { found: content_type.unwrap_or_default().into() });
        assert_eq!(error.status(), 502);
    }
}

#[test]
fn what_an_answer_says_is_what_its_client_reads() {
    for response_type in [ResponseType::Samples, ResponseType::StreamedXorChunks] {
        let headers = negotiate::answer_headers(response_type);
        assert_eq!(headers[0].0, "content-type");
        assert_eq!(negotiate::answer_type(Some(headers[0].1)), Ok(response_type));
    }
    assert_eq!(negotiate::answer_headers(ResponseType::Samples)[1], ("content-encoding", "snappy"));
    assert_eq!(negotiate::answer_headers(ResponseType::StreamedXorChunks).len(), 1);
}

#[test]
fn read_requests_are_protobuf_and_snappy() {
    for (content_type, content_encoding) in [
        (None, None),
        (Some(""), Some("")),
        (Some("application/x-protobuf"), Some("snappy")),
        (Some(" Application/x-Protobuf ; charset=utf-8"), Some(" Snappy ")),
        (Some("application/x-protobuf; proto=prometheus.ReadRequest"), None),
        (Some("application/x-protobuf; proto=\"prometheus.ReadRequest\""), None),
    ] {
        assert_eq!(negotiate::check_read_request(content_type, content_encoding), Ok(()), "{content_type:?}");
    }
    for content_type in [
        "text/plain",
        "application/json",
        "application/x-protobuffer",
        "application/x-protobuf; proto=prometheus.WriteRequest",
        "application/x-protobuf; what",
        ";proto=prometheus.ReadRequest",
    ] {
        let error = negotiate::check_read_request(Some(content_type), Some("snappy")).unwrap_err();
        assert_eq!(error, NegotiateError::ContentType { found: content_type.into() });
        assert_eq!(error.status(), 415);
    }
    for encoding in ["gzip", "identity", "zst", "snappy, gzip"] {
        let error = negotiate::check_read_request(None, Some(encoding)).unwrap_err();
        assert_eq!(error, NegotiateError::ContentEncoding { found: encoding.into() });
        assert_eq!(error.status(), 415);
    }
}

#[test]
fn write_requests_say_their_version() {
    for (content_type, expected) in [
        (None, WriteVersion::V1),
        (Some(""), WriteVersion::V1),
        (Some("application/x-protobuf"), WriteVersion::V1),
        (Some("application/x-protobuf;proto=prometheus.WriteRequest"), WriteVersion::V1),
        (Some("application/x-protobuf;proto=io.prometheus.write.v2.Request"), WriteVersion::V2),
        (Some("application/x-protobuf; Proto = io.prometheus.write.v2.Request ; q=1"), WriteVersion::V2),
    ] {
        assert_eq!(negotiate::write_version(content_type, Some("snappy")), Ok(expected), "{content_type:?}");
    }
    for (content_type, encoding) in [
        (Some("application/x-protobuf;proto=io.prometheus.write.v3.Request"), None),
        (Some("application/x-protobuf;proto=prometheus.ReadRequest"), None),
        (Some("application/json"), Some("snappy")),
        (None, Some("deflate")),
    ] {
        assert_eq!(
            negotiate::write_version(content_type, encoding).unwrap_err().status(),
            415,
            "{content_type:?}"
        );
    }
    for version in [WriteVersion::V1, WriteVersion::V2] {
        let headers = version.headers();
        assert_eq!(negotiate::write_version(Some(headers[0].1), Some(headers[1].1)), Ok(version));
    }
    assert_eq!(WriteVersion::V1.headers()[2], ("x-prometheus-remote-write-version", "0.1.0"));
    assert_eq!(WriteVersion::V2.headers()[2], ("x-prometheus-remote-write-version", "2.0.0"));
}

#[test]
fn long_headers_are_cut_and_damaged_bodies_are_the_senders_fault() {
    let NegotiateError::ContentEncoding { found } =
        negotiate::check_read_request(None, Some(&"é".repeat(10_000))).unwrap_err()
    else {
        panic!("another error");
    };
    assert_eq!(found, "é".repeat(128));
    assert_eq!(snappy::decompress(&[], 1, &mut Vec::new()).unwrap_err().status(), 400);
}

#[test]
fn encodings_have_names() {
    for encoding in [None, Some(""), Some("snappy"), Some(" SNAPPY ")] {
        assert_eq!(negotiate::content_encoding(encoding), Ok(Encoding::Snappy), "{encoding:?}");
    }
    let zstd = negotiate::content_encoding(Some(Encoding::Zstd.name()));
    assert_eq!(zstd.is_ok(), cfg!(feature = "zstd"));
    assert_eq!(Encoding::default().name(), "snappy");
    let [content_type, encoding, version] = negotiate::ZSTD_WRITE_HEADERS.map(|header| header.1);
    let read = negotiate::write_version(Some(content_type), Some(encoding));
    assert_eq!((read.ok(), version), (cfg!(feature = "zstd").then_some(WriteVersion::V1), "1"));
}

#[test]
fn what_was_written_is_confirmed_or_not() {
    let read = |headers: &[(&str, &'static str)]| {
        Written::from_headers(|name| headers.iter().find(|header| header.0 == name).map(|header| header.1))
    };
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[("content-type", "text/plain")]), Ok(None));
    let all = [
        (header::SAMPLES_WRITTEN, "3"),
        (header::HISTOGRAMS_WRITTEN, " 2 "),
        (header::EXEMPLARS_WRITTEN, "0"),
    ];
    assert_eq!(read(&all), Ok(Some(Written { samples: 3, histograms: 2, exemplars: 0 })));
    assert_eq!(read(&all[1..2]), Ok(Some(Written { histograms: 2, ..Written::default() })));
    let error = read(&[(header::SAMPLES_WRITTEN, "many")]).unwrap_err();
    assert_eq!(error, NegotiateError::Written { name: header::SAMPLES_WRITTEN, found: "many".into() });
    assert_eq!(error.status(), 502);
}

#[test]
fn a_sender_tries_again_when_that_helps() {
    let told = RetryPolicy { too_many_requests: true };
    let plain = RetryPolicy::default();
    let retry = Outcome::Retry { after: None };
    for (status, by_default, when_told) in [
        (200, Outcome::Done, Outcome::Done),
        (204, Outcome::Done, Outcome::Done),
        (304, Outcome::GiveUp, Outcome::GiveUp),
        (400, Outcome::GiveUp, Outcome::GiveUp),
        (415, Outcome::GiveUp, Outcome::GiveUp),
        (429, Outcome::GiveUp, retry),
        (500, retry, retry),
        (503, retry, retry),
        (599, retry, retry),
        (600, Outcome::GiveUp, Outcome::GiveUp),
    ] {
        assert_eq!(plain.outcome(status, None, 0), by_default, "{status}");
        assert_eq!(told.outcome(status, None, 0), when_told, "{status}");
    }
    let after = |text| match plain.outcome(503, Some(text), 784_111_777) {
        Outcome::Retry { after } => after.map(|after| after.as_secs()),
        other => panic!("{other:?}"),
    };
    assert_eq!(after("120"), Some(120));
    assert_eq!(after("Sun, 06 Nov 1994 08:49:40 GMT"), Some(3));
    assert_eq!(after("Sun, 06 Nov 1994 08:49:30 GMT"), Some(0), "it is over");
    assert_eq!(after("soon"), None);
}
