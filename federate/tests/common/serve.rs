//! A server for as long as a test runs: answers every request with what a function makes of it.

#![allow(unreachable_pub, clippy::disallowed_methods, reason = "tests serve other processes")]

use std::io::Write;
use std::net::TcpListener;

use super::http::{Message, accept};

/// Status, headers and body.
pub type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// Serves until the process ends; returns the port.
pub fn serve(answer: impl Fn(&Message) -> Answer + Send + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        loop {
            // Whoever goes away before the answer is complete does not want it.
            let Ok((request, mut socket)) = accept(&listener) else { continue };
            let (status, headers, body) = answer(&request);
            let mut head =
                format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
            head.push_str("\r\n");
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
        }
    });
    port
}
