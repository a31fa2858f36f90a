use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How a writer tells the numbers that are `int` in Go: `Nodes`, `UserStateLen`, `UserMsgLen`, `State`. Readers take both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ints {
    /// As numbers without a sign: Alertmanager up to 0.27, and what every version reads.
    #[default]
    Unsigned,
    /// As numbers with a sign from 128 on: Alertmanager from 0.28 on.
    Signed,
}

/// The bytes that Go calls `nil` are told from none at all, because both are on the wire and a message is to be written as it was read.
pub type Raw<'a> = Option<&'a [u8]>;

/// One message of memberlist, borrowed from the packet it came in.
///
/// Source: `hashicorp/memberlist`, `net.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// Are you alive?
    Ping(Ping<'a>),
    /// Ask another whether it is alive.
    IndirectPing(IndirectPing<'a>),
    /// I am.
    Ack(Ack<'a>),
    /// Whom you asked me to ask has not answered yet.
    Nack(Nack),
    /// Somebody thinks that a node is dead.
    Suspect(Rumour<'a>),
    /// A node is alive, here, and this is what it says of itself.
    Alive(Alive<'a>),
    /// A node is dead, or, if it says so itself, has left.
    Dead(Rumour<'a>),
    /// What the user of memberlist sends.
    User(&'a [u8]),
    /// What a node says on a stream before it closes it.
    Err(&'a str),
}

/// A probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping<'a> {
    /// What the answer will carry.
    pub seq_no: u32,
    /// The name of the node that is asked: another one at its address does not answer.
    pub node: &'a str,
    /// Who asks.
    pub source: Source<'a>,
}

/// Who sent a probe; left out by old nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Source<'a> {
    /// Its address, 4 or 16 bytes.
    pub addr: Raw<'a>,
    /// Its port.
    pub port: u16,
    /// Its name.
    pub node: &'a str,
}

/// A request to probe another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndirectPing<'a> {
    /// What the answer will carry.
    pub seq_no: u32,
    /// The address to be probed, 4 or 16 bytes.
    pub target: Raw<'a>,
    /// The port to be probed.
    pub port: u16,
    /// The name of the node to be probed.
    pub node: &'a str,
    /// Whether the one who asks wants a [`Nack`] if there is no answer in time.
    pub nack: bool,
    /// Who asks.
    pub source: Source<'a>,
}

/// The answer to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// That of the probe.
    pub seq_no: u32,
    /// What the user of memberlist adds.
    pub payload: Raw<'a>,
}

/// "No answer from it yet."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nack {
    /// That of the request.
    pub seq_no: u32,
}

/// What somebody says of another node's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rumour<'a> {
    /// Of which of its lives.
    pub incarnation: u32,
    /// Of whom.
    pub node: &'a str,
    /// Who says so.
    pub from: &'a str,
}

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alive<'a> {
    /// Raised by the node itself, to overrule rumours.
    pub incarnation: u32,
    /// Its name.
    pub node: &'a str,
    /// Its address, 4 or 16 bytes.
    pub addr: Raw<'a>,
    /// Its port.
    pub port: u16,
    /// What its user adds, at most 512 bytes.
    pub meta: Raw<'a>,
    /// Six versions: of the protocol the least, the highest and the present one, and of the user's.
    pub vsn: Raw<'a>,
}

/// How a node stands, in a push/pull exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Standing {
    /// It answers.
    Alive = 0,
    /// It did not answer, and may still say that it lives.
    Suspect = 1,
    /// It did not say so in time.
    Dead = 2,
    /// It said that it leaves.
    Left = 3,
}

/// What a push/pull exchange says of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeState<'a> {
    /// What the node said of itself.
    pub alive: Alive<'a>,
    /// How it stands.
    pub standing: Standing,
}

impl Alive<'_> {
    /// Where it is, if `addr` is an address.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(ip(self.addr)?, self.port))
    }
}

/// An address of 4 or 16 bytes; one of version 4 written as 16 is given as 4.
///
/// ```
/// use promha_gossip_core::wire::ip;
///
/// assert_eq!(ip(Some(&[127, 0, 0, 1])).unwrap().to_string(), "127.0.0.1");
/// assert_eq!(ip(Some(&[1, 2, 3])), None);
/// ```
pub fn ip(addr: Raw<'_>) -> Option<IpAddr> {
    let addr = addr?;
    if let Ok(v4) = <[u8; 4]>::try_from(addr) {
        return Some(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    let v6 = Ipv6Addr::from(<[u8; 16]>::try_from(addr).ok()?);
    Some(v6.to_canonical())
}
