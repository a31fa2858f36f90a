//! Ports for servers.

#![allow(unreachable_pub, reason = "a module of tests")]

use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of 127.0.0.1 that nobody listens on, and which nobody else in this process is given.
///
/// Taken from below the range from which the kernel serves outgoing connections, so that none of them can take the
/// port while its server is down.
pub fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU16::new((std::process::id() * 67 % 10_000) as u16));
    for _ in 0..10_000 {
        let port = 20_000 + next.fetch_add(1, Ordering::Relaxed) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 20000 and 30000");
}
