//! hashicorp/memberlist's wire, both directions.

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
