//! hashicorp/memberlist's wire, both directions.

mod message;
mod packet;

pub use message::{
    Ack, Alive, IndirectPing, Ints, Message, Nack, NodeState, Ping, Raw, Rumour, Source, Standing, ip,
};
pub use packet::Packet;
