//! Remote write with zstd, as VictoriaMetrics' programs speak it among themselves. Runs with `PROMHA_INTEROP=1` and the
//! feature `zstd`, which needs newer ones by the names of `vmagent-newer` and `victoria-metrics-newer`.

#![cfg(feature = "zstd")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking too")]

mod common {
    pub(crate) mod http;
    pub(crate) mod owned;
    pub(crate) mod peers;
    pub(crate) mod port;
    pub(crate) mod server;
}

use std::net::TcpListener;

use prost::Message;

use common::http::{self, accept, answer};
use common::owned;
use common::peers::{is_wanted, prometheus, victoria_metrics, vmagent};
use promha_remote_proto::negotiate::{self, Encoding, WriteVersion, ZSTD_WRITE_HEADERS, header};
use promha_remote_proto::prompb::WriteRequest;
use promha_remote_proto::write::{WriteDecoder, WriteEncoder};
use promha_remote_proto::{Limits, body};

#[test]
fn what_vmagent_compresses_is_read_and_written_again() {
    if !is_wanted() {
        return;
    }
    let sink = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (scraped, mut receiver) = (prometheus(""), victoria_metrics("victoria-metrics-newer"));
    let url = format!("http://{}/", sink.local_addr().unwrap());
    let _agent = vmagent("vmagent-newer", scraped.port, &url, &["-remoteWrite.forceVMProto"]);

    let (mut decoder, mut plain, mut packed) = (WriteDecoder::new(Limits::default()), Vec::new(), Vec::new());
    for _ in 0..3 {
        let (request, socket) = accept(&sink).unwrap();
        let version = negotiate::write_version(
            request.header(header::CONTENT_TYPE),
            request.header(header::CONTENT_ENCODING),
        );
        assert_eq!(version, Ok(WriteVersion::V1));
        assert_eq!(request.header(header::VICTORIA_METRICS_WRITE_VERSION), Some(ZSTD_WRITE_HEADERS[2].1));
        let encoding = negotiate::content_encoding(request.header(header::CONTENT_ENCODING)).unwrap();
        assert_eq!(encoding, Encoding::Zstd);
        answer(socket, "204 No Content", &[]).unwrap();

        // Read the same if the header had said something else.
        let mut lied_to = Vec::new();
        body::decompress(Encoding::Snappy, &request.body, &Limits::default(), &mut lied_to).unwrap();
        let message = body::decompress(encoding, &request.body, &Limits::default(), &mut plain).unwrap();
        assert!(message == lied_to);
        let view = decoder.decode(WriteVersion::V1, message).unwrap();
        let expected = WriteRequest::decode(message).unwrap();
        owned::assert_same(&owned::write_v1(&view), &expected);
        assert!(view.sample_count() > 100, "{} samples", view.sample_count());

        let mut encoder = WriteEncoder::new(WriteVersion::V1);
        view.series().for_each(|series| encoder.series_view(&series));
        body::compress(Encoding::Zstd, encoder.finish(), &mut packed).unwrap();
        let written =
            http::request(receiver.port, "POST", "/api/v1/write", &ZSTD_WRITE_HEADERS, &packed).unwrap();
        assert_eq!(written.status(), 204, "{}", written.text());
    }
    let port = receiver.port;
    receiver.wait_until("showing what was written", || {
        http::request(port, "GET", "/internal/force_flush", &[], &[]).unwrap();
        let found = http::request(port, "GET", "/api/v1/export?match[]=up", &[], &[]).unwrap();
        found.text().contains(r#""__name__":"up""#)
    });
}
