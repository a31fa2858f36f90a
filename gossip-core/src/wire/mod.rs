//! hashicorp/memberlist's wire, both directions.

mod decode;
mod encode;
mod error;
mod kind;
mod message;
mod msgpack;
mod packet;

pub use error::{DecodeError, ErrorKind};
pub use message::{
    Ack, Alive, IndirectPing, Ints, Message, Nack, NodeState, Ping, Raw, Rumour, Source, Standing, ip,
};
pub use packet::Packet;
