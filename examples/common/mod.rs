//! What the programs share.

pub mod causes;
pub mod duration;
pub mod file_stamp;
pub mod flags;
pub mod gossip;
pub mod http_client;
pub mod logging;
pub mod metrics;
pub mod remote_read;
pub mod secret;
pub mod selector;
pub mod tls;
pub mod web;
pub mod yaml;

#[cfg(test)]
mod testing;
