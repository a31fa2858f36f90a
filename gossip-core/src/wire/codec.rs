use super::config::{CodecConfig, MAX_LABEL_BYTES, OverLimit};
use super::envelope::{self, Sealer};
use super::error::{DecodeError, ErrorKind, Limit};
use super::keyring::Keyring;
use super::kind;
use super::lzw;
use super::packet::Packet;
use super::unpack::{Bodies, Unpacked};

/// Type and checksum before a packet that has one.
const CRC_HEADER_BYTES: usize = 5;

/// Turns packets into datagrams and back: compressed, checked, encrypted and labelled as the cluster does. It keeps its buffers, so that
/// nothing is allocated once they are large enough.
///
/// It cannot be cloned, as two of the same nonces would give away what they encrypt.
///
/// ```
/// use promha_gossip_core::wire::{Codec, CodecConfig, Keyring, Message, Nack};
///
/// let config = CodecConfig { label: "prod-eu".into(), ..CodecConfig::default() };
/// let nonce = [7; 12]; // drawn by the driver, at each start anew
/// let mut codec = Codec::new(config)?.encrypted(Keyring::new(&[1; 32])?, nonce);
///
/// let mut packet = codec.packet();
/// let messages = [1, 2, 3].map(|seq_no| Message::Nack(Nack { seq_no }));
/// assert!(messages.iter().all(|message| packet.push(message)));
/// let mut datagram = Vec::new();
/// codec.seal(&packet, true, &mut datagram);
///
/// let bodies = codec.open(&datagram)?;
/// assert!(bodies.map(Message::decode).eq(messages.map(Ok)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Codec {
    pub(super) config: CodecConfig,
    pub(super) sealer: Option<Sealer>,
    pub(super) compressor: lzw::Encoder,
    compressed: Vec<u8>,
    decrypted: Vec<u8>,
    unpacked: Unpacked,
}

impl Codec {
    /// A codec that encrypts nothing.
    ///
    /// # Errors
    /// A label of more than 255 bytes.
    pub fn new(config: CodecConfig) -> Result<Self, OverLimit> {
        OverLimit::check(Limit::LabelBytes, MAX_LABEL_BYTES, config.label.len())?;
        Ok(Self {
            config,
            sealer: None,
            compressor: lzw::Encoder::default(),
            compressed: Vec::new(),
            decrypted: Vec::new(),
            unpacked: Unpacked::default(),
        })
    }

    /// The same with keys. Nonces count up from the first one, which the driver draws from a good source of chance: anew at each start
    /// and for each codec, as no nonce may come twice under a key, by whichever node.
    #[must_use]
    pub fn encrypted(mut self, keyring: Keyring, first_nonce: [u8; 12]) -> Self {
        self.sealer = Some(Sealer::new(keyring, first_nonce));
        self
    }

    /// How the cluster speaks.
    pub fn config(&self) -> &CodecConfig {
        &self.config
    }

    /// The keys, if there are any, to replace some.
    pub fn keyring_mut(&mut self) -> Option<&mut Keyring> {
        self.sealer.as_mut().map(|sealer| &mut sealer.keyring)
    }

    /// An empty packet, which takes as much as leaves room for what a datagram has besides.
    pub fn packet(&self) -> Packet {
        let limit_bytes = self.config.limits.packet_bytes.saturating_sub(self.overhead_bytes());
        Packet::new(limit_bytes, self.config.ints)
    }

    /// How many bytes a datagram has besides the packet, at most.
    pub fn overhead_bytes(&self) -> usize {
        let sealed = match &self.sealer {
            Some(_) if !self.config.send_plain => envelope::sealed_overhead_bytes(self.config.encryption),
            _ => 0,
        };
        envelope::label_bytes(&self.config.label) + sealed + CRC_HEADER_BYTES
    }

    /// Appends a packet as a datagram; nothing if it is empty. A checksum is for peers whose highest protocol version is known to be 5
    /// or more. The cost is that of compression and encryption, a few microseconds for a full packet.
    pub fn seal(&mut self, packet: &Packet, crc: bool, into: &mut Vec<u8>) {
        if packet.is_empty() {
            return;
        }
        let mut sealer = envelope::writing(&self.config, &mut self.sealer);
        envelope::write_label(&self.config.label, into);
        let sealed_at = into.len();
        if sealer.is_some() {
            Sealer::begin(into);
        }
        let crc_at = into.len();
        if crc {
            into.extend_from_slice(&[kind::CRC, 0, 0, 0, 0]);
        }
        let plain_at = into.len();
        packet.write(into);
        if self.config.compression {
            self.compressed.clear();
            self.compressor.encode(&into[plain_at..], &mut self.compressed);
            if envelope::compressed_bytes(self.compressed.len()) < into.len() - plain_at {
                into.truncate(plain_at);
                envelope::write_compressed(&self.compressed, into);
            }
        }
        if crc {
            let checksum = crc_fast::crc32_iso_hdlc(&into[plain_at..]);
            into[crc_at + 1..plain_at].copy_from_slice(&checksum.to_be_bytes());
        }
        if let Some(sealer) = &mut sealer {
            sealer.seal(self.config.encryption, self.config.label.as_bytes(), sealed_at, into);
        }
    }

    /// The messages of a datagram, each as [`Message::decode`](super::Message::decode) takes it, in the order in which they were
    /// packed. What is wrong with one of them is found when it is decoded and is no reason not to look at the others.
    ///
    /// # Errors
    /// A label other than ours, what no key opens or is not encrypted and has to be, another checksum, a compressed or compound message
    /// that is none, and what is over a limit. Nothing of the datagram is delivered then.
    pub fn open<'c>(&'c mut self, datagram: &'c [u8]) -> Result<Bodies<'c>, DecodeError> {
        let Self { config, sealer, decrypted, unpacked, .. } = self;
        let label = envelope::check_label(&config.label, datagram)?;
        let mut plain = &datagram[label..];
        let mut offset = label;
        if let Some(sealer) = sealer {
            decrypted.clear();
            decrypted.extend_from_slice(plain);
            match sealer.open(config.label.as_bytes(), decrypted) {
                Ok(range) => {
                    plain = &decrypted[range];
                    offset = 0;
                }
                Err(_) if config.accept_plain => {}
                Err(error) => return Err(error.behind(label)),
            }
        }
        let bodies = check_crc(plain).and_then(|crc| {
            offset += crc;
            unpacked.unpack(&plain[crc..], &config.limits)
        });
        bodies.map_err(|error| error.behind(offset))
    }
}

/// How many bytes the checksum takes that a packet begins with, if it has one.
fn check_crc(bytes: &[u8]) -> Result<usize, DecodeError> {
    let [kind::CRC, rest @ ..] = bytes else { return Ok(0) };
    let Some((declared, rest)) = rest.split_first_chunk() else {
        let (needed_bytes, available_bytes) = (CRC_HEADER_BYTES as u64, bytes.len() as u64);
        return Err(DecodeError::new(ErrorKind::Truncated { needed_bytes, available_bytes }, 0));
    };
    let (declared, computed) = (u32::from_be_bytes(*declared), crc_fast::crc32_iso_hdlc(rest));
    if declared != computed {
        return Err(DecodeError::new(ErrorKind::Checksum { declared, computed }, 0));
    }
    Ok(CRC_HEADER_BYTES)
}
