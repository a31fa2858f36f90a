use std::fmt;

use aes_gcm::aead::consts::U12;
use aes_gcm::aes::Aes192;
use aes_gcm::{AeadInPlace, Aes128Gcm, Aes256Gcm, AesGcm, KeyInit, Nonce, Tag};
use thiserror::Error;

/// The keys of a cluster: one that everything is encrypted with, the primary one, and others that open what still comes with them. To
/// replace a key, [`add`](Self::add) the new one everywhere, then [`promote`](Self::promote) it everywhere, then
/// [`remove`](Self::remove) the old one everywhere.
///
/// `Debug` shows how many keys there are and none of them.
///
/// ```
/// use promha_gossip_core::wire::Keyring;
///
/// let (old, new) = ([1; 16], [2; 32]);
/// let mut keyring = Keyring::new(&old)?;
/// keyring.add(&new)?;
/// assert_eq!(keyring.primary(), old);
/// keyring.promote(&new)?;
/// keyring.remove(&old)?;
/// assert_eq!(keyring.keys().collect::<Vec<_>>(), [new]);
/// # Ok::<(), promha_gossip_core::wire::KeyError>(())
/// ```
pub struct Keyring {
    /// The primary one first; never empty.
    keys: Vec<Key>,
}

/// Why a keyring did not take a change. It is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Neither 16, 24 nor 32 bytes.
    #[error("a key of {found_bytes} bytes is not one of 16, 24 or 32")]
    Length {
        /// How many it has.
        found_bytes: usize,
    },
    /// A key that is to become the primary one and was not added.
    #[error("the key is not among the {keys} of the keyring")]
    Unknown {
        /// How many keys there are.
        keys: usize,
    },
    /// The primary key cannot be removed: promote another one first.
    #[error("the primary key cannot be removed")]
    Primary,
}

impl Keyring {
    /// A keyring of one key, of 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn new(primary: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { keys: vec![Key::new(primary)?] })
    }

    /// Adds a key that opens what was encrypted with it; nothing is encrypted with it yet. One that is there stays where it is.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn add(&mut self, key: &[u8]) -> Result<(), KeyError> {
        let key = Key::new(key)?;
        if !self.keys.iter().any(|known| known.bytes == key.bytes) {
            self.keys.push(key);
        }
        Ok(())
    }

    /// Makes a key of the ring the primary one.
    ///
    /// # Errors
    /// [`KeyError::Unknown`].
    pub fn promote(&mut self, key: &[u8]) -> Result<(), KeyError> {
        match self.keys.iter().position(|known| known.bytes == key) {
            Some(at) => self.keys[..=at].rotate_right(1),
            None => return Err(KeyError::Unknown { keys: self.keys.len() }),
        }
        Ok(())
    }

    /// Removes a key; one that is not there is gone already.
    ///
    /// # Errors
    /// [`KeyError::Primary`].
    pub fn remove(&mut self, key: &[u8]) -> Result<(), KeyError> {
        if self.primary() == key {
            return Err(KeyError::Primary);
        }
        self.keys.retain(|known| known.bytes != key);
        Ok(())
    }

    /// The key that everything is encrypted with.
    pub fn primary(&self) -> &[u8] {
        &self.keys[0].bytes
    }

    /// All keys, the primary one first.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.keys.iter().map(|key| &key.bytes[..])
    }

    /// Encrypts the bytes where they are, with the primary key, and gives the tag.
    pub(super) fn encrypt(&self, nonce: &[u8; 12], associated: &[u8], bytes: &mut [u8]) -> Option<[u8; 16]> {
        self.keys[0].encrypt(nonce, associated, bytes)
    }

    /// Decrypts the bytes where they are, with the first key that opens them, and says whether there is one; otherwise they are as they
    /// were. It costs a pass over the bytes for each key.
    pub(super) fn decrypt(
        &self,
        nonce: &[u8; 12],
        associated: &[u8],
        bytes: &mut [u8],
        tag: &[u8; 16],
    ) -> bool {
        self.keys.iter().any(|key| key.decrypt(nonce, associated, bytes, tag))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Keyring").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

struct Key {
    bytes: Vec<u8>,
    cipher: Cipher,
}

enum Cipher {
    Aes128(Box<Aes128Gcm>),
    Aes192(Box<AesGcm<Aes192, U12>>),
    Aes256(Box<Aes256Gcm>),
}

impl Key {
    fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let cipher = if let Ok(cipher) = Aes128Gcm::new_from_slice(bytes) {
            Cipher::Aes128(cipher.into())
        } else if let Ok(cipher) = AesGcm::<Aes192, U12>::new_from_slice(bytes) {
            Cipher::Aes192(cipher.into())
        } else if let Ok(cipher) = Aes256Gcm::new_from_slice(bytes) {
            Cipher::Aes256(cipher.into())
        } else {
            return Err(KeyError::Length { found_bytes: bytes.len() });
        };
        Ok(Self { bytes: bytes.to_vec(), cipher })
    }

    /// None for more than the 64 GiB that the cipher takes at once.
    fn encrypt(&self, nonce: &[u8; 12], associated: &[u8], bytes: &mut [u8]) -> Option<[u8; 16]> {
        let nonce = Nonce::from_slice(nonce);
        let tag = match &self.cipher {
            Cipher::Aes128(cipher) => cipher.encrypt_in_place_detached(nonce, associated, bytes),
            Cipher::Aes192(cipher) => cipher.encrypt_in_place_detached(nonce, associated, bytes),
            Cipher::Aes256(cipher) => cipher.encrypt_in_place_detached(nonce, associated, bytes),
        };
        tag.ok().map(Into::into)
    }

    fn decrypt(&self, nonce: &[u8; 12], associated: &[u8], bytes: &mut [u8], tag: &[u8; 16]) -> bool {
        let (nonce, tag) = (Nonce::from_slice(nonce), Tag::from_slice(tag));
        let decrypted = match &self.cipher {
            Cipher::Aes128(cipher) => cipher.decrypt_in_place_detached(nonce, associated, bytes, tag),
            Cipher::Aes192(cipher) => cipher.decrypt_in_place_detached(nonce, associated, bytes, tag),
            Cipher::Aes256(cipher) => cipher.decrypt_in_place_detached(nonce, associated, bytes, tag),
        };
        decrypted.is_ok()
    }
}
