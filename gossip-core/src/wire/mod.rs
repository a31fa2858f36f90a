//! hashicorp/memberlist's wire, both directions, as nodes of Alertmanager, Serf and Consul speak it.
//!
//! - A [`Message`] is what one node tells another. It borrows from the bytes that it was read from.
//! - A [`Packet`] gathers messages that travel together in a datagram.
//! - A [`Codec`] knows how the cluster speaks ([`CodecConfig`], [`Keyring`]). It seals packets into datagrams and opens datagrams again:
//!   compressed, checked, encrypted, labelled. It also writes what is said on streams.
//! - A [`StreamReader`] reads what is said on a stream while its bytes come.
//! - [`alertmanager`] has what Alertmanager puts into all this, and around it when it speaks over TLS.
//!
//! Nothing here knows what a message means. Whatever comes from outside is read or refused with a [`DecodeError`], never with a panic,
//! and takes no more memory than came of it and [`Limits`] allow.
//!
//! Source: `hashicorp/memberlist`, `net.go`, `security.go`, `label.go` and `util.go`, and what real nodes were seen to send.

pub mod alertmanager;
mod codec;
mod config;
mod decode;
mod encode;
mod envelope;
mod error;
mod keyring;
mod kind;
mod lzw;
mod message;
mod msgpack;
mod nonce;
mod packet;
mod sorted;
mod stream;
mod stream_write;
mod unpack;
mod window;

pub use codec::Codec;
pub use config::{CodecConfig, EncryptionVersion, Limits, OverLimit};
pub use error::{DecodeError, ErrorKind, Limit};
pub use keyring::{KeyError, Keyring};
pub use message::{
    Ack, Alive, IndirectPing, Ints, Message, Nack, NodeState, Ping, Raw, Rumour, Source, Standing, ip,
};
pub use packet::Packet;
pub use stream::{Nodes, PushPull, Side, StreamMessage, StreamReader};
pub use unpack::Bodies;
