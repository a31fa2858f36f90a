use std::net::{IpAddr, SocketAddr};
use thiserror::Error;
use xxhash_rust::xxh64::xxh64;

use crate::wire::Alive;

/// The longest name.
pub(super) const NAME_LIMIT_BYTES: usize = 512;

/// The longest that the user of memberlist may add to what a node says of itself.
pub(super) const META_LIMIT_BYTES: usize = 512;

/// What a node says of itself. It is shared and does not change: a node that says something else has another profile.
///
/// ```
/// use promha_gossip_core::membership::Profile;
///
/// let profile = Profile::new("a", "192.0.2.1:7946".parse().unwrap(), b"eu", [1, 5, 2, 0, 0, 0]).unwrap();
/// assert_eq!((profile.name(), profile.meta()), ("a", b"eu".as_slice()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    name: Box<str>,
    name_hash: u64,
    addr: SocketAddr,
    ip: [u8; 16],
    ip_bytes: u8,
    vsn: [u8; 6],
    meta: Box<[u8]>,
}

/// Why a node cannot be known by this profile. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// It has no name.
    #[error("the name is empty")]
    EmptyName,
    /// Its name is too long.
    #[error("the name has {bytes} bytes, more than {limit}")]
    NameTooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// It adds too much.
    #[error("the meta has {bytes} bytes, more than {limit}")]
    MetaTooLong {
        /// How much it is.
        bytes: usize,
        /// How much it may be.
        limit: usize,
    },
    /// Nothing can be sent to it: no address of 4 or 16 bytes, one of nobody or of many, or no port.
    #[error("no address that a datagram can be sent to: {addr:?}")]
    Address {
        /// The address, if it is one.
        addr: Option<SocketAddr>,
    },
    /// Its versions are not six, or do not begin with 1 or more, or the present one is not within its own limits.
    #[error("versions that cannot be: {vsn:?}")]
    Version {
        /// The first six of them, with zeros for those that are not there.
        vsn: [u8; 6],
    },
}

impl Profile {
    /// What a node says of itself: its name, where it is, what its user adds, and its versions: of the protocol the least, the highest and
    /// the present one, and then those of the user.
    ///
    /// # Errors
    /// If it has no name, or one longer than 512 bytes; if it adds more than 512 bytes; if nothing can be sent to it; if its versions
    /// contradict themselves.
    pub fn new(name: &str, addr: SocketAddr, meta: &[u8], vsn: [u8; 6]) -> Result<Self, ProfileError> {
        check_text(name, meta)?;
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        if !is_reachable(addr) {
            return Err(ProfileError::Address { addr: Some(addr) });
        }
        check_version(vsn)?;
        Ok(Self::of_checked(name, addr, meta, vsn))
    }

    fn of_checked(name: &str, addr: SocketAddr, meta: &[u8], vsn: [u8; 6]) -> Self {
        let mut ip = [0; 16];
        let ip_bytes = match addr.ip() {
            IpAddr::V4(v4) => {
                ip[..4].copy_from_slice(&v4.octets());
                4
            }
            IpAddr::V6(v6) => {
                ip = v6.octets();
                16
            }
        };
        Self { name: name.into(), name_hash: name_hash(name), addr, ip, ip_bytes, vsn, meta: meta.into() }
    }

    /// Its name, by which it is known.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// XXH64 of its name with seed 0.
    pub fn name_hash(&self) -> u64 {
        self.name_hash
    }

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What its user adds.
    pub fn meta(&self) -> &[u8] {
        &self.meta
    }

    /// Its versions: of the protocol the least, the highest and the present one, and then those of the user.
    pub fn vsn(&self) -> [u8; 6] {
        self.vsn
    }

    /// The highest version of the protocol that it understands.
    pub(crate) fn protocol_most(&self) -> u8 {
        self.vsn[1]
    }

    pub(crate) fn ip(&self) -> &[u8] {
        &self.ip[..usize::from(self.ip_bytes)]
    }

    pub(super) fn alive(&self, incarnation: u32) -> Alive<'_> {
        Alive {
            incarnation,
            node: &self.name,
            addr: Some(self.ip()),
            port: self.addr.port(),
            meta: Some(&self.meta),
            vsn: Some(&self.vsn),
        }
    }

    /// Whether two nodes understand each other: each speaks a version that the other knows.
    pub(super) fn understands(&self, vsn: [u8; 6]) -> bool {
        let speaks =
            |one: [u8; 6], other: [u8; 6], at: usize| (other[at]..=other[at + 1]).contains(&one[at + 2]);
        [0, 3].into_iter().all(|at| speaks(self.vsn, vsn, at) && speaks(vsn, self.vsn, at))
    }
}

/// What a message says of a node, if that can be: like a profile, but borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    pub(super) name: &'a str,
    pub(super) name_hash: u64,
    pub(super) incarnation: u32,
    pub(super) addr: SocketAddr,
    pub(super) meta: &'a [u8],
    pub(super) vsn: [u8; 6],
}

impl<'a> Claim<'a> {
    pub(super) fn of(alive: &Alive<'a>) -> Result<Self, ProfileError> {
        let meta = alive.meta.unwrap_or_default();
        check_text(alive.node, meta)?;
        let Some(addr) = alive.socket_addr().filter(|addr| is_reachable(*addr)) else {
            return Err(ProfileError::Address { addr: alive.socket_addr() });
        };
        let vsn = version(alive.vsn.unwrap_or_default());
        check_version(vsn)?;
        Ok(Self {
            name: alive.node,
            name_hash: name_hash(alive.node),
            incarnation: alive.incarnation,
            addr,
            meta,
            vsn,
        })
    }

    pub(super) fn profile(&self) -> Profile {
        Profile::of_checked(self.name, self.addr, self.meta, self.vsn)
    }

    /// Whether it says the same, its address apart.
    pub(super) fn says_as(&self, profile: &Profile) -> bool {
        *self.meta == *profile.meta && self.vsn == profile.vsn
    }
}

pub(super) fn name_hash(name: &str) -> u64 {
    xxh64(name.as_bytes(), 0)
}

/// Six versions; fewer are none, because a version that was not told must not be taken, and told on, as zero.
fn version(bytes: &[u8]) -> [u8; 6] {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn check_text(name: &str, meta: &[u8]) -> Result<(), ProfileError> {
    if name.is_empty() {
        return Err(ProfileError::EmptyName);
    }
    if name.len() > NAME_LIMIT_BYTES {
        return Err(ProfileError::NameTooLong { bytes: name.len(), limit: NAME_LIMIT_BYTES });
    }
    if meta.len() > META_LIMIT_BYTES {
        return Err(ProfileError::MetaTooLong { bytes: meta.len(), limit: META_LIMIT_BYTES });
    }
    Ok(())
}

fn check_version(vsn: [u8; 6]) -> Result<(), ProfileError> {
    let [least, most, present, user_least, user_most, user_present] = vsn;
    let can_be =
        least >= 1 && (least..=most).contains(&present) && (user_least..=user_most).contains(&user_present);
    if can_be { Ok(()) } else { Err(ProfileError::Version { vsn }) }
}

/// An address of many would make one message into many.
pub(super) fn is_reachable(addr: SocketAddr) -> bool {
    let ip = addr.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}
