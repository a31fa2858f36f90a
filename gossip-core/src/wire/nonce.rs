/// Nonces for a key: numbers of 96 bits that count up from one that the driver drew.
///
/// What AES-GCM needs of nonces is that none comes twice under one key, by whichever node; nobody has to be unable to guess them.
/// Drawing each one, as memberlist does, meets a former one after some 2^48 of them all nodes taken together. Drawing only where a node
/// begins, each start of it anew, meets another's stretch with a chance of about `starts^2 * messages of the longest stretch / 2^96`: a
/// million starts of 2^40 messages each leave one in 65,536, where drawn ones had long met. And a library that rolls no dice needs one
/// number and no more.
#[derive(Debug)]
pub(super) struct Nonces {
    next: u128,
}

impl Nonces {
    pub(super) fn new(first: [u8; 12]) -> Self {
        let mut next = [0; 16];
        next[4..].copy_from_slice(&first);
        Self { next: u128::from_be_bytes(next) }
    }

    /// Another one than all before it.
    pub(super) fn next(&mut self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.next.to_be_bytes()[4..]);
        self.next = self.next.wrapping_add(1);
        nonce
    }
}
